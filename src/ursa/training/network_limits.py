"""Settings that a network gives no meaning to: learning rates of layers it has not, pictures smaller than it takes."""

import torch
from torch import nn

from ursa.models.groups import parameter_groups
from ursa.recipe import Recipe


def refuse_for_network(recipe: Recipe, model: nn.Module, small: int) -> None:
    """Raises TrainingError for a setting that was changed and would change nothing, or end in an error of the network.

    small: pixels of the pictures of the first epochs, with `progressive_resizing`.
    """
    body = [group for group in parameter_groups(model)[:-1] if group]
    if not body:
        below = ["optim.body_lr", "optim.layer_decay", "optim.gradual_unfreezing"]
        recipe.refuse(below, "where the network has nothing below its head to learn", "another network")
    if len(body) < 2:
        why = "where the network has one group of layers below its head"
        recipe.refuse(["optim.layer_decay"], why, "another network")
    if recipe.augment.progressive_resizing and not _takes(model, small):
        why = f"where the network takes no pictures of {small} px"
        recipe.refuse(["augment.progressive_resizing"], why, "progressive_resizing=0, or another network")


def _takes(model: nn.Module, size: int) -> bool:
    try:
        with torch.inference_mode():
            model(torch.zeros(1, size, size, 3, dtype=torch.uint8, device=next(model.parameters()).device))
    except (RuntimeError, AssertionError, ValueError):  # how networks refuse a size that they were not made for
        return False
    return True
