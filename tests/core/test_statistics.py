"""Numbers and their uncertainty."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core import statistics
from ursa.core.statistics import Estimate, cross_validated, proportion

totals = st.integers(1, 5000)


def test_wilson_by_hand():
    """8 of 10: centre (0.8 + z^2/20) / (1 + z^2/10) = 0.71674, half width 0.22658 (Wilson 1927; as R's prop.test)."""
    metric = proportion(8, 10, "held out")
    assert metric.value == 0.8
    assert metric.low == pytest.approx(0.4901625, abs=1e-6)
    assert metric.high == pytest.approx(0.9433178, abs=1e-6)


@given(data=st.data(), total=totals)
def test_the_ends_of_an_interval_are_the_shares_that_would_just_explain_what_was_seen(data, total):
    """(share - p)^2 = z^2 p (1 - p) / n at both ends: the definition that Wilson solved."""
    hits = data.draw(st.integers(0, total))
    metric = proportion(hits, total, "")
    for end in (metric.low, metric.high):
        if 0 < end < 1:
            assert (metric.value - end) ** 2 == pytest.approx(statistics.Z95**2 * end * (1 - end) / total, abs=1e-9)


@given(data=st.data(), total=totals)
def test_an_interval_holds_its_value_and_stays_between_0_and_1(data, total):
    metric = proportion(data.draw(st.integers(0, total)), total, "")
    assert 0 <= metric.low <= metric.value <= metric.high <= 1
    assert metric.low < metric.high


@given(data=st.data(), total=totals)
def test_more_hits_raise_the_value_and_both_ends(data, total):
    hits = data.draw(st.integers(0, total - 1))
    one, more = proportion(hits, total, ""), proportion(hits + 1, total, "")
    assert one.value < more.value and one.low < more.low and one.high < more.high


@given(hits=st.integers(0, 50), misses=st.integers(1, 50), times=st.integers(2, 9))
def test_more_pictures_with_the_same_share_narrow_the_interval(hits, misses, times):
    one, many = proportion(hits, hits + misses, ""), proportion(hits * times, (hits + misses) * times, "")
    assert many.high - many.low < one.high - one.low


@given(data=st.data(), total=totals)
def test_misses_are_the_mirror_of_hits(data, total):
    hits = data.draw(st.integers(0, total))
    one, other = proportion(hits, total, ""), proportion(total - hits, total, "")
    assert (one.low, one.high) == (pytest.approx(1 - other.high, abs=1e-12), pytest.approx(1 - other.low, abs=1e-12))


def test_of_95_percent_intervals_95_percent_hold_the_truth():
    rng = np.random.default_rng(0)
    for share, total in ((0.9, 50), (0.5, 200), (0.97, 400)):
        drawn = [proportion(int(hits), total, "") for hits in rng.binomial(total, share, 4000)]
        covered = np.mean([metric.low <= share <= metric.high for metric in drawn])
        assert 0.93 < covered < 0.975


def test_without_pictures_nothing_is_known_and_the_document_says_so_in_json():
    metric = proportion(0, 0, "recall")
    assert (metric.low, metric.high) == (0, 1) and math.isnan(metric.value)
    assert json.loads(json.dumps(metric.to_json(), allow_nan=False)) == {
        "value": None,
        "low": 0.0,
        "high": 1.0,
        "method": "recall; nothing to count",
    }


# --- of cross-validation ---------------------------------------------------------------------------------------------


def test_the_high_end_of_cross_validation_is_wilsons_at_the_errors_that_learning_from_all_leaves_at_least():
    """90 of 100 by 5 folds: 10 errors become 8 at best. Ends by scipy.stats.binomtest."""
    metric = cross_validated(90, 100, 5, "probe")
    assert (metric.value, metric.share) == (0.9, True)
    assert metric.low == pytest.approx(0.825634, abs=1e-6) and metric.high == pytest.approx(0.958907, abs=1e-6)
    assert metric.method.startswith("probe; Wilson 95 % interval") and "all folds" in metric.method


@given(st.integers(1, 400), st.integers(2, 20), st.data())
def test_an_interval_of_cross_validation_holds_wilsons_and_the_more_folds_the_nearer_it_is(total, folds, data):
    hits = data.draw(st.integers(0, total))
    plain, few, many = proportion(hits, total, ""), *(cross_validated(hits, total, k, "") for k in (folds, folds + 1))
    assert (few.value, few.low) == (many.value, many.low) == (plain.value, plain.low)
    assert plain.high <= many.high + 1e-12 and many.high <= few.high + 1e-12 and few.high <= 1
    if hits == total:
        assert few.high == plain.high == 1


def test_nothing_cross_validated_is_no_number():
    metric = cross_validated(0, 0, 5, "probe")
    assert np.isnan(metric.value) and (metric.low, metric.high) == (0, 1)


def test_a_metric_has_four_keys_and_reads_as_per_cent_where_it_is_a_share():
    metric = Estimate(0.912, 0.85, 0.95, "held out", share=True)
    assert metric.to_json() == {"value": 0.912, "low": 0.85, "high": 0.95, "method": "held out"}
    assert str(metric) == "91.2 % (85.0 to 95.0)"
    assert str(Estimate(3.14159, 2.5, 4.0, "rmse")) == "3.142 (2.5 to 4)"


def test_accuracy_counts_the_most_probable_class():
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8]])
    assert statistics.accuracy(probabilities, np.array([0, 1, 0]), "m").value == pytest.approx(2 / 3)


