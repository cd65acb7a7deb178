"""`check` on real folders: what it says, what it keeps, what it refuses, and that a second run computes nothing."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError, TrainingError
from ursa.workflow.check import check


@pytest.fixture
def folder(tmp_path, picture_folder):
    return picture_folder(tmp_path / "pictures", {"red": 12, "green": 12})


def files_of(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".ursa" not in path.parts
    }


def test_it_finds_what_is_wrong_and_how_good_a_model_can_be(folder, pixels):
    (folder / "red" / "page.jpg").write_text("<html>not a picture</html>")
    shutil.copy(folder / "red/red_000.jpg", folder / "green/zz.jpg")
    before = files_of(folder)
    result = check(folder, **pixels)
    assert sorted(f.kind for f in result.findings) == ["not-a-picture", "same-picture-two-classes", "wrong-label"]
    assert [f.where for f in result.findings if f.kind == "wrong-label"] == [("green/zz.jpg",)]
    assert result.accuracy.low < result.accuracy.value <= result.accuracy.high
    assert result.accuracy.value > 0.9
    assert int(result.confusion.sum()) == 25
    assert result.catalog.counts() == {"green": 13, "red": 12}
    assert result.report.read_text().startswith("<!doctype html>")
    assert files_of(folder) == before  # nothing but .ursa/ was written


def test_its_document_has_the_keys_that_stay(folder, pixels):
    document = json.loads(json.dumps(check(folder, **pixels).to_json()))
    assert {"pictures", "classes", "findings", "accuracy", "seconds"} <= document.keys()
    assert document["accuracy"].keys() == {"value", "low", "high", "method"}
    assert document["classes"] == {"green": 12, "red": 12}


def test_the_same_seed_gives_the_same_answer_whatever_was_remembered(folder, pixels, tmp_path):
    first, again = check(folder, **pixels), check(folder, **pixels)
    fresh = check(folder, **dict(pixels, workspace=tmp_path / "elsewhere"))
    for other in (again, fresh):
        assert other.accuracy == first.accuracy
        assert np.array_equal(other.confusion, first.confusion)


def test_a_second_run_loads_no_torch_and_opens_no_picture(folder, pixels):
    check(folder, **pixels)
    code = """
