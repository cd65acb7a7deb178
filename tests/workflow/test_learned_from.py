"""Pictures that a model learned from say nothing of new ones: evaluate knows them by the bundle."""

import io
import json
import shutil
from dataclasses import replace

import pytest

import ursa
from ursa.cli import results_text
from ursa.cli.console import Console
from ursa.core.bundles import bundle as bundles
from ursa.data.saved_splits import load_splits
from ursa.export.write_bundle import write
from ursa.recipe import Recipe
from ursa.serve.predictor import Predictor


@pytest.fixture
def folder(tmp_path, picture_folder):
    return picture_folder(tmp_path / "pictures", {"red": 20, "green": 20})


def text(result) -> str:
    console = Console(file=io.StringIO(), width=200)
    results_text.evaluated(result, console)
    return " ".join(console.file.getvalue().split())


def test_a_test_part_that_is_drawn_later_is_that_of_the_later_run(trained, pixels, tmp_path):
    """What the first run learned from is no test part, and a column of nulls is none."""
    first, folder = trained[1], shutil.copytree(trained[0], tmp_path / "pictures")
    assert ursa.evaluate(first.bundle, folder).test_set_uses == 0
    second = ursa.train(folder, **pixels, recipe=Recipe.of(epochs=0, test=0.25), out=tmp_path / "second.ursa")
    assert second.pictures["test"] == 12 and second.test_set_uses == 1
    judged = ursa.evaluate(second.bundle, folder)
    assert (judged.pictures, judged.learned_from, judged.test_set_uses) == (12, 0, 1)
    assert judged.accuracy.value == second.accuracy.value
    assert list(load_splits(folder / ".ursa/splits.parquet", 0).values()).count("test") == 12
    assert int(ursa.check(folder, **pixels).confusion.sum()) == 36  # sealed from now on
    before = ursa.evaluate(first.bundle, folder)
    assert (before.pictures, before.learned_from, before.test_set_uses) == (48, first.pictures["train"], 0)


def test_of_the_folder_that_it_was_trained_on_the_others_count(trained):
    folder, result = trained
    judged = ursa.evaluate(result.bundle, folder)
    learned, others = result.pictures["train"], result.pictures["valid"]
    assert (judged.pictures, judged.learned_from, judged.validated_on) == (48, learned, others)
    assert int(judged.confusion.sum()) == others
    assert judged.accuracy.value == judged.confusion.trace() / others
    (finding,) = judged.findings
    right = int(judged.confusion.trace())
    said = f"{learned} of these 48 pictures were learned from; of the other {others}, {right} are right"
    assert finding.kind == "learned-from" and finding.evidence.startswith(said)
    assert len(finding.where) == learned and "resized" in finding.advice
    document = json.loads(json.dumps(judged.to_json()))
    assert document["learned_from"] == learned and document["accuracy"]["value"] == judged.accuracy.value
    assert document["accuracy_of_all"]["value"] >= 0.9
    assert said in text(judged) and f"on the {others} pictures that it did not learn from" in text(judged)


def test_where_all_were_learned_from_there_is_no_figure_for_new_ones(trained, tmp_path):
    folder, result = trained
    known, place = Predictor(result.bundle).bundle.pictures, tmp_path / "learned"
    catalog = ursa.check(folder, backbone="pixels", precision="fp32").catalog
    for id, key in zip(catalog.ids, catalog.rows["sha256"], strict=True):
        if known.part_of([key]) == ["train"]:
            (place / id).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / id, place / id)
    judged = ursa.evaluate(result.bundle, place)
    assert judged.learned_from == judged.pictures == result.pictures["train"]
    assert judged.to_json()["accuracy"]["value"] is None and judged.accuracy_of_all.value > 0.9
    assert "says nothing of new ones" in judged.findings[0].evidence
    assert "its accuracy on new ones is not known" in text(judged)


def test_other_pictures_are_judged_as_they_are(trained, picture_folder, tmp_path):
    judged = ursa.evaluate(trained[1].bundle, picture_folder(tmp_path, {"red": 3, "green": 3}, seed=8))
    assert (judged.learned_from, judged.findings) == (0, ())
    assert judged.accuracy == replace(judged.accuracy_of_all, method=judged.accuracy.method)


def test_a_bundle_of_an_earlier_ursa_is_read_and_says_that_it_does_not_know(trained, tmp_path):
    folder, result = trained
    found = bundles.read(result.bundle)
    document = {k: v for k, v in found.document.items() if k not in ("pictures", "parts", "sha256", "format")}
    old = tmp_path / "old.ursa"
    write(old, {bundles.MANIFEST: bundles.manifest(document, found.parts), **found.parts})
    judged = ursa.evaluate(old, folder)
    assert (judged.pictures, judged.learned_from, judged.to_json()["learned_from"]) == (48, None, None)
    assert "does not say which of them it learned from" in judged.accuracy.method


def test_a_learner_says_so_too(folder, tmp_path):
    learner = ursa.Learner(folder, "pixels", workspace=tmp_path / "space", recipe={"batch_size": 8}, progress=False)
    assert "data that were given, 32 of 40 pictures learned from" in learner.evaluate(folder)["accuracy"].method
    judged = ursa.evaluate(learner.export(tmp_path / "learner.ursa"), folder)
    assert (judged.learned_from, judged.validated_on) == (32, 8)
