"""Forecasts find laws that are known, are refused where none holds, and keep what their intervals promise."""

import dataclasses

import numpy as np
import pytest

from ursa.diagnose.more_data.forecast import (
    covariance,
    error_factors,
    forecast,
    forecast_classes,
    not_monotone,
)
from ursa.errors import DataError

SIZES = np.geomspace(30, 960, 8)
QUIET = np.diag(np.full(8, 1e-7))  # noise of errors that are known to 0.03 points

POWER = {"power": lambda n: 0.02 + 1.5 * n**-0.6}
LAWS = POWER | {
    "shifted power": lambda n: 0.03 + 30 * (80 + n) ** -1.1,
    "Hill's": lambda n: (0.5 * 60 + 0.04 * n**0.9) / (60 + n**0.9),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("times", [2, 4])
def test_a_law_that_is_known_is_found(law, times):
    error = LAWS[law]
    ((factor, low, high),) = error_factors(SIZES, error(SIZES), QUIET, (times,))
    truth = error(times * SIZES[-1]) / error(SIZES[-1])
    assert error(SIZES[-1]) * abs(factor - truth) < 0.005  # of accuracy
    assert low - 0.02 <= truth <= high + 0.02


def test_a_plateau_is_seen_and_so_is_its_absence():
    flat, falling = (error_factors(SIZES, error, QUIET, (4,))[0][0] for error in (0.1 + 2 / SIZES, 1.2 * SIZES**-0.5))
    assert flat > 0.95
    assert falling == pytest.approx(0.5, abs=0.06)


def test_more_pictures_never_make_it_worse_and_the_more_the_better(curve_of):
    curve = curve_of(lambda n: 0.03 + n**-0.5)
    values = [each.accuracy.value for each in forecast(curve, curve.right[-1, 0], (1, 2, 3, 4))]
    assert values == sorted(values)
    assert values[0] == pytest.approx(curve.right[-1, 0].mean())
    factors = error_factors(SIZES, np.full(8, 0.2), QUIET, (1, 2, 4))  # a curve that is flat
    assert all(0.75 < low <= factor <= high <= 1 + 1e-9 and factor > 0.9 for factor, low, high in factors)


def test_intervals_cover_what_comes(curve_of):
    """At least 90 of 100 curves drawn from laws that are known, judged on the expected accuracy."""
    inside = []
    for seed in range(60):
        error = list(LAWS.values())[seed % 3]
        curve = curve_of(error, pictures=500, sizes=SIZES / 2.4, seed=seed)
        ahead = forecast(curve, curve.right[-1, 0], (4,))[0].accuracy
        inside.append(ahead.low <= 1 - error(4 * curve.sizes[-1]) <= ahead.high)
    assert np.mean(inside) >= 0.9


def test_fewer_pictures_make_a_wider_interval(curve_of):
    widths = []
    for pictures in (200, 2000):
        curve = curve_of(lambda n: 0.05 + n**-0.6, pictures=pictures, sizes=np.geomspace(10, 160, 8))
        ahead = forecast(curve, curve.right[-1, 0], (2,))[0].accuracy
        widths.append(ahead.high - ahead.low)
    assert widths[0] > 2 * widths[1]


@pytest.mark.parametrize("times", [4.01, 10, 0.5, float("nan")])
def test_no_forecast_beyond_four_times_or_for_less_than_there_is(times, curve_of):
    curve = curve_of(lambda n: n**-0.5)
    with pytest.raises(DataError, match="4 times the pictures at most"):
        forecast(curve, curve.right[-1, 0], (2, times))


def test_a_curve_that_falls_is_refused_and_one_that_trembles_is_not(curve_of):
    falling = curve_of(lambda n: 0.1 if n < 300 else 0.25)
    assert "accuracy falls along the curve" in not_monotone(falling)
    with pytest.raises(DataError, match="cannot be extended") as error:
        forecast(falling, falling.right[-1, 0])
    assert "91.2 % on 110 pictures, 75.0 % on 800 pictures" in str(error.value)
    refused = [bool(not_monotone(curve_of(lambda _: 0.1, seed=seed, pictures=300))) for seed in range(100)]
    assert sum(refused) <= 10  # 5 expected at most; 11 or more of 100 at 5 %: 1 in 100


def test_sizes_in_any_order_give_the_same():
    errors, order = LAWS["power"](SIZES), np.random.default_rng(0).permutation(7)
    order = np.append(order, 7)  # the last is where it is extended from; the smallest sets the grid
    mixed = error_factors(SIZES[order], errors[order], QUIET, (2,))
    if order[0] == 0:
        assert mixed == pytest.approx(error_factors(SIZES, errors, QUIET, (2,)))
    assert mixed[0][0] == pytest.approx(error_factors(SIZES, errors, QUIET, (2,))[0][0], abs=0.02)


def test_pictures_in_any_order_give_the_same(curve_of):
    curve = curve_of(lambda n: 0.05 + n**-0.5)
    right = curve.right[-1, 0]
    order = np.random.default_rng(0).permutation(len(right))
    mixed = dataclasses.replace(
        curve, right=curve.right[:, :, order], targets=curve.targets[order], groups=curve.groups[order]
    )
    one, other = (forecast(*each)[0].accuracy for each in ((curve, right), (mixed, right[order])))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_a_class_alone_is_forecast_from_its_own_pictures(curve_of):
    easy, hard = (
        curve_of(error, seed=seed) for seed, error in enumerate((lambda _: 0.02, lambda n: 0.05 + 3 / n**0.6))
    )
    both = np.where(easy.targets == 0, easy.right, hard.right)
    curve = dataclasses.replace(easy, right=both)
    ahead = forecast_classes(curve, both[-1, 0])
    assert ahead[0].gain.value < 0.01 < 0.02 < ahead[1].gain.value
    own = hard.targets == 1
    alone = dataclasses.replace(hard, right=hard.right[:, :, own], targets=hard.targets[own], groups=hard.groups[own])
    assert ahead[1].accuracy == forecast(alone, both[-1, 0][own], (2,))[0].accuracy


def test_classes_of_fewer_than_ten_have_no_forecast(curve_of):
    curve = curve_of(lambda n: n**-0.5)
    few = dataclasses.replace(curve, targets=np.where(np.arange(1000) < 9, 0, 1))
    assert list(forecast_classes(few, few.right[-1, 0])) == [1]


def test_no_mistake_at_all_is_not_taken_for_certainty(curve_of):
    curve = curve_of(lambda _: 0.0, pictures=100)
    ahead = forecast(curve, np.ones(100, bool))[0]
    assert ahead.accuracy.value == 1.0 and 0.9 < ahead.accuracy.low < 0.99
    assert ahead.gain.value == 0


def test_the_probe_s_own_errors_say_where_it_starts(curve_of):
    curve = curve_of(lambda n: 0.1 + n**-0.5)
    better = np.arange(1000) % 100 != 0
    ahead = forecast(curve, better)[0]
    assert 0.99 <= ahead.accuracy.value < 1
    assert ahead.gain.value == pytest.approx(ahead.accuracy.value - 0.99)


def test_copies_that_are_wrong_together_count_as_one():
    wrong = np.broadcast_to(np.random.default_rng(0).random(50) < 0.2, (8, 4, 50))
    copied = np.repeat(wrong, 4, axis=2)
    apart, together = (covariance(copied, groups) for groups in (np.arange(200), np.repeat(np.arange(50), 4)))
    assert np.diag(together).mean() > 2 * np.diag(apart).mean()
    np.testing.assert_allclose(together, covariance(wrong, np.arange(50)), atol=1e-4)
