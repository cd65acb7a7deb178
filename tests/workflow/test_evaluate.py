"""A bundle on other pictures: folders that may only be read, tables, patterns, and files that are none."""

import os
import shutil
import subprocess
import sys

import pytest

import ursa
from ursa.errors import BundleError, DataError
from ursa.workflow.predicting.answered_files import predictions


@pytest.fixture
def tested(tmp_path, picture_folder):
    """Pictures with a test part, in the classes that the bundle knows."""
    classes = {f"{split}/{name}": 3 for split in ("train", "test") for name in ("red", "green", "blue")}
    return picture_folder(tmp_path / "tested", classes, seed=5)


def test_a_named_workspace_counts_looks_and_the_folder_stays_as_it_was(trained, tested, tmp_path):
    bundle, before = trained[1].bundle, sorted(tested.rglob("*"))
    uses = [ursa.evaluate(bundle, tested, workspace=tmp_path / "space").test_set_uses for _ in range(2)]
    assert uses[0] == 1
    assert uses[1] >= uses[0]
    assert (tmp_path / "space" / "test_set_log.jsonl").exists()
    assert sorted(tested.rglob("*")) == before
    assert ursa.evaluate(bundle, tested).test_set_uses == 0  # the folder has no workspace, and gets none


def test_a_folder_that_may_only_be_read_is_evaluated(trained, tested, tmp_path, disk):
    bundle = trained[1].bundle

    def prepare(place):
        shutil.copytree(tested, place / "tested")
        (place / "tested/.ursa").mkdir()

    folder = disk("8m", read_only=True, holding=prepare) / "tested"
    with pytest.raises(DataError, match="cannot write") as refused:
        ursa.evaluate(bundle, folder)
    assert "--workspace DIR" in refused.value.fix
    assert ursa.evaluate(bundle, folder, workspace=tmp_path / "space").pictures == 9


def test_a_test_part_that_was_drawn_is_known_to_the_bundle_and_counted_elsewhere(picture_folder, tmp_path, pixels):

    folder, space = picture_folder(tmp_path / "p", {"red": 20, "green": 20}), tmp_path / "space"
    options = dict(pixels, workspace=space)
    model = ursa.train(folder, **options, recipe=ursa.Recipe.of(epochs=0, test=0.2), out=tmp_path / "m.ursa")
    judged = [ursa.evaluate(model.bundle, folder, workspace=at) for at in (space, None)]
    assert [one.pictures for one in judged] == [model.pictures["test"]] * 2
    assert [one.test_set_uses for one in judged] == [1, 0]


def test_tables_and_patterns_are_read_as_check_and_train_read_them(trained, tmp_path, picture_folder):
    bundle = trained[1].bundle
    folder = picture_folder(tmp_path / "p", {"red": 3, "green": 3}, seed=9)
    table = tmp_path / "pictures.csv"
    rows = [f"{file},{file.parent.name}" for file in sorted(folder.glob("*/*"))]
    table.write_text("\n".join(["where,species", *rows]))
    judged = ursa.evaluate(bundle, table, table={"file": "where", "label": "species"})
    assert (judged.pictures, judged.accuracy.value) == (6, 1.0)
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in folder.glob("*/*"):
        shutil.copy(file, flat)
    assert ursa.evaluate(bundle, flat, pattern="{label}_{}.{}").pictures == 6


@pytest.mark.parametrize(
    ("options", "what"),
    [({"table": {"label": "x"}}, "only a table is read by label"), ({"pattern": "{label}"}, "for the names")],
)
def test_no_setting_is_ignored(trained, tested, tmp_path, options, what):
    table = tmp_path / "t.csv"
    table.write_text("file,label\n")
    with pytest.raises(DataError, match=what):
        ursa.evaluate(trained[1].bundle, tested if "table" in options else table, **options)


def test_what_is_no_picture_says_so_and_the_others_are_answered(trained, tmp_path, tested):
    good = min(tested.glob("test/red/*"))
    files = [tmp_path, tmp_path / "missing.jpg", good, good.read_bytes()]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        files.append(tmp_path / "pipe.jpg")
    said = [getattr(answer, "what", None) for _, answer in predictions(ursa.load(trained[1].bundle), files)]
    assert said[:4] == [
        "cannot be opened: a folder",
        "cannot be opened: No such file or directory",
        None,
        None,
    ]
    assert said[4:] in ([], ["cannot be opened: a named pipe"])


def test_what_may_not_be_opened_is_named(trained, tmp_path, tested, as_another_user):
    files = sorted(tested.glob("test/red/*"))
    closed = tmp_path / "closed"
    closed.mkdir()
    hidden = shutil.copy(files[0], closed)
    tmp_path.chmod(0o755)
    closed.chmod(0o000)
    predictor = ursa.load(trained[1].bundle)
    try:
        with as_another_user():
            ((_, answer),) = predictions(predictor, [hidden])
    finally:
        closed.chmod(0o755)
    assert answer.what == "cannot be opened: Permission denied"


def test_a_bundle_in_the_second_place_is_told_where_it_belongs(trained, tested):
    bundle = trained[1].bundle
    with pytest.raises(BundleError) as refused:
        ursa.evaluate(tested, bundle)
    assert "the bundle comes first" in refused.value.fix


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("pictures.zip", "is a zip archive", "python -m zipfile -e"),
        ("model.ursa", "is a bundle, a model", "name the folder of pictures"),
        ("https://127.0.0.1/pets", "not from an address", "ursa download"),
    ],
)
def test_what_is_no_folder_of_pictures_is_recognized(tmp_path, tested, name, what, fix):
    place = name
    if not name.startswith("http"):
        place = tmp_path / name
        shutil.move(shutil.make_archive(str(tmp_path / "a"), "zip", tested), place)
    with pytest.raises(DataError, match=what) as refused:
        ursa.check(place, backbone="pixels")
    assert fix in refused.value.fix


def test_evaluating_leaves_torch_alone(trained, tested, tmp_path):
    code = "import sys, ursa; ursa.evaluate(*sys.argv[1:3], workspace=sys.argv[3]); assert 'torch' not in sys.modules"
    command = [sys.executable, "-c", code, trained[1].bundle, tested, tmp_path / "space"]
    assert subprocess.run(command, timeout=120, capture_output=True).returncode == 0
