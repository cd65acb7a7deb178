"""Arrays to tensors: kinds that are told by type and shape, statistics of each, what cannot be learned from."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.errors import DataError
from ursa.training.batches.inputs import InputScaling, Scaling, WithScaledInputs, colors_first, to_tensors

RNG = np.random.default_rng(0)


def measured(*arrays, **options):
    return InputScaling.measured(to_tensors(arrays), **options)


@pytest.mark.parametrize(
    ("array", "kind", "channels"),
    [
        (RNG.random((9, 5)), "numbers", 5),
        (RNG.random(9), "numbers", 1),
        (RNG.random((9, 4, 6)), "numbers", 1),  # [N, T, D]: one number for all
        (RNG.random((9, 3, 6, 6)), "numbers", 3),
        (RNG.random((9, 7, 2, 2, 2)), "numbers", 7),
        (RNG.integers(0, 256, (9, 6, 6), np.uint8), "pictures", 1),
        (RNG.integers(0, 256, (9, 6, 6, 3), np.uint8), "pictures", 3),
        (RNG.integers(0, 256, (9, 3, 6, 6), np.uint8), "pictures", 3),
        (RNG.integers(0, 256, (9, 1, 6, 6), np.uint8), "pictures", 1),
        (RNG.integers(0, 256, (9, 6, 6, 5), np.uint8), "numbers", 1),  # no channels of colors
        (RNG.integers(0, 256, (9, 30), np.uint8), "numbers", 1),
        (RNG.random((9, 4)) > 0.5, "numbers", 4),
        (RNG.integers(0, 9, (9, 4)), "indices", 1),
        (RNG.integers(0, 9, (9, 4)).astype(np.int16), "indices", 1),
    ],
)
def test_type_and_shape_tell_what_an_input_is(array, kind, channels):
    (scaling,) = measured(array).scalings
    assert (scaling.kind, len(scaling.mean), len(scaling.std)) == (kind, channels, channels)


@settings(max_examples=40)
@given(
    st.sampled_from([(7,), (4, 5), (3, 4, 4), (2, 2, 2, 2)]),
    st.floats(-1e4, 1e4),
    st.floats(1e-3, 1e4),
    st.integers(0, 99),
)
def test_what_is_ready_has_mean_0_and_deviation_1_in_each_channel(shape, mean, std, seed):
    x = np.random.default_rng(seed).normal(mean, std, (60, *shape))
    ready = measured(x).of(to_tensors(x))[0].double()
    axes = [0, *range(2, ready.ndim)] if ready.ndim != 3 else [0, 1, 2]
    far = abs(mean) / std * 1e-6 + 1e-4  # float32 far from 0 has few digits left
    assert ready.mean(axes).abs().max() < far
    assert (ready.std(axes, correction=0) - 1).abs().max() < far


@pytest.mark.parametrize("value", [0.0, 7.0, 0.1, -1234.567, 3e8])
@pytest.mark.parametrize("count", [1, 3, 7, 1000])
def test_a_feature_that_never_changes_becomes_0_whatever_its_value(value, count):
    """So that another value, later, is not a million deviations away: what is left by rounding is no deviation."""
    x = np.column_stack([np.full(count, value), np.arange(count)])
    scaling = measured(x)
    assert scaling.scalings[0].std[0] == 1.0
    assert not scaling.of(to_tensors(x))[0][:, 0].any()


def test_what_was_measured_is_used_on_whatever_comes_later():
    x = RNG.normal(5, 3, (50, 2))
    scaling = measured(x)
    (later,) = scaling.of(to_tensors(np.full((1, 2), 100.0)))
    np.testing.assert_allclose(later[0], (100 - x.mean(0)) / x.std(0), rtol=1e-5)


def test_several_inputs_are_each_measured_alone_and_undone_alone():
    arrays = RNG.normal(9, 2, (12, 3)), RNG.integers(0, 256, (12, 5, 5), np.uint8), RNG.integers(0, 7, (12, 2))
    scaling, given_ = measured(*arrays), to_tensors(arrays)
    ready = scaling.of(given_)
    assert [tuple(x.shape) for x in ready] == [(12, 3), (12, 1, 5, 5), (12, 2)]
    assert [x.dtype for x in ready] == [torch.float32, torch.float32, torch.int64]
    for was, back in zip(given_, scaling.undo(ready), strict=True):
        torch.testing.assert_close(back, was, atol=1e-4, rtol=1e-5)
    whole = WithScaledInputs(Second(), scaling)
    assert torch.equal(whole(*given_), ready[1])


class Second(torch.nn.Module):
    def forward(self, _first, second, _third):
        return second


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_come_back_as_they_were_shown_and_gray_ones_get_three_colors_for_a_figure(last, channels):
    shape = (4, 6, 5, channels) if last else (4, channels, 6, 5)
    x = RNG.integers(0, 256, shape, np.uint8)
    scaling = measured(x)
    ready = scaling.of(to_tensors(x))
    assert np.array_equal(scaling.undo(ready)[0].numpy(), x)
    shown = scaling.pixels(ready)
    assert shown.shape == (4, 6, 5, 3) and shown.dtype == np.uint8
    assert np.array_equal(shown[..., :channels], x if last else x.transpose(0, 2, 3, 1))
    assert np.array_equal(shown[..., 0], shown[..., -1]) == (channels == 1)
    assert measured(RNG.random((4, 3))).pixels(to_tensors(RNG.random((4, 3)))) is None


def test_brightened_pictures_are_cut_off_at_the_ends_not_wrapped():
    x = RNG.integers(0, 256, (4, 6, 5), np.uint8)
    scaling = measured(x)
    ready = scaling.of(to_tensors(x))[0]
    assert scaling.undo((ready + 100,))[0].eq(255).all() and scaling.undo((ready - 100,))[0].eq(0).all()


def test_colors_are_last_where_both_could_be_meant():
    both = torch.arange(2 * 3 * 5 * 3).reshape(2, 3, 5, 3)
    assert torch.equal(colors_first(both), both.permute(0, 3, 1, 2))
    assert colors_first(torch.zeros(2, 3, 5, 4)).shape == (2, 3, 5, 4)
    assert colors_first(torch.zeros(2, 5, 4)).shape == (2, 1, 5, 4)


@pytest.mark.parametrize("standardize", [True, False])
def test_floats_alone_are_left_as_they_are_on_request(standardize):
    pixels, numbers = RNG.integers(0, 256, (9, 5, 5), np.uint8), RNG.normal(9, 2, (9, 3))
    ready = measured(pixels, numbers, standardize=standardize).of(to_tensors((pixels, numbers)))
    assert abs(float(ready[0].mean())) < 1e-4  # pictures are standardized in any case
    assert torch.equal(ready[1], torch.from_numpy(numbers.astype(np.float32))) == (not standardize)


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor, pd.DataFrame, pl.DataFrame, lambda x: x.tolist()])
def test_numbers_may_be_held_in_any_table(make):
    x = RNG.normal(size=(6, 3))
    (found,) = to_tensors(make(x))
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), x.astype(np.float32))


def test_tensors_are_in_one_piece_and_can_be_written_to_though_an_array_could_not():
    x = np.arange(12.0, dtype=np.float32).reshape(3, 4)[:, ::-2]
    x.flags.writeable = False
    (found,) = to_tensors(x)
    found += 1
    assert found.is_contiguous() and found.tolist() == [[4, 2], [8, 6], [12, 10]]
    assert x.tolist() == [[3, 1], [7, 5], [11, 9]]


def test_how_inputs_are_read_survives_json():
    scaling = measured(RNG.normal(size=(9, 3)), RNG.integers(0, 256, (9, 5, 5), np.uint8))
    assert InputScaling.from_json(json.loads(json.dumps(scaling.to_json()))) == scaling
    assert Scaling("indices").of(torch.tensor([[1, 2]], dtype=torch.int32)).dtype == torch.int64


@pytest.mark.parametrize(
    ("x", "says", "found"),
    [
        (["a", "b"], "are not numbers", "<U1 [2]"),
        (np.float32(3), "are not numbers", "float32 []"),
        (np.array([None, 1]), "are not numbers", "object [2]"),
        ([[1.0], [1.0, 2.0]], "not one array", "inhomogeneous"),
        ([[1.0, np.nan], [np.inf, 0.0]], "NaN or infinite", "2 of 4, the first at [0, 1]"),
        (np.array([1 + 1j]), "are not numbers", "complex128 [1]"),
    ],
)
def test_what_holds_no_numbers_is_named_with_its_part(x, says, found):
    with pytest.raises(DataError, match=says) as told:
        to_tensors(x, "the validation part")
    assert "the validation part" in told.value.what
    assert found in str(told.value.found)


def test_other_shapes_than_those_of_training_are_shown_beside_each_other():
    scaling = measured(RNG.normal(size=(9, 3)), RNG.normal(size=(9, 2, 2)))
    with pytest.raises(DataError, match="another shape") as told:
        scaling.of(to_tensors((np.zeros((4, 2)), np.zeros((4, 2, 2)))), "the test part")
    assert told.value.found == "[2], [2, 2] instead of [3], [2, 2]"
    with pytest.raises(DataError, match="another shape"):
        scaling.of(to_tensors(np.zeros((4, 3))))
