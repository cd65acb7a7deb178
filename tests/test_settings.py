"""The law of settings: each one changes some run, and every path reads it or refuses it with the place where it counts.

Tiny data: 28 noisy pictures of 8 x 8 pixels in two unequal classes, the backbone "pixels". No bundle is written: that
takes most of the time of such a run, and reads no setting.
"""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import ursa
from ursa.errors import TrainingError
from ursa.recipe import PLACES, Recipe, recipe_from, settings_table
from ursa.workflow.check import check
from ursa.workflow.show import show
from ursa.workflow.train import train

torch = pytest.importorskip("torch")
nn = torch.nn
workflow = importlib.import_module("ursa.workflow.train")

COUNTS = {"dark": 18, "light": 10}
BASE = {"prune_below": 0.0, "epochs": 3, "batch_size": 8, "head_lr": 1e-2, "patience": 0}
CHANGED = {
    "seed": 3,
    "split.valid": 0.4,
    "split.test": 0.25,
    "split.train_dev": 0.25,
    "probe.folds": 3,
    "optim.epochs": 2,
    "optim.batch_size": 5,
    "optim.micro_batch_size": 3,
    "optim.head_lr": 3e-2,
    "optim.body_lr": 3e-3,
    "optim.layer_decay": 0.9,
    "optim.weight_decay": 0.5,
    "optim.warmup": 0.6,
    "optim.gradual_unfreezing": 0.8,
    "optim.max_grad_norm": 0.1,
    "optim.patience": 1,
    "optim.prune_below": 0.999,
    "optim.ema_decay": 0.3,
    "optim.wise_ft_alpha": 0.9,
    "optim.label_smoothing": 0.4,
    "optim.class_weights": True,
    "optim.oversample": True,
    "augment.hflip": 0.0,
    "augment.vflip": 0.5,
    "augment.min_scale": 0.4,
    "augment.aspect_ratio": 1.0,
    "augment.rotate": 30.0,
    "augment.rotate90": 0.9,
    "augment.perspective": 0.4,
    "augment.translate": 0.4,
    "augment.padding_mode": "reflect",
    "augment.brightness": 0.5,
    "augment.contrast": 0.5,
    "augment.saturation": 0.5,
    "augment.hue": 0.3,
    "augment.grayscale": 0.9,
    "augment.pca": 0.5,
    "augment.random_erasing": 0.9,
    "augment.trivial_augment": 0.9,
    "augment.mixup": 1.0,
    "augment.cutmix": 1.0,
    "augment.progressive_resizing": 0.6,
    "augment.tta": 2,
}
# Geometric changes show what lies beyond a picture; alone, the border's kind would not be seen.
TOGETHER = {"augment.padding_mode": {"rotate": 40.0}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place, draw = tmp_path_factory.mktemp("settings"), np.random.default_rng(0)
    for number, (name, count) in enumerate(COUNTS.items()):
        (place / name).mkdir()
        for i in range(count):
            pixels = np.clip(draw.normal(120 + 6 * number, 50, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / name / f"{i}.png")
    return place


def plain(document):
    """Without what differs from run to run: places and times."""
    if isinstance(document, dict):
        return {k: plain(v) for k, v in document.items() if k not in ("seconds", "history", "report", "bundle")}
    return [plain(each) for each in document] if isinstance(document, list) else document


def checked(folder, place, recipe):
    return plain(check(folder, backbone="pixels", precision="fp32", workspace=place, recipe=recipe).to_json())


def not_exported(*_):
    bundle = SimpleNamespace(document={"parity": {"difference": 0.0}}, parts={"weights.safetensors": b""})
    return SimpleNamespace(bundle=bundle)


def trained(folder, place, recipe):
    """All that a run came to: its document, its history, the sizes of its forward passes, its probes."""
    from ursa.training.classifier import Classifier

    sizes, forward, export = [], Classifier.forward, workflow.exported

    def counting(self, pictures):
        if self.training:
            sizes.append(len(pictures))
        return forward(self, pictures)

    Classifier.forward, workflow.exported = counting, not_exported
    try:
        how = {"backbone": "pixels", "precision": "fp32", "workspace": place}
        result = train(folder, **how, recipe=recipe, out=place.with_suffix(".ursa"))
    finally:
        Classifier.forward, workflow.exported = forward, export
    history = json.loads(result.history.read_text("utf-8"))
    probes = sorted(path.name for path in (place / "probes").glob("*"))
    return plain(result.to_json()), plain({k: history[k] for k in ("steps", "epochs")}), sorted(set(sizes)), probes


def as_shown(folder, place, recipe):
    result = show(folder, workspace=place, recipe=recipe, count=28)
    return [tile.pixels.tobytes() for tile in result.tiles]


def alone(folder, place, recipe):
    return trained(folder, place, {**recipe, "epochs": 0})


def learned(learner, run, *more):
    """The history of a learner, and the sizes of its forward passes."""
    sizes = set()

    def count(module, inputs):
        if module.training:
            sizes.add(len(inputs[0]))

    learner.model.register_forward_pre_hook(count)
    run(learner)
    return plain([learner.history.steps, learner.history.epochs]), sorted(sizes), more


def on_backbone(folder, place, recipe):
    learner = ursa.Learner(folder, "pixels", workspace=place, recipe=recipe, progress=False)
    return learned(learner, lambda one: one.fine_tune(3), sorted(path.name for path in (place / "probes").glob("*")))


def on_own_network(folder, place, recipe):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        body = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU()]
        network = nn.Sequential(*body, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 2))
    learner = ursa.Learner(folder, network, size=32, workspace=place, recipe=recipe, progress=False)
    return learned(learner, lambda one: one.fine_tune(6, 3e-2, frozen_epochs=0))


