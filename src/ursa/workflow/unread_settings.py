"""Settings that a run would not read are refused, with the place where they would mean something."""

from typing import TYPE_CHECKING

from ursa.data.catalog import Catalog
from ursa.recipe import PLACES, Recipe

if TYPE_CHECKING:
    from torch import nn

SPLITS = {"valid": "valid", "test": "test", "train-dev": "train_dev"}  # part -> setting


def refuse(recipe: Recipe, *, timed: bool, device: str) -> None:
    """What can be told before the pictures are looked at. timed: with a limit of time.

    Raises TrainingError for a setting that was changed and would not be read.
    """
    if timed:
        recipe.refuse(["optim.epochs"], "with a limit of time, which chooses the epochs", "either epochs or minutes")
    if not recipe.optim.epochs:
        groups = ("optim.", "augment.")
        unread = [name for name in PLACES if name.startswith(groups) and name not in ("optim.epochs", "augment.tta")]
        recipe.refuse(unread, "without fine-tuning", "epochs=1 or more")
    if recipe.optim.epochs == 1 and not timed:
        recipe.refuse(["augment.progressive_resizing"], "in a run of one epoch", "epochs=2 or more")
    if not device.startswith("cpu"):
        why = "on an accelerator, which takes a whole batch at a time"
        recipe.refuse(["optim.micro_batch_size"], why, "a smaller batch_size, or device cpu")


def refuse_given_splits(recipe: Recipe, catalog: Catalog) -> None:
    """Shares of parts that the folders or the table give themselves."""
    for part, name in SPLITS.items():
        if (catalog.rows["split"] == part).any():
            why, fix = f"where the data have a {part} part of their own", "leave it out, or take that part away"
            recipe.refuse([f"split.{name}"], why, fix)


def refuse_for_network(recipe: Recipe, model: "nn.Module", small: int) -> None:
    """Learning rates of layers that the network has not, and pictures smaller than it takes. small: pixels."""
    from ursa.models.groups import parameter_groups

    body = [group for group in parameter_groups(model)[:-1] if group]
    if not body:
        below = ["optim.body_lr", "optim.layer_decay", "optim.gradual_unfreezing"]
        recipe.refuse(below, "where the backbone has nothing to learn", "another backbone")
    if len(body) < 2:
        why = "where the backbone has one group of layers"
        recipe.refuse(["optim.layer_decay"], why, "body_lr, or another backbone")
    if recipe.augment.progressive_resizing and not _takes(model, small):
        why = f"where the backbone takes no pictures of {small} px"
        recipe.refuse(["augment.progressive_resizing"], why, "progressive_resizing=0, or another backbone")


def _takes(model: "nn.Module", size: int) -> bool:
    import torch

    try:
        with torch.inference_mode():
            model(torch.zeros(1, size, size, 3, dtype=torch.uint8, device=next(model.parameters()).device))
    except (RuntimeError, AssertionError, ValueError):  # how networks refuse a size that they were not made for
        return False
    return True
