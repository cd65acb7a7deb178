"""The difference of two shares, its interval, and how many examples would tell it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core.differences import (
    MOST,
    enough_examples,
    independent_difference,
    paired_difference,
    visible_difference,
)

counts = st.integers(0, 60)


def test_newcombes_own_example():
    """56 of 70 against 48 of 80: 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    found = independent_difference(56, 70, 48, 80, "")
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_a_paired_interval_by_hand():
    """20 both, 12 and 2 alone, 16 neither, of 50: phi = (20 * 16 - 12 * 2 - 25) / sqrt(32 * 18 * 22 * 28) = 0.45494;
    Wilson of 32 and of 22 of 50: 0.50138 to 0.75857, 0.31157 to 0.57701."""
    found = paired_difference(20, 12, 2, 16, "")
    phi, (l1, u1), (l2, u2) = 271 / math.sqrt(32 * 18 * 22 * 28), (0.501401, 0.758568), (0.311661, 0.577009)
    low = 0.2 - math.sqrt((0.64 - l1) ** 2 - 2 * phi * (0.64 - l1) * (u2 - 0.44) + (u2 - 0.44) ** 2)
    high = 0.2 + math.sqrt((u1 - 0.64) ** 2 - 2 * phi * (u1 - 0.64) * (0.44 - l2) + (0.44 - l2) ** 2)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, low, high), abs=2e-3)


@given(counts, counts, counts, counts)
def test_exchanging_the_models_mirrors_the_interval_and_it_holds_its_value(both, first, second, neither):
    if both + first + second + neither == 0:
        return
    one, other = (
        paired_difference(both, first, second, neither, ""),
        paired_difference(both, second, first, neither, ""),
    )
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)
    assert -1 <= one.low <= one.value <= one.high <= 1


@given(st.integers(8, 50), st.integers(8, 50))
def test_pairs_are_narrower_than_other_examples_where_both_go_together(both, neither):
    paired = paired_difference(both, 2, 1, neither, "")
    total = both + 3 + neither
    apart = independent_difference(both + 2, total, both + 1, total, "")
    assert paired.value == pytest.approx(apart.value)
    assert paired.high - paired.low <= apart.high - apart.low + 1e-12


@pytest.mark.parametrize("chances", [(0.85, 0.08, 0.02, 0.05), (0.6, 0.1, 0.1, 0.2), (0.9, 0.04, 0.04, 0.02)])
def test_intervals_hold_the_true_difference_as_often_as_they_say(chances):
    draw, true = np.random.default_rng(0), chances[1] - chances[2]
    for size in (40, 200):
        found = [paired_difference(*row.tolist(), "") for row in draw.multinomial(size, chances, 1500)]
        assert np.mean([one.low <= true <= one.high for one in found]) > 0.93
    p, q = chances[0] + chances[1], chances[0] + chances[2]
    hits = zip(draw.binomial(60, p, 1500).tolist(), draw.binomial(90, q, 1500).tolist(), strict=True)
    apart = [independent_difference(a, 60, b, 90, "") for a, b in hits]
    assert np.mean([one.low <= true <= one.high for one in apart]) > 0.93


def test_without_examples_there_is_no_number():
    assert math.isnan(independent_difference(0, 0, 3, 9, "").value)
    assert "nothing to compare" in paired_difference(0, 0, 0, 0, "").method


def test_enough_by_hand_and_its_limits():
    """Connor: ((1.96 sqrt(0.1) + 0.8416 sqrt(0.1 - 0.0036)) / 0.06)^2 = 215.4, and 1 / 0.06 = 16.7 more."""
    assert enough_examples(0.06, 0.1) == enough_examples(-0.06, 0.1) == 240
    assert enough_examples(0, 0.1) is None
    assert enough_examples(1e-5, 0.1) is None
    assert 6 <= enough_examples(1.0, 1.0) <= 10
    assert enough_examples(1.2 * math.sqrt(7.85 * 0.1 / MOST), 0.1) > 100_000


@given(st.integers(30, 100_000), st.floats(0, 1))
def test_the_visible_difference_is_the_one_for_which_so_many_are_enough(count, differing):
    seen = visible_difference(count, differing)
    enough = enough_examples(seen, differing)
    assert enough is not None and enough == pytest.approx(count, rel=0.11)
    assert visible_difference(4 * count, differing) <= seen
