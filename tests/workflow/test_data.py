"""What a workflow may be given: folder, table, catalog, names with labels in them, piles; and what it keeps of it."""

import dataclasses
import json
import math
import shutil
import types

import numpy as np
import polars as pl
import pytest
from PIL import Image

from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.data.sources.arrays import from_arrays
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError
from ursa.prepared.setup import Setup
from ursa.recipe import Recipe
from ursa.serve.predictor import Predictor
from ursa.workflow.check import check
from ursa.workflow.predicting.answered_files import predictions
from ursa.workflow.train import train
from ursa.workflow.training_run import fine_tuned

PARTS = {"train/red": 10, "train/green": 10, "valid/red": 4, "valid/green": 4}
RECIPE = Recipe.of(epochs=1, batch_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    """A folder in parts; beside its pictures lie two tables of the same, one with names that nobody would guess."""
    place = picture_folder(tmp_path_factory.mktemp("data") / "pictures", PARTS)
    rows = from_folder(place).rows
    rows.select(image="path", breed="label", set="split").write_csv(place / "labels.csv")
    rows.select(rasse="label", bild="path", teil="split").write_csv(place / "odd.csv")
    return place


@pytest.fixture
def pile(tmp_path, picture_folder):
    """Pictures without labels: twelve, one of them twice, and a broken one."""
    picture_folder(tmp_path / "made", {"red": 6, "green": 6})
    place = tmp_path / "pile"
    place.mkdir()
    for file in (tmp_path / "made").rglob("*_*"):
        shutil.copy(file, place)
    shutil.copy(place / "red_000.jpg", place / "again.jpg")
    data = (place / "red_002.jpg").read_bytes()
    (place / "broken.jpg").write_bytes(data[: len(data) // 2])
    return place


def table_of(place, labels):
    """The table of a pile's files with these labels, a function of the number of a file."""
    files = sorted(file.name for file in place.iterdir() if file.is_file())
    pl.DataFrame({"file": files, "label": [labels(i) for i in range(len(files))]}).write_csv(place / "labels.csv")
    return place / "labels.csv"


def no_embeddings(space):
    return not (space / "embeddings").exists()


# --- the same pictures, given in another way -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ways(folder, pixels, tmp_path_factory):
    """way -> (what check says, what train says): folder, its path as text, a table, a catalog.

    Trained on once as a folder, a table, a catalog each: a path as text is a path before either looks at it.
    """
    place = tmp_path_factory.mktemp("ways")
    given = {
        "folder": (folder, {}),
        "text": (str(folder), {}),
        "table": (folder / "labels.csv", {}),
        "table as text": (str(folder / "odd.csv"), {"file": "bild", "label": "rasse", "split": "teil"}),
        "catalog": (from_folder(folder), {}),
    }
    results = {}
    for way, (data, table) in given.items():
        options = dict(pixels, workspace=place / way, table=table)
        results[way] = check(data, **options), None
        if way not in ("text", "table"):
            results[way] = results[way][0], train(data, **options, recipe=RECIPE, out=place / f"{way}.ursa")
    return results


@pytest.mark.parametrize("way", ["text", "table", "table as text", "catalog"])
def test_the_same_pictures_give_the_same_result_however_they_are_named(ways, folder, way):
    (checked, trained), (other, another) = ways["folder"], ways[way]
    assert (other.accuracy, other.labels) == (checked.accuracy, checked.labels)
    assert np.array_equal(other.confusion, checked.confusion)
    if another is None:
        return
    assert (another.accuracy, another.pictures) == (trained.accuracy, trained.pictures)
    assert another.pictures == {"train": 20, "train-dev": 0, "valid": 8, "test": 0}
    files = sorted((folder / "valid").rglob("*_*"))
    rows = [[answer.probabilities for _, answer in predictions(Predictor(t.bundle), files)] for t in (trained, another)]
    assert rows[0] == rows[1]


def test_a_catalog_made_of_arrays_is_checked_and_trained_on(tmp_path, pixels):
    rng = np.random.default_rng(0)
    y = np.arange(24) % 2
    x = rng.integers(0, 90, (24, 20, 20, 3), np.uint8)
    x[y == 1] += 120
    catalog = from_arrays((x, y), to=tmp_path / "made", names=["dark", "light"])
    result = check(catalog, **pixels)
    assert result.accuracy.value > 0.9
    assert result.catalog.counts() == {"dark": 12, "light": 12}
    trained = train(catalog, **pixels, recipe=RECIPE, out=tmp_path / "model.ursa")
    assert Predictor(trained.bundle).labels.names == ("dark", "light")
    assert trained.accuracy.value > 0.9


def test_the_workspace_lies_beside_the_pictures_whatever_named_them(folder, pixels, tmp_path):
    place = shutil.copytree(folder, tmp_path / "pictures")
    (tmp_path / "lists").mkdir()
    shutil.move(place / "labels.csv", tmp_path / "lists" / "labels.csv")
    table = {"label": "breed", "root": str(place)}
    result = check(tmp_path / "lists" / "labels.csv", **dict(pixels, table=table))
    assert result.report == place / ".ursa" / "report.html"
    assert [file.name for file in (tmp_path / "lists").iterdir()] == ["labels.csv"]
    assert check(from_folder(place), **pixels).report == result.report


@pytest.mark.usefixtures("without_bundle")
def test_labels_may_stand_in_the_names(pile, pixels, tmp_path):
    (pile / "broken.jpg").unlink()
    (pile / "again.jpg").unlink()
    for number, file in enumerate(sorted(pile.iterdir())):
        file.rename(pile / f"{file.name.split('_')[0]}.{number}{file.suffix}")
    options = dict(pixels, pattern="{label}.*")
    result = check(pile, **options)
    assert result.catalog.counts() == {"green": 6, "red": 6}
    assert result.accuracy.value > 0.9
    assert sum(train(pile, **options, recipe=RECIPE, out=tmp_path / "model.ursa").pictures.values()) == 12


@pytest.mark.parametrize(
    ("pattern", "name", "label"),
    [
        ("{label}.*", "cat.1.jpg", "cat"),  # before a dot it ends at the first one
        ("{label}.{}.jpg", "cat.12.jpg", "cat"),
        ("{label}.*", "black_cat.1.2.jpg", "black_cat"),
        ("{label}_*.jpg", "great_pyrenees_12.jpg", "great_pyrenees"),  # else it takes as much as it can
        ("{label}_*.jpg", "cat_1.jpg", "cat"),
        ("{label}-{}.png", "a.b-3.png", "a.b"),
    ],
)
def test_how_far_a_label_in_a_name_reaches(tmp_path, pattern, name, label):
    Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert from_folder(tmp_path, pattern=pattern).rows["label"].to_list() == [label]


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_table_is_not_read_by_what_nobody_knows():
    with pytest.raises(DataError, match="lable") as problem:
        Setup(table={"lable": "x"})
    assert "did you mean 'label'?" in problem.value.fix


@pytest.mark.parametrize("command", [check, train])
def test_a_single_picture_is_no_data(folder, pixels, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    picture = folder / "train/red/red_000.jpg"
    with pytest.raises(DataError, match="is a single picture") as problem:
        command(picture, **pixels)
    assert (problem.value.found, problem.value.fix) == (
        "JPEG",
        "name the folder that it lies in, or a table of pictures",
    )
    assert not (picture.parent / ".ursa").exists()


# --- without one class a picture -------------------------------------------------------------------------------------

OTHER = {
    "none": (None, "no labels"),
    "multi-label": (lambda i: ("a|b", "b", "a", "b|a")[i % 4], "several labels"),  # the copies have the same
    "regression": (lambda i: 0.5 + i % 4, "numbers"),
}


def given(kind, pile, pixels):
    """(data, options) of a pile with labels of this kind."""
    if kind == "none":
        return pile, pixels
    return table_of(pile, OTHER[kind][0]), dict(pixels, table={"separator": "|"} if kind == "multi-label" else {})


@pytest.mark.parametrize(
    "kind",
    [
        "none",
        "multi-label",
        "regression",
    ],
)
def test_pictures_without_a_class_each_are_checked_but_not_probed(pile, pixels, kind):
    data, options = given(kind, pile, pixels)
    result = check(data, **options)
    assert result.catalog.task == ("single-label" if kind == "none" else kind)
    assert math.isnan(result.accuracy.value)
    assert OTHER[kind][1] in result.accuracy.method
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert document["accuracy"]["value"] is None
    assert document["pictures"] == 13
    found = {finding.kind: finding.where for finding in result.findings}
    assert set(found["exact-duplicate"]) == {"again.jpg", "red_000.jpg"}
    assert found["truncated"] == ("broken.jpg",)
    page = result.report.read_text()
    assert page.startswith("<!doctype html>")
    assert "again.jpg" in page
    assert "nan" not in page.lower().split()


@pytest.mark.parametrize("kind", OTHER)
def test_they_cannot_be_trained_on_which_is_said_before_anything_is_computed(pile, pixels, tmp_path, kind):
    data, options = given(kind, pile, pixels)
    with pytest.raises(DataError) as problem:
        train(data, **options, recipe=RECIPE, out=tmp_path / "model.ursa")
    assert problem.value.fix
    assert ("no classes" if kind == "none" else "one class a picture") in problem.value.what
    assert no_embeddings(pile / ".ursa")
    assert not (tmp_path / "model.ursa").exists()


@pytest.mark.usefixtures("without_bundle")
def test_a_pile_beside_labeled_pictures_does_not_disturb_them(folder, pixels, tmp_path):
    place = shutil.copytree(folder / "train", tmp_path / "pictures")
    expected = check(place, **dict(pixels, workspace=tmp_path / "before")).accuracy
    for number, file in enumerate(sorted((folder / "valid").rglob("*_*"))):
        shutil.copy(file, place / f"loose{number}{file.suffix}")
    result = check(place, **pixels)
    assert len(result.catalog) == 28
    assert (result.accuracy.value, result.accuracy.low, int(result.confusion.sum())) == (
        expected.value,
        expected.low,
        20,
    )
    assert "also of 8 pictures without labels" in result.accuracy.method  # they teach, and are not judged by
    assert sum(train(place, **pixels, recipe=RECIPE, out=tmp_path / "model.ursa").pictures.values()) == 20


# --- decoded pictures, kept ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory, photo):
    """Pictures of more than a megapixel, four of each class."""
    place = tmp_path_factory.mktemp("large")
    for row in range(8):
        name = ("red", "green")[row % 2]
        (place / name).mkdir(exist_ok=True)
        tinted = 0.6 * photo(row, 1200, 1000) + 0.4 * np.array([200, 40, 40] if row % 2 else [40, 200, 40])
        Image.fromarray(tinted.astype(np.uint8)).save(place / name / f"{row}.jpg", quality=85)
    return place


def test_large_pictures_are_decoded_once_and_nothing_else_changes(large, pixels, tmp_path):
    recipe = Recipe.of(epochs=2, batch_size=4)
    runs = {}
    for gigabytes in (2.0, 0.0):
        options = dict(pixels, workspace=tmp_path / str(gigabytes), cache_gb=gigabytes)
        runs[gigabytes] = train(large, **options, recipe=recipe, out=tmp_path / f"{gigabytes}.ursa")
    kept = sorted(folder.name for folder in (tmp_path / "2.0" / "pixels").iterdir())
    assert len(kept) == 2  # one for training, one for validation
    assert all(any((tmp_path / "2.0" / "pixels" / name).iterdir()) for name in kept)
    assert not (tmp_path / "0.0" / "pixels").exists()
    histories = [json.loads(run.history.read_text()) for run in runs.values()]
    for history in histories:
        for epoch in history["epochs"]:
            epoch.pop("seconds", None)
    assert histories[0] == histories[1]
    assert runs[2.0].accuracy == runs[0.0].accuracy
    first, second = (Predictor(run.bundle).bundle.parts["weights.safetensors"] for run in runs.values())
    assert first == second


@pytest.mark.usefixtures("without_bundle")
def test_small_pictures_are_decoded_again_on_a_cpu(folder, pixels, tmp_path):
    options = dict(pixels, workspace=tmp_path / "space")
    train(folder, **options, recipe=Recipe.of(epochs=2, batch_size=8), out=tmp_path / "model.ursa")
    assert not (tmp_path / "space" / "pixels").exists()


@pytest.mark.parametrize(
    ("side", "device", "epochs", "gigabytes", "room"),
    [
        (1000, "cpu", 2, 0.001, 1_000_000),  # a megapixel
        (999, "cpu", 2, 0.001, 0),
        (32, "cuda", 2, 0.001, 1_000_000),  # an accelerator waits for the smallest
        (1000, "cuda", 1, 0.001, 0),  # no second epoch would read it
        (1000, "cuda", 5, 0.0, 0),
    ],
)
def test_when_decoded_pictures_are_kept(tmp_path, side, device, epochs, gigabytes, room, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)  # a GPU is asked for, and never used
    columns = {"id": ["a", "b"], "label": ["x", "y"], "width": [side, side], "height": [side, side]}
    ready = _Ready(Catalog.of(tmp_path, columns), _Space(tmp_path))
    options = Setup(device=device, cache_gb=gigabytes)
    assert fine_tuned._room_for_pixels(ready, Recipe.of(epochs=epochs), options) == room


def test_no_more_than_a_quarter_of_the_free_disk_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(fine_tuned.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=8))
    columns = {"id": ["a"], "label": ["x"], "width": [9000], "height": [9000]}
    ready = _Ready(Catalog.of(tmp_path, columns), _Space(tmp_path))
    assert fine_tuned._room_for_pixels(ready, Recipe(), Setup()) == 2


@dataclasses.dataclass(frozen=True)
class _Space:
    root: object


@dataclasses.dataclass(frozen=True)
class _Ready:
    """As much of `Prepared` as is asked for."""

    catalog: Catalog
    space: _Space


# --- augmentations that harm -----------------------------------------------------------------------------------------

HARM = Finding("augmentation-harms", ("train/red/red_000.jpg",), 0.9, "Mirrored, red is green.", "--set hflip=0", {})


@pytest.mark.usefixtures("without_bundle")
def test_what_an_augmentation_does_to_labels_reaches_the_document_and_people(folder, pixels, tmp_path, monkeypatch):
    import io

    from rich.console import Console

    from ursa.cli.results_text import trained
    from ursa.core.finding import KINDS
    from ursa.training.augment import label_safety

    monkeypatch.setattr(label_safety, "unsafe_augmentations", lambda *_: [HARM])
    options = dict(pixels, workspace=tmp_path / "space")
    result = train(folder, **options, recipe=RECIPE, out=tmp_path / "model.ursa")
    (finding,) = json.loads(json.dumps(result.to_json()))["findings"]
    assert (finding["kind"], finding["evidence"]) == (HARM.kind, HARM.evidence)
    said = io.StringIO()
    trained(result, Console(file=said, width=120))
    assert KINDS[HARM.kind].one in said.getvalue()
    assert HARM.kind not in said.getvalue()
    assert HARM.evidence in said.getvalue()
    assert HARM.evidence in result.report.read_text()


@pytest.mark.usefixtures("without_bundle")
def test_a_run_without_fine_tuning_asks_nothing_of_augmentations(folder, pixels, tmp_path, monkeypatch):
    from ursa.training.augment import label_safety

    monkeypatch.setattr(label_safety, "unsafe_augmentations", lambda *_: [HARM])
    options = dict(pixels, workspace=tmp_path / "space")
    assert train(folder, **options, recipe=Recipe.of(epochs=0), out=tmp_path / "model.ursa").findings == []