logits = st.lists(st.lists(st.floats(-80, 80), min_size=3, max_size=3), min_size=1, max_size=6).map(np.array)


@given(logits, st.floats(-1e4, 1e4))
def test_softmax_gives_probabilities_keeps_the_order_and_ignores_a_common_shift(values, shift):
    probabilities = statistics.softmax(values)
    assert probabilities.dtype == np.float32 and probabilities.shape == values.shape
    assert np.allclose(probabilities.sum(1), 1, atol=1e-6) and (probabilities >= 0).all()
    ranked = np.take_along_axis(probabilities, values.argsort(1), 1)
    assert (np.diff(ranked, axis=1) >= 0).all()
    assert np.allclose(statistics.softmax(values + shift), probabilities, atol=1e-6)


def test_softmax_of_known_odds_and_of_huge_logits():
    assert statistics.softmax(np.log([[1.0, 2.0, 5.0]])).tolist()[0] == pytest.approx([0.125, 0.25, 0.625])
    assert statistics.softmax(np.array([1e30, 0.0], np.float32)).tolist() == [1, 0]


def test_log_loss_by_hand_and_never_infinite():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert statistics.log_loss(probabilities, np.array([0, 0])) == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert math.isfinite(statistics.log_loss(np.array([[0.0, 1.0]]), np.array([0])))


pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=60)


@given(pairs)
def test_confusion_counts_every_picture_once_rows_given_columns_predicted(seen):
    predicted, given_class = (np.array([pair[i] for pair in seen], dtype=np.int64) for i in (0, 1))
    counts = statistics.confusion(predicted, given_class, 4)
    assert counts.sum() == len(seen)
    assert counts.sum(1).tolist() == np.bincount(given_class, minlength=4).tolist()
    assert counts.sum(0).tolist() == np.bincount(predicted, minlength=4).tolist()
    assert np.trace(counts) == (predicted == given_class).sum()
    assert np.array_equal(statistics.confusion(given_class, predicted, 4), counts.T)


def test_recall_and_precision_of_each_class():
    counts = np.array([[8, 2], [1, 9]])
    classes = statistics.per_class(counts, ["cat", "dog"])
    assert classes["cat"]["pictures"] == 10
    assert classes["cat"]["recall"]["value"] == 0.8
    assert classes["cat"]["precision"]["value"] == pytest.approx(8 / 9)
    assert classes["dog"]["recall"]["value"] == 0.9
    assert classes["dog"]["precision"]["value"] == pytest.approx(9 / 11)


def test_the_sign_test_by_hand():
    """10 to 2: 2 * (1 + 12 + 66) / 4096."""
    assert statistics.mcnemar_exact(10, 2) == pytest.approx(2 * 79 / 4096)
    assert statistics.mcnemar_exact(0, 0) == 1
    assert statistics.mcnemar_exact(6, 0) == pytest.approx(2 / 64)


@given(st.integers(0, 80), st.integers(0, 80))
def test_the_sign_test_knows_no_sides_and_a_draw_says_nothing(wins, losses):
    value = statistics.mcnemar_exact(wins, losses)
    assert 0 < value <= 1
    assert value == statistics.mcnemar_exact(losses, wins)
    assert statistics.mcnemar_exact(wins, wins) == 1
    if wins >= losses:
        assert statistics.mcnemar_exact(wins + 1, losses) <= value


def test_mixups_are_the_off_diagonal_counts_most_frequent_first():
    counts = np.array([[9, 2, 0], [5, 9, 1], [0, 0, 9]])
    assert statistics.most_confused(counts, ("a", "b", "c"), 9) == [("b", "a", 5), ("a", "b", 2), ("b", "c", 1)]
    assert statistics.most_confused(counts, ("a", "b", "c"), 1) == [("b", "a", 5)]
    assert statistics.most_confused(np.eye(3, dtype=int), ("a", "b", "c"), 9) == []


def test_f1_of_a_class_by_hand_with_the_interval_of_the_share_that_it_is_of():
    """8 of 10 found, 12 predicted: precision 8/12, recall 8/10, F1 16/22; J = 8/14, F1 = 2 J / (1 + J)."""
    found = statistics.f1(8, 22)
    share = proportion(8, 14, "")
    assert found.value == pytest.approx(16 / 22)
    assert (found.low, found.high) == pytest.approx(
        (2 * share.low / (1 + share.low), 2 * share.high / (1 + share.high))
    )
    assert math.isnan(statistics.f1(0, 0).value)


def test_intervals_of_f1_hold_the_true_one_as_often_as_they_say():
    draw, counted = np.random.default_rng(0), []
    for hits, missed, added, _ in draw.multinomial(150, (0.2, 0.05, 0.08, 0.67), 1500).tolist():
        found = statistics.f1(hits, 2 * hits + missed + added)
        counted.append(found.low <= 2 * 0.2 / (0.4 + 0.05 + 0.08) <= found.high)
    assert 0.93 < np.mean(counted) < 0.97


def test_each_class_has_recall_precision_and_f1_with_intervals():
    scores = statistics.per_class(np.array([[8, 2, 0], [4, 6, 0], [0, 0, 0]]), ["a", "b", "c"])
    assert scores["a"]["pictures"] == 10
    assert [scores["a"][name]["value"] for name in ("recall", "precision", "f1")] == pytest.approx(
        [0.8, 8 / 12, 16 / 22]
    )
    assert scores["c"]["f1"]["value"] is None
    assert all(scores["b"][name].keys() == {"value", "low", "high", "method"} for name in ("recall", "precision", "f1"))
