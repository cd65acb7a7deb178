"""What a learner is told -> recipe, loss, optimizer, precision, network: every form that is taken, and what is not."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ursa.errors import TrainingError
from ursa.learner import learner_recipe
from ursa.learner.learner_recipe import (
    SCRATCH,
    Use,
    loss_of,
    network_of,
    optimizer_of,
    precision_of,
    recipe_of,
    refuse_unread,
)
from ursa.recipe import Recipe
from ursa.training.batches.learner_data import read_data
from ursa.training.tasks import losses
from ursa.training.tasks.targets import Targets

X = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
CLASSES = np.arange(24) % 3
OUTPUTS = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))


def data_of(y, **options):
    return read_data(((X, y), (X, y)), **options)


# --- recipes ---------------------------------------------------------------------------------------------------------


def test_settings_differ_from_the_usual_recipe_and_a_whole_one_is_taken_as_it_is():
    found = recipe_of({"batch_size": 7}, SCRATCH, None)
    assert found == SCRATCH.with_settings({"batch_size": 7})
    whole = Recipe.of(epochs=3)
    assert recipe_of(whole, SCRATCH, None) is whole
    assert recipe_of(None, SCRATCH, None) == SCRATCH
    assert recipe_of({}, SCRATCH, 5) == SCRATCH.with_settings({"seed": 5})


@pytest.mark.parametrize(
    ("wanted", "seed", "found"),
    [({"seed": 3}, None, 3), ({"seed": 3}, 3, 3), (None, 0, 0), ({"seed": 0}, 4, 4), (None, 4, 4)],
)
def test_there_is_one_seed(wanted, seed, found):
    assert recipe_of(wanted, SCRATCH, seed).seed == found


@pytest.mark.parametrize("seed", [0, 4])
def test_two_seeds_are_one_too_many(seed):
    with pytest.raises(TrainingError, match="two seeds") as told:
        recipe_of({"seed": 3}, SCRATCH, seed)
    assert told.value.found == f"seed={seed}, in the recipe 3"


@pytest.mark.parametrize("wanted", [3, "epochs=3", [("epochs", 3)], Recipe])
def test_what_is_no_recipe_is_refused(wanted):
    with pytest.raises(TrainingError, match="no recipe"):
        recipe_of(wanted, SCRATCH, None)


USE = Use(True, False, True, False, Targets("single-label", ("a", "b")), False, False)
UNREAD = [
    ({"optim.epochs": 9}, {}, "fit(epochs)"),
    ({"augment.rotate": 9.0}, {"pictures": False}, "pictures in folders"),
    ({"split.test": 0.1}, {"pictures": False}, "pictures in folders"),
    ({"optim.oversample": True}, {"pictures": False}, "class_weights"),
    ({"optim.class_weights": True}, {"dataset": True}, "losses.weighted"),
    ({"split.valid": 0.3}, {"has_valid": True}, "leave one of both out"),
    ({"optim.head_lr": 0.1}, {"backbone": False}, "fit(epochs, lr=...)"),
    ({"optim.body_lr": 0.1}, {"backbone": False}, "fit(epochs, lr=...)"),
    ({"probe.folds": 3}, {"backbone": False}, "ursa.check"),
    ({"probe.folds": 3}, {"targets": Targets("regression")}, "ursa.check"),
    ({"optim.weight_decay": 0.5}, {"own_optimizer": True}, "by name"),
    ({"optim.label_smoothing": 0.3}, {"own_loss": True}, "losses.smoothed"),
    ({"optim.class_weights": True}, {"own_loss": True}, "losses.weighted"),
    ({"optim.label_smoothing": 0.3}, {"targets": Targets("regression")}, "one class an example"),
    ({"optim.label_smoothing": 0.3}, {"targets": Targets("multi-label", ("a",))}, "one class an example"),
]


@pytest.mark.parametrize(("setting", "use", "fix"), UNREAD)
def test_a_setting_is_refused_where_nothing_reads_it_and_nowhere_else(setting, use, fix):
    recipe = Recipe().with_settings(setting)
    with pytest.raises(TrainingError, match="has no meaning") as told:
        refuse_unread(recipe, replace(USE, **use))
    (name, value), *_ = setting.items()
    assert told.value.found == f"{name}={value}" and fix in told.value.fix
    if name != "optim.epochs":  # which nothing in a recipe of a learner reads
        refuse_unread(recipe, USE)
    for usual in (Recipe(), SCRATCH):  # what nobody changed is no offence, whichever recipe it began from
        refuse_unread(usual, replace(USE, **use))


def test_one_output_of_classes_among_several_reads_label_smoothing():
    several = Targets.measured({"kind": ["a", "b"], "age": [0.5, 1.5]})
    recipe = Recipe.of(label_smoothing=0.3)
    refuse_unread(recipe, replace(USE, targets=several))
    with pytest.raises(TrainingError):
        refuse_unread(recipe, replace(USE, targets=Targets.measured({"age": [0.5, 1.5]})))


# --- losses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "cross_entropy"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_usual_loss_and_its_name_are_smoothed_as_the_recipe_says(name, smoothing):
    found = loss_of(name, data_of(CLASSES), SCRATCH.with_settings({"label_smoothing": smoothing}))
    y = torch.from_numpy(CLASSES)
    assert torch.equal(found(OUTPUTS, y), F.cross_entropy(OUTPUTS, y, label_smoothing=smoothing))


@pytest.mark.parametrize("name", [None, "cross_entropy"])
def test_rare_classes_weigh_more_where_the_recipe_says_so(name):
    y = np.array([0] * 16 + [1] * 6 + [2] * 2)
    found = loss_of(name, data_of(y), SCRATCH.with_settings({"class_weights": True}))
    each = F.cross_entropy(OUTPUTS, torch.from_numpy(y), reduction="none")
    torch.testing.assert_close(
        found(OUTPUTS, torch.from_numpy(y)), (each[:16].mean() + each[16:22].mean() + each[22:].mean()) / 3
    )


@pytest.mark.parametrize("standardize", [True, False])
def test_a_loss_of_numbers_by_name_is_that_of_standardized_targets(standardize):
    y = X[:, 0] * 100
    found = loss_of("mae", data_of(y, standardize=standardize), SCRATCH)
    scaled = (torch.from_numpy(y) - y.mean()) / y.std() if standardize else torch.from_numpy(y)
    torch.testing.assert_close(found(OUTPUTS[:, 0], torch.from_numpy(y)), (OUTPUTS[:, 0] - scaled).abs().mean())


def test_a_loss_of_ones_own_is_taken_as_it_is():
    for own in (nn.CrossEntropyLoss(), losses.smoothed(0.3), lambda o, t: o.sum() * len(t)):
        assert loss_of(own, data_of(CLASSES), SCRATCH) is own


@pytest.mark.parametrize(
    ("loss", "y", "settings", "says"),
    [
        (nn.MSELoss, CLASSES, {}, "this is no loss"),
        (3, CLASSES, {}, "this is no loss"),
        ("mse_loss", CLASSES, {}, "there is no loss"),
        (None, np.arange(48).reshape(24, 2), {}, "no usual loss"),
        (None, np.eye(3)[CLASSES], {}, "one-hot"),
        (None, X[:, 0], {"class_weights": True}, "classes are weighed"),
        (None, CLASSES, {"oversample": True}, "only pictures of single classes"),
    ],
)
def test_a_loss_that_cannot_be_is_refused(loss, y, settings, says):
    with pytest.raises(TrainingError, match=says):
        loss_of(loss, data_of(y), SCRATCH.with_settings(settings))


def test_columns_of_which_some_rows_have_two_or_none_are_labels():
    labels = np.eye(3)[CLASSES]
    labels[0] = 0
    assert loss_of(None, data_of(labels), SCRATCH) is losses.binary_cross_entropy
    assert loss_of("binary_cross_entropy", data_of(np.eye(3)[CLASSES]), SCRATCH) is losses.binary_cross_entropy


# --- optimizer, precision, network -----------------------------------------------------------------------------------


def test_an_optimizer_is_a_name_a_class_or_a_function():
    own = functools.partial(torch.optim.SGD, momentum=0.5)
    assert [optimizer_of(each) for each in ("sgd", torch.optim.NAdam, own)] == ["sgd", torch.optim.NAdam, own]
    with pytest.raises(TrainingError, match="no optimizer 'sdg'") as told:
        optimizer_of("sdg")
    assert "did you mean 'sgd'" in told.value.fix
    with pytest.raises(TrainingError, match="makes its own") as told:
        optimizer_of(torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1))
    assert "torch.optim.SGD" in told.value.fix
    for wrong in (None, 3):
        with pytest.raises(TrainingError, match="this is no optimizer"):
            optimizer_of(wrong)


@pytest.mark.parametrize(
    ("name", "device", "found"),
    [("fp32", "cpu", torch.float32), ("bf16", "cpu", torch.bfloat16), ("fp16", "cuda:1", torch.float16)],
)
def test_a_precision_is_a_type_of_numbers(name, device, found):
    assert precision_of(name, device) is found


@pytest.mark.parametrize(
    ("name", "device", "says"), [("fp64", "cpu", "no such precision"), ("fp16", "cpu:0", "accelerators")]
)
def test_a_precision_that_there_is_not_is_refused(name, device, says):
    with pytest.raises(TrainingError, match=says):
        precision_of(name, device)


def test_a_network_is_taken_as_it_is_and_a_name_only_for_pictures():
    layer = nn.Linear(1, 1)
    assert network_of(layer, pictures=True, default="x") is layer is network_of(layer, pictures=False, default="x")
    assert network_of("resnet18", pictures=True, default="x") == "resnet18"
    assert network_of(None, pictures=True, default="x") == "x"
    for model, says in (("resnet18", "need a network"), (None, "no model"), (3, "need a network")):
        with pytest.raises(TrainingError) as told:
            network_of(model, pictures=False, default="x")
        assert says in str(told.value)


def built():
    return nn.Linear(1, 1)


@pytest.mark.parametrize(("model", "fix"), [(nn.Linear, "Linear(...)"), (built, "built()"), (lambda: 0, "<lambda>()")])
@pytest.mark.parametrize("pictures", [True, False])
def test_what_builds_a_network_is_not_one_yet(model, fix, pictures):
    with pytest.raises(TrainingError, match="a network is given, not") as told:
        network_of(model, pictures=pictures, default="x")
    assert told.value.fix == fix


def test_progressive_resizing_needs_pictures_that_can_be_smaller():
    """Two thirds of 32 pixels, a multiple of 32, are 32 again."""
    from ursa.core.prepare import Preparation
    from ursa.learner.picture_data import PictureInputs

    recipe = Recipe.of(progressive_resizing=0.5)
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.Linear(4, 2))
    inputs = PictureInputs(Preparation(32), *([None] * (len(PictureInputs.__dataclass_fields__) - 1)))
    with pytest.raises(TrainingError, match="for pictures of 32 pixels") as told:
        learner_recipe.refuse_unread_by_network(recipe, network, inputs)
    assert told.value.fix == "larger pictures: size="
