"""Both predict the same: what is a difference, what is a disagreement, and a proof that has something to compare."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ursa.errors import BundleError
from ursa.export.parity import LIMIT, STAND_INS, Parity, parity, stand_ins

SHARES = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(0, 1, width=32))


@settings(max_examples=30)
@given(SHARES)
def test_what_is_the_same_has_no_difference(shares):
    assert parity(shares, shares.copy()) == Parity(len(shares), 0.0, 0)


@settings(max_examples=30)
@given(SHARES, st.floats(1.5 * LIMIT, 1), st.data())
def test_one_number_of_one_picture_is_enough_to_be_refused(shares, off, data):
    row, column = (data.draw(st.integers(0, size - 1)) for size in shares.shape)
    other = shares.copy()
    other[row, column] += off
    with pytest.raises(BundleError) as problem:
        parity(shares, other)
    assert f"on {len(shares)} pictures; 0.001 is allowed" in problem.value.found
    with pytest.raises(BundleError):
        parity(other, shares)


@settings(max_examples=30)
@given(SHARES, st.randoms())
def test_the_order_of_pictures_and_classes_plays_no_part(shares, random):
    other = shares + np.float32(0.5 * LIMIT) * np.sign(shares - 0.5)
    rows, columns = list(range(shares.shape[0])), list(range(shares.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    assert parity(shares, other) == parity(shares[rows][:, columns], other[rows][:, columns])


def test_another_class_counts_only_where_the_margin_is_clear():
    tie, swapped = np.array([[0.5002, 0.4998]], np.float32), np.array([[0.4998, 0.5002]], np.float32)
    assert parity(tie, swapped).disagreements == 0
    clear = np.array([[0.50075, 0.49925]], np.float32)  # within LIMIT of the other way round, but no tie
    with pytest.raises(BundleError):
        parity(clear, clear[:, ::-1])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_never_the_same(wrong):
    shares = np.array([[0.4, 0.6]], np.float32)
    for one, other in ((shares, np.full_like(shares, wrong)), (np.full_like(shares, wrong), shares)):
        with pytest.raises(BundleError):
            parity(one, other)


def test_a_proof_on_no_picture_is_none():
    with pytest.raises(BundleError, match="no picture to compare") as problem:
        parity(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32))
    assert problem.value.fix


@pytest.mark.parametrize(("one", "other"), [((4, 3), (1, 3)), ((4, 3), (4, 1)), ((4, 3), (5, 3)), ((4, 3), (4, 2))])
def test_answers_of_another_shape_are_refused_not_stretched(one, other):
    with pytest.raises(BundleError) as problem:
        parity(np.full(one, 0.5, np.float32), np.full(other, 0.5, np.float32))
    assert f"{list(one)}" in problem.value.found and f"{list(other)}" in problem.value.found


# --- stand-ins -----------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.integers(0, 3 * STAND_INS), st.sampled_from([8, 20]))
def test_stand_ins_are_spread_over_the_thumbnails_and_no_more_than_needed(count, size):
    thumbnails = [bytes([number * 2]) * 64 for number in range(count)]
    made = stand_ins(thumbnails, size)
    assert len(made) == min(count, STAND_INS)
    assert all(view.shape == (size, size, 3) and view.dtype == np.uint8 for view in made)


def test_another_seed_gives_other_stand_ins_and_the_same_thumbnail_never_twice_the_same():
    one, other = (stand_ins([bytes([90] * 64)] * 2, 16, seed) for seed in (0, 1))
    assert not np.array_equal(one[0], other[0]) and not np.array_equal(one[0], one[1])


def test_a_thumbnail_is_seen_the_right_way_up_and_its_brightness_is_kept():
    left_dark = np.repeat(np.repeat([[30, 220]], 4, axis=1).astype(np.uint8), 8, axis=0)
    views = [view.astype(float) for view in stand_ins([left_dark.tobytes()] * STAND_INS, 32)]
    assert all(view[:, 20:].mean() > view[:, :12].mean() + 60 for view in views)
    assert np.mean([view[:, :12].mean() for view in views]) < 60
    assert np.mean([view[:16].mean() for view in views]) == pytest.approx(
        np.mean([view[16:].mean() for view in views]), abs=5
    )
