"""What a fastai person types first works, or is answered with the way to do it here."""

import itertools

import numpy as np
import polars as pl
import pytest
import torch
import torchvision

import ursa
from ursa import models
from ursa.errors import TrainingError
from ursa.learner.fastai_names import ATTRIBUTES, KEYWORDS
from ursa.learner.learner_recipe import network_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0.8)


def learner(**settings):
    return ursa.Learner((X, Y), models.mlp(4, 3, hidden=(8, 8)), **settings)


@pytest.fixture(scope="module")
def trained():
    one = learner(recipe={"batch_size": 16})
    one.fit_one_cycle(4, 0.03)
    return one


def test_a_slice_of_learning_rates_goes_from_the_first_layers_to_the_last():
    one = learner()
    one.fit_one_cycle(1, slice(1e-5, 1e-3), keep="last")
    assert one.history.steps[-1]["lr"] < 1e-3

    def lrs(lr):
        seen = []

        def optimizer(groups):
            seen.extend(group["lr"] for group in groups)
            return torch.optim.SGD(groups)

        learner(optimizer=optimizer).fit(1, lr)
        return seen

    found = lrs(slice(1e-5, 1e-3))
    assert found == sorted(found)
    assert found[0] == pytest.approx(1e-5)
    assert found[-1] == pytest.approx(1e-3)
    steps = [b / a for a, b in itertools.pairwise(found) if b > a]
    assert steps == pytest.approx([steps[0]] * len(steps))
    assert sorted({*lrs(slice(1e-3))}) == pytest.approx([1e-4, 1e-3])


@pytest.mark.parametrize(
    ("attempt", "way"),
    [
        (lambda one: one.fit_one_cycle(1, lr_max=1e-3), "lr=..."),
        (lambda one: one.fit_one_cycle(1, wd=0.1), "weight_decay"),
        (lambda one: one.fit(1, cbs=[print]), "observers="),
        (lambda one: one.fine_tune(1, base_lr=1e-3), "lr=..."),
        (lambda one: one.fine_tune(1, freeze_epochs=2), "frozen_epochs="),
        (lambda one: one.fine_tune(1, patienc=2), "did you mean 'patience'"),
        (lambda one: one.fit(1, schedul="cosine"), "did you mean 'schedule'"),
        (lambda one: one.lr_find(num_it=50), "steps="),
        (lambda _: learner(opt_func="adam"), "optimizer="),
        (lambda _: learner(lr=1e-3), "fit(epochs, lr)"),
    ],
)
def test_arguments_of_fastai_are_answered_with_ours(trained, attempt, way):
    with pytest.raises(TrainingError) as told:
        attempt(trained)
    assert way in str(told.value)
    assert all(p.requires_grad for p in trained.model.parameters())


@pytest.mark.parametrize("name", ["validate", "get_preds", "recorder", "dls", "to_fp16", "loss_func", "add_cb"])
def test_attributes_of_fastai_are_answered_with_ours(trained, name):
    with pytest.raises(AttributeError) as told:
        getattr(trained, name)
    assert ATTRIBUTES[name] in str(told.value)
    with pytest.raises(AttributeError, match="did you mean 'evaluate'"):
        trained.evaluat  # noqa: B018


def test_what_the_answers_name_is_there(trained):
    """A way that is named must exist: its first word is an attribute of a learner, or an argument."""
    words = {text.split("(")[0].split(",")[0].split(";")[0].strip() for text in ATTRIBUTES.values()}
    for word in words - {"Learner", "observers=[...] of fit"}:
        if word.isidentifier():
            assert hasattr(trained, word), word
    assert all(text for text in KEYWORDS.values())


def test_batches_losses_and_confusion_are_shown(trained):
    assert trained.show_batch(5).shape == (5, 2)
    top = trained.top_losses(4)
    assert isinstance(top, pl.DataFrame)
    assert top["loss"].is_sorted(descending=True)
    assert {"row", "target", "prediction", "probability", "loss"} <= {*top.columns}
    found, true = trained.predictions()
    row = top["row"][0]
    assert top["target"][0] == int(true[row])
    assert top["prediction"][0] == found.labels[row]
    assert top["loss"][0] == pytest.approx(-np.log(found.probabilities[row, int(true[row])]), abs=1e-4)
    matrix = trained.confusion()
    assert matrix.counts.sum() == len(trained.data.valid)
    assert np.trace(matrix.counts) / matrix.counts.sum() == pytest.approx(trained.evaluate()["accuracy"].value)
    assert trained.confusion((X, Y)).counts.sum() == 120


def test_a_function_that_builds_a_network_is_a_backbone_of_pictures():
    resnet = torchvision.models.resnet18
    assert network_of(resnet, pictures=True, default="x") == "torchvision:resnet18"
    assert network_of(None, pictures=True, default="x") == "x"
    with pytest.raises(TrainingError, match="arrays need the network itself"):
        ursa.Learner((X, Y), resnet)
    with pytest.raises(TrainingError, match="not its class"):
        ursa.Learner((X, Y), torch.nn.Linear)
    with pytest.raises(TrainingError, match="need a network"):
        ursa.Learner((X, Y))


def test_a_backbone_of_torchvision_learns_pictures(shared, tmp_path, picture_folder):
    folder = picture_folder(tmp_path / "pictures", {"red": 8, "green": 8})
    file = shared / "weights/squeezenet1_0-imagenet.safetensors"
    one = ursa.Learner(folder, torchvision.models.squeezenet1_0, weights=file, recipe={"valid": 0.5})
    assert one.backbone == "torchvision:squeezenet1_0"
    assert one.evaluate()["accuracy"].value > 0.9


def test_texts_are_short(trained):
    found = trained.lr_find(repeats=1)
    for value in (trained, trained.history, trained.evaluate()["accuracy"], found, trained.confusion()):
        assert len(repr(value)) < 400, repr(value)
    assert len(repr(trained.predict(X))) < 200
    for value in (trained, trained.history, trained.predict(X), trained.confusion()):
        assert value._repr_html_().startswith("<")
    assert "3 classes" in repr(trained)
