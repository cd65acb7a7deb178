"""Counter-based uniform numbers: SplitMix64 written out in whole numbers, and what a number may depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.core import seeds
from ursa.training.augment.random_numbers import uniforms

WORD = (1 << 64) - 1
STEP = 0x9E3779B97F4A7C15


def mix(word):
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & WORD
    return word ^ (word >> 31)


def by_hand(seed, purpose, epoch, row, place):
    first, second = (seeds.number(seed, purpose, epoch, half) for half in (0, 1))
    stream = mix((row * STEP + first) & WORD)
    return (mix(mix((stream + place * STEP) & WORD) ^ second) >> 11) * 2.0**-53


def test_the_finaliser_is_that_of_the_reference():
    """java.util.SplittableRandom and Vigna's splitmix64.c from the state 0: the first two outputs."""
    assert [mix(STEP), mix(2 * STEP & WORD)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.integers(0, 50), st.lists(st.integers(0, 2**40), min_size=1, max_size=5))
def test_numbers_are_those_written_out(seed, epoch, rows):
    found = uniforms(seed, "augment", epoch, rows, 4)
    for row, numbers in zip(rows, found, strict=True):
        assert numbers.tolist() == [by_hand(seed, "augment", epoch, row, place) for place in range(4)]


def test_how_many_are_drawn_and_of_whom_else_changes_nothing():
    few, many = uniforms(3, "augment", 1, [4], 2), uniforms(3, "augment", 1, [9, 4, 0], 7)
    assert few.shape == (1, 2) and many.shape == (3, 7) and many.dtype == np.float64
    assert np.array_equal(few[0], many[1, :2])
    assert uniforms(0, "augment", 0, [], 5).shape == (0, 5)


@pytest.mark.parametrize("other", [(1, "augment", 0), (0, "mix", 0), (0, "augment", 1)])
def test_seed_purpose_and_epoch_each_give_another_stream(other):
    one, two = uniforms(0, "augment", 0, range(50), 8), uniforms(*other, range(50), 8)
    assert not (one == two).any()
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.2


def test_rows_and_places_do_not_repeat_each_other():
    """The step between rows is the step between places: without the mix in between, rows would be shifted copies."""
    numbers = uniforms(0, "augment", 0, range(400), 32)
    assert len(np.unique(numbers)) == numbers.size
