"""Calibration error: none beyond chance where there is none, what was planted where there is; temperatures undo it."""

import json

import numpy as np
import pytest

from ursa.core.statistics import softmax
from ursa.diagnose.calibration import BINS, calibrated_out_of_sample, reliability, temperature_for
from ursa.errors import DataError


def drawn(count=2000, *, seed=0, temperature=1.0, classes=4):
    """Probabilities [N, K] and labels drawn from them; then the logits are multiplied by the temperature."""
    draw = np.random.default_rng(seed)
    logits = 2 * draw.normal(size=(count, classes))
    true = softmax(logits)
    labels = (draw.random((count, 1)) > true.cumsum(1)).sum(1).clip(max=classes - 1)
    return softmax(logits * temperature), labels


def test_labels_drawn_from_the_probabilities_are_calibrated_19_times_in_20():
    found = [reliability(*drawn(300, seed=seed)) for seed in range(60)]
    assert sum(not each.calibrated for each in found) <= 7  # 3 expected; 8 or more: 1 in 100
    errors, floors = np.mean([(each.error, each.floor) for each in found], axis=0)
    assert errors == pytest.approx(floors, rel=0.1)


@pytest.mark.parametrize(("temperature", "sign"), [(3.0, -1), (0.3, 1)])
def test_a_model_that_is_too_sure_or_not_sure_enough_is_told(temperature, sign):
    probabilities, labels = drawn(temperature=temperature)
    found = reliability(probabilities, labels)
    assert not found.calibrated and found.error > 3 * found.floor
    gap = np.array([each.value for each in found.accuracy]) - found.confidence
    assert np.sign(np.average(gap, weights=found.pictures)) == sign
    assert found.error == pytest.approx(np.average(np.abs(gap), weights=found.pictures))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_the_temperature_that_was_planted_is_found_and_undone_out_of_sample(temperature):
    probabilities, labels = drawn(4000, temperature=temperature)
    assert temperature_for(probabilities, labels) == pytest.approx(temperature, rel=0.1)
    folds = np.arange(len(labels)) % 5
    after = calibrated_out_of_sample(probabilities, labels, folds)
    assert reliability(after, labels).calibrated
    np.testing.assert_allclose(after.sum(1), 1, rtol=1e-5)
    assert (after.argmax(1) == probabilities.argmax(1)).all()


def test_no_label_changes_its_own_probability():
    probabilities, labels = drawn(400, temperature=2.0)
    folds = np.arange(400) % 4
    before = calibrated_out_of_sample(probabilities, labels, folds)
    changed = np.where(folds == 2, (labels + 1) % 4, labels)
    after = calibrated_out_of_sample(probabilities, changed, folds)
    assert np.array_equal(before[folds == 2], after[folds == 2])
    assert not np.array_equal(before[folds == 1], after[folds == 1])


def test_bins_are_of_equal_mass_from_unsure_to_sure_whatever_the_order():
    probabilities, labels = drawn(1000)
    found, order = reliability(probabilities, labels), np.random.default_rng(0).permutation(1000)
    assert found.pictures.sum() == 1000 and np.ptp(found.pictures) <= 1 and len(found.pictures) == BINS
    assert (np.diff(found.confidence) > 0).all()
    again = reliability(probabilities[order], labels[order])
    assert again.error == pytest.approx(found.error) and again.floor == pytest.approx(found.floor, rel=0.05)


def test_few_pictures_have_few_bins_and_none_have_no_calibration():
    found = reliability(*drawn(4))
    assert found.pictures.tolist() == [1, 1, 1, 1]
    assert found.calibrated
    with pytest.raises(DataError, match="measured on pictures"):
        reliability(np.zeros((0, 3)), np.zeros(0, np.int64))


def test_its_document_is_plain_json():
    document = json.loads(json.dumps(reliability(*drawn(200)).to_json()))
    assert document.keys() == {"error", "floor", "ceiling", "bins"}
    assert document["floor"] < document["ceiling"] and len(document["bins"]) == BINS
    assert document["bins"][0].keys() == {"pictures", "confidence", "accuracy"}
