"""Files and catalogs -> tiles: upright, with their facts; samples fair to every class; words for every label."""

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError
from ursa.plots.reading import TURNS, _evenly, file_tile, opened, sample, scanned, shrunk, size_of, words_of

# --- samples -------------------------------------------------------------------------------------------------------

LABELS = st.lists(st.sampled_from(["a", "b", "c", "no label"]), max_size=40)


@given(LABELS, st.integers(-2, 50), st.integers(0, 5))
def test_a_sample_is_as_even_as_its_classes_allow(labels, count, seed):
    rows = _evenly(labels, count, seed)
    assert len(rows) == len(set(rows)) == min(max(0, count), len(labels))
    has, drawn = collections.Counter(labels), collections.Counter(labels[row] for row in rows)
    most = max(drawn.values(), default=0)
    assert all(drawn[name] in (has[name], most, most - 1) for name in has)  # fewer only where there are no more


@given(LABELS, st.integers(0, 40), st.integers(0, 5))
def test_a_sample_is_sorted_by_class_unlabelled_last_and_a_larger_one_holds_it(labels, count, seed):
    rows = _evenly(labels, count, seed)
    keys = [(labels[row] == "no label", labels[row], row) for row in rows]
    assert keys == sorted(keys)
    assert set(rows) <= set(_evenly(labels, count + 3, seed))
    assert rows == _evenly(labels, count, seed)


def test_every_picture_can_be_drawn_by_some_seed():
    drawn = {row for seed in range(60) for row in _evenly(["a"] * 5 + ["b"] * 5, 2, seed)}
    assert drawn == set(range(10))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    root = picture_folder(tmp_path_factory.mktemp("reading"), {"red": 3, "green": 2}, side=80)
    (root / "red/broken.jpg").write_text("<html>")
    return root


def test_the_tiles_of_a_sample_are_the_whole_pictures_and_no_larger_than_asked(folder):
    tiles = sample(from_folder(folder), 9, side=40)
    assert [tile.title for tile in tiles] == ["green"] * 2 + ["red"] * 4
    sound = [tile for tile in tiles if tile.pixels is not None]
    assert len(sound) == 5 and all(max(tile.pixels.shape[:2]) == 40 for tile in sound)
    (broken,) = [tile for tile in tiles if tile.pixels is None]
    assert broken.id == "red/broken.jpg" and "HTML" in broken.problem
    for tile in sound:  # each under its own id
        wide = opened(folder / tile.id).pixels.shape
        assert tile.pixels.shape[0] / tile.pixels.shape[1] == pytest.approx(wide[0] / wide[1], rel=0.05)
        assert np.abs(tile.pixels.mean((0, 1)) - opened(folder / tile.id).pixels.mean((0, 1))).max() < 2


