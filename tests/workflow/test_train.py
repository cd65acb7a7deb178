"""`train`, `evaluate`, `predict`: from a folder to a bundle that predicts the same without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest

from ursa.errors import DataError
from ursa.prepared.setup import Setup
from ursa.recipe import Recipe
from ursa.serve.predictor import Predictor
from ursa.workflow.evaluate import evaluate
from ursa.workflow.predicting.answered_files import predictions
from ursa.workflow.train import train


def test_it_says_what_it_came_to(trained):
    _, result = trained
    document = json.loads(json.dumps(result.to_json()))
    assert {"probe", "accuracy", "kept", "verdict", "history", "bundle", "seconds"} <= document.keys()
    assert document["kept"] in ("probe", "fine-tuned")
    assert document["accuracy"]["value"] >= document["probe"]["value"] > 0.8
    assert document["verdict"].keys() >= {"kind", "where", "score", "evidence", "advice"}
    assert sum(document["pictures"].values()) == 48
    assert document["training"]["kind"] == result.training.kind
    assert result.training.evidence in result.report.read_text()


def test_its_history_is_complete(trained):
    _, result = trained
    history = json.loads(result.history.read_text())
    assert history["recipe"]["optim"]["epochs"] == 1
    assert [row["epoch"] for row in history["epochs"]] == [0, 1]
    assert [row["step"] for row in history["steps"]] == [1, 2, 3]
    assert result.report.read_text().startswith("<!doctype html>")


def test_its_bundle_knows_the_pictures_and_agrees_with_the_document(trained):
    folder, result = trained
    predictor = Predictor(result.bundle)
    assert predictor.labels.names == ("blue", "green", "red")
    assert predictor.bundle.document["metrics"]["accuracy"] == result.accuracy.to_json()
    assert result.parity <= 1e-3
    judged = evaluate(result.bundle, folder)
    assert judged.pictures == 48
    assert judged.accuracy.value > 0.9


def test_a_bundle_predicts_without_torch(trained):
    folder, result = trained
    code = """
