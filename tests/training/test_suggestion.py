"""Laws of reading a range test: the rule in numbers; what explodes, or one wild repeat, does not decide."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.training.lr_finder.suggestion import read, suggested


@given(st.integers(10, 99), st.sampled_from([math.nan, math.inf, 1e30]), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_whatever_explodes_after_the_fall_the_suggestion_stays_below_it(stop, explosion, seed):
    lrs = np.geomspace(1e-7, 10, 100)
    noise = np.random.default_rng(seed).normal(0, 0.01, (3, 100))
    losses = 2.0 - 1.5 / (1 + np.exp(-(np.arange(100) - 0.6 * stop) / 2)) + noise
    losses[:, :10] = 2.0 + noise[:, :10]
    losses[:, stop:] = explosion
    found = read(lrs, losses)
    assert lrs[0] / 5 <= found.low <= found.suggestion <= found.high <= lrs[stop]
    assert np.isfinite(found.smoothed).all()


def test_the_rule_in_numbers():
    """A fall from 1 to 0 between 1e-4 and 1e-3, a rise from 1e-1 to 1: a fifth of the middle of the two."""
    lrs = np.geomspace(1e-6, 1e2, 8001)
    curve = np.interp(np.log10(lrs), [-4, -3, -1, 0], [1, 0, 0, 1])
    assert suggested(lrs, curve, 0.0) == pytest.approx(10 ** ((-3.05 - 0.2) / 2) / 5, rel=1e-2)


def test_a_curve_that_only_rises_gives_a_rate_below_the_rise():
    lrs = np.geomspace(1e-6, 1e2, 8001)
    curve = np.interp(np.log10(lrs), [-1, 0], [1, 2])
    assert suggested(lrs, curve, 0.1) == pytest.approx(10**-0.9 / 5, rel=1e-2)
    assert suggested(lrs, np.ones(8001), 0.1) is None


def test_one_wild_repeat_does_not_decide():
    lrs, curve = np.geomspace(1e-7, 10, 100), np.ones(100)
    curve[50:80], curve[80:] = np.linspace(1, 0.1, 30), np.linspace(0.1, 5, 20)
    alike = read(lrs, np.stack([curve] * 3))
    wild = read(lrs, np.stack([curve, np.roll(curve, -30), curve]))
    assert wild.suggestion == alike.suggestion
    assert wild.low < alike.low and wild.high == alike.high
