"""Curves equal scikit-learn's; points follow from costs; what is saved is paired."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from ursa.core.decisions import Costs, Decisions, costs_of
from ursa.diagnose.operating_points import class_curves, mean_cost, saved_by

NAMES = ("a", "b", "c")


def drawn(count=200, seed=0, digits=None):
    random = np.random.default_rng(seed)
    targets = random.integers(3, size=count)
    logits = random.normal(size=(count, 3)) + 1.5 * np.eye(3)[targets]
    likely = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return (likely if digits is None else likely.round(digits)), targets


@pytest.mark.parametrize("digits", [None, 1])  # with ties, too
def test_areas_and_curves_are_scikit_learns(digits):
    likely, targets = drawn(digits=digits)
    for k, one in enumerate(class_curves(likely, targets, NAMES)):
        own = targets == k
        assert one.auc.value == pytest.approx(metrics.roc_auc_score(own, likely[:, k]))
        assert one.average_precision.value == pytest.approx(metrics.average_precision_score(own, likely[:, k]))
        assert one.auc.low < one.auc.value < one.auc.high
        alarms, recall, thresholds = metrics.roc_curve(own, likely[:, k], drop_intermediate=False)
        np.testing.assert_allclose(one.false_alarms, alarms[1:])
        np.testing.assert_allclose(one.recall, recall[1:])
        np.testing.assert_allclose(one.thresholds, thresholds[1:])
        assert one.pictures == own.sum()
        assert one.point is None


def test_a_point_is_what_its_threshold_does():
    likely, targets = drawn()
    (one, _, other) = class_curves(likely, targets, NAMES, {"a": Costs(3, 1)})
    above, own = likely[:, 0] >= 0.25, targets == 0
    assert one.point.recall.value == pytest.approx(above[own].mean())
    assert one.point.precision.value == pytest.approx(own[above].mean())
    assert one.point.false_alarms.value == pytest.approx(above[~own].mean())
    at = np.flatnonzero(one.thresholds >= 0.25)[-1]
    assert one.recall[at] == pytest.approx(one.point.recall.value)
    assert one.false_alarms[at] == pytest.approx(one.point.false_alarms.value)
    assert other.point is None
    assert one.to_json()["point"]["threshold"] == 0.25


@given(st.floats(0.05, 20), st.floats(0.05, 20), st.integers(0, 50))
def test_what_is_saved_is_the_difference_of_both_ways_to_decide(miss, alarm, seed):
    likely, targets = drawn(60, seed)
    costs = costs_of({"a": (miss, alarm), "c": (1, 1)}, NAMES)

    def by_hand(chosen):
        total = 0.0
        for said, true in zip(chosen, targets, strict=True):
            if said != true:
                total += {0: miss, 1: 0, 2: 1}[true] + {0: alarm, 1: 0, 2: 1}[said]
        return total / len(targets)

    decided = Decisions(costs).chosen(likely, NAMES)
    assert mean_cost(decided, targets, NAMES, costs).mean() == pytest.approx(by_hand(decided))


def test_calibrated_probabilities_save_on_average_and_equal_costs_nothing():
    likely, targets = drawn(4000, 3)
    prior = np.log(likely)  # logits with the right prior: softmax(1.5 * ...) is calibrated for this draw
    calibrated = np.exp(1.5 * prior) / np.exp(1.5 * prior).sum(1, keepdims=True)
    found = saved_by(calibrated, targets, NAMES, costs_of({"a": (10, 1)}, NAMES))
    assert found.low > 0
    same = saved_by(likely, targets, NAMES, costs_of(dict.fromkeys(NAMES, (1, 1)), NAMES))
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_a_class_that_never_occurs_has_no_area_and_one_picture_is_enough():
    likely, targets = drawn(30)
    one, other, missing = class_curves(likely, np.where(targets == 2, 0, targets), NAMES, {"c": Costs(1, 1)})
    assert np.isnan(missing.auc.value)
    assert missing.to_json()["auc"]["value"] is None
    assert missing.point.recall.to_json()["value"] is None
    assert one.auc.value > 0.5 < other.auc.value
    alone = class_curves(likely[:1], np.array([1]), NAMES)
    assert all(np.isnan(each.auc.value) for each in alone)
