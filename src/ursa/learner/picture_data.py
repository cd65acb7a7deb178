"""Pictures in folders or tables and a backbone (or a network of one's own) -> what a learner works on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from ursa import sandbox
from ursa.core import picture_file
from ursa.core.decoding.image import Pixels
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import needs_labels
from ursa.embed.extractor import Extractor
from ursa.embed.linear_heads import fitted_head
from ursa.embed.stored_probe import select
from ursa.errors import DataError
from ursa.learner.progress_table import ProgressTable
from ursa.prepared.setup import Clock, Data, Options, Prepared, catalog_of, prepared
from ursa.prepared.splitting import parted, probed
from ursa.recipe import Recipe
from ursa.training.batches.learner_data import LearnerData
from ursa.training.batches.splits import PictureSplit
from ursa.training.classifier import Classifier
from ursa.training.fine_tuning import fine_tune
from ursa.training.fit import Interrupted, Observer
from ursa.training.tasks.target_scaling import InUnits, standardized
from ursa.training.tasks.targets import Targets

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation of a colour: what pretrained bodies expect


@dataclass(frozen=True)
class Pictures:
    """A learner's pictures."""

    given: LearnerData
    model: nn.Module  # [N, S, S, 3] uint8 -> logits [N, K], or numbers [N, M]
    preparation: Preparation
    backbone: str  # its name; "" for a network of one's own
    findings: list[Finding]  # what is to be said of the parts


def pictures(data: Data, network: str | nn.Module, size: int, recipe: Recipe, options: Options) -> Pictures:
    """Scan, embed and split as `ursa.train` does; for several labels or numbers a picture too.

    With a backbone's name the model starts as a linear one on its features (which takes seconds): the probe where there
    is one class a picture. A network gets [N, 3, size, size], normalised by ImageNet's mean and deviation. Raises
    DataError as `ursa.train` does.
    """
    own = isinstance(network, nn.Module)
    backbone = "pixels" if own else str(network)
    catalog = needs_labels(catalog_of(data, options))
    ready = prepared(catalog, replace(options, backbone=backbone), Clock())
    parts, findings = parted(ready, recipe)
    learn, valid = parts.of_split("train"), parts.of_split("valid")
    preparation = Preparation(size) if own else ready.engine.about.preparation
    if isinstance(network, nn.Module):
        model: nn.Module = Extractor(network, *IMAGENET, size)
    else:
        model = _on_backbone(learn, parts, ready, recipe)
    targets = _targets(learn, parts.labels), _targets(valid, parts.labels)
    count = targets[0].shape[1] if targets[0].ndim > 1 else len(parts.labels)
    train, check = (
        PictureSplit(part, of_part, count, preparation, options.device)
        for part, of_part in zip((learn, valid), targets, strict=True)
    )
    read = Targets(parts.task, parts.labels.names, text=parts.task != "regression")
    return Pictures(LearnerData(train, check, None, read), model, preparation, "" if own else backbone, findings)


def fine_tuned(
    pictures: Pictures,
    recipe: Recipe,
    lr: float | None,
    shown: ProgressTable,
    *,
    observers: Sequence[Observer] = (),
    resume: bool = False,
    **running: Any,
) -> Finding | None:
    """From the probe by the measured recipe; the model gets the weights that are kept -> the verdict.

    rate: of the head, if it is to be another one. running: of `transfer.fine_tune`. None: Ctrl-C ended it, with
    checkpoints to go on from.
    """
    train, valid = pictures.given.train, pictures.given.valid
    assert isinstance(pictures.model, Classifier)
    assert isinstance(train, PictureSplit)
    assert isinstance(valid, PictureSplit)
    if lr is not None:
        recipe = recipe.with_settings({"head_lr": lr, "body_lr": lr * recipe.optim.body_lr / recipe.optim.head_lr})
    running |= {"observers": (*shown.observers, *observers), "progress": shown.progress, "resume": resume}
    try:
        batches = train.batches(recipe)
        running |= {"seed": recipe.seed, "settings": recipe.flat()}
        return fine_tune(pictures.model, batches, valid.views, valid.targets, recipe.optim, **running).verdict
    except Interrupted:
        return None
    finally:
        pictures.model.requires_grad_(True)


def views(x: Any, preparation: Preparation) -> torch.Tensor:
    """A file, pixels [h, w, 3] uint8, or a list of those -> what the model sees, [N, S, S, 3] uint8."""
    several = x if isinstance(x, list | tuple) else [x]
    made = preparation.blank(len(several))
    for view, one in zip(made, several, strict=True):
        preparation.view(_read(Path(one), preparation) if isinstance(one, str | Path) else one, view)
    return torch.from_numpy(made)


def _on_backbone(learn: Catalog, parts: Catalog, ready: Prepared, recipe: Recipe) -> nn.Module:
    """A linear head, fitted to the features of the pictures to learn from, on a backbone."""
    if parts.task == "single-label":
        head = probed(learn, parts.labels, ready, recipe).head
    else:
        targets = _targets(learn, parts.labels)
        known = standardized(targets) if parts.task == "regression" else targets
        head = fitted_head(select(learn, ready.embeddings).vectors, known, parts.task)
    model = Classifier.from_probe(ready.engine.backbone.load(), head, recipe.augment.tta).requires_grad_(True)
    model.extractor.body.to(memory_format=torch.channels_last)
    return InUnits(model, targets) if parts.task == "regression" else model


def _targets(part: Catalog, labels: Labels) -> npt.NDArray[Any]:
    """[N] classes, [N, K] labels or [N, M] numbers."""
    if part.task == "single-label":
        return part.targets(labels)
    return part.one_hot(labels) if part.task == "multi-label" else part.numbers()


def _read(file: Path, preparation: Preparation) -> Pixels:
    try:
        return sandbox.read(picture_file.read(file), preparation.size, preparation.side).pixels
    except DataError as problem:
        raise DataError(f"cannot read the picture {file}", found=str(problem).splitlines()[0]) from problem
