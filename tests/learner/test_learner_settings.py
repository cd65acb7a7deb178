"""No setting of a recipe is ignored by a learner: changing it changes a run, or is refused with the place for it."""

import tempfile

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import ursa
from ursa import models
from ursa.errors import TrainingError
from ursa.recipe import PLACES

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6)).astype(np.float32)
Y = np.where(X[:, 0] > 1.0, 1, 0)
CHANGED = {
    "seed": 5,
    "split.valid": 0.4,
    "split.test": 0.2,
    "split.train_dev": 0.2,
    "probe.folds": 3,
    "optim.epochs": 3,
    "optim.batch_size": 5,
    "optim.micro_batch_size": 3,
    "optim.head_lr": 0.02,
    "optim.body_lr": 0.02,
    "optim.layer_decay": 0.9,
    "optim.weight_decay": 5.0,
    "optim.warmup": 0.6,
    "optim.gradual_unfreezing": 0.8,
    "optim.max_grad_norm": 0.01,
    "optim.patience": 1,
    "optim.prune_below": 0.999,
    "optim.ema_decay": 0.05,  # below what the first steps take anyway
    "optim.wise_ft_alpha": 1.0,
    "optim.label_smoothing": 0.3,
    "optim.class_weights": True,
    "optim.oversample": True,
    "augment.hflip": 1.0,
    "augment.vflip": 1.0,
    "augment.min_scale": 0.4,
    "augment.aspect_ratio": 3.0,
    "augment.rotate": 40.0,
    "augment.rotate90": 1.0,
    "augment.perspective": 0.4,
    "augment.translate": 0.4,
    "augment.padding_mode": "reflect",
    "augment.brightness": 0.8,
    "augment.contrast": 0.8,
    "augment.saturation": 0.8,
    "augment.hue": 0.4,
    "augment.grayscale": 1.0,
    "augment.pca": 0.8,
    "augment.random_erasing": 1.0,
    "augment.trivial_augment": 1.0,
    "augment.mixup": 1.0,
    "augment.cutmix": 1.0,
    "augment.progressive_resizing": 0.7,
    "augment.tta": 2,
}
TOGETHER = {"augment.padding_mode": {"augment.translate": 0.5}, "augment.aspect_ratio": {"augment.min_scale": 0.4}}
SIZES = ("optim.micro_batch_size",)  # which change speed and memory, not results


def network():
    return models.mlp(6, 2, hidden=(8, 8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    return picture_folder(tmp_path_factory.mktemp("pictures"), {"red": 14, "brown": 8})


def of_arrays(_, recipe):
    return ursa.Learner((X, Y), network(), recipe=recipe)


def of_data_set(_, recipe):
    return ursa.Learner(TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), network(), recipe=recipe)


def of_backbone(folder, recipe):
    with tempfile.TemporaryDirectory() as space:  # a workspace keeps the splits that it once drew
        return ursa.Learner(folder, "pixels", recipe=recipe, workspace=space)


def of_network_on_pictures(folder, recipe):
    with tempfile.TemporaryDirectory() as space:
        return ursa.Learner(folder, models.small_cnn(3, 2), size=64, recipe=recipe, workspace=space)


def result(make, folder, recipe):
    """Everything that a run comes to: splits, steps, weights, predictions, and the sizes of forward passes."""
    one = make(folder, recipe)
    sizes = []
    hook = one.model.register_forward_pre_hook(lambda _, x: sizes.append(len(x[0])))
    one.fit(1, keep="last") if "patience" not in str(recipe) else one.fit(3)
    one.fine_tune(2)
    hook.remove()
    weights = torch.cat([p.detach().flatten() for p in one.model.parameters()])
    outputs = [x for x in (one.predictions()[0].probabilities,) if x is not None]
    losses = [step["loss"] for step in one.history.steps]
    losses += [record["valid_loss"] for record in one.history.epochs]
    return len(one.data.train), losses, weights.tolist(), outputs[0].tolist(), sorted(sizes)


def test_every_setting_has_a_change():
    assert set(CHANGED) == set(PLACES)


@pytest.mark.parametrize("make", [of_arrays, of_data_set])
@pytest.mark.parametrize("name", CHANGED)
def test_a_setting_changes_the_run_or_is_refused(make, name):
    changes_run_or_is_refused(make, None, name)


@pytest.mark.slow
@pytest.mark.parametrize("make", [of_backbone, of_network_on_pictures])
@pytest.mark.parametrize("name", CHANGED)
def test_a_setting_changes_the_run_on_pictures_or_is_refused(make, folder, name):
    changes_run_or_is_refused(make, folder, name)


USUAL = {}


def changes_run_or_is_refused(make, folder, name):
    base = {"optim.batch_size": 8, **TOGETHER.get(name, {})}
    if make is of_backbone:  # to the end, so that what shows late is seen
        base["optim.prune_below"] = 0.0
    try:
        changed = result(make, folder, {**base, name: CHANGED[name]})
    except TrainingError as told:
        assert "has no meaning" in told.what
        assert told.fix
        return
    key = make.__name__, str(base), "patience" in name
    if key not in USUAL:
        USUAL[key] = result(make, folder, {**base, **({"optim.patience": 0} if "patience" in name else {})})
    assert changed != USUAL[key], f"{name} is ignored"
    if name in SIZES:
        assert changed[-1] != USUAL[key][-1]