import pathlib, sys
from ursa.workflow.check import check
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
check(sys.argv[1], **dict(backbone="pixels", precision="fp32"))
assert "torch" not in sys.modules and "sklearn" not in sys.modules and "timm" not in sys.modules
pictures = [name for name in opened if name.endswith((".jpg", ".png"))]
assert not pictures, pictures
"""
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


def test_only_new_pictures_are_computed(folder, pixels, picture_folder, tmp_path):
    check(folder, **pixels)
    for path in (picture_folder(tmp_path / "more", {"red": 2}, seed=1) / "red").iterdir():
        path.rename(folder / "red" / f"new_{path.name}")
    seen = []
    result = check(folder, **dict(pixels, progress=lambda _, done, of: seen.append((done, of))))
    assert seen[-1] == (2, 2)
    assert result.catalog.counts()["red"] == 14


def test_a_damaged_probe_is_fitted_again(folder, pixels):
    first = check(folder, **pixels)
    (path,) = (folder / ".ursa" / "probes").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    assert check(folder, **pixels).accuracy == first.accuracy
    assert path.stat().st_size > 100


def test_relabelling_and_deleting_compute_nothing_new_but_the_answer(folder, pixels):
    check(folder, **pixels)
    (folder / "red/red_000.jpg").unlink()
    (folder / "red/red_001.png").rename(folder / "green/moved.png")
    result = check(folder, **pixels)
    assert result.catalog.counts() == {"green": 13, "red": 10}
    store = list((folder / ".ursa" / "embeddings").rglob("*.npy"))
    assert sum(len(np.load(path)) for path in store) == 24


def test_a_changed_picture_is_looked_at_again(folder, pixels, photo, encode):
    check(folder, **pixels)
    path = folder / "red/red_000.jpg"
    path.write_bytes(b"no picture any more")
    result = check(folder, **pixels)
    assert [f.where for f in result.findings] == [("red/red_000.jpg",)]


def test_the_test_part_stays_sealed(tmp_path, picture_folder, pixels):
    folder = picture_folder(tmp_path, {"train/red": 10, "train/green": 10, "test/red": 5, "test/green": 5})
    assert int(check(folder, **pixels).confusion.sum()) == 20


def test_a_class_in_one_split_only_is_in_the_list(tmp_path, picture_folder, pixels):
    folder = picture_folder(tmp_path, {"train/red": 10, "train/green": 10, "valid/red": 4, "valid/blue": 4})
    assert check(folder, **pixels).labels.names == ("blue", "green", "red")


def bad_folders(root, picture_folder):
    empty, one, broken, loose = (root / name for name in ("empty", "one", "broken", "loose"))
    empty.mkdir()
    picture_folder(one, {"red": 6})
    for number in range(3):
        (broken / "red").mkdir(parents=True, exist_ok=True)
        (broken / "green").mkdir(parents=True, exist_ok=True)
        (broken / "red" / f"{number}.jpg").write_text("no picture")
        (broken / "green" / f"{number}.jpg").write_bytes(b"")
    picture_folder(loose / "x", {"red": 2})
    for path in (loose / "x" / "red").iterdir():
        path.rename(loose / path.name)
    shutil.rmtree(loose / "x")
    (root / "file").write_text("")
    return {
        "empty": empty,
        "one": one,
        "broken": broken,
        "loose": loose,
        "missing": root / "pix",
        "file": root / "file",
    }


@pytest.mark.parametrize(
    ("which", "said", "fix"),
    [
        ("missing", "there is no folder", "check the path"),
        ("file", "the table", "first line names the columns"),
        ("empty", "no pictures in", "one folder a class"),
        ("one", "at least two classes", "add a folder"),
        ("broken", "none of the 6 files", "fetch the pictures again"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_way_out(tmp_path, picture_folder, pixels, which, said, fix):
    with pytest.raises(DataError) as problem:
        check(bad_folders(tmp_path, picture_folder)[which], **pixels)
    assert said in problem.value.what
    assert fix in problem.value.fix


def test_a_class_with_one_picture_is_a_finding_not_a_crash(tmp_path, picture_folder, pixels):
    result = check(picture_folder(tmp_path, {"red": 12, "green": 12, "blue": 1}), **pixels)
    assert {(f.kind, f.where) for f in result.findings} == {
        ("small-class", ("blue/blue_000.jpg",)),
        ("labels-not-judged", ("blue/blue_000.jpg",)),
    }


def test_two_pictures_are_enough_to_run(tmp_path, picture_folder, pixels):
    result = check(picture_folder(tmp_path, {"red": 1, "green": 1}), **pixels)
    assert int(result.confusion.sum()) == 2


def test_a_read_only_folder_needs_another_workspace(disk, picture_folder, pixels, tmp_path):
    folder = disk("4m", read_only=True, holding=lambda place: picture_folder(place, {"red": 6, "green": 6}))
    with pytest.raises(DataError) as problem:
        check(folder, **pixels)
    assert "--workspace DIR" in problem.value.fix
    result = check(folder, **dict(pixels, workspace=tmp_path / "space"))
    assert len(result.catalog) == 12
    assert result.report.is_relative_to(tmp_path / "space")


def test_a_full_disk_says_so_and_keeps_what_was_finished(disk, picture_folder, pixels, tmp_path):
    folder = picture_folder(tmp_path / "pictures", {"red": 40, "green": 40})
    small = disk("128k")
    options = dict(pixels, workspace=small / "space")
    with pytest.raises(DataError, match="no space left"):
        check(folder, **options)
    assert not [name for name in os.listdir(small / "space") if name.endswith(".part")]
    subprocess.run(["mount", "-o", "remount,size=8m", str(small)], check=True)
    assert len(check(folder, **options).catalog) == 80


@pytest.mark.parametrize("name", ["resnet3", "torchvision:squeezenet", "pixel"])
def test_an_unknown_backbone_is_answered_with_the_nearest(folder, name):
    with pytest.raises(TrainingError) as problem:
        check(folder, backbone=name)
    assert "did you mean" in problem.value.fix


def test_shared_pictures_reach_the_known_accuracy(shared, tmp_path):
    weights = shared / "weights" / "squeezenet1_0-imagenet.safetensors"
    options = {"backbone": "torchvision:squeezenet1_0", "weights": weights, "workspace": tmp_path}
    result = check(shared / "data" / "bears_messy", **options)
    assert result.accuracy.value > 0.93
    (broken,) = [finding for finding in result.findings if "left out" in finding.advice]
    assert (broken.kind, broken.where) == ("not-a-picture", ("grizzly/00000138.jpg?w=1024",))
    assert broken.evidence == "Not a picture: an HTML page."


def test_what_cannot_be_looked_at_is_a_finding_and_the_rest_is_as_without_it(folder, pixels, tmp_path):
    """A film, a pipe put in place after listing, a folder too deep, a name that is not Unicode, an empty class."""
    wanted = check(folder, **dict(pixels, workspace=tmp_path / "before"))
    with (folder / "red" / "film.mp4").open("wb") as film:
        film.write(b"\0\0\0\x18ftypmp42")
        film.truncate(3_000_000_000)
    (folder / "empty").mkdir()
    deep = folder / "green" / "/".join("d" * 120)
    deep.mkdir(parents=True)
    (folder / "green" / "round").symlink_to(folder / "green")
    try:
        os.mkdir(os.fsencode(folder) + b"/b\xe4r")  # noqa: PTH102
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    catalog = from_folder(folder)
    os.mkfifo(folder / "red" / "late.jpg")
    late = Catalog.of(folder, {name: ["red/late.jpg"] for name in ("id", "path")}).rows
    catalog = Catalog(folder, pl.concat([catalog.rows, late.with_columns(label=pl.lit("red"))]))
    result = check(catalog, **pixels)
    assert {finding.where[0]: finding.kind for finding in result.findings} == {
        "red/film.mp4": "not-a-picture",
        "red/late.jpg": "missing-file",
        "empty": "empty-class",
        "green" + "/d" * 100: "unreadable-folder",
        "b\\udce4r": "unreadable-folder",
    }
    assert (result.accuracy, result.labels) == (wanted.accuracy, wanted.labels)
    assert result.catalog.counts() == wanted.catalog.counts()
    json.dumps(result.to_json())
    assert result.report.read_text("utf-8").startswith("<!doctype html>")


def test_the_pictures_of_the_classes_add_up_to_those_that_can_be_used(folder, pixels):
    """ "25 pictures in 2 classes" would head a table that sums to 24."""
    (folder / "red" / "page.jpg").write_text("<html>")
    (folder / "empty").mkdir()
    result = check(folder, **pixels)
    assert sum(result.catalog.counts().values()) == len(result.catalog.usable()) == 24
    assert len(result.catalog) == 26


def test_what_more_pictures_would_bring_is_said_and_kept(tmp_path, pixels, picture_folder):
    folder = picture_folder(tmp_path / "many", {"red": 24, "green": 24})
    first = check(folder, **pixels)
    document = json.loads(json.dumps(first.to_json()))
    learned = document["learning_curve"]
    assert len(learned["sizes"]) == len(learned["accuracy"]) == 8 and learned["refused"] is None
    assert [each["times"] for each in learned["forecast"]] == [2, 4]
    assert learned["per_class"].keys() == {"red", "green"}
    assert document["calibration"]["bins"] and [each["wanted"] for each in document["abstain"]] == [0.01, 0.02, 0.05]
    page = first.report.read_text()
    assert str(first.more_pictures) in page and "When to answer" in page
    assert len(list((folder / ".ursa/probes").glob("learning-curve-*"))) == 2  # and its seal
    assert check(folder, **pixels).more_pictures.to_json() == first.more_pictures.to_json()


def test_few_pictures_have_no_learning_curve_and_that_is_said(folder, pixels):
    document = check(folder, **pixels).to_json()
    assert "40 different pictures, and there are 24" in document["learning_curve"]["refused"]
    assert document["learning_curve"]["forecast"] == []


def test_a_wrong_label_is_named_with_what_to_compare_and_kept(folder, pixels, monkeypatch):
    from ursa.embed import probe

    (folder / "red/red_003.png").rename(folder / "green/odd.png")
    result = check(folder, **pixels)
    (found,) = [finding for finding in result.findings if finding.kind == "wrong-label"]
    assert found.where == ("green/odd.png",)
    assert (found.numbers["given"], found.numbers["likely"]) == ("green", "red")
    assert {id.partition("/")[0] for id in found.numbers["nearest"]["given"]} == {"green"}
    assert {id.partition("/")[0] for id in found.numbers["nearest"]["likely"]} == {"red"}
    monkeypatch.setattr(probe, "fit", None)
    monkeypatch.setattr(probe, "fold_repeats", None)  # both are read
    assert [one for one in check(folder, **pixels).findings if one.kind == "wrong-label"] == [found]
