"""Parameter groups of the classifier, recipe."""

import dataclasses
import math

import pytest
from torch import nn

from ursa.embed.extractor import Extractor
from ursa.embed.pretrained.bodies import of_pixels
from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training.classifier import Classifier
from ursa.training.optim.layer_lrs import adamw


def model_with(body):
    return Classifier(Extractor(body, (0.5,) * 3, (0.5,) * 3, 64), features=8, classes=3)


BODY = nn.Sequential(*(layer for _ in range(6) for layer in (nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.ReLU())))


@pytest.mark.parametrize("body", [BODY, of_pixels()[0], nn.Flatten()], ids=["deep", "one parameter", "none"])
def test_every_parameter_is_in_exactly_one_group(body):
    model = model_with(body)
    grouped = [id(p) for group in adamw(model, 1e-3, 3e-4, 0.385, 0.01).param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())


def test_biases_and_norms_do_not_decay_and_rates_fall_towards_the_input():
    groups = adamw(model_with(BODY), head_lr=1e-3, body_lr=1e-4, layer_decay=0.5, weight_decay=0.01).param_groups
    for group in groups:
        assert all((p.ndim >= 2) == (group["weight_decay"] > 0) for p in group["params"])
    lrs = sorted({group["max_lr"] for group in groups})
    assert lrs == pytest.approx([2.5e-5, 5e-5, 1e-4, 1e-3])
    assert groups[0]["max_lr"] == lrs[0]


def test_a_recipe_is_frozen_and_changed_by_name():
    recipe = Recipe().with_settings(["epochs=7", "hflip=0"])
    assert (recipe.optim.epochs, recipe.augment.hflip, recipe.seed) == (7, 0.0, 0)
    assert Recipe().with_settings({"epochs": 7, "hflip": 0.0}) == recipe
    assert Recipe.of(hflip=0, min_scale=1).with_settings(["hflip=0.3", "padding_mode=reflect"]) == Recipe.of(
        hflip=0.3, min_scale=1.0, padding_mode="reflect"
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.optim.epochs = 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["epoch=3"], "did you mean 'epochs'"),
        (["epochs=many"], "whole number"),
        (["epochs"], "NAME=VALUE"),
        (["epochs=-1"], "out of range"),
        ([f"head_lr={math.nan}"], "out of range"),
        (["hflip=1.5"], "out of range"),
        (["padding_mode=mirror"], "one of constant, reflect"),
        (["perspective=0.9"], "a number from 0 to 0.5"),
    ],
)
def test_a_wrong_setting_says_what_to_do(settings, said):
    with pytest.raises(TrainingError) as problem:
        Recipe().with_settings(settings)
    assert said in str(problem.value)