import sys, ursa
answer = ursa.load(sys.argv[1])(sys.argv[2])
assert not {"torch", "timm", "torchvision", "polars", "sklearn"} & sys.modules.keys()
print(answer.label)
"""
    command = [sys.executable, "-c", code, str(result.bundle), str(folder / "red/red_000.jpg")]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "red\n"


def test_predictions_come_in_the_order_of_the_files_with_problems_in_their_place(trained, tmp_path):
    folder, result = trained
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    files = [folder / "red/red_000.jpg", broken, tmp_path / "missing.png", folder / "blue/blue_001.png"]
    answers = list(predictions(Predictor(result.bundle), files))
    assert [file for file, _ in answers] == files
    assert [isinstance(answer, DataError) for _, answer in answers] == [False, True, True, False]
    assert (answers[0][1].label, answers[3][1].label) == ("red", "blue")
    assert list(predictions(Predictor(result.bundle), [])) == []


def test_the_same_seed_gives_the_same_bundle_weights(trained, pixels, tmp_path):
    folder, result = trained
    again = train(
        folder,
        **dict(pixels, workspace=tmp_path / "new"),
        recipe={"batch_size": 16},
        epochs=1,
        out=tmp_path / "b",
    )
    assert again.accuracy == result.accuracy
    first, second = (Predictor(path).bundle.parts["weights.safetensors"] for path in (result.bundle, again.bundle))
    assert first == second


@pytest.mark.usefixtures("without_bundle")
def test_a_given_test_part_is_what_accuracy_is_measured_on(tmp_path, picture_folder, pixels):
    parts = {"train/red": 12, "train/green": 12, "test/red": 5, "test/green": 4}
    folder = picture_folder(tmp_path / "pictures", parts)
    result = train(folder, **pixels, recipe=Recipe.of(epochs=1), out=tmp_path / "model.ursa")
    assert result.pictures["test"] == 9
    assert result.accuracy.method.startswith("held-out test pictures")
    assert sum(result.pictures.values()) == 33


@pytest.mark.usefixtures("without_bundle")
def test_broken_files_are_left_out_and_the_rest_trains(tmp_path, picture_folder, pixels):
    folder = picture_folder(tmp_path / "pictures", {"red": 10, "green": 10})
    (folder / "red" / "bad.jpg").write_bytes(b"\xff\xd8\xff broken")
    result = train(folder, **pixels, recipe=Recipe.of(epochs=1), out=tmp_path / "model.ursa")
    assert sum(result.pictures.values()) == 20


def test_a_class_with_one_picture_trains(tmp_path, picture_folder, pixels):
    folder = picture_folder(tmp_path / "pictures", {"red": 10, "green": 10, "blue": 1})
    result = train(folder, **pixels, recipe=Recipe.of(epochs=1), out=tmp_path / "model.ursa")
    assert Predictor(result.bundle).labels.names == ("blue", "green", "red")


def test_the_bundle_lies_where_the_user_stands_but_never_among_the_pictures(trained, pixels, monkeypatch, tmp_path):
    from ursa.workflow.training_run.bundle_path import default

    folder, _ = trained
    monkeypatch.chdir(tmp_path)
    assert default(folder, Setup(**pixels)) == tmp_path.__class__("pictures.ursa")
    monkeypatch.chdir(folder / "red")
    assert default(folder, Setup(**pixels)) == folder / ".ursa" / "model.ursa"


def test_a_place_for_the_bundle_that_cannot_be_written_is_said_before_training(trained, pixels, tmp_path):
    folder, _ = trained
    (tmp_path / "dir.ursa").mkdir()
    progress = []
    options = dict(pixels, progress=lambda *seen: progress.append(seen))
    with pytest.raises(DataError, match="cannot write the bundle"):
        train(folder, **options, out=tmp_path / "dir.ursa")
    assert progress == []


def test_evaluate_refuses_classes_that_the_model_does_not_know(trained, tmp_path, picture_folder):
    _, result = trained
    with pytest.raises(DataError) as problem:
        evaluate(result.bundle, picture_folder(tmp_path, {"reds": 2, "green": 2}))
    assert "did you mean 'red'?" in problem.value.fix


def test_evaluate_counts_every_picture_or_names_it(trained, tmp_path, picture_folder):
    _, result = trained
    folder = picture_folder(tmp_path, {"test/red": 3, "test/green": 3, "train/red": 5})
    (folder / "test/red/bad.png").write_bytes(b"")
    judged = evaluate(result.bundle, folder)
    assert judged.pictures == int(np.sum(judged.confusion)) == 6
    assert judged.problems == {"test/red/bad.png": "not a picture: an empty file"}
    assert not (folder / ".ursa").exists()


# --- parts, sealed and counted ---------------------------------------------------------------------------------------


def test_a_test_part_that_was_asked_for_stays_sealed_and_looks_are_counted(tmp_path, picture_folder, pixels):
    from ursa.workflow.check import check

    folder = picture_folder(tmp_path / "pictures", {"red": 20, "green": 20})
    recipe = Recipe.of(epochs=0, test=0.2, train_dev=0.1)
    first = train(folder, **pixels, recipe=recipe, out=tmp_path / "first.ursa")
    assert first.pictures == {"train": 20, "train-dev": 4, "valid": 8, "test": 8}
    assert set(first.parts) == {"train-dev", "valid", "test"}
    assert (first.test_set_uses, first.findings) == (1, [])
    assert int(check(folder, **pixels).confusion.sum()) == 32  # the probe of `check` does not see it either
    judged = evaluate(tmp_path / "first.ursa", folder)
    assert (judged.pictures, judged.test_set_uses) == (8, 1)  # the same model, the same pictures: the same look
    for path in (picture_folder(tmp_path / "more", {"red": 5}, seed=1) / "red").iterdir():
        path.rename(folder / "red" / f"new_{path.name}")
    second = train(folder, **pixels, recipe=recipe, out=tmp_path / "second.ursa")
    assert second.pictures["test"] == 9
    assert second.test_set_uses == 2
    assert [finding.kind for finding in second.findings] == ["test-looked-at"]
    assert json.loads(json.dumps(second.to_json()))["test_set_uses"] == 2
    assert "used 2 times" in second.report.read_text()


@pytest.mark.usefixtures("without_bundle")
def test_near_copies_of_one_picture_are_never_learned_from_and_judged_by(tmp_path, picture_folder, pixels):
    from PIL import Image

    from ursa.data.saved_splits import load_splits
    from ursa.workflow.check import check

    folder = picture_folder(tmp_path / "pictures", {"red": 20, "green": 20})
    for file in sorted((folder / "red").iterdir()):
        with Image.open(file) as picture:
            picture.resize((40, 40)).save(folder / "red" / f"small_{file.stem}.png")
    train(folder, **pixels, recipe=Recipe.of(epochs=0), out=tmp_path / "model.ursa")
    catalog = check(folder, **pixels).catalog
    parts = load_splits(folder / ".ursa" / "splits.parquet", 0)
    of = {id: parts[key] for id, key in zip(catalog.ids, catalog.rows["sha256"], strict=True)}
    for file in (folder / "red").glob("small_*"):
        (original,) = [id for id in of if id.startswith("red/" + file.stem.removeprefix("small_") + ".")]
        assert of[f"red/{file.name}"] == of[original]
