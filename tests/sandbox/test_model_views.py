"""One function from a source to a view: files, bytes and pixels alike, in order, refusals in their places."""

import numpy as np
import pytest

from ursa import sandbox
from ursa.core.decoding.image import Picture
from ursa.core.prepare import Preparation, resize
from ursa.errors import DataError

VIEW = Preparation(16)


@pytest.fixture
def sources(tmp_path, photo, encode):
    """Files and bytes by turns; the second, the last two and one in the middle are no pictures."""
    good = [encode(photo(seed, 30 + seed, 20), "PNG") for seed in range(5)]
    for number, data in enumerate(good):
        (tmp_path / f"{number}.png").write_bytes(data)
    (tmp_path / "text.png").write_text("<html>")
    return [
        tmp_path / "0.png",
        tmp_path / "missing.png",
        good[1],
        tmp_path / "text.png",
        tmp_path / "2.png",
        good[3],
        b"no picture",
        tmp_path / "gone.png",
    ]


@pytest.mark.parametrize("fit", ["pad", "squash", "crop"])
def test_a_file_its_bytes_and_its_pixels_have_one_view(tmp_path, photo, encode, fit):
    pixels, view = photo(1, 60, 40), Preparation(16, fit)
    data = encode(pixels, "PNG")
    (tmp_path / "a.png").write_bytes(data)
    for source in (data, tmp_path / "a.png", str(tmp_path / "a.png"), pixels):
        np.testing.assert_array_equal(sandbox.view(source, view), view.view(pixels))
    (found,) = sandbox.views([data], view)
    np.testing.assert_array_equal(found.pixels, view.view(pixels))


def test_many_come_in_order_with_their_refusals_where_they_stand(sources):
    found = list(sandbox.views(sources, VIEW))
    assert [isinstance(one, Picture) for one in found] == [True, False, True, False, True, True, False, False]
    assert ["cannot be opened" in one.what for one in found if isinstance(one, DataError)] == [True, False, False, True]
    assert [one.width for one in found if isinstance(one, Picture)] == [30, 31, 32, 33]
    for source, one in zip(sources, found, strict=True):
        if isinstance(one, Picture):
            np.testing.assert_array_equal(one.pixels, sandbox.view(source, VIEW))


def test_views_are_put_where_they_are_asked_for_one_place_a_source(sources):
    places = np.full((len(sources), 16, 16, 3), 7, np.uint8)
    blank = np.zeros_like(places)
    found = list(sandbox.views(sources, VIEW, into=blank))
    for one, place in zip(found, blank, strict=True):
        if isinstance(one, Picture):
            assert one.pixels.base is blank or np.shares_memory(one.pixels, place)
            np.testing.assert_array_equal(one.pixels, place)
        else:
            assert not place.any()  # a refusal leaves its place as it was


def test_another_way_to_resize_is_used_for_files_and_pixels(sources, photo):
    used = []

    def by(*arguments, **named):
        used.append(1)
        return resize(*arguments, **named)

    assert sum(isinstance(one, Picture) for one in sandbox.views(sources, VIEW, by=by)) == len(used) == 4
    sandbox.view(photo(0, 30, 20), VIEW, by=by)
    assert len(used) == 5


@pytest.mark.parametrize("sources_", [[], [b""], [b"", b"x"]])
def test_nothing_but_refusals_and_nothing_at_all(sources_):
    found = list(sandbox.views(sources_, VIEW))
    assert len(found) == len(sources_) and all(isinstance(one, DataError) for one in found)


def test_only_a_few_sources_are_read_ahead(photo, encode):
    read, data = [], encode(photo(0, 30, 20), "PNG")

    def endless():
        while True:
            read.append(1)
            yield data

    views = sandbox.views(endless(), VIEW)
    for _ in range(3):
        next(views)
    views.close()
    assert 3 <= len(read) <= 8


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_pixels_of_another_form_are_refused_with_their_shape_and_type(pixels):
    with pytest.raises(DataError) as problem:
        sandbox.view(pixels, VIEW)
    assert problem.value.found == f"{list(pixels.shape)} of {pixels.dtype}"


def test_a_file_that_cannot_be_opened_is_told_by_its_path(tmp_path):
    with pytest.raises(DataError) as problem:
        sandbox.view(tmp_path / "none.png", VIEW)
    assert problem.value.what == f"cannot read {tmp_path / 'none.png'}" and problem.value.fix == "check the path"
