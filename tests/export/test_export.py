"""Export proves that the bundle predicts what the learner predicts, or writes nothing."""

import json
import os
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.embed.backbone import Backbone
from ursa.embed.extractor import Extractor
from ursa.errors import BundleError, DataError
from ursa.export.card import plain
from ursa.export.parity import LIMIT, STAND_INS, parity, stand_ins
from ursa.export.write_bundle import export, write
from ursa.serve.predictor import Predictor
from ursa.training.classifier import Classifier
from ursa.training.fine_tuning import predict

PREPARATION = Preparation(size=64)
LABELS = Labels(("a", "b", "c"))


@pytest.fixture(scope="module")
def views(photo):
    return [PREPARATION.view(photo(seed)) for seed in range(11)]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Classifier(Backbone("pixels").load(), 960, 3).eval()


def exported(model, views, out, learned=None, **options):
    learned = predict(model, views) if learned is None else learned
    numbers = {"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95, "method": "made up"}}
    training = {"backbone": "pixels", "kept": "probe", "pictures": {"a": 1, "b": 2, "c": 3}}
    return export(
        model, LABELS, PREPARATION, out, views=views, learned=learned, training=training, metrics=numbers, **options
    )


@pytest.mark.parametrize("name", ["model.ursa", "folder"])
def test_a_bundle_predicts_what_the_learner_predicts_for_any_number_of_pictures(model, views, tmp_path, name):
    exported(model, views, tmp_path / name)
    predictor = Predictor(tmp_path / name)
    learned = predict(model, views)
    for count in (1, 2, 11):
        np.testing.assert_allclose(predictor.probabilities(views[:count]), learned[:count], atol=LIMIT / 10)


def test_a_bundle_says_what_is_in_it(model, views, tmp_path):
    exported(model, views, tmp_path / "model.ursa")
    with zipfile.ZipFile(tmp_path / "model.ursa") as archive:
        assert sorted(archive.namelist()) == ["bundle.json", "card.md", "model.onnx", "weights.safetensors"]
        document = json.loads(archive.read("bundle.json"))
        card = archive.read("card.md").decode()
    assert document["classes"] == ["a", "b", "c"]
    assert document["preparation"] == {"size": 64, "fit": "pad"}
    assert document["parity"]["pictures"] == 11
    assert document["parity"]["difference"] < LIMIT
    assert "90.0 %" in card


def test_its_weights_are_those_of_the_learner(model, views, tmp_path):
    from safetensors.torch import load

    weights = load(exported(model, views, tmp_path / "model.ursa").bundle.parts["weights.safetensors"])
    state = model.state_dict()
    assert weights.keys() == state.keys()
    assert all(torch.equal(weights[name], state[name]) for name in state)


def test_a_difference_is_refused_and_nothing_is_written(model, views, tmp_path):
    learned = predict(model, views).copy()
    learned[3] = np.roll(learned[3], 1)
    with pytest.raises(BundleError, match="does not predict what the learner predicts"):
        exported(model, views, tmp_path / "model.ursa", learned)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [2 * LIMIT, float("nan")])
def test_parity_refuses_more_than_its_limit_and_nan(wrong):
    learned = np.array([[0.5, 0.5], [0.9, 0.1]], np.float32)
    other = learned.copy()
    assert parity(learned, other).difference == 0
    other[1, 0] += wrong
    with pytest.raises(BundleError):
        parity(learned, other)


def test_a_network_that_depends_on_its_batch_is_refused_or_right(views, tmp_path):
    class Odd(nn.Module):
        def forward(self, pictures):
            return pictures.mean((2, 3)) if pictures.shape[0] > 2 else pictures.amax((2, 3))

    model = Classifier(Extractor(Odd(), (0.5,) * 3, (0.5,) * 3, 64), 3, 3).eval()
    with pytest.raises(BundleError):
        exported(model, views, tmp_path / "model.ursa")


