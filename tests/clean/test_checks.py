"""Findings: what each check says, and that it says it of the right pictures only."""

import json
import shutil

import polars as pl
import pytest

from ursa.clean.audit import audit
from ursa.clean.broken import broken
from ursa.clean.classes import FEW, small_classes
from ursa.clean.copies import copies
from ursa.clean.duplicates import duplicates
from ursa.clean.leaks import near_duplicates, suggested_keeper
from ursa.core.finding import Finding
from ursa.core.prepare import Preparation
from ursa.data import scan
from ursa.data.sources.folder_source import from_folder


def scanned(folder):
    catalog = from_folder(folder)
    return scan.with_facts(catalog, [scan.read_file(file, Preparation(size=32))[0] for file in catalog.files()])


@pytest.fixture
def folder(tmp_path, picture_folder):
    return picture_folder(tmp_path / "pictures", {"red": FEW, "green": FEW})


def test_a_sound_folder_has_no_findings(folder):
    assert audit(scanned(folder), None) == []


def test_each_broken_file_is_named_with_its_reason(folder):
    (folder / "red" / "page.jpg").write_text("<!DOCTYPE html><html></html>")
    (folder / "green" / "empty.png").write_bytes(b"")
    found = broken(scanned(folder))
    assert [(f.where, f.evidence) for f in found] == [
        (("green/empty.png",), "Not a picture: an empty file."),
        (("red/page.jpg",), "Not a picture: an HTML page."),
    ]


def test_copies_of_one_class_are_duplicates_whatever_their_name(folder):
    shutil.copy(folder / "red/red_000.jpg", folder / "red/zz.png")
    (found,) = duplicates(scanned(folder))
    assert (found.kind, found.where) == ("exact-duplicate", ("red/red_000.jpg", "red/zz.png"))
    assert found.numbers == {"keep": "red/zz.png"}


def test_copies_in_two_classes_are_contradictions_and_come_first(folder):
    shutil.copy(folder / "red/red_001.png", folder / "red/aa.png")
    shutil.copy(folder / "red/red_000.jpg", folder / "green/zz.jpg")
    first, second = duplicates(scanned(folder))
    assert (first.kind, first.where) == ("same-picture-two-classes", ("green/zz.jpg", "red/red_000.jpg"))
    assert second.kind == "exact-duplicate"


def test_copies_in_two_splits_are_leaks(tmp_path, picture_folder):
    folder = picture_folder(tmp_path, {"train/red": 3, "train/green": 3, "valid/red": 2, "valid/green": 2})
    shutil.copy(folder / "train/red/red_000.jpg", folder / "valid/red/again.jpg")
    (found,) = duplicates(scanned(folder))
    assert (found.kind, found.where) == ("leak", ("train/red/red_000.jpg", "valid/red/again.jpg"))
    assert found.numbers == {"keep": "valid/red/again.jpg"}  # figures stay comparable


def test_broken_copies_are_no_duplicates(folder):
    for name in ("a.jpg", "b.jpg"):
        (folder / "red" / name).write_bytes(b"")
    assert duplicates(scanned(folder)) == []


def test_classes_with_few_pictures_are_named_with_their_count(tmp_path, picture_folder):
    folder = picture_folder(tmp_path, {"many": FEW, "one": 1})
    (folder / "none").mkdir()
    (folder / "none" / "x.jpg").write_bytes(b"")
    found = {finding.evidence for finding in small_classes(scanned(folder))}
    assert found == {"one has 1 usable picture.", "none has no usable picture."}


def cropped(file, to):
    from PIL import Image

    with Image.open(file) as picture:
        picture.crop((3, 2, picture.width, picture.height)).save(to, "JPEG", quality=85)


def test_near_copies_of_one_class_are_near_duplicates(folder):
    cropped(folder / "red/red_000.jpg", folder / "red/zz.jpg")
    (found,) = near_duplicates(scanned(folder))
    assert (found.kind, found.where) == ("near-duplicate", ("red/red_000.jpg", "red/zz.jpg"))
    assert found.numbers["agreement"] > 0.93
    assert found.numbers["keep"] == "red/red_000.jpg" and "Keep red/red_000.jpg, the largest" in found.advice


