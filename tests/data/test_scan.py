"""What a scan says of a file, and when an earlier scan is still true."""

import hashlib
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from ursa.core import picture_file
from ursa.core.prepare import Preparation
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import from_folder

VIEW = Preparation(32)


def scanned(root: Path, before: Catalog | None = None) -> Catalog:
    catalog = from_folder(root)
    if before is not None:
        catalog = scan.with_known_facts(catalog, before)
    todo = scan.unscanned(catalog).to_list()
    known = [scan.FileInfo(*row) for row in catalog.rows.select(scan.FACTS).iter_rows()]
    found = [
        scan.read_file(file, VIEW)[0] if new else fact
        for file, new, fact in zip(catalog.files(), todo, known, strict=True)
    ]
    return scan.with_facts(catalog, found)


def bits(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def test_the_facts_of_a_picture(tmp_path, photo, encode):
    data = encode(photo(1, 90, 60), "JPEG")
    (tmp_path / "a.png").write_bytes(data)
    facts, view = scan.read_file(tmp_path / "a.png", VIEW)
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert (facts.format, facts.width, facts.height, facts.problem) == ("JPEG", 90, 60, None)
    assert 0 < facts.phash < 2**64
    assert view.shape == (32, 32, 3)


def test_a_file_that_cannot_be_read_as_a_picture_has_a_problem_and_a_hash(tmp_path):
    (tmp_path / "page.jpg").write_bytes(b"<html>not found</html>")
    facts, view = scan.read_file(tmp_path / "page.jpg", VIEW)
    assert facts.problem == "not a picture: an HTML page" and view is None
    assert facts.sha256 == hashlib.sha256(b"<html>not found</html>").hexdigest()
    assert facts.format is facts.width is facts.height is facts.phash is None


def test_a_file_that_has_vanished_or_is_a_folder_has_a_problem(tmp_path):
    assert scan.read_file(tmp_path / "gone.jpg", VIEW)[0].problem == "cannot be opened: No such file or directory"
    assert scan.read_file(tmp_path, VIEW)[0].problem == "cannot be opened: a folder"


def test_a_file_that_may_not_be_read_has_a_problem_and_its_neighbor_none(public_path, as_another_user, photo, encode):
    for name, mode in (("open.png", 0o644), ("secret.png", 0)):
        (public_path / name).write_bytes(encode(photo(1, 40, 30)))
        (public_path / name).chmod(mode)
    with as_another_user():
        assert scan.read_file(public_path / "open.png", VIEW)[0].problem is None
        assert scan.read_file(public_path / "secret.png", VIEW)[0] == scan.FileInfo(
            problem="cannot be opened: Permission denied"
        )


def test_the_same_bytes_have_the_same_hash_under_any_name(tmp_path, picture_folder):
    picture_folder(tmp_path, {"red": 3, "green": 3})
    (tmp_path / "green" / "copy.png").write_bytes((tmp_path / "red" / "red_001.png").read_bytes())
    catalog = scanned(tmp_path)
    same = catalog.rows.filter(pl.col("sha256").is_duplicated())["id"].to_list()
    assert same == ["green/copy.png", "red/red_001.png"]
    copies = dict(zip(catalog.ids, catalog.duplicate_groups(), strict=True))
    assert copies["green/copy.png"] == copies["red/red_001.png"]
    assert len(set(copies.values())) == 6


# --- what is not read ----------------------------------------------------------------------------------------------


def sparse(path: Path, head: bytes, size: int) -> Path:
    """A file that says it is this long and takes no room."""
    with path.open("wb") as file:
        file.write(head)
        try:
            file.truncate(size)
        except OSError:
            pytest.skip("this file system has no files of that size")
    return path


FILM = b"\0\0\0\x18ftypmp42"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("head", "size", "problem"),
    [
        (FILM, 2_100_000_000, "not a picture: a video"),
        (FILM, 4_000_000_000_000, "not a picture: a video"),
        (b"", 4_000_000_000_000, "not a picture: nothing but zeros"),
        (PNG, 2_100_000_000, "too large: a file of 2,100,000,000 bytes, the limit is 512,000,000"),
        (b"DDS ", 2_100_000_000, "needs a decoder: a DDS texture, which Ursa does not read"),
    ],
)
def test_a_film_beside_the_pictures_is_known_by_its_first_bytes(tmp_path, monkeypatch, head, size, problem):
    read = []
    real = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, count: read.append(count) or real(descriptor, count))
    facts, view = scan.read_file(sparse(tmp_path / "film.jpg", head, size), VIEW)
    assert facts == scan.FileInfo(problem=problem) and view is None
    assert sum(read) <= 512


def test_what_lies_under_the_limit_is_read_whole_and_in_one_piece(tmp_path, monkeypatch, photo, encode):
    monkeypatch.setattr(picture_file, "LARGE", 1000)
    data = encode(photo(1, 90, 60))
    (tmp_path / "a.png").write_bytes(data)
    facts, _ = scan.read_file(tmp_path / "a.png", VIEW)
    assert len(data) > 1000 and facts.problem is None and facts.sha256 == hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(picture_file, "MAX_BYTES", len(data) - 1)
    assert scan.read_file(tmp_path / "a.png", VIEW)[0].problem.startswith("too large: a file of")


def test_what_was_judged_by_its_head_is_not_looked_at_again_until_it_changes(tmp_path, picture_folder):
    picture_folder(tmp_path, {"red": 2})
    film = sparse(tmp_path / "red" / "film.mp4", FILM, picture_file.LARGE + 1)
    sparse(tmp_path / "red" / "huge.png", PNG, picture_file.MAX_BYTES + 1)
    before = scanned(tmp_path)
    again = scan.with_known_facts(from_folder(tmp_path), before)
    assert again.rows.equals(before.rows) and not scan.unscanned(again).any()
    film.write_bytes(b"<html>")
    changed = scan.with_known_facts(from_folder(tmp_path), before)
    assert changed.where(scan.unscanned(changed)).ids == ["red/film.mp4"]


