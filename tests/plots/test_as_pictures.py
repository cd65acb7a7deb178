"""Whatever holds pictures -> the same pixels: shapes, types and ranges are told apart, or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from ursa import plots
from ursa.errors import DataError
from ursa.plots.as_pictures import SLACK, as_picture, as_pictures

BYTES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(5, 9), st.integers(5, 9), st.just(3)))


@given(BYTES)
def test_bytes_come_out_as_they_went_in_in_every_form(pixels):
    forms = [pixels, pixels.transpose(0, 3, 1, 2), list(pixels), tuple(pixels.transpose(0, 3, 1, 2))]
    forms += [pixels.astype(kind) for kind in (np.int16, np.int32, np.uint32, np.int64)]
    forms += [(pixels / 255).astype(np.float32), pixels / 255, np.asfortranarray(pixels), pixels[:, ::-1][:, ::-1]]
    for form in forms:
        found = as_pictures(form)
        assert len(found) == len(pixels) and all(one.dtype == np.uint8 for one in found)
        np.testing.assert_array_equal(np.stack(found), pixels)


@given(BYTES, st.tuples(*[st.floats(0.01, 0.9)] * 3), st.tuples(*[st.floats(0.05, 0.5)] * 3))
def test_a_normalization_is_undone_exactly(pixels, mean, std):
    normalized = (pixels / 255 - np.array(mean)) / np.array(std)
    np.testing.assert_array_equal(np.stack(as_pictures(normalized, mean, std)), pixels)
    first = normalized.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(np.stack(as_pictures(first, mean, std)), pixels)


def test_a_normalization_of_one_channel_serves_all():
    gray = np.array([[[-1.0, 1.0]]])
    np.testing.assert_array_equal(as_pictures(gray, (0.5,), (0.5,))[0][0, :, 0], [0, 255])


def test_what_leaves_the_range_after_undoing_is_cut_off_not_wrapped_around():
    wild = np.full((1, 2, 2, 3), 9.0)
    assert (as_pictures(wild, (0.5,) * 3, (0.2,) * 3)[0] == 255).all()
    assert (as_pictures(-wild, (0.5,) * 3, (0.2,) * 3)[0] == 0).all()


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((2, 5, 6), (5, 6, 3)),  # gray
        ((2, 5, 6, 1), (5, 6, 3)),
        ((2, 1, 5, 6), (5, 6, 3)),
        ((2, 3, 5, 6), (5, 6, 3)),
        ((2, 5, 6, 3), (5, 6, 3)),
        ((2, 4, 5, 6), (5, 6, 3)),
        ((2, 5, 6, 4), (5, 6, 3)),
        ((2, 3, 5, 3), (3, 5, 3)),  # three in the last place are channels
        ((2, 3, 5, 4), (3, 5, 3)),
        ((2, 1, 1, 3), (1, 1, 3)),
        ((2, 3, 1, 1), (1, 1, 3)),
        ((2, 1, 7, 1), (1, 7, 3)),  # a line of gray pixels
        ((2, 1, 1, 1), (1, 1, 3)),
    ],
)
def test_channels_are_found_where_they_stand(shape, wanted):
    found = as_pictures(np.zeros(shape, np.uint8))
    assert [one.shape for one in found] == [wanted] * 2


def test_red_green_and_blue_stay_in_their_order():
    first = np.zeros((3, 2, 2), np.uint8)
    first[0], first[2] = 250, 9
    assert as_picture(first)[0, 0].tolist() == [250, 0, 9]
    assert as_picture(Image.new("RGB", (2, 2), (250, 0, 9)))[0, 0].tolist() == [250, 0, 9]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.0, 0),
        (1.0, 255),
        (0.5, 128),
        (1 + SLACK, 255),
        (-SLACK, 0),
        (0.002, 1),
        (1.03, 1),
        (200.4, 200),
        (254.5, 255),
    ],
)
def test_floats_are_0_to_1_or_0_to_255_and_are_rounded(value, wanted):
    assert as_pictures(np.array([[[0.0, value]]]))[0][0, 1, 0] == wanted


def test_one_picture_out_of_range_says_what_the_numbers_of_all_mean():
    """Floats of an array are read alike, so that a dark picture among bright ones stays dark."""
    both = np.stack([np.full((2, 2), 0.5), np.full((2, 2), 200.0)])
    assert [int(one[0, 0, 0]) for one in as_pictures(both)] == [1, 200]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array([[0, 65535, 32768]], np.uint16), [0, 255, 128]),
        (np.array([[0, 255, 7]], np.uint16), [0, 255, 7]),  # no larger than a byte: bytes in a wider type
        (np.array([[True, False, True]]), [255, 0, 255]),
        (np.array([[0, 1, 1]], np.int64), [0, 1, 1]),  # integers are never 0 to 1
    ],
)
def test_integers_and_switches(values, wanted):
    assert as_picture(values)[0, :, 0].tolist() == wanted


@pytest.mark.parametrize(("alpha", "wanted"), [(0, 255), (255, 100), (51, 224)])
def test_what_is_transparent_lies_on_white(alpha, wanted):
    glass = np.array([[[100, 100, 100, alpha]]], np.uint8)
    assert as_picture(glass)[0, 0].tolist() == [wanted] * 3
    assert as_picture(Image.fromarray(glass))[0, 0].tolist() == pytest.approx([wanted] * 3, abs=1)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "RGBA", "I;16"])
def test_every_kind_of_pillows_picture_is_shown(mode):
    picture = Image.new("RGB", (6, 4), (255, 255, 255)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Image.fromarray(np.full((4, 6), 65535, np.uint16))
    shown = as_picture(picture)
    assert shown.shape == (4, 6, 3) and shown.min() >= 250


def test_pictures_of_different_sizes_and_kinds_may_stand_in_one_list():
    found = as_pictures([np.zeros((2, 3)), np.ones((3, 4, 5)), Image.new("L", (7, 6), 9)])
    assert [one.shape for one in found] == [(2, 3, 3), (4, 5, 3), (6, 7, 3)]
    assert [int(one.max()) for one in found] == [0, 255, 9]


@given(BYTES)
def test_what_was_given_is_not_written_to(pixels):
    unit = pixels / 255
    before = pixels.copy(), unit.copy()
    as_pictures(pixels, (0.5,) * 3, (0.5,) * 3)
    as_pictures(unit, (0.5,) * 3, (0.5,) * 3)
    np.testing.assert_array_equal(pixels, before[0])
    np.testing.assert_array_equal(unit, before[1])


@pytest.mark.parametrize(
    ("source", "found", "fix"),
    [
        (np.full((1, 2, 2, 3), -1), "-1 to -1", "std="),
        (np.full((1, 2, 2, 3), 70_000), "7e+04 to 7e+04", "std="),
        (np.array([[[[np.inf, 0, 1]]]]), "1 of 3 are NaN or infinite", "division by zero"),
        (np.zeros((3, 4, 5, 6, 3)), "[3, 4, 5, 6, 3]", "show_batch([picture])"),
        (np.zeros((2, 5, 5, 2)), "[2, 5, 5, 2]", "[..., [0, 1, 2]]"),
        (np.array([["a"]]), "ndarray of <U1", "give numbers"),
        (np.array([[1j]]), "complex", "give numbers"),
        ("bear.jpg", "str of <U8", "give numbers"),
        (None, "NoneType of object", "give numbers"),
    ],
)
def test_a_refusal_says_what_was_found_and_what_to_give(source, found, fix):
    with pytest.raises(DataError) as problem:
        as_pictures(source)
    assert found in problem.value.found and fix in problem.value.fix


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,) * 3, None), (None, (0.5,) * 3), ((0.5,) * 3, (0.5,)), ((0.5,) * 2, (0.5,) * 2)]
)
def test_half_a_normalization_is_refused_by_the_names_of_its_arguments(mean, std):
    with pytest.raises(DataError) as problem:
        as_pictures(np.zeros((1, 2, 2, 3)), mean, std)
    assert f"mean={mean}, std={std}, 3 channels" == problem.value.found
    assert "std=(0.229" in problem.value.fix  # what can be typed: it is an argument of show_batch
    plots.show_batch(np.zeros((1, 2, 2, 3)), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@pytest.mark.parametrize("source", [np.zeros((2, 5, 6, 3)), np.zeros(3), 7])
def test_one_picture_is_asked_for_where_one_is_shown(source):
    with pytest.raises(DataError) as problem:
        as_picture(source)
    assert "call show_batch" in problem.value.fix
