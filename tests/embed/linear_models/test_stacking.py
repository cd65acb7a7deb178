"""Temperature and mixture are those of least loss, on pictures that had no part in the logits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from ursa.core.statistics import log_loss, softmax
from ursa.embed.linear_models import stacking
from ursa.embed.linear_models.regularization_path import RegularizationPath, absent_offset, held_out, with_absent
from ursa.embed.linear_models.stacking import Judge


def calibrated(pictures=2000, classes=4, seed=0):
    """Logits whose softmax is the truth, and classes drawn from it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (pictures, classes)).astype(np.float32)
    targets = (softmax(logits).cumsum(1) < rng.random((pictures, 1))).sum(1).clip(max=classes - 1)
    return logits, targets


def judge_of(targets, classes, folds=5):
    return Judge.of(
        targets, np.arange(len(targets)) % folds, np.zeros((folds, classes), np.float32), np.arange(len(targets))
    )


@pytest.mark.parametrize("temperature", [0.4, 1.0, 6.0])
def test_the_weight_of_one_model_undoes_the_temperature_that_its_logits_had(temperature):
    logits, targets = calibrated()
    (weight,) = judge_of(targets, 4).weights([logits * temperature])
    assert weight * temperature == pytest.approx(1, abs=0.1)


def test_the_weights_have_the_least_loss_that_scipy_finds():
    logits, targets = calibrated()
    rng = np.random.default_rng(1)
    parts = [3 * logits + rng.normal(0, 3, logits.shape), 0.5 * logits + rng.normal(0, 0.5, logits.shape)]
    judge = judge_of(targets, 4)
    found = judge.weights(parts)
    best = minimize(lambda w: judge._loss(parts, w).mean(dtype=np.float64), [0.5, 0.5], method="Nelder-Mead").x
    assert np.allclose(found, best, rtol=0.02)


def test_a_model_that_knows_nothing_gets_no_weight_and_never_a_negative_one():
    logits, targets = calibrated()
    noise = np.random.default_rng(1).normal(size=logits.shape)
    both = judge_of(targets, 4).weights([logits, noise])
    assert both[0] == pytest.approx(1, abs=0.1) and 0 <= both[1] < 0.06
    against = judge_of(targets, 4).weights([logits, -logits + noise])
    assert (against >= 0).all()
    assert judge_of(targets, 4).weights([-logits])[0] > 0  # worse than chance: still some class comes first


def test_a_temperature_improves_the_loss_on_pictures_that_had_no_part_in_it():
    logits, targets = calibrated()
    hot, half = 5 * logits, np.arange(2000) < 1000
    (weight,) = judge_of(targets[half], 4).weights([hot[half]])
    assert log_loss(softmax(weight * hot[~half]), targets[~half]) < log_loss(softmax(hot[~half]), targets[~half]) - 0.5


def test_without_a_fold_its_labels_have_no_say():
    logits, targets = calibrated(200)
    changed = np.where(np.arange(200) % 5 == 3, (targets + 1) % 4, targets)
    before, after = judge_of(targets, 4), judge_of(changed, 4)
    assert np.array_equal(before.weights([logits], without=3), after.weights([logits], without=3))
    assert not np.allclose(before.weights([logits], without=2), after.weights([logits], without=2), rtol=0.01)
    assert before.losses(logits)[3] == pytest.approx(after.losses(logits)[3])
    assert after.losses(logits)[-1] > before.losses(logits)[-1] + 0.1


def test_losses_are_those_at_the_best_temperature_within_a_fraction_of_a_per_cent():
    logits, targets = calibrated()
    judge = judge_of(targets, 4)
    for scale in (0.7, 2.0, 9.0):
        exact = minimize_scalar(
            lambda t, scale=scale: judge._loss([scale * logits], np.array([t])).mean(), bounds=(0.01, 4)
        ).fun
        assert judge.losses(scale * logits)[-1] == pytest.approx(exact, rel=0.003)


def test_where_nothing_is_wrong_the_weight_stays_finite():
    targets = np.arange(100) % 3
    (weight,) = judge_of(targets, 3).weights([np.eye(3, dtype=np.float32)[targets]])
    assert 1 < weight < 20
    assert softmax(weight * np.eye(3, dtype=np.float32))[0, 0] == pytest.approx(0.99, abs=0.01)  # one in a hundred


def test_among_many_pictures_some_choose_for_all_whatever_their_order(monkeypatch):
    monkeypatch.setattr(stacking, "SEEN", 100)
    targets = calibrated(1000)[1]
    judge = judge_of(targets, 4)
    assert len(judge.rows) == 100
    order = np.random.default_rng(0).permutation(1000)
    again = Judge.of(targets[order], (np.arange(1000) % 5)[order], np.zeros((5, 4), np.float32), np.argsort(order))
    assert set(order[again.rows]) == set(judge.rows)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_of_logits_plays_no_part_even_where_all_are_right(scale):
    logits, targets = calibrated()
    judge, easy = judge_of(targets, 4), np.eye(4, dtype=np.float32)[targets]
    assert judge.weights([scale * logits])[0] * scale == pytest.approx(1, abs=0.1)
    assert judge.losses(scale * logits)[-1] == pytest.approx(judge.losses(logits)[-1], rel=1e-3)
    one, other = judge.weights([easy, scale * easy])  # separable by both: the loss is flat, Newton's steps are huge
    assert 7 < one + scale * other < 12  # the odds of 1 in 2,000


# --- the path ------------------------------------------------------------------------------------------------------


def test_the_path_ends_where_it_gets_worse_and_keeps_what_is_best_for_some_fold():
    logits, targets = calibrated()
    noise = np.random.default_rng(1).normal(size=logits.shape)
    amount = {5.0: 1.0, 4.0: 0.1, 3.0: 0.5, 2.0: 0.0, 1.0: 0.0}
    tried = []
    path = RegularizationPath.followed(
        tuple(amount), lambda s: tried.append(s) or logits + 3 * amount[s] * noise, judge_of(targets, 4)
    )
    assert tried == [5.0, 4.0, 3.0] and path.setting == 4.0
    assert set(path.logits) == {1}
    assert np.array_equal(path.logits_without(2), path.logits[1])


# --- classes that nobody could learn -------------------------------------------------------------------------------


@settings(max_examples=30)
@given(seed=st.integers(0, 100), factor=st.sampled_from([0.05, 1.0, 20.0]))
def test_a_class_that_had_no_picture_gets_next_to_nothing_at_any_temperature(seed, factor):
    rng = np.random.default_rng(seed)
    weights, counts = rng.normal(size=(5, 1, 4)).astype(np.float32), np.array([[60, 39, 0, 0]])
    scores = rng.normal(0, 3, (20, 4)).astype(np.float32)
    logits = held_out(scores, weights, counts, np.zeros(20, np.int64))
    probabilities = softmax(factor * logits + absent_offset(counts))
    assert probabilities[:, 2:].max() <= 0.01
    assert np.array_equal(with_absent(weights, counts)[:, :, :2], weights[:, :, :2])
