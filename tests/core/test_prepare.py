"""Picture -> view: what every model sees, pinned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core.decoding import image
from ursa.core.prepare import FILL, FITS, Preparation, resize
from ursa.errors import DataError


def plain(height: int, width: int, color=(200, 100, 50)) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    size=st.integers(1, 40),
    fit=st.sampled_from(FITS),
)
def test_a_view_is_square_and_a_plain_picture_stays_plain(height, width, size, fit):
    view = Preparation(size, fit).view(plain(height, width))
    assert view.shape == (size, size, 3) and view.dtype == np.uint8
    inside = view.reshape(-1, 3)
    bars = (inside == FILL).all(1)
    assert (inside[~bars] == (200, 100, 50)).all()
    assert (~bars).any()
    assert fit == "pad" or not bars.any()


@given(height=st.integers(1, 70), width=st.integers(1, 70), size=st.integers(1, 40))
def test_padding_keeps_the_shape_of_the_picture_in_the_middle(height, width, size):
    bars = (Preparation(size, "pad").view(plain(height, width)) == FILL).all(2)
    rows, columns = size - int(bars.all(1).sum()), size - int(bars.all(0).sum())
    assert max(rows, columns) == size
    assert rows == max(1, round(height * size / max(height, width)))
    assert columns == max(1, round(width * size / max(height, width)))
    top, left = (
        int((~bars).argmax(0).min()) if rows < size else 0,
        int((~bars).argmax(1).min()) if columns < size else 0,
    )
    assert (top, left) == ((size - rows) // 2, (size - columns) // 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 4999)])
@pytest.mark.parametrize("fit", FITS)
def test_the_smallest_and_the_longest_pictures_have_a_view(shape, fit):
    view = Preparation(64, fit).view(plain(*shape))
    assert view.shape == (64, 64, 3)
    assert view[31, 31].tolist() == [200, 100, 50] or view[32, 32].tolist() == [200, 100, 50]


def test_a_picture_of_the_right_size_is_not_touched(photo):
    pixels = photo(1, 48, 48)
    for fit in FITS:
        assert np.array_equal(Preparation(48, fit).view(pixels), pixels)


def test_cropping_takes_the_middle_square(photo):
    pixels = photo(1, 100, 60)
    assert np.array_equal(Preparation(60, "crop").view(pixels), pixels[:, 20:80])
    assert np.array_equal(Preparation(60, "crop").view(pixels.transpose(1, 0, 2)), pixels.transpose(1, 0, 2)[20:80])


def test_golden_pixels_of_each_fit():
    """Red, green, blue, white in a row, seen at 8 pixels: bilinear with antialiasing, channels in this order."""
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8).repeat(2, 0)
    padded = Preparation(8, "pad").view(pixels)
    assert (padded[[0, 1, 6, 7]] == 114).all() and FILL == 114
    row = [
        [255, 0, 0],
        [191, 64, 0],
        [64, 191, 0],
        [0, 191, 64],
        [0, 64, 191],
        [64, 64, 255],
        [191, 191, 255],
        [255] * 3,
    ]
    assert np.abs(padded[2:6].astype(int) - row).max() <= 1
    assert np.abs(Preparation(8, "squash").view(pixels).astype(int) - row).max() <= 1
    middle = [
        [0, 255, 0],
        [0, 255, 0],
        [0, 223, 32],
        [0, 159, 96],
        [0, 96, 159],
        [0, 32, 223],
        [0, 0, 255],
        [0, 0, 255],
    ]
    assert np.abs(Preparation(8, "crop").view(pixels).astype(int) - middle).max() <= 1


def test_golden_pixels_of_a_photo(photo):
    """Made smaller, every pixel counts (antialiasing); these numbers are what every trained model relies on."""
    view = Preparation(32, "pad").view(photo(7, 320, 240))
    assert (view[:4] == FILL).all() and (view[28:] == FILL).all()
    golden = [[105, 166, 127], [81, 187, 145], [124, 144, 105]]
    assert np.abs(view[[5, 5, 25], [3, 28, 10]].astype(int) - golden).max() <= 1


def test_making_smaller_averages_all_pixels_instead_of_picking_some():
    chequered = np.zeros((64, 64, 3), np.uint8)
    chequered[::2, ::2] = chequered[1::2, 1::2] = 255
    assert np.abs(Preparation(8).view(chequered).astype(int) - 127).max() <= 2


def test_from_an_array_a_file_and_its_bytes_comes_the_same_view(tmp_path, photo, encode):
    pixels = photo(3, 90, 60)
    (tmp_path / "a.png").write_bytes(encode(pixels))
    preparation = Preparation(48)
    from_array = preparation.view(pixels)
    pytest.importorskip("polars", reason="scanning takes the extra `learn`")
    from ursa.data.scan import read_file

    assert np.array_equal(read_file(tmp_path / "a.png", preparation)[1], from_array)
    assert np.array_equal(preparation.view(image.read(encode(pixels), 48).pixels), from_array)


def test_a_view_does_not_change_the_picture_nor_share_its_memory(photo):
    pixels = photo(3, 48, 48)
    before = pixels.copy()
    for fit in FITS:
        view = Preparation(48, fit).view(pixels)
        assert not np.shares_memory(view, pixels)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(("size", "fit"), [(0, "pad"), (-3, "pad"), (224, "stretch"), (224, "")])
def test_an_impossible_preparation_is_refused(size, fit):
    with pytest.raises(DataError, match="size of at least 1 and a known fit") as error:
        Preparation(size, fit)
    assert "pad, squash, crop" in error.value.fix


@given(size=st.integers(1, 512), fit=st.sampled_from(FITS))
def test_a_preparation_survives_its_document(size, fit):
    preparation = Preparation(size, fit)
    assert Preparation(**preparation.to_json()) == preparation


def test_resize_takes_width_then_height():
    assert resize(plain(4, 6), 5, 2).shape == (2, 5, 3)


def test_a_view_is_put_into_a_blank_one(photo):
    pixels = photo(3, 90, 60)
    for fit in FITS:
        preparation = Preparation(48, fit)
        place = preparation.blank(3)
        assert preparation.view(pixels, place[1]).base is place
        assert np.array_equal(place[1], preparation.view(pixels))
        assert fit != "pad" or (place[[0, 2]] == FILL).all()


def test_what_a_view_shows_is_the_picture_without_its_bars(photo):
    for width, height in [(90, 60), (60, 90), (48, 48), (500, 3), (1, 1)]:
        preparation = Preparation(48)
        shown = preparation.shown(preparation.view(photo(3, width, height)), width, height)
        assert np.array_equal(shown, preparation.sized(photo(3, width, height), resize))


@pytest.mark.parametrize(
    "part",
    [np.s_[..., :3], np.s_[..., 1:], np.s_[::-1, :, :3], np.s_[:, ::-1, :3], np.s_[2:, :, :3], np.s_[:, :-1, :3]],
    ids=["as Pillow keeps it", "other channels", "upside down", "mirrored", "lower rows", "fewer columns"],
)
def test_pixels_inside_a_larger_array_are_those_pixels(photo, part):
    four = np.dstack([photo(1, 40, 30), photo(2, 40, 30)[..., 0]])
    pixels = four[part]
    assert np.array_equal(resize(pixels, 11, 9), resize(pixels.copy(), 11, 9))
