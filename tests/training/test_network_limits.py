"""Settings that a network has no use for are refused by name, and only where they were changed."""

import pytest
import torch
from torch import nn

from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training.network_limits import refuse_for_network


class Takes(nn.Module):
    """Pictures of at least so many pixels; as many layers below the head as wanted."""

    def __init__(self, least: int, body: int, error: type[Exception] = RuntimeError) -> None:
        super().__init__()
        self.least, self.error = least, error
        self.body = nn.Sequential(*(nn.Linear(3, 3) for _ in range(body)))
        self.head = nn.Linear(3, 2)

    def forward(self, pictures):
        if pictures.shape[1] < self.least:
            raise self.error("too small")
        return self.head(self.body(pictures.float().mean((1, 2))))


DEEP, FLAT = Takes(0, 4), Takes(0, 1)


@pytest.mark.parametrize("setting", [{"layer_decay": 0.3}, {"gradual_unfreezing": 0.5}, {"body_lr": 1e-4}])
def test_settings_of_layers_need_layers_below_the_head(setting):
    recipe = Recipe.of(**setting)
    refuse_for_network(recipe, DEEP, 32)
    with pytest.raises(TrainingError, match="nothing below its head") as told:
        refuse_for_network(recipe, Takes(0, 0), 32)
    assert told.value.found.startswith("optim.")
    refuse_for_network(Recipe(), Takes(0, 0), 32)  # what nobody changed is no offence


def test_one_group_below_the_head_has_no_decay_from_group_to_group():
    with pytest.raises(TrainingError, match="one group of layers"):
        refuse_for_network(Recipe.of(layer_decay=0.3), FLAT, 32)
    refuse_for_network(Recipe.of(gradual_unfreezing=0.5), FLAT, 32)


@pytest.mark.parametrize("error", [RuntimeError, AssertionError, ValueError])
def test_smaller_pictures_have_to_be_ones_that_the_network_takes(error):
    recipe = Recipe.of(progressive_resizing=0.5)
    refuse_for_network(recipe, Takes(32, 4), 32)
    with pytest.raises(TrainingError, match="takes no pictures of 32 px"):
        refuse_for_network(recipe, Takes(64, 4, error), 32)
    refuse_for_network(Recipe(), Takes(64, 4, error), 32)


def test_another_error_of_the_network_is_its_own_and_looking_leaves_no_trace():
    with pytest.raises(KeyError):
        refuse_for_network(Recipe.of(progressive_resizing=0.5), Takes(64, 4, KeyError), 32)
    normed = nn.Sequential(nn.Flatten(), nn.Linear(4 * 4 * 3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()

    class Floats(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = normed

        def forward(self, pictures):
            return self.inside(pictures.float())

    before = {name: value.clone() for name, value in normed.state_dict().items()}
    refuse_for_network(Recipe.of(progressive_resizing=0.5), Floats(), 4)
    assert all(torch.equal(value, before[name]) for name, value in normed.state_dict().items())
