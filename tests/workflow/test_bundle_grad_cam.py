"""`ursa grad-cam`: from a bundle to maps in one call, and nothing of a bundle believed that is not proven."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ursa.cli.subcommands.grad_cam_command import grad_cam as command
from ursa.core.bundles import bundle as bundles
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.diagnose.explain import sanity_check
from ursa.embed.backbone import Backbone
from ursa.embed.tensor_bytes import to_bytes
from ursa.errors import BundleError, DataError
from ursa.export.write_bundle import export
from ursa.serve.predictor import Predictor
from ursa.training.classifier import Classifier
from ursa.workflow.bundle_grad_cam import bundle_grad_cam
from ursa.workflow.training_run.rebuilt import rebuilt


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A bundle of a small network with a random head, and three pictures."""
    place = tmp_path_factory.mktemp("explained")
    torch.manual_seed(0)
    model = Classifier(Backbone("small_cnn").load(), 256, 3).eval()
    views = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), np.uint8)
    with torch.inference_mode():
        learned = model(torch.from_numpy(views)).softmax(1).numpy()
    metric = {"value": 0.9, "low": 0.8, "high": 0.95, "method": "none"}
    training = {"backbone": "small_cnn", "kept": "probe", "pictures": {"a": 1, "b": 1, "c": 1}, "recipe": {}}
    names = Labels(("a", "b", "c"))
    export(
        model,
        names,
        Preparation(64),
        place / "model.ursa",
        views=views,
        learned=learned,
        training=training,
        metrics={"accuracy": metric},
    )
    for number, view in enumerate(views):
        Image.fromarray(view).save(place / f"{number}.png")
    return place


def changed(place, **parts):
    """The bundle with other parts or another backbone, in memory."""
    whole = bundles.read(place / "model.ursa")
    backbone = parts.pop("backbone", "small_cnn")
    document = {**whole.document, "training": {**whole.document["training"], "backbone": backbone}}
    return Predictor(
        bundles.Bundle(whole.labels, whole.preparation, 1.0, document, {**whole.parts, **parts}), trusted=True
    )


def state(place):
    return Classifier(Backbone("small_cnn").load(), 256, 3).state_dict()


def test_a_bundle_is_rebuilt_and_explains_what_it_predicts(exported, monkeypatch):
    monkeypatch.setattr(sanity_check, "MAPS", 2)
    files = [exported / f"{number}.png" for number in range(3)]
    found = bundle_grad_cam(exported / "model.ursa", [*files, exported / "none.png"])
    assert [one.label for one in found.predictions] == list(found.labels)
    assert found.overlays().shape == (3, 64, 64, 3)
    document = json.loads(json.dumps(found.to_json()))
    assert [row["picture"] for row in document["pictures"]] == [str(each) for each in (*files, exported / "none.png")]
    assert "cannot be opened" in document["pictures"][-1]["problem"]
    for row in document["pictures"][:3]:
        assert row["peak"] is None or 0 < row["peak"]["x"] < 1
        assert 0 <= row["share"] <= 1
    assert document["check"]["limit"] == sanity_check.LIMIT
    other = bundle_grad_cam(exported / "model.ursa", files[:1], "c")
    assert (other.labels, other.cam.targets.tolist()) == (("c",), [2])


def test_maps_that_fail_the_check_are_not_written_and_the_command_says_no(exported, monkeypatch, tmp_path, capsys):
    import typer

    monkeypatch.setattr(sanity_check, "MAPS", 1)
    monkeypatch.setattr(sanity_check, "LIMIT", -1)
    with pytest.raises(typer.Exit) as ended:
        command(exported / "model.ursa", [exported / "0.png"], out=tmp_path / "map.png")
    assert ended.value.exit_code == 1
    assert not list(tmp_path.iterdir())
    assert "failed" in capsys.readouterr().err
    monkeypatch.setattr(sanity_check, "LIMIT", 2)
    command(exported / "model.ursa", [exported / "0.png"], out=tmp_path / "map.png", json_=True)
    said = json.loads(capsys.readouterr().out)
    assert said["file"] == str(tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 2000


@pytest.mark.parametrize(
    ("pictures", "label", "what"),
    [([], None, "1 to 32"), (["."], None, "no picture to look at"), (["0.png"], "d", "no class 'd'")],
)
def test_what_cannot_be_is_refused(exported, pictures, label, what):
    with pytest.raises(DataError, match=what):
        bundle_grad_cam(exported / "model.ursa", [exported / each for each in pictures], label)


def test_a_figure_never_overwrites_a_picture_and_its_format_is_told_first(exported):
    with pytest.raises(DataError, match="is one of the pictures"):
        command(exported / "model.ursa", [exported / "0.png"], out=exported / "0.png")
    with pytest.raises(DataError, match=r"not written as \.xyz"):
        command(exported / "model.ursa", [exported / "0.png"], out=exported / "0.xyz")


VIEWS = np.zeros((2, 64, 64, 3), np.uint8)


@pytest.mark.parametrize("backbone", ["Sequential", "hf-hub:someone/network", "", "../weights"])
def test_networks_that_cannot_be_built_by_their_name_are_refused(exported, backbone):
    with pytest.raises(BundleError, match=r"cannot be built by its name[\s\S]*show_grad_cam"):
        rebuilt(changed(exported, backbone=backbone), VIEWS)


def test_weights_that_are_not_the_models_are_refused(exported):
    whole = state(exported)
    torch.manual_seed(1)
    other = {**whole, "head.weight": torch.randn(3, 256)}
    apart = changed(exported, **{"weights.safetensors": to_bytes(other)})
    with pytest.raises(BundleError, match="do not predict what its model predicts") as refused:
        rebuilt(apart, VIEWS)
    assert "show_grad_cam" in refused.value.fix
    apart.bundle.document["quantized"] = {"precision": "int8"}
    with pytest.raises(BundleError, match="do not predict what its model predicts") as refused:
        rebuilt(apart, VIEWS)
    assert refused.value.fix == "give the bundle that it was quantized from"
    missing = {name: value for name, value in whole.items() if name != "standardize.mean"}
    for wrong in (missing, {**whole, "head.weight": torch.randn(3)}, {}):
        with pytest.raises(BundleError, match="not those of small_cnn"):
            rebuilt(changed(exported, **{"weights.safetensors": to_bytes(wrong)}), VIEWS)
    with pytest.raises(BundleError, match="cannot be read"):
        rebuilt(changed(exported, **{"weights.safetensors": b"none"}), VIEWS)


def test_a_small_file_does_not_build_a_network_of_billions(exported):
    with pytest.raises(BundleError, match=r"for a network of \d+,\d{3},\d{3}"):
        rebuilt(changed(exported, backbone="eva_giant_patch14_224.clip_ft_in1k"), VIEWS)