def test_a_pipe_put_in_place_after_listing_is_a_problem_and_not_waited_for(tmp_path, picture_folder):
    picture_folder(tmp_path, {"red": 3})
    catalog = from_folder(tmp_path)
    (tmp_path / "red" / "red_000.jpg").unlink()
    os.mkfifo(tmp_path / "red" / "red_000.jpg")
    found = [scan.read_file(file, VIEW)[0].problem for file in catalog.files()]
    assert found == ["cannot be opened: a named pipe", None, None]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a\0b.jpg", "no file can have this name"),
        ("a" * 300, "File name too long"),
        ("/dev/zero", "a device"),
        ("/dev/null", "a device"),
    ],
)
def test_names_that_lead_to_no_file_are_problems(tmp_path, name, problem):
    assert scan.read_file(tmp_path / name, VIEW)[0].problem == f"cannot be opened: {problem}"


# --- difference hash -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.8, 2.0])
def test_resizing_and_encoding_again_change_few_bits(photo, encode, scale):
    """Measured on these: 5 at most; different pictures are 17 and more apart."""
    from ursa.core.decoding import image

    for seed in range(12):
        pixels = photo(seed, 320, 240)
        small = Image.fromarray(pixels).resize((int(320 * scale), int(240 * scale)), Image.Resampling.LANCZOS)
        again = image.read(encode(small, "JPEG", quality=60)).pixels
        assert bits(scan.difference_hash(pixels), scan.difference_hash(again)) <= 6


def test_different_pictures_differ_in_many_bits(photo):
    hashes = [scan.difference_hash(photo(seed, 160, 120)) for seed in range(40)]
    apart = [bits(one, other) for i, one in enumerate(hashes) for other in hashes[:i]]
    assert min(apart) > 12
    assert 28 < np.mean(apart) < 36


def test_the_hash_looks_at_brightness_from_left_to_right():
    ramp = np.linspace(0, 255, 90).astype(np.uint8)[None, :, None].repeat(80, 0).repeat(3, 2)
    assert scan.difference_hash(ramp) == 2**64 - 1
    assert scan.difference_hash(ramp[:, ::-1]) == 0
    half = np.concatenate([ramp[:40], ramp[:40, ::-1]])
    assert scan.difference_hash(half) == 0xFFFFFFFF00000000


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (7, 3000), (64, 64)])
def test_every_shape_has_a_hash(shape):
    assert scan.difference_hash(np.zeros((*shape, 3), np.uint8)) == 0


# --- remembered ----------------------------------------------------------------------------------------------------


def test_facts_are_remembered_for_files_that_have_not_changed(tmp_path, picture_folder):
    picture_folder(tmp_path, {"red": 3, "green": 3})
    before = scanned(tmp_path)
    again = scan.with_known_facts(from_folder(tmp_path), before)
    assert again.rows.equals(before.rows)
    assert not scan.unscanned(again).any()


def test_only_what_is_new_or_changed_is_scanned_again(tmp_path, picture_folder, photo, encode):
    picture_folder(tmp_path, {"red": 3, "green": 3})
    before = scanned(tmp_path)
    (tmp_path / "green" / "new.png").write_bytes(encode(photo(9, 40, 30)))
    (tmp_path / "red" / "red_000.jpg").write_bytes(encode(photo(8, 50, 40)))
    touched = tmp_path / "red" / "red_001.png"
    os.utime(touched, ns=(0, touched.stat().st_mtime_ns + 1))
    (tmp_path / "red" / "red_002.jpg").unlink()
    again = scan.with_known_facts(from_folder(tmp_path), before)
    assert again.where(scan.unscanned(again)).ids == ["green/new.png", "red/red_000.jpg", "red/red_001.png"]
    assert again.ids == from_folder(tmp_path).ids


def test_remembered_facts_keep_the_new_label_and_split(tmp_path, picture_folder):
    picture_folder(tmp_path, {"red": 2, "green": 2})
    before = scanned(tmp_path)
    relabeled = from_folder(tmp_path).with_columns(label=pl.lit("blue"), split=pl.lit("test"))
    again = scan.with_known_facts(relabeled, before)
    assert set(again.rows["label"]) == {"blue"} and set(again.rows["split"]) == {"test"}
    assert again.rows["sha256"].to_list() == before.rows["sha256"].to_list()


def test_a_problem_of_the_bytes_is_remembered_but_not_one_of_permission(public_path, as_another_user, photo, encode):
    (public_path / "cat").mkdir()
    (public_path / "cat" / "page.jpg").write_bytes(b"<html>")
    secret = public_path / "cat" / "secret.png"
    secret.write_bytes(encode(photo(1, 40, 30)))
    secret.chmod(0)
    with as_another_user():
        before = scanned(public_path)
    assert before.rows["problem"].to_list() == ["not a picture: an HTML page", "cannot be opened: Permission denied"]
    secret.chmod(0o644)  # changes neither size nor time
    again = scan.with_known_facts(from_folder(public_path), before)
    assert again.where(scan.unscanned(again)).ids == ["cat/secret.png"]
    assert scanned(public_path, before).rows["problem"].to_list() == ["not a picture: an HTML page", None]


def test_looking_changes_no_file(tmp_path, picture_folder):
    picture_folder(tmp_path, {"red": 2})
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.rglob("*.*")}
    scanned(tmp_path)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.rglob("*.*")} == before