def on_arrays(folder, place, recipe):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 4)).astype(np.float32)
    y = (x[:, 0] + draw.normal(size=60) > 0.7).astype(np.int64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    learner = ursa.Learner((x, y), network, recipe=recipe, progress=False)

    return learned(learner, lambda one: one.fine_tune(6, 3e-2, frozen_epochs=0))


def on_data_set(folder, place, recipe):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 6)).astype(np.float32)
    data = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(np.where(x[:, 0] > 1.0, 1, 0)))
    learner = ursa.Learner(data, ursa.models.mlp(6, 2, hidden=(8, 8)), recipe=recipe, progress=False)
    return learned(learner, lambda one: one.fine_tune(6, 3e-2, frozen_epochs=0))


PATHS = {
    "check": (checked, {}),
    "train": (trained, BASE),
    "train without epochs": (alone, {}),
    "show": (as_shown, {"hflip": 0.5}),
    "learner, backbone": (on_backbone, {"prune_below": 0.0, "batch_size": 8, "head_lr": 1e-2}),
    "learner, own network": (on_own_network, {"batch_size": 8}),
    "learner, arrays": (on_arrays, {"batch_size": 8}),
    "learner, data set": (on_data_set, {"batch_size": 8}),
}
REFUSED = {  # a few that have to be, so that a path which refuses everything would not pass
    "check": {"optim.epochs", "augment.rotate", "split.valid"},
    "train": {"optim.layer_decay", "augment.progressive_resizing"},  # "pixels": one group of layers, 64 px
    "train without epochs": {"optim.head_lr", "augment.rotate", "optim.class_weights"},
    "show": {"optim.epochs", "split.test", "augment.tta", "probe.folds"},
    "learner, backbone": {"optim.epochs", "optim.layer_decay", "augment.progressive_resizing"},
    "learner, own network": {"optim.epochs", "optim.head_lr", "probe.folds"},
    "learner, arrays": {"optim.epochs", "optim.head_lr", "probe.folds", "augment.rotate", "split.test"},
    "learner, data set": {"optim.epochs", "optim.head_lr", "optim.class_weights", "augment.rotate", "split.test"},
}
READ = {  # and a few that have to be read
    "check": {"seed", "probe.folds"},
    "train": set(PLACES) - REFUSED["train"],
    "train without epochs": {"seed", "split.valid", "probe.folds", "augment.tta"},
    "show": {"seed", "augment.rotate", "augment.mixup", "augment.min_scale"},
    "learner, backbone": {"seed", "optim.head_lr", "augment.rotate", "split.valid"},
    "learner, own network": {"seed", "augment.rotate", "optim.weight_decay", "split.valid"},
    "learner, arrays": {"seed", "optim.batch_size", "optim.ema_decay", "optim.class_weights", "split.valid"},
    "learner, data set": {"seed", "optim.batch_size", "optim.ema_decay", "optim.weight_decay", "split.valid"},
}


@pytest.fixture(scope="module")
def unchanged(folder, tmp_path_factory):
    """What a path comes to without the setting; computed once for each recipe."""
    known = {}

    def of(path, recipe):
        key = path, json.dumps(recipe, sort_keys=True)
        if key not in known:
            known[key] = PATHS[path][0](folder, tmp_path_factory.mktemp("base") / "space", recipe)
        return known[key]

    return of


def test_every_setting_has_a_changed_value():
    assert CHANGED.keys() == PLACES.keys()
    usual = Recipe().flat()
    assert all(CHANGED[name] != usual[name] for name in CHANGED)


@pytest.mark.parametrize("name", sorted(PLACES))
@pytest.mark.parametrize("path", PATHS)
def test_a_setting_changes_the_result_or_is_refused(folder, tmp_path, unchanged, path, name):
    run, base = PATHS[path]
    base = {**base, **({} if path == "check" else TOGETHER.get(name, {}))}
    if path == "train without epochs" and name == "optim.epochs":
        pytest.skip("this path is one value of it")
    recipe = {**{key: value for key, value in base.items() if key != name.rpartition(".")[2]}, name: CHANGED[name]}
    try:
        found = run(folder, tmp_path / "space", recipe)
    except TrainingError as problem:
        assert "has no meaning" in problem.what
        assert problem.fix
        assert name not in READ[path]
        return
    assert name not in REFUSED[path]
    assert found != unchanged(path, base)


