"""Parameter groups of the classifier, recipe."""

import dataclasses
import math

import pytest
from torch import nn

from ursa.embed.bodies import of_pixels
from ursa.embed.extractor import Extractor
from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training.layer_rates import adamw
from ursa.training.models import Classifier


def model_with(body):
    return Classifier(Extractor(body, (0.5,) * 3, (0.5,) * 3, 64), features=8, classes=3)


BODY = nn.Sequential(*(layer for _ in range(6) for layer in (nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.ReLU())))


@pytest.mark.parametrize("body", [BODY, of_pixels()[0], nn.Flatten()], ids=["deep", "one parameter", "none"])
def test_every_parameter_is_in_exactly_one_group(body):
    model = model_with(body)
    grouped = [id(p) for group in adamw(model, Recipe()).param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())


def test_biases_and_norms_do_not_decay_and_rates_fall_towards_the_input():
    recipe = Recipe(body_rate=1e-4, head_rate=1e-3, layer_decay=2.0)
    groups = adamw(model_with(BODY), recipe).param_groups
    for group in groups:
        assert all((p.ndim >= 2) == (group["weight_decay"] > 0) for p in group["params"])
    rates = sorted({group["peak"] for group in groups})
    assert rates == pytest.approx([2.5e-5, 5e-5, 1e-4, 1e-3])
    assert groups[0]["peak"] == rates[0]


def test_a_recipe_is_frozen_and_changed_by_name():
    recipe = Recipe().with_settings(["epochs=7", "flip=0"])
    assert (recipe.epochs, recipe.flip, recipe.seed) == (7, 0.0, 0)
    assert Recipe().with_settings({"epochs": 7, "flip": 0.0}) == recipe
    assert Recipe(flip=0, zoom=1).with_settings(["flip=0.3", "border=reflect"]) == Recipe(
        flip=0.3, zoom=1.0, border="reflect"
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["epoch=3"], "did you mean 'epochs'"),
        (["epochs=many"], "whole number"),
        (["epochs"], "NAME=VALUE"),
        (["epochs=-1"], "out of range"),
        ([f"head_rate={math.nan}"], "out of range"),
        (["flip=1.5"], "out of range"),
        (["border=mirror"], "one of grey, reflect"),
        (["warp=0.9"], "a number from 0 to 0.5"),
    ],
)
def test_a_wrong_setting_says_what_to_do(settings, said):
    with pytest.raises(TrainingError) as problem:
        Recipe().with_settings(settings)
    assert said in str(problem.value)
