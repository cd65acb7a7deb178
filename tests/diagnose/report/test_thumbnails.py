"""Small copies: sharp, within their room, made once, and of the picture that they are said to be of."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from ursa.data import scan
from ursa.data.sources.folder_source import from_folder
from ursa.diagnose.report import thumbnails as module
from ursa.diagnose.report.thumbnails import thumbnails


@pytest.fixture
def scanned(tmp_path, picture_folder):
    catalog = from_folder(picture_folder(tmp_path / "pets", {"red": 3, "green": 3}, side=300))
    return scan.hashed(catalog)


def pixels(image):
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))


def test_copies_are_sharp_keep_their_shape_and_are_no_larger_than_the_picture(scanned, photo, encode):
    (scanned.root / "red/wide.png").write_bytes(encode(photo(1, 640, 200)))
    (scanned.root / "red/small.png").write_bytes(encode(photo(2, 40, 30)))
    catalog = from_folder(scanned.root)
    made = thumbnails(catalog, ["red/wide.png", "red/small.png"], ())
    assert pixels(made.images["red/wide.png"]).shape == (120, 384, 3)
    assert pixels(made.images["red/small.png"]).shape == (30, 40, 3)


def test_the_sheet_holds_each_picture_at_its_place_copies_too(scanned):
    (scanned.root / "red/same.jpg").write_bytes((scanned.root / "red/red_000.jpg").read_bytes())
    catalog = scan.hashed(from_folder(scanned.root))
    order = ["green/green_001.png", "red/red_000.jpg", "red/same.jpg", "red/red_001.png"]
    made = thumbnails(catalog, (), order)
    sheet, tiny = pixels(made.sheet), made.tiny
    assert sheet.shape == (2 * tiny, 2 * tiny, 3) and made.columns == 2
    for number, id in enumerate(order):
        row, column = divmod(number, made.columns)
        cell = sheet[row * tiny : (row + 1) * tiny, column * tiny : (column + 1) * tiny].mean((0, 1))
        assert (cell[0] > cell[1]) == id.startswith("red")


def test_what_was_made_is_kept_and_no_picture_is_opened_again(scanned, tmp_path):
    kept, ids = tmp_path / "kept.safetensors", scanned.ids
    first = thumbnails(scanned, ids, ids, kept)
    opened = []
    watching = [True]
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if watching and event == "open" else None)
    again = thumbnails(scanned, ids, ids, kept)
    watching.clear()
    assert not [name for name in opened if name.endswith((".jpg", ".png"))]
    assert again == first and len(first.images) == len(ids)


def test_a_changed_picture_is_made_anew_and_a_damaged_file_is_no_harm(scanned, tmp_path):
    kept = tmp_path / "kept.safetensors"
    first = thumbnails(scanned, scanned.ids, scanned.ids, kept)
    changed = scanned.root / "red/red_000.jpg"
    changed.write_bytes((scanned.root / "green/green_000.jpg").read_bytes())
    now = scan.hashed(from_folder(scanned.root))
    again = thumbnails(now, now.ids, now.ids, kept)
    assert again.images["red/red_000.jpg"] == first.images["green/green_000.jpg"] and again.sheet != first.sheet
    kept.write_bytes(kept.read_bytes()[:200])
    assert thumbnails(now, now.ids, now.ids, kept) == again


def test_what_is_gone_has_no_copy_and_a_gray_cell(scanned):
    (scanned.root / "red/red_000.jpg").unlink()
    made = thumbnails(scanned, ["red/red_000.jpg", "green/green_000.jpg", "no such id"], ["red/red_000.jpg"])
    assert list(made.images) == ["green/green_000.jpg"] and made.data_uri("red/red_000.jpg") is None
    assert pixels(made.sheet).mean() == pytest.approx(128, abs=3)


def test_copies_that_have_no_room_are_made_smaller(scanned, monkeypatch):
    wanted = thumbnails(scanned, scanned.ids, ())
    monkeypatch.setattr(module, "ROOM", 9000)
    made = thumbnails(scanned, scanned.ids, ())
    sizes = [sum(map(len, some.images.values())) for some in (made, wanted)]
    assert len(made.images) == 6 and sizes[0] < sizes[1] and max(pixels(made.images[scanned.ids[0]]).shape) == 192


def test_more_than_a_page_holds_are_left_out(scanned, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    assert list(thumbnails(scanned, scanned.ids, ()).images) == scanned.ids[:2]


def test_noise_does_not_burst_the_page(tmp_path, encode, monkeypatch):
    """What compresses worst, in its share of the room."""
    draw, count = np.random.default_rng(0), 18
    (tmp_path / "p/noise").mkdir(parents=True)
    for number in range(count):
        noise = Image.fromarray(draw.integers(0, 256, (200, 200, 3), np.uint8))
        (tmp_path / f"p/noise/{number:03}.jpg").write_bytes(encode(noise, "JPEG", quality=40))
    catalog = from_folder(tmp_path / "p")
    share = count / module.MOST
    monkeypatch.setattr(module, "ROOM", module.ROOM * share)
    monkeypatch.setattr(module, "SHEET_ROOM", module.SHEET_ROOM * share)
    monkeypatch.setattr(module, "TINY", ((module.MOST, 64),))
    made = thumbnails(catalog, catalog.ids, catalog.ids)
    assert len(made.images) == count and sum(map(len, made.images.values())) < module.ROOM
    assert len(made.sheet) < module.SHEET_ROOM
