"""`ursa.runs` and `ursa.compare`: what runs leave behind, read again; mostly written here without a training."""

import dataclasses
import hashlib
import io
import json
import shutil

import numpy as np
import polars as pl
import pytest

import ursa
from ursa.cli import results_text
from ursa.cli.console import Console
from ursa.core.labels import Labels
from ursa.core.statistics import proportion
from ursa.data.catalog import Catalog
from ursa.errors import BundleError, DataError
from ursa.recipe import Recipe
from ursa.workflow import runs as begun_runs
from ursa.workflow.training_run.held_out_predictions import HeldOutPredictions
from ursa.workflow.training_run.run_result import RunResult
from ursa.workspace import Workspace

LABELS = Labels(("cat", "dog"))


@pytest.fixture
def space(tmp_path) -> Workspace:
    return Workspace.open(tmp_path)


def pictures(numbers, label="cat"):
    """A catalog of pictures that are known by their numbers; 1003 is another file with the bytes of 3."""
    names = [f"{number:04}" for number in numbers]
    keys = [f"{number % 1000:064}" for number in numbers]
    return Catalog.of("/", {"id": names, "path": names, "sha256": keys, "label": [label] * len(names)})


def answers(right):
    """[N] whether a cat is right -> probabilities [N, 2]."""
    return np.where(np.array(right, bool)[:, None], [[0.8, 0.2]], [[0.3, 0.7]]).astype(np.float32)


def finished(space, parts, **settings):
    """A run that held out these parts: {part: (numbers, which are right)}. Its name."""
    hits = [hit for _, right in parts.values() for hit in right]
    accuracy = proportion(sum(hits), len(hits), "held-out pictures")
    recipe = Recipe.of(**settings)
    counts = {"train": 100, "train-dev": 0, "valid": 0, "test": 0} | {
        name: len(some) for name, (some, _) in parts.items()
    }
    part = "test" if "test" in parts else "valid"
    with begun_runs.begun(space, "fp32", recipe=recipe.flat(), backbone="pixels", weights=None, out="m.ursa") as run:
        result = RunResult(
            ended="2026-11-28T10:00:00+00:00",
            settings={"backbone": "pixels", "precision": "fp32", **recipe.flat()},
            classes=LABELS.names,
            kept="probe",
            part=part,
            accuracy=accuracy,
            probe=accuracy,
            pictures=counts,
            seconds=12.5,
            verdict="probe-kept",
            bundle=space.root / "m.ursa",
        )
        result.write(space, run.name)
        tables = {part: (pictures(some), answers(right), answers(right)) for part, (some, right) in parts.items()}
        HeldOutPredictions.of(LABELS, tables).write(space, run.name)
    return run.name


def pattern(count, wrong):
    """[count] bool, the first `wrong` of them false."""
    return [number >= wrong for number in range(count)]


# --- what a training leaves behind -----------------------------------------------------------------------------------


def test_a_run_keeps_what_it_predicted_of_every_picture_that_it_held_out(trained):
    folder, result = trained
    table = ursa.runs(folder)
    row = next(row for row in table.rows if row.result is not None and row.result.bundle == result.bundle.absolute())
    assert (row.status, row.result.kept, row.result.accuracy) == ("finished", result.kept, result.accuracy)
    assert row.result.seconds == pytest.approx(sum(result.seconds.values()), abs=1)
    space = Workspace.of(folder)
    kept = HeldOutPredictions.read(space, row.name, row.result.labels)
    assert kept is not None and len(kept.rows) == result.pictures["valid"]
    if result.kept == "probe":
        assert kept.right().mean() == pytest.approx(result.accuracy.value)
    assert kept.probabilities("probe").sum(1) == pytest.approx(1, abs=1e-5)
    known = {file.relative_to(folder).as_posix() for file in folder.glob("*/*.*")}
    assert set(kept.rows["id"]) <= known
    opened = pl.read_parquet(space.run(row.name) / "predictions.parquet")  # by any tool
    assert opened.equals(kept.rows)


