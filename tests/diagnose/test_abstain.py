"""Thresholds keep what they promise, over many draws; where nothing can be promised, nothing is answered."""

import json
import math

import numpy as np
import pytest
from scipy.stats import binom

from ursa.core.statistics import binomial_tail
from ursa.diagnose.abstain import (
    at_threshold,
    described,
    least_pictures,
    threshold_for,
    thresholds_for,
)
from ursa.errors import DataError


def predictions(count, seed, *, sharpness=4.0, calibrated=True):
    """Probabilities [N, 2] and labels that are drawn from them, or, not calibrated, that are wrong twice as often."""
    draw = np.random.default_rng(seed)
    sure = 1 / (1 + np.exp(-np.abs(draw.normal(sharpness, 2, count))))
    wrong = draw.random(count) > (sure if calibrated else 1 - 2 * (1 - sure))
    said = draw.integers(0, 2, count)
    probabilities = np.where((said == np.arange(2)[:, None]).T, sure[:, None], 1 - sure[:, None])
    return probabilities, np.where(wrong, 1 - said, said)


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("error", [0.01, 0.05])
def test_at_most_one_threshold_in_twenty_breaks_its_promise(error, calibrated):
    """Whatever the probabilities are worth. The truth: the share of wrong answers of a hundred thousand others."""
    sharp = {"sharpness": 4.0 if error > 0.01 else 7.0, "calibrated": calibrated}
    others, labels = predictions(100_000, 1, **sharp)
    top, wrong = others.max(1), others.argmax(1) != labels
    broken, coverage = 0, []
    for seed in range(200):
        found = threshold_for(*predictions(800, 1000 + seed, **sharp), error)
        answered = top >= found.value
        coverage.append(answered.mean())
        broken += bool(answered.any() and wrong[answered].mean() > error)
    assert broken <= 18  # 10 expected at most; 18 or more of 200 at 5 %: 1 in 100
    assert np.mean(coverage) > 0.3


def test_more_is_answered_the_more_errors_are_allowed_and_the_less_sure_it_has_to_be():
    probabilities, labels = predictions(2000, 0)
    coverages = [each.coverage.value for each in thresholds_for(probabilities, labels)]
    assert coverages == sorted(coverages) and coverages[0] < coverages[-1]
    sure, unsure = (threshold_for(probabilities, labels, 0.01, sure=share) for share in (0.99, 0.6))
    assert sure.coverage.value < unsure.coverage.value


def test_what_is_said_is_what_happens_on_these_pictures():
    probabilities, labels = predictions(2000, 3)
    found = threshold_for(probabilities, labels, 0.02)
    answered = probabilities.max(1) >= found.value
    assert found.coverage.value == answered.mean()
    assert found.error.value == (probabilities.argmax(1) != labels)[answered].mean() <= 0.02
    text = str(found)
    assert f"{100 * answered.mean():.0f} % of pictures are answered" in text and "at most 2 %" in text
    assert found == at_threshold(probabilities.max(1), probabilities.argmax(1) != labels, found.value, 0.02)


def test_with_too_few_pictures_nothing_is_promised():
    needed = least_pictures(0.01)
    assert needed == 299
    for count, answers in ((needed - 1, False), (needed, True)):
        perfect = np.tile([[0.9, 0.1]], (count, 1)), np.zeros(count, np.int64)
        found = threshold_for(*perfect, 0.01)
        assert found.answers == answers
        assert found.coverage.value == float(answers)
    none = threshold_for(np.ones((5, 1)), np.zeros(5, np.int64))
    assert not none.answers and none.value == math.inf and math.isnan(none.error.value)
    assert json.loads(json.dumps(none.to_json()))["value"] is None
    assert str(none) == "no threshold can promise, with 95 % certainty, that at most 1 % of the answers are wrong"


def test_probabilities_that_are_all_equal_are_answered_together_or_not_at_all():
    labels = (np.arange(1000) % 100 == 0).astype(np.int64)  # one in a hundred is wrong
    equal = np.tile([[0.8, 0.2]], (1000, 1))
    assert not threshold_for(equal, labels, 0.01).answers
    assert threshold_for(equal, labels, 0.02).coverage.value == 1.0


def test_pictures_in_any_order_give_the_same():
    probabilities, labels = predictions(700, 5)
    order = np.random.default_rng(0).permutation(700)
    assert threshold_for(probabilities, labels, 0.05) == threshold_for(probabilities[order], labels[order], 0.05)


def test_the_strictest_promise_that_can_be_kept_is_told():
    probabilities, labels = predictions(200, 0)
    found = thresholds_for(probabilities, labels)
    assert [each.answers for each in found] == [False, True, True] or not found[0].answers
    kept = next(each for each in found if each.answers)
    assert described(found) == f"Of the probe's answers, {kept}."
    assert described(found[:1]).startswith("No threshold can promise") and described(()) == ""


@pytest.mark.parametrize(
    "wanted", [{"error": 0.0}, {"error": 1.0}, {"error": -0.1}, {"sure": 1.0}, {"error": math.nan}]
)
def test_shares_that_are_none_are_refused(wanted):
    with pytest.raises(DataError, match="a share between 0 and 1"):
        threshold_for(np.eye(2), np.arange(2), **wanted)


@pytest.mark.parametrize(("hits", "total", "share"), [(0, 299, 0.01), (3, 900, 0.01), (40, 41, 0.9), (5, 5, 0.3)])
def test_the_tail_is_scipy_s(hits, total, share):
    assert binomial_tail(hits, total, share) == pytest.approx(binom.cdf(hits, total, share), rel=1e-9)
    assert binomial_tail(0, 0, share) == 1.0


def test_the_search_ends_at_the_first_threshold_that_fails():
    """However good what comes after it looks: otherwise chance would have forty tries."""
    order = np.arange(1000)
    probabilities = np.stack([0.99 - order / 2500, 0.01 + order / 2500], axis=1)
    wrong = ((order >= 600) & (order < 690) & (order % 3 == 0)).astype(np.int64)  # 30, of all 1,000 only 3 %
    assert binomial_tail(30, 690, 0.05) > 0.05 > binomial_tail(30, 1000, 0.05)
    assert 0.5 <= threshold_for(probabilities, wrong, 0.05).coverage.value < 0.7


@pytest.mark.parametrize("count", [300, 400, 590])
def test_half_the_pictures_may_be_fewer_than_a_promise_takes(count):
    probabilities = np.stack([np.linspace(0.6, 0.99, count), np.linspace(0.4, 0.01, count)], axis=1)
    assert threshold_for(probabilities, np.zeros(count, np.int64), 0.01).coverage.value == 1.0
