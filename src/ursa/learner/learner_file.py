"""A learner <-> one safetensors file: network, recipe, and how inputs and targets are read. No pickle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ursa import models
from ursa.embed.backbone import Backbone
from ursa.errors import TrainingError
from ursa.learner.picture_data import PictureInputs
from ursa.recipe import Recipe
from ursa.training.batches.inputs import InputScaling
from ursa.training.batches.learner_data import ArrayInputs, DatasetInputs, InputReader, LearnerData
from ursa.training.batches.splits import ArraySplit
from ursa.training.classifier import Classifier, PictureNetwork
from ursa.training.tasks.losses import Loss
from ursa.training.tasks.targets import Targets

KEY = "learner"
FORMAT = 3
EPOCHS = 2000  # of the history, at most


@dataclass(frozen=True)
class SavedLearner:
    """What a file says of a learner, beside its network."""

    recipe: Recipe
    optimizer: str | None  # None: a function of the user's
    loss: str | None  # "": the usual one; None: a function of the user's
    metrics: tuple[str, ...] | None  # None: functions of the user's are among them, or `usual_metrics`
    usual_metrics: bool  # of the task
    data: LearnerData  # without examples
    backbone: str
    fits: int
    epochs: list[dict[str, float]]  # of its history
    kept: int  # epoch whose weights the network has


def save(
    path: Path,
    model: nn.Module,
    data: LearnerData,
    recipe: Recipe,
    *,
    optimizer: Any,
    loss: str | Loss | None,
    metrics: Sequence[Any] | None,
    backbone: str,
    fits: int,
    epochs: list[dict[str, float]],
    kept: int,
) -> Path:
    """Raises DataError where the file cannot be written."""
    named = [metric for metric in metrics or () if isinstance(metric, str)]
    document: dict[str, Any] = {
        "format": FORMAT,
        "recipe": recipe.to_json(),
        "optimizer": optimizer if isinstance(optimizer, str) else None,
        "loss": "" if loss is None else loss if isinstance(loss, str) else None,
        "metrics": named if len(named) == len(metrics or ()) else None,
        "usual_metrics": metrics is None,
        "inputs": data.inputs.to_json(),
        "targets": data.targets.to_json(),
        "network": _network(model, backbone),
        "fits": fits,
        "epochs": epochs[-EPOCHS:],
        "kept": kept,
    }
    inside = model.extractor.body if isinstance(model, PictureNetwork) else model
    models.save(inside, path, **{KEY: document})
    return path


def read(path: Path) -> SavedLearner:
    """What a file says of its learner. Raises TrainingError for one that holds none."""
    document = _document(path)
    inputs, targets = _inputs(document["inputs"]), Targets.from_json(document["targets"])
    count = len(inputs.scaling.scalings) if isinstance(inputs, ArrayInputs) else 1
    nothing = ArraySplit(tuple(torch.empty(0) for _ in range(count)), torch.empty(0))
    return SavedLearner(
        recipe=Recipe.from_json(document["recipe"]),
        optimizer=document["optimizer"],
        loss=document["loss"],
        metrics=None if document["metrics"] is None else tuple(document["metrics"]),
        usual_metrics=document["usual_metrics"],
        data=LearnerData(nothing, nothing, inputs, targets),
        backbone=str(document["network"].get("backbone", "")),
        fits=int(document["fits"]),
        epochs=list(document["epochs"]),
        kept=int(document["kept"]),
    )


def network(path: Path, model: nn.Module | None, allow: str | None) -> nn.Module:
    """The network of a learner's file, with its weights. model, allow: as of `ursa.models.load`."""
    about = _document(path)["network"]
    if about["kind"] == "backbone":
        extractor = Backbone(about["backbone"]).load(pretrained=False)
        whole = Classifier(extractor, about["features"], about["outputs"], about["views"])
        models.load(path, model=whole)
        whole.extractor.body.to(memory_format=torch.channels_last)
        return whole.requires_grad_(True)
    inside = models.load(path, model=model, allow=allow)
    return PictureNetwork(inside, about["size"], about["views"]) if about["kind"] == "pictures" else inside


def load_weights(path: Path, model: nn.Module) -> None:
    """A saved learner's weights into a network of the same form. Raises TrainingError for those of another."""
    models.load(path, model=model.extractor.body if isinstance(model, PictureNetwork) else model)


def _network(model: nn.Module, backbone: str) -> dict[str, Any]:
    """How the network is built around what `models.save` knows."""
    if isinstance(model, PictureNetwork):
        return {"kind": "pictures", "size": model.extractor.size, "views": model.views}
    if backbone and isinstance(model, Classifier):
        features, outputs = model.head.in_features, model.head.out_features
        return {
            "kind": "backbone",
            "backbone": backbone,
            "features": features,
            "outputs": outputs,
            "views": model.views,
        }
    return {"kind": "plain"}


def _inputs(document: Mapping[str, Any]) -> InputReader:
    if document["kind"] == "pictures":
        return PictureInputs.from_json(document)
    return ArrayInputs(InputScaling.from_json(document)) if document["kind"] == "arrays" else DatasetInputs()


def _document(path: Path) -> dict[str, Any]:
    document = models.describe(path).extra.get(KEY)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        fix = "ursa.models.load reads networks, ursa.load learners and bundles"
        raise TrainingError(f"{path} holds no learner that this Ursa knows", fix=fix)
    return document
