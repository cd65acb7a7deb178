"""Settings that a run would not read are refused, with the place where they would mean something."""

from ursa.data.catalog import Catalog
from ursa.recipe import PLACES, Recipe

SPLITS = {"valid": "valid", "test": "test", "train-dev": "train_dev"}  # part -> setting


def refuse(recipe: Recipe, *, timed: bool, device: str, usual: Recipe | None = None) -> None:
    """What can be told before the pictures are looked at. timed: with a limit of time; usual: what counts as unchanged.

    Raises TrainingError for a setting that was changed and would not be read.
    """
    if timed:
        why = "with a limit of time, which chooses the epochs"
        recipe.refuse(["optim.epochs"], why, "either epochs or minutes", usual)
    if not recipe.optim.epochs:
        groups = ("optim.", "augment.")
        unread = [name for name in PLACES if name.startswith(groups) and name not in ("optim.epochs", "augment.tta")]
        recipe.refuse(unread, "without fine-tuning", "epochs=1 or more", usual)
    if recipe.optim.epochs == 1 and not timed:
        recipe.refuse(["augment.progressive_resizing"], "in a run of one epoch", "epochs=2 or more")
    if not device.startswith("cpu"):
        why = "on an accelerator, which takes a whole batch at a time"
        recipe.refuse(["optim.micro_batch_size"], why, "a smaller batch_size, or device cpu", usual)


def refuse_given_splits(recipe: Recipe, catalog: Catalog) -> None:
    """Shares of parts that the folders or the table give themselves."""
    for part, name in SPLITS.items():
        if (catalog.rows["split"] == part).any():
            why, fix = f"where the data have a {part} part of their own", "leave it out, or take that part away"
            recipe.refuse([f"split.{name}"], why, fix)
