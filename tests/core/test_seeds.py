"""Randomness is a function of (seed, purpose, step)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core import seeds


def drawn(*arguments) -> list[int]:
    return seeds.generator(*arguments).integers(0, 1000, 4).tolist()


def test_golden_numbers_so_that_a_seed_means_the_same_next_year():
    assert drawn(0, "split") == [688, 626, 671, 565]
    assert drawn(1, "order", 7) == [507, 371, 47, 955]
    assert seeds.number(0, "torch", 3) == 8745167431911542632


def test_the_numbers_do_not_depend_on_what_was_drawn_before():
    wanted = {epoch: drawn(3, "order", epoch) for epoch in range(5)}
    for epoch in (4, 0, 3, 3, 1, 2):
        assert drawn(3, "order", epoch) == wanted[epoch]


def test_every_seed_purpose_and_step_has_numbers_of_its_own():
    asked = [
        (seed, purpose, *step) for seed in (0, 1, -1) for purpose in ("a", "b") for step in ((), (0,), (1,), (0, 0))
    ]
    assert len({tuple(drawn(*arguments)) for arguments in asked}) == len(asked)
    assert len({seeds.number(*arguments) for arguments in asked}) == len(asked)


@given(st.integers(-(2**70), 2**70), st.text(max_size=5), st.lists(st.integers(0, 2**40), max_size=3))
def test_a_number_fits_where_libraries_take_seeds(seed, purpose, step):
    assert 0 <= seeds.number(seed, purpose, *step) < 2**63


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_an_integer_of_numpy_is_the_same_seed(kind):
    assert drawn(kind(3), "order", kind(2)) == drawn(3, "order", 2)


def test_draws_look_uniform():
    values = np.array([seeds.generator(0, "u", step).random() for step in range(2000)])
    assert abs(values.mean() - 0.5) < 0.03 and abs(values.var() - 1 / 12) < 0.01
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.06