def test_training_says_where_accuracy_is_lost(trained):
    _, result = trained
    document = json.loads(json.dumps(result.to_json()))["gaps"]
    assert [gap["name"] for gap in document["gaps"]] and document["evidence"]
    assert document["errors"]["valid"]["value"] == pytest.approx(1 - result.accuracy.value)
    assert "training pictures that is wrong" in document["errors"]["train"]["method"]
    assert 'id="gaps"' in result.report.read_text()
    console = Console(file=io.StringIO(), width=200)
    results_text.trained(result, console)
    assert result.gaps.evidence in console.file.getvalue() and result.gaps.advice in console.file.getvalue()


def test_the_error_of_people_is_judged_before_a_picture_is_looked_at(tmp_path):
    with pytest.raises(DataError, match="a share"):
        ursa.train(tmp_path / "nowhere", human_error=2)


def test_the_training_error_is_that_of_the_kept_model_on_a_sample_that_grows_with_the_training():
    from ursa.workflow.training_run.held_out import seen_again

    assert [seen_again(count, epochs) for count, epochs in ((30, 5), (1000, 0), (1000, 5), (9000, 5))] == [
        30,
        50,
        250,
        500,
    ]


# --- runs ------------------------------------------------------------------------------------------------------------


def test_only_settings_that_differ_are_named_and_unfinished_runs_are_there(space, tmp_path):
    parts = {"valid": (range(20), pattern(20, 4))}
    finished(space, parts, epochs=1)
    finished(space, parts, epochs=3, seed=7)
    begin = begun_runs.begun(space, "fp32", recipe=Recipe.of(epochs=3).flat(), backbone="pixels", weights=None, out="x")
    with begin as run:
        space.checkpoints(run.name).mkdir()
        (space.checkpoints(run.name) / "step-000000001-best-00000.safetensors").touch()
    with begun_runs.begun(space, "fp32"):
        pass
    table = ursa.runs(tmp_path)
    assert [row.status for row in table.rows] == ["finished", "finished", "unfinished", "stopped"]
    assert [row.number for row in table.rows] == [1, 2, 3, 4]
    assert set(table.differing) == {"seed", "optim.epochs", "pictures"}  # of an unfinished one it is not known
    assert "2: probe 80.0 % (58.4 to 91.9), seed 7, optim.epochs 3" in repr(table)
    document = json.loads(json.dumps(table.to_json()))
    assert document["runs"][0]["accuracy"]["value"] == 0.8
    assert document["runs"][2]["accuracy"] is None
    assert document["runs"][1]["settings"]["seed"] == 7
    assert table.named(2) == table.named("#2") == table.named(table.rows[1].name) == table.rows[1]
    for wrong in ("9", 0, "20990101-000000", "../.."):
        with pytest.raises(DataError, match="there is no run"):
            table.named(wrong)


def test_a_run_that_another_process_trains_is_said_to_be_in_training(space, tmp_path, monkeypatch):
    with begun_runs.begun(space, "fp32"):
        monkeypatch.setattr(begun_runs, "in_use", lambda *_: True)  # of this process it is not told
        assert ursa.runs(tmp_path).rows[0].status == "training"


def test_listing_writes_nothing_and_nothing_is_believed_that_is_not_sealed(space, tmp_path):
    name = finished(space, {"valid": (range(20), pattern(20, 4))})
    space.run("20200101-000000").mkdir()  # of an early Ursa, without a lock
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    ursa.runs(tmp_path)
    assert before == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    path = space.run(name) / "result.json"
    path.write_text(path.read_text().replace("0.8", "0.99"))
    assert [(row.status, row.result) for row in ursa.runs(tmp_path).rows] == [("begun elsewhere", None)] * 2


def test_figures_of_one_run_cannot_take_the_place_of_anothers(space, tmp_path):
    one = finished(space, {"valid": (range(20), pattern(20, 4))})
    other = finished(space, {"valid": (range(20), pattern(20, 10))})
    for name in ("result.json", "result.json.seal", "predictions.parquet", "predictions.parquet.seal"):
        shutil.copy(space.run(one) / name, space.run(other) / name)
    assert ursa.runs(tmp_path).rows[1].result is None
    assert HeldOutPredictions.read(space, other, LABELS) is None


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": None},
        {"accuracy": {"value": "high", "low": 0, "high": 1, "method": ""}},
        {"classes": "cat"},
        {"pictures": {"train": "many"}},
        {"seconds": None},
        {"settings": []},
        {"bundle": 3},
    ],
)
def test_a_record_of_another_form_says_nothing(space, change):
    from ursa.workspace import write_sealed

    name = finished(space, {"valid": (range(20), pattern(20, 4))})
    document = json.loads((space.run(name) / "result.json").read_text()) | change
    write_sealed(space.run(name) / "result.json", json.dumps(document).encode(), f"{name}/result.json")
    assert RunResult.read(space, name) is None


