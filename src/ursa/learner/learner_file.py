"""A learner <-> one safetensors file: network, recipe, and how inputs and targets are read. No pickle."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.learner.learner import Learner
from ursa.recipe import Recipe
from ursa.training.batches.inputs import Inputs
from ursa.training.batches.learner_data import LearnerData, read_data
from ursa.training.batches.splits import ArraySplit
from ursa.training.tasks.targets import Targets

if TYPE_CHECKING:
    from torch import Tensor

KEY = "learner"
FORMAT = 2


def save(learner: Learner, path: Path) -> Path:
    """Raises DataError where the file cannot be written."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "recipe": learner.recipe.to_json(),
        "optimizer": learner.optimizer if isinstance(learner.optimizer, str) else None,
        "inputs": None if learner.given.inputs is None else learner.given.inputs.to_json(),
        "targets": learner.given.targets.to_json(),
        "pictures": learner.pictures is not None,
    }
    models.save(learner.model, path, **{KEY: document})
    return path


def load_learner(
    path: str | Path, data: Any = None, *, model: nn.Module | None = None, allow: str | None = None, **settings: Any
) -> Learner:
    """A saved learner, on this machine or another: it predicts, evaluates what it is given, and exports.

    data: to train on with it. A network of your own is given as `model`, or by the import path of its class that you
    `allow`. settings: as for Learner; a loss and metrics of your own are given again. Raises TrainingError for a file
    that is damaged, holds no learner, or another network.
    """
    document = models.describe(path).extra.get(KEY)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        fix = "ursa.models.load reads networks, ursa.load bundles"
        raise TrainingError(f"{path} holds no learner that this Ursa knows", fix=fix)
    if document["pictures"]:
        fix = "export it as a bundle and use ursa.load; or learner.load(path) in a learner of the same backbone"
        raise TrainingError("a learner of picture folders is not loaded by itself", found=str(path), fix=fix)
    network = models.load(path, model=model, allow=allow)
    recipe = Recipe.from_json(document["recipe"])
    settings = {"recipe": recipe, "optimizer": document["optimizer"] or "adamw", **settings}
    targets = Targets.from_json(document["targets"])
    inputs = None if document["inputs"] is None else Inputs.from_json(document["inputs"])
    known = LearnerData(_nothing(inputs), _nothing(inputs), inputs, targets)
    if data is not None:
        known = read_data(
            data, valid=recipe.split.valid, seed=recipe.seed, device=settings.get("device") or "cpu", like=known
        )
    return Learner(known, network, **settings)


def _nothing(inputs: Inputs | None) -> ArraySplit:
    empty: tuple[Tensor, ...] = tuple(torch.empty(0) for _ in (inputs.scalings if inputs is not None else (0,)))
    return ArraySplit(empty, torch.empty(0))