def test_a_place_that_cannot_be_written_is_named(model, views, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        exported(model, views, tmp_path / "file" / "model.ursa")
    (tmp_path / "taken.ursa").mkdir()
    with pytest.raises(BundleError, match="is a folder"):
        exported(model, views, tmp_path / "taken.ursa")


def test_an_old_bundle_is_replaced_whole(model, views, tmp_path):
    out = tmp_path / "model.ursa"
    out.write_bytes(b"something older")
    exported(model, views, out)
    assert Predictor(out).labels == LABELS


def test_weights_that_are_not_finite_are_named_and_nothing_is_written(model, views, tmp_path):
    learned = predict(model, views)
    with torch.no_grad():
        model.head.weight[0, 0] = float("nan")
    with pytest.raises(BundleError, match="not finite") as caught:
        exported(model, views, tmp_path / "model.ursa", learned)
    assert "head.weight" in caught.value.found
    assert list(tmp_path.iterdir()) == []


FILES = {"bundle.json": b"{}", "model.onnx": bytes(200_000), "weights.safetensors": bytes(200_000), "card.md": b"#"}


@pytest.mark.parametrize("name", ["model.ursa", "folder"])
def test_a_full_disk_leaves_the_old_bundle_whole_and_advises_another_place(disk, name):
    place = disk("700k")
    write(place / name, FILES)
    before = contents(place)
    with pytest.raises(DataError, match="no space left") as caught:
        write(place / name, {part: data + bytes(100_000) for part, data in FILES.items()})
    assert contents(place) == before
    assert "--out" in caught.value.fix and "--workspace" not in caught.value.fix


def contents(place):
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_a_folder_is_replaced_part_by_part_and_the_manifest_last(tmp_path, monkeypatch):
    order, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: (order.append(target.name), replace(source, target)))
    write(tmp_path / "folder", FILES)
    assert order[-1] == "bundle.json" and sorted(order) == sorted(FILES)


def test_nothing_in_a_zip_is_compressed(tmp_path):
    write(tmp_path / "model.ursa", FILES)
    with zipfile.ZipFile(tmp_path / "model.ursa") as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize(
    "name", ["a|b", "<img src=x>", "[a](http://b.c)", "_a_ *b* `c`", "www.a.com", "a@b.c", "\x1b[2J"]
)
def test_a_class_name_in_the_card_is_text(name):
    shown = plain(name)
    assert "<" not in shown and "\x1b" not in shown
    for mark in "|[](*_`.@":
        assert shown.count(mark) == shown.count("\\" + mark)


def test_stand_ins_are_made_of_thumbnails_and_are_the_same_each_time(photo):
    thumbnails = [photo(seed, 32, 32)[..., 0].tobytes() for seed in range(STAND_INS + 8)]
    made = stand_ins(thumbnails, 64, seed=3)
    assert len(made) == STAND_INS and {view.shape for view in made} == {(64, 64, 3)}
    assert all(np.array_equal(one, other) for one, other in zip(made, stand_ins(thumbnails, 64, seed=3), strict=True))
    assert len(stand_ins(thumbnails[:1], 64)) == 1
    for number, view in ((0, made[0]), (-1, made[-1])):  # spread over all of them, and recognizable
        small = view.mean(2).reshape(32, 2, 32, 2).mean((1, 3)).ravel()
        assert np.corrcoef(small, np.frombuffer(thumbnails[number], np.uint8))[0, 1] > 0.8
    assert view.std((0, 1)).min() > 5 and len({tuple(view.mean((0, 1)).round()) for view in made}) == len(made)


@pytest.mark.parametrize("layer", ["head.weight", "extractor.scale", "standardize.mean"])
def test_stand_ins_tell_a_network_that_was_exported_wrongly(model, photo, tmp_path, layer):
    stand = stand_ins([photo(seed, 32, 32)[..., 0].tobytes() for seed in range(8)], 64)
    learned = predict(model, stand)
    before = model.state_dict()[layer].clone()
    with torch.no_grad():
        model.state_dict()[layer].mul_(1.2).add_(0.02)
    try:
        with pytest.raises(BundleError, match="does not predict"):
            exported(model, stand, tmp_path / "m.ursa", learned)
    finally:
        model.state_dict()[layer].copy_(before)


def test_a_bundle_says_on_what_it_was_compared(model, views, tmp_path):
    predictor = exported(model, views, tmp_path / "m.ursa", compared_on="thumbnails")
    assert predictor.bundle.document["parity"].keys() == {"thumbnails", "difference"}
    assert "for 11 pictures made of thumbnails." in predictor.bundle.parts["card.md"].decode()