def test_layers_of_a_deep_body_learn_at_decayed_rates():
    """What "pixels" cannot show: with layer_decay the first layers learn more slowly."""
    from torch import nn

    from ursa.training.optim.layer_lrs import groups

    layers = [layer for _ in range(6) for layer in (nn.Linear(4, 4), nn.ReLU())]
    rates = [group.lr for group in groups(nn.Sequential(*layers), head_lr=1e-2, body_lr=1e-3, layer_decay=0.5)]
    assert rates == pytest.approx([2.5e-4, 5e-4, 1e-3, 1e-2])


# --- what is refused for the data, the run or the device -------------------------------------------------------------


def refused(folder, tmp_path, **keywords):
    with pytest.raises(TrainingError) as problem:
        train(folder, backbone="pixels", workspace=tmp_path / "space", out=tmp_path / "m.ursa", **keywords)
    return problem.value


def test_a_run_with_a_limit_of_time_chooses_its_epochs(folder, tmp_path):
    problem = refused(folder, tmp_path, epochs=3, minutes=5)
    assert problem.what == "the setting epochs has no meaning with a limit of time, which chooses the epochs"
    assert "minutes" in problem.fix


def test_one_epoch_has_no_first_epochs(folder, tmp_path):
    problem = refused(folder, tmp_path, epochs=1, recipe={"progressive_resizing": 0.5})
    assert "no meaning in a run of one epoch" in problem.what
    assert problem.fix == "epochs=2 or more"


def test_an_accelerator_takes_a_whole_batch():
    from ursa.workflow.training_run import unread_settings

    recipe = Recipe.of(micro_batch_size=4)
    unread_settings.refuse(recipe, timed=False, device="cpu")
    with pytest.raises(TrainingError, match="whole batch at a time"):
        unread_settings.refuse(recipe, timed=False, device="cuda")


def test_shares_of_parts_that_are_given_are_refused_and_of_the_others_read(tmp_path, picture_folder, monkeypatch):
    monkeypatch.setattr(workflow, "exported", not_exported)
    folder = picture_folder(tmp_path / "p", {"train/red": 8, "train/green": 8, "valid/red": 4, "valid/green": 4})
    problem = refused(folder, tmp_path, recipe={"valid": 0.3}, epochs=1)
    assert "where the data have a valid part of their own" in problem.what
    result = train(folder, backbone="pixels", recipe={"test": 0.25}, epochs=1, out=tmp_path / "m.ursa")
    assert result.pictures["test"]


def test_settings_are_shown_by_a_batch_alone(folder):
    with pytest.raises(TrainingError, match="by a batch of a folder"):
        show(folder, "classes", recipe={"rotate": 10})
    with pytest.raises(TrainingError, match="by a batch of a folder"):
        show(next(folder.glob("dark/*.png")), recipe={"rotate": 10})


# --- one value for one setting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "short", "found"),
    [
        ({"seed": 0}, {"seed": 7}, "seed=7, and seed=0 in the recipe"),
        (Recipe.of(seed=1), {"seed": 7}, "seed=7, and seed=1 in the recipe"),
        ({"optim.epochs": 2}, {"epochs": 3}, "epochs=3, and epochs=2 in the recipe"),
        ({"head_lr": 1e-2}, {"lr": 1e-3}, "lr=0.001, and head_lr=0.01 in the recipe"),
        (Recipe.of(body_lr=1e-2), {"lr": 2e-3}, "lr=0.002, and body_lr=0.01 in the recipe"),
    ],
)
def test_a_setting_that_is_given_twice_with_two_values_is_refused(recipe, short, found):
    with pytest.raises(TrainingError, match="given twice") as problem:
        recipe_from(recipe, **short)
    assert problem.value.found == found


def test_a_setting_that_is_given_twice_with_one_value_is_that_value():
    assert recipe_from({"seed": 7}, seed=7) == recipe_from(None, seed=7) == Recipe.of(seed=7)
    assert recipe_from(Recipe.of(epochs=2), epochs=2, seed=None) == Recipe.of(epochs=2)
    assert recipe_from(Recipe.of(epochs=2), seed=3) == Recipe.of(epochs=2, seed=3)


def test_lr_is_the_heads_and_the_body_keeps_its_proportion():
    recipe = recipe_from({"weight_decay": 0.1}, lr=2e-3)
    assert (recipe.optim.head_lr, recipe.optim.body_lr) == (2e-3, pytest.approx(6e-4))
    assert recipe.optim.weight_decay == 0.1


def test_the_same_seed_by_keyword_and_in_the_recipe_is_the_same_run(folder, tmp_path):
    one = check(folder, backbone="pixels", seed=5, workspace=tmp_path / "a").confusion
    two = check(folder, backbone="pixels", recipe={"seed": 5}, workspace=tmp_path / "b").confusion
    assert np.array_equal(one, two)


def test_the_table_of_settings_has_each_with_a_text():
    rows = settings_table()
    assert [row[0] for row in rows] == list(PLACES)
    assert all(all(row) for row in rows)