def test_the_keeper_is_the_largest_then_the_least_compressed_then_the_one_with_the_shortest_name():
    names = {"id": ["a1", "b1", "c"], "width": [10, 20, 10], "height": [10, 5, 10], "bytes": [9, 9, 9]}
    assert suggested_keeper(pl.DataFrame(names | {"width": [10, 21, 10]})) == "b1"
    assert suggested_keeper(pl.DataFrame(names | {"bytes": [10, 9, 9]})) == "a1"
    assert suggested_keeper(pl.DataFrame(names)) == "c"
    assert suggested_keeper(pl.DataFrame(names | {"bytes": [None, None, None]}, strict=False)) == "c"


def test_near_copies_in_two_classes_come_first(folder):
    cropped(folder / "red/red_001.png", folder / "red/aa.jpg")
    cropped(folder / "red/red_000.jpg", folder / "green/zz.jpg")
    first, second = near_duplicates(scanned(folder))
    assert (first.kind, first.where) == ("near-copy-two-classes", ("green/zz.jpg", "red/red_000.jpg"))
    assert second.kind == "near-duplicate"


def test_near_copies_in_two_splits_are_near_leaks(tmp_path, picture_folder):
    folder = picture_folder(tmp_path, {"train/red": 3, "train/green": 3, "valid/red": 2, "valid/green": 2})
    cropped(folder / "train/red/red_000.jpg", folder / "valid/red/again.jpg")
    (found,) = near_duplicates(scanned(folder))
    assert (found.kind, found.where) == ("near-leak", ("train/red/red_000.jpg", "valid/red/again.jpg"))
    assert found.numbers["keep"] == "valid/red/again.jpg"


def test_exact_copies_are_no_near_copies(folder):
    shutil.copy(folder / "red/red_000.jpg", folder / "red/zz.png")
    assert near_duplicates(scanned(folder)) == []


def test_identical_files_with_a_near_copy_are_one_group_with_one_keeper(folder):
    shutil.copy(folder / "red/red_000.jpg", folder / "red/z.jpg")
    cropped(folder / "red/red_000.jpg", folder / "red/zz.jpg")
    shutil.copy(folder / "green/green_000.jpg", folder / "green/again.jpg")
    exact, near = copies(scanned(folder))
    assert (exact.kind, exact.where) == ("exact-duplicate", ("green/again.jpg", "green/green_000.jpg"))
    assert (near.kind, near.where) == ("near-duplicate", ("red/red_000.jpg", "red/z.jpg", "red/zz.jpg"))
    assert near.numbers["keep"] == "red/z.jpg"


def test_where_labels_differ_no_keeper_is_named_and_identical_files_are_told_apart_from_near_ones(folder):
    shutil.copy(folder / "red/red_000.jpg", folder / "red/z.jpg")
    cropped(folder / "red/red_000.jpg", folder / "green/zz.jpg")
    assert [(found.kind, "keep" in found.numbers) for found in copies(scanned(folder))] == [
        ("exact-duplicate", True),
        ("near-copy-two-classes", False),
    ]


def test_copies_with_several_labels_or_numbers_are_told_in_words(folder):
    shutil.copy(folder / "red/red_000.jpg", folder / "green/zz.jpg")
    catalog = scanned(folder)
    several = catalog.with_columns(label=catalog.rows["label"].map_elements(lambda x: [x, "b"], pl.List(pl.String)))
    (found,) = duplicates(several)
    assert found.evidence == "Identical files have different labels: b + green and b + red."


def test_a_check_of_ones_own_is_one_more_function(folder):
    def too_green(catalog, embeddings):
        return [Finding("too-green", (id,), 0.1, "It is green.", "Repaint it.") for id in catalog.ids if "green" in id]

    assert len(audit(scanned(folder), None, [broken, too_green])) == FEW


def test_findings_are_documents(folder):
    (folder / "red" / "page.jpg").write_text("<html>")
    (document,) = [finding.to_json() for finding in broken(scanned(folder))]
    assert json.loads(json.dumps(document)).keys() == {"kind", "where", "score", "evidence", "advice"}
