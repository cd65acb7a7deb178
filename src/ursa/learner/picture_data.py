"""Pictures in folders or tables, and a backbone or a custom network -> what a learner begins with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ursa import sandbox
from ursa.core import picture_file
from ursa.core.decoding.image import Pixels
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.data import scanning
from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import needs_labels
from ursa.embed.linear_heads import fitted_head
from ursa.embed.stored_probe import select
from ursa.errors import DataError
from ursa.prepared.setup import Clock, Data, Prepared, Setup, catalog_of, prepared
from ursa.prepared.splitting import parted, probed
from ursa.recipe import Recipe
from ursa.training.batches.learner_data import LearnerData
from ursa.training.batches.splits import ArraySplit, PictureSplit, Split
from ursa.training.classifier import Classifier, PictureNetwork
from ursa.training.tasks.target_scaling import TargetScaling
from ursa.training.tasks.targets import Targets

SIZE = 224  # pixels, both sides of the pictures that a custom network gets, where nothing else is said


@dataclass(frozen=True)
class ModelAndData:
    """A network and the data that it was made for."""

    model: nn.Module
    data: LearnerData
    backbone: str = ""  # the name of a pretrained one; "" for a network from scratch
    findings: tuple[Finding, ...] = ()  # what is to be said of the splits


@dataclass(frozen=True)
class PictureInputs:
    """Files or pixels -> what the network sees of them."""

    preparation: Preparation

    def read(self, x: Any) -> tuple[Tensor, ...]:
        """A file, pixels [h, w, 3] uint8, or a list of those -> ([N, S, S, 3] uint8,)."""
        several = x if isinstance(x, list | tuple) else [x]
        views = self.preparation.blank(len(several))
        for view, one in zip(views, several, strict=True):
            pixels = _read(Path(one), self.preparation) if isinstance(one, str | Path) else one
            self.preparation.view(pixels, view)
        return (torch.from_numpy(views),)

    def unlabeled(self, x: Any, device: str) -> Split:
        """To be predicted: as `read`, or a folder, a table or a catalog, of which the readable pictures."""
        if not isinstance(x, Catalog) and not (isinstance(x, str | Path) and Path(x).is_dir()):
            return ArraySplit(self.read(x), torch.empty(0)).to(device)
        catalog = scanning.scanned(catalog_of(x, Setup.of()), preparation=self.preparation).readable()
        _check_not_empty(catalog, x)
        return PictureSplit(catalog, np.zeros(len(catalog), np.int64), 1, self.preparation, device)

    def split(self, data: Any, targets: Targets, device: str) -> Split:
        """To be evaluated: the labeled, readable pictures of a folder, a table or a catalog."""
        if not isinstance(data, str | Path | Catalog):
            fix = "a folder of pictures, a table or an ursa.Catalog"
            raise DataError("a learner of pictures evaluates pictures", found=type(data).__name__, fix=fix)
        catalog = needs_labels(catalog_of(data, Setup.of()))
        if catalog.task != targets.task:
            raise DataError(f"these pictures have labels for {catalog.task}", fix=f"labels for {targets.task}")
        usable = scanning.scanned(catalog, preparation=self.preparation).usable()
        _check_not_empty(usable, data)
        labels = Labels(targets.names)
        known = targets_of(usable, labels)
        return PictureSplit(usable, known, _count(known, labels), self.preparation, device)

    def pixels(self, ready: tuple[Tensor, ...]) -> npt.NDArray[np.uint8]:
        """[N, S, S, 3]."""
        return ready[0].cpu().numpy()

    def to_json(self) -> dict[str, Any]:
        """For a saved learner."""
        return {"kind": "pictures", "preparation": self.preparation.to_json()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "PictureInputs":
        """What `to_json` gave."""
        return cls(Preparation(**document["preparation"]))


def of_pictures(
    data: Data, network: str | nn.Module, size: int, recipe: Recipe, setup: Setup, *, like: LearnerData | None
) -> ModelAndData:
    """Scan, embed and split as `ursa.train` does; for several labels or numbers a picture too.

    With a backbone's name the model starts as a linear one on its features (which takes seconds): the probe where there
    is one class a picture. A network gets [N, 3, size, size], normalized by ImageNet's mean and standard deviation.
    like: the network is a whole one already, and classes and preparation are those it learned from. Raises DataError as
    `ursa.train` does.
    """
    catalog = needs_labels(catalog_of(data, setup))
    ready = prepared(catalog, setup, Clock())
    parts, findings = parted(ready, recipe)
    learn, valid = parts.of_split("train"), parts.of_split("valid")
    labels = parts.labels if like is None else Labels(like.targets.names)
    numbers = targets_of(learn, labels), targets_of(valid, labels)
    targets = _targets(parts, numbers[0]) if like is None else like.targets
    model: nn.Module
    if isinstance(network, str):
        model, preparation = _on_backbone(learn, labels, targets, ready, recipe), ready.engine.about.preparation
    elif like is not None and isinstance(like.inputs, PictureInputs):
        model, preparation = network, like.inputs.preparation
    else:
        model, preparation = PictureNetwork(network, size, recipe.augment.tta), Preparation(size)
    count = _count(numbers[0], labels)
    train, check = (
        PictureSplit(part, known, count, preparation, setup.device)
        for part, known in zip((learn, valid), numbers, strict=True)
    )
    read = LearnerData(train, check, PictureInputs(preparation), targets)
    return ModelAndData(model, read, network if isinstance(network, str) else "", tuple(findings))


def targets_of(part: Catalog, labels: Labels) -> npt.NDArray[Any]:
    """[N] classes, [N, K] labels or [N, M] numbers."""
    if part.task == "single-label":
        return part.targets(labels)
    return part.one_hot(labels) if part.task == "multi-label" else part.numbers()


def _on_backbone(learn: Catalog, labels: Labels, targets: Targets, ready: Prepared, recipe: Recipe) -> Classifier:
    """A linear head, fitted to the features of the pictures to learn from, on a backbone."""
    if targets.task == "single-label":
        head = probed(learn, labels, ready, recipe).head
    else:
        known = targets_of(learn, labels)
        if targets.scaling is not None:
            known = targets.scaling.of(torch.from_numpy(known)).numpy()
        head = fitted_head(select(learn, ready.embeddings).vectors, known, targets.task)
    model = Classifier.from_probe(ready.engine.backbone.load(), head, recipe.augment.tta).requires_grad_(True)
    model.extractor.body.to(memory_format=torch.channels_last)
    return model


def _targets(parts: Catalog, learned: npt.NDArray[Any]) -> Targets:
    if parts.task == "regression":
        return Targets("regression", scaling=TargetScaling.measured(learned))
    return Targets(parts.task, parts.labels.names, text=True)


def _count(targets: npt.NDArray[Any], labels: Labels) -> int:
    return targets.shape[1] if targets.ndim > 1 else len(labels)


def _check_not_empty(catalog: Catalog, data: object) -> None:
    if not len(catalog):
        raise DataError("there is no picture that can be used", found=data if isinstance(data, str | Path) else None)


def _read(file: Path, preparation: Preparation) -> Pixels:
    try:
        return sandbox.read(picture_file.read(file), preparation.size, preparation.side).pixels
    except DataError as problem:
        raise DataError(f"cannot read the picture {file}", found=str(problem).splitlines()[0]) from problem
