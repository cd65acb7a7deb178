"""Pictures without pretrained weights: `small_cnn` through the commands, and when it is chosen without being named."""

import json

import numpy as np
import polars as pl
import pytest
from PIL import Image

import ursa
from ursa.core.decoding.image import Pixels
from ursa.data.sources.folder_source import from_folder
from ursa.embed.backbone import Backbone
from ursa.embed.pretrained.without_weights import NoWeightsError
from ursa.errors import TrainingError
from ursa.prepared import default_backbone, last_setup
from ursa.prepared.setup import Setup, listed
from ursa.recipe import Recipe, settings_table
from ursa.serve.predictor import Predictor
from ursa.training.batches.picture_batches import Views
from ursa.workflow import runs
from ursa.workflow.check import check
from ursa.workflow.train import train

CLASSES = {"bar": 14, "cross": 14, "ring": 14}


def drawn(kind: str, draw: np.random.Generator, side: int) -> Pixels:
    """A sign of a random place and size, dark on light."""
    rows, columns = np.mgrid[:side, :side] / side
    y, x, size = draw.uniform(0.4, 0.6), draw.uniform(0.4, 0.6), draw.uniform(0.2, 0.35)
    away, near = np.hypot(rows - y, columns - x), 0.06
    inside = away < size
    bar = (abs(columns - x) < near) & inside
    ink = {"bar": bar, "cross": bar | ((abs(rows - y) < near) & inside), "ring": abs(away - size) < near}[kind]
    pixels = np.where(ink, 40, 220)[..., None] + draw.normal(0, 12, (side, side, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def signs(root, side=32, counts=CLASSES, seed=0):
    draw = np.random.default_rng(seed)
    for kind, count in counts.items():
        (root / kind).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(drawn(kind, draw, side)).save(root / kind / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return signs(tmp_path_factory.mktemp("scratch") / "signs")


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No weights at hand, and no way to the hub: nobody listens at that port."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


# --- through the commands ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(folder):
    where = {"workspace": folder.parent / "space", "out": folder.parent / "signs.ursa"}
    return train(folder, backbone="small_cnn", recipe={"epochs": 2, "head_lr": 1e-3}, progress=False, **where)


def test_training_uses_the_settings_of_the_backbone_and_those_that_are_given_win(trained):
    used = Recipe.from_json(json.loads(trained.history.read_text("utf-8"))["recipe"])
    assert used == Recipe.for_backbone("small_cnn").with_settings({"epochs": 2, "head_lr": 1e-3})
    assert used.optim.layer_decay == 1 != Recipe().optim.layer_decay


def test_the_first_epoch_starts_where_the_probe_stands(trained):
    """The same pictures, judged by the probe from the store and by the network before its first step."""
    start = json.loads(trained.history.read_text("utf-8"))["epochs"][0]
    assert start["accuracy"] == pytest.approx(trained.probe.value)


def test_the_bundle_predicts_what_the_learner_does(trained, folder):
    assert trained.parity < 1e-3
    predictor = Predictor(trained.bundle)
    files = sorted(folder.glob("*/*.png"))
    found = [predictor(file).label == file.parent.name for file in files]
    assert np.mean(found) > 0.5
    assert ursa.evaluate(trained.bundle, folder, workspace=folder.parent / "space").accuracy.value == pytest.approx(
        np.mean(found)
    )


def test_a_learner_begins_as_the_probe_and_learns_by_the_same_settings(folder):
    learner = ursa.Learner(folder, "small_cnn", workspace=folder.parent / "space", progress=False)
    assert learner.recipe == Recipe.for_backbone("small_cnn")
    before = learner.evaluate()["accuracy"].value
    learner.fine_tune(1)
    assert learner.evaluate()["accuracy"].value >= before


# --- settings by backbone ----------------------------------------------------------------------------------------


def test_another_backbone_has_the_usual_settings_and_a_whole_recipe_is_taken_as_it_is(folder, tmp_path):
    assert Recipe.for_backbone("pixels") == Recipe.for_backbone("resnet34.a1_in1k") == Recipe()
    whole = Recipe.of(epochs=0, seed=3)
    where = {"workspace": tmp_path / "space", "out": tmp_path / "m.ursa", "progress": False}
    history = train(folder, backbone="small_cnn", recipe=whole, **where).history
    assert Recipe.from_json(json.loads(history.read_text("utf-8"))["recipe"]) == whole


def test_the_table_of_settings_says_what_is_usual_with_it():
    shown = {name: default for name, default, _, _ in settings_table()}
    usual = Recipe.for_backbone("small_cnn").changed()
    assert {name for name, default in shown.items() if "small_cnn" in default} == usual.keys()
    assert shown["optim.epochs"] == f"{Recipe().optim.epochs}; small_cnn: {usual['optim.epochs']}"


def test_what_is_usual_with_it_is_no_setting_that_was_given(folder, tmp_path):
    """Neither without epochs nor with a limit of time are they refused; what is given is."""
    where = {"backbone": "small_cnn", "workspace": tmp_path / "space", "out": tmp_path / "m.ursa", "progress": False}
    assert train(folder, epochs=0, **where).kept == "probe"
    with pytest.raises(TrainingError, match="rotate has no meaning without fine-tuning"):
        train(folder, epochs=0, recipe={"rotate": 20}, **where)
    with pytest.raises(TrainingError, match="epochs has no meaning with a limit of time"):
        train(folder, epochs=3, minutes=5, **where)


def test_a_resumed_run_has_its_own_epochs_and_fewer_are_refused():
    usual = Recipe.for_backbone("small_cnn")
    begun = runs.Run("first", recipe=usual.with_settings({"epochs": 30}).flat(), backbone="small_cnn")
    setup, recipe = runs.as_begun(begun, Setup.of(backbone=None), usual, usual)
    assert (setup.backbone, recipe.optim.epochs, recipe.augment) == ("small_cnn", 30, usual.augment)
    five = usual.with_settings({"epochs": 5})  # the usual number of other backbones, but asked for here
    with pytest.raises(TrainingError, match="begun with, or more"):
        runs.as_begun(begun, Setup.of(backbone=None), five, usual)


# --- where no backbone is named ----------------------------------------------------------------------------------


def chosen(folder, space, *, trains=True, **named):
    setup = Setup.of(workspace=space, **named)
    catalog, place = listed(folder, setup)
    return default_backbone.with_backbone(setup, catalog, place, trains=trains).backbone


@pytest.mark.parametrize(
    ("enough", "trains", "backbone"), [(42, True, "small_cnn"), (43, True, "pixels"), (42, False, "pixels")]
)
def test_small_pictures_without_weights_are_learned_from_scratch_where_there_are_enough_to_train(
    folder, tmp_path, nowhere, capsys, monkeypatch, enough, trains, backbone
):
    monkeypatch.setattr(default_backbone, "ENOUGH", enough)
    assert chosen(folder, tmp_path, trains=trains, backbone=None) == backbone
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "32 px in the median" in said and said.rstrip().endswith(f"--backbone {backbone}")


def test_larger_pictures_without_weights_end_with_both_ways_out(tmp_path, nowhere, capsys):
    folder = signs(tmp_path / "large", side=65, counts={"bar": 3, "ring": 3})
    with pytest.raises(NoWeightsError, match="the hub cannot be reached") as problem:
        chosen(folder, tmp_path / "space", backbone=None)
    assert "--weights FILE" in problem.value.fix and "--backbone small_cnn" in problem.value.fix
    assert capsys.readouterr().err == ""


def test_a_backbone_that_is_named_is_taken_whatever_the_pictures(folder, tmp_path, nowhere):
    default = Setup.of(backbone=None).backbone
    assert chosen(folder, tmp_path, backbone=default) == default
    assert chosen(folder, tmp_path, backbone="pixels") == "pixels"
    with pytest.raises(NoWeightsError):
        check(folder, backbone=default, workspace=tmp_path / "space", progress=False)


def test_what_stood_in_for_the_default_is_not_remembered_so_training_has_its_own(
    folder, tmp_path, nowhere, capsys, monkeypatch
):
    where = {"workspace": tmp_path / "space", "progress": False}
    assert check(folder, **where).accuracy.value > 0.5
    assert last_setup.recall(folder, tmp_path / "space")["backbone"] == Setup.of(backbone=None).backbone
    monkeypatch.setattr(default_backbone, "ENOUGH", 20)
    result = train(folder, out=tmp_path / "m.ursa", recipe={"epochs": 1}, **where)
    history = json.loads(result.history.read_text("utf-8"))
    assert Recipe.from_json(history["recipe"]) == Recipe.for_backbone("small_cnn").with_settings({"epochs": 1})
    assert Predictor(result.bundle).bundle.document["training"]["backbone"] == "small_cnn"
    said = capsys.readouterr().err
    assert said.count("--backbone pixels") == said.count("--backbone small_cnn") == 1


def test_weights_that_are_known_here_are_taken(folder, tmp_path, nowhere, monkeypatch):
    """What is remembered of the default backbone in the workspace needs no weights: all embeddings may be there."""
    default, loaded = Setup.of(backbone=None).backbone, Backbone("pixels").load()
    monkeypatch.setattr(Backbone, "load", lambda _: loaded)
    assert chosen(folder, tmp_path, backbone=None) == default
    monkeypatch.undo()
    assert chosen(folder, tmp_path, backbone=None) == default


def test_the_median_of_the_longer_sides_decides_and_broken_files_do_not(tmp_path):
    folder = signs(tmp_path / "mixed", side=30, counts={"bar": 5, "ring": 2})
    for number in range(3):
        Image.new("RGB", (20, 200)).save(folder / "bar" / f"tall{number}.png")
        (folder / "ring" / f"broken{number}.png").write_bytes(b"\\x89PNG no picture")
    catalog = from_folder(folder)
    assert default_backbone.median_side(catalog) == 30
    assert default_backbone.median_side(catalog.where(pl.col("path").str.contains("tall"))) == 200
    assert default_backbone.median_side(catalog.where(pl.col("path").str.contains("broken"))) is None
    assert default_backbone.median_side(catalog.where(pl.lit(False))) is None
    assert len([*Views(catalog.where(pl.col("path").str.contains("tall")), default_backbone.Preparation(64))]) == 3