def test_a_folder_without_runs_and_one_that_is_not_there(tmp_path):
    assert ursa.runs(tmp_path).rows == ()
    assert not (tmp_path / ".ursa").exists()
    with pytest.raises(DataError, match="there is no folder"):
        ursa.runs(tmp_path / "nowhere")


# --- comparing runs --------------------------------------------------------------------------------------------------


def test_runs_are_compared_on_the_pictures_that_both_held_out(space, tmp_path):
    finished(space, {"valid": (range(100), pattern(100, 30))})
    finished(space, {"valid": (range(20, 120), pattern(100, 5))})
    found = ursa.compare(1, 2, tmp_path)
    assert found.paired.pictures == 80
    assert found.left_out == {"held out by run 1 alone": 20, "held out by run 2 alone": 20}
    assert (found.paired.only_first, found.paired.only_second) == (0, 5)  # of the first 30, 10 are common: 5 wrong in 2
    assert found.part.startswith("validation pictures of both")
    document = json.loads(json.dumps(found.to_json()))
    assert document["models"][1]["right_alone"] == [f"{number:04}" for number in range(25, 30)]
    assert document["better"] is None and document["verdict"]["kind"] == "models-not-told-apart"
    assert "run 2" in repr(found)


def test_the_better_one_is_named_whichever_is_named_first(space, tmp_path):
    finished(space, {"valid": (range(100), pattern(100, 30))})
    finished(space, {"valid": (range(100), pattern(100, 5))})
    for order in ((1, 2), (2, 1)):
        found = ursa.compare(*order, tmp_path)
        assert found.to_json()["better"] == "run 2"
        assert found.verdict.advice == "Use run 2."
        assert abs(found.difference.value) == pytest.approx(0.25)


def test_test_pictures_of_both_are_preferred(space, tmp_path):
    parts = {"valid": (range(50), pattern(50, 9)), "test": (range(50, 90), pattern(40, 4))}
    finished(space, parts)
    finished(space, parts, seed=3)
    found = ursa.compare("1", "2", tmp_path)
    assert (found.paired.pictures, found.part) == (40, "test pictures of both")
    assert found.left_out == {"not a test picture of both": 50}


def test_what_is_named_differently_since_and_what_is_there_twice_is_left_out(space, tmp_path):
    finished(space, {"valid": ([*range(50), 1003, 1004], pattern(52, 9))})
    name = finished(space, {"valid": (range(50), pattern(50, 9))})
    kept = HeldOutPredictions.read(space, name, LABELS)
    moved = kept.rows.with_columns(label=pl.when(pl.col("id") < "0010").then(pl.lit("dog")).otherwise("label"))
    dataclasses.replace(kept, rows=moved).write(space, name)
    found = ursa.compare(1, 2, tmp_path)
    assert found.paired.pictures == 40
    assert found.left_out == {"the same file again": 2, "under another class in the other run": 10}


def test_runs_that_held_out_other_pictures_are_refused_with_the_way_out(space, tmp_path):
    finished(space, {"valid": (range(50), pattern(50, 9))})
    finished(space, {"valid": (range(60, 100), pattern(40, 9))}, seed=1)
    with pytest.raises(DataError, match="no picture was held out by both") as problem:
        ursa.compare(1, 2, tmp_path)
    assert "50 of run 1 and 40 of run 2" in problem.value.found and "their seeds differ" in problem.value.found
    assert "ursa compare A.ursa B.ursa FOLDER" in problem.value.fix