def test_a_file_that_went_is_a_tile_with_the_reason(folder, tmp_path):
    gone = Catalog.of(tmp_path, {"id": ["a"], "path": ["a.png"], "label": ["x"]})
    (tile,) = sample(gone, 1)
    assert tile.pixels is None and "cannot be opened" in tile.problem and tile.title == "x"


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_shown_upright_and_named_by_what_was_done(tmp_path, photo, orientation):
    stored = photo(3, 24, 16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    found = opened(tmp_path / "a.png")
    upright = {  # TIFF 6.0, tag 274: where row 0 and column 0 of what is stored are in the picture
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored.transpose(1, 0, 2)[:, ::-1],
        7: stored.transpose(1, 0, 2)[::-1, ::-1],
        8: stored.transpose(1, 0, 2)[::-1],
    }[orientation]
    np.testing.assert_array_equal(found.pixels, upright)
    assert found.facts["turned"] == TURNS.get(orientation)
    height, width = upright.shape[:2]
    assert f"{width} × {height} px" in found.words()
    assert ("(EXIF)" in found.words()) == (orientation > 1)


def test_the_facts_of_a_file(tmp_path, photo):
    path = tmp_path / "a.jpg"
    Image.fromarray(photo(1, 500, 200)).save(path)
    found = opened(path)
    assert found.facts == {
        "picture": str(path),
        "bytes": path.stat().st_size,
        "format": "JPEG",
        "width": 500,
        "height": 200,
        "frames": 1,
        "turned": None,
        "problem": None,
    }
    assert found.words() == f"JPEG · 500 × 200 px · 0.1 megapixels · {size_of(path.stat().st_size)}"


def test_frames_and_megapixels_are_said_where_there_are_some(tmp_path):
    frames = [Image.new("L", (20, 10), 80 * n) for n in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert "GIF · 20 × 10 px · the first of 3 frames · " in opened(tmp_path / "a.gif").words()
    Image.new("L", (4000, 3000)).save(tmp_path / "b.png")
    assert opened(tmp_path / "b.png").words().startswith("PNG · 4000 × 3000 px · 12 megapixels · ")


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"\x89PNG\r\n\x1a\n", b"plain text"])
def test_what_is_no_picture_has_its_size_and_the_reason_as_its_words(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    found = opened(tmp_path / "a.jpg")
    assert found.pixels is None and found.facts["bytes"] == len(content) and found.facts["width"] is None
    assert found.words() == found.facts["problem"] != ""
    tile = file_tile(tmp_path / "a.jpg")
    assert (tile.pixels, tile.title, tile.problem) == (None, "a.jpg", found.facts["problem"])
    seen = file_tile(tmp_path / "a.jpg", Preparation(16))
    assert seen.pixels is None and seen.problem == tile.problem


@pytest.mark.parametrize("read", [opened, file_tile, lambda file: file_tile(file, Preparation(16))])
def test_a_missing_file_is_an_error_with_its_path(tmp_path, read):
    with pytest.raises(DataError) as problem:
        read(tmp_path / "none.jpg")
    assert str(tmp_path / "none.jpg") in problem.value.what and problem.value.fix == "check the path"


@pytest.mark.parametrize("fit", ["pad", "squash", "crop"])
def test_a_file_as_a_model_sees_it_is_its_view(folder, fit):
    file = min(folder.rglob("*.png"))
    tile = file_tile(file, Preparation(24, fit))
    np.testing.assert_array_equal(tile.pixels, Preparation(24, fit).view(opened(file).pixels))
    assert file_tile(file).pixels.shape == opened(file).pixels.shape


def test_a_scan_of_a_catalog_tells_its_progress_and_finds_what_is_broken(folder):
    told = []
    known = scanned(from_folder(folder), lambda *one: told.append(one))
    assert told[-1][0] == "Reading pictures" and told[-1][1:] == (6, 6)
    assert known.rows["problem"].is_not_null().sum() == 1


# --- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (123_456, "123 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_400_000, "3.4 MB"),
        (5_000_000_000, "5000 MB"),
    ],
)
def test_sizes_of_files_by_hand(size, said):
    assert size_of(size) == said


@given(st.integers(0, 10**10))
def test_the_size_of_a_file_is_said_to_within_a_twentieth(size):
    number, unit = size_of(size).split()
    assert float(number) * {"byte": 1, "bytes": 1, "kB": 1e3, "MB": 1e6}[unit] == pytest.approx(size, rel=0.06)
    assert len(number) <= 3 or unit == "MB"


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (None, "no label"),
        ("bear", "bear"),
        ("", ""),
        (0.123456, "0.1235"),
        (3.0, "3"),
        (float("nan"), "nan"),
        ([], "none of the classes"),
        (["a"], "a"),
        (["b", "a"], "b, a"),
        ([0.5, 2.0], "0.5, 2"),
        ([None, "a"], "no label, a"),
    ],
)
def test_a_label_of_any_task_has_words(label, said):
    assert words_of(label) == said


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 200))
def test_shrinking_keeps_the_shape_and_never_enlarges(width, height, side):
    pixels = np.full((height, width, 3), 77, np.uint8)
    small = shrunk(pixels, side)
    assert max(small.shape[:2]) == min(side, max(width, height)) and (small == 77).all()
    if max(width, height) <= side:
        assert small is pixels
    elif min(small.shape[:2]) > 1:
        assert small.shape[1] / small.shape[0] == pytest.approx(width / height, rel=1 / min(small.shape[:2]))