def test_mistakes_are_answered_with_what_to_type(space, tmp_path, monkeypatch):
    finished(space, {"valid": (range(50), pattern(50, 9))})
    with begun_runs.begun(space, "fp32"):
        pass
    (tmp_path / "a.ursa").write_bytes(b"no bundle")
    for arguments, what in (
        ((1, 1, tmp_path), "with another one"),
        ((1, 2, tmp_path), "not known what run 2 predicted"),
        ((1, 5, tmp_path), "there is no run '5'"),
        ((tmp_path, 1, 2), "the runs come first"),
        ((1, 2, tmp_path / "nowhere"), "there is no folder"),
        ((1, tmp_path / "a.ursa", tmp_path), "with a run, a bundle"),
        ((tmp_path / "a.ursa", tmp_path / "b.ursa"), "compared on pictures"),
    ):
        with pytest.raises(DataError, match=what) as problem:
            ursa.compare(*arguments)
        assert problem.value.fix
    with pytest.raises(DataError, match="a bundle") as problem:
        ursa.compare(tmp_path / "a.ursa", 1, tmp_path)
    assert problem.value.fix == f"ursa compare {tmp_path / 'a.ursa'} {space.root / 'm.ursa'} FOLDER"
    with pytest.raises(DataError, match="beside the pictures"):
        ursa.runs(tmp_path / "a.ursa")
    with pytest.raises(DataError, match="no pattern is read"):
        ursa.compare(1, 2, tmp_path, pattern="{label}")
    with pytest.raises(BundleError):
        ursa.compare(tmp_path / "a.ursa", tmp_path / "b.ursa", tmp_path)
    monkeypatch.chdir(tmp_path)
    finished(space, {"valid": (range(50), pattern(50, 9))})
    assert ursa.compare(1, 3).paired.pictures == 50  # the current folder


# --- comparing bundles -----------------------------------------------------------------------------------------------


def test_bundles_are_compared_on_pictures_that_neither_learned_from(trained, tmp_path, picture_folder):
    folder, result = trained
    copy = tmp_path / "copy.ursa"
    shutil.copy(result.bundle, copy)
    before = sorted(tmp_path.rglob("*"))
    found = ursa.compare(result.bundle, copy, folder)
    assert found.paired.pictures == result.pictures["valid"]
    assert found.left_out == {"learned from by model.ursa": result.pictures["train"]}
    assert found.part == "pictures that neither learned from"
    assert (found.paired.first == found.paired.second).all()
    assert sorted(tmp_path.rglob("*")) == before
    others = picture_folder(tmp_path / "others", {"red": 4, "blue": 4, "mauve": 2}, seed=8)
    (others / "red/broken.png").write_bytes(b"no picture")
    shutil.copy(others / "red/red_000.jpg", others / "red/again.jpg")
    found = ursa.compare(result.bundle, copy, others)
    assert found.paired.pictures == 8
    assert found.left_out == {
        "cannot be read": 1,
        "the same file again": 1,
        "of a class that a model does not know": 2,
    }


def test_a_folder_that_both_learned_from_is_refused_and_a_look_at_a_test_part_is_counted(
    trained, tmp_path, picture_folder
):
    folder, result = trained
    copy = tmp_path / "copy.ursa"
    shutil.copy(result.bundle, copy)
    files = sorted(folder.glob("*/*.*"))
    keys = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    parts = ursa.load(result.bundle).bundle.pictures.part_of(keys)
    learned = [file for file, part in zip(files, parts, strict=True) if part == "train"]
    table = tmp_path / "learned.csv"
    table.write_text("file,label\n" + "".join(f"{file},{file.parent.name}\n" for file in learned))
    with pytest.raises(DataError, match="no picture is left") as problem:
        ursa.compare(result.bundle, copy, table)
    assert f"{len(learned)} learned from by model.ursa" in problem.value.found
    tested = picture_folder(
        tmp_path / "tested", {"test/red": 3, "test/blue": 3, "train/red": 3, "train/blue": 3}, seed=9
    )
    ursa.compare(result.bundle, copy, tested, workspace=tmp_path / "space")
    log = (tmp_path / "space" / "test_set_log.jsonl").read_text().splitlines()
    assert [json.loads(line)["command"] for line in log] == ["compare"]  # both hold the same weights: one look
