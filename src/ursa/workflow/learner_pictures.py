"""Pictures in folders and a backbone (or a network of one's own) -> what a learner works on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ursa.core import image
from ursa.core.prepare import Preparation
from ursa.core.progress import Progress
from ursa.data.split import remember, remembered, split
from ursa.embed.extractor import Extractor
from ursa.embed.neighbours import near_copies
from ursa.embed.predictions import fitted_probe, select
from ursa.errors import DataError
from ursa.recipe import Recipe
from ursa.training.fit import Observer
from ursa.training.given import Given
from ursa.training.models import Classifier
from ursa.training.parts import PicturePart
from ursa.training.targets import Targets
from ursa.training.transfer import Outcome, fine_tune
from ursa.workflow.setup import Clock, Data, Options, prepared

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation of a colour: what pretrained bodies expect


@dataclass(frozen=True)
class Pictures:
    """A learner's pictures."""

    given: Given
    model: nn.Module  # [N, S, S, 3] uint8 -> logits [N, K]
    preparation: Preparation
    backbone: str  # its name; "" for a network of one's own


def pictures(data: Data, network: str | nn.Module, size: int, recipe: Recipe, options: Options) -> Pictures:
    """Scan, embed and split as `ursa.train` does.

    With a backbone's name the model predicts what the probe on its features predicts (which takes seconds). A network
    gets [N, 3, size, size], normalised by ImageNet's mean and deviation. Raises DataError as `ursa.train` does.
    """
    own = isinstance(network, nn.Module)
    backbone = "pixels" if own else str(network)
    ready = prepared(data, replace(options, backbone=backbone), Clock(), classes=True)
    ties = near_copies(ready.catalog, ready.embeddings)
    usable, path = ready.catalog.usable(), ready.space.splits
    parts = split(
        usable,
        valid=recipe.valid,
        test=recipe.test,
        train_dev=recipe.train_dev,
        seed=recipe.seed,
        ties=ties.of(usable),
        before=remembered(path, recipe.seed),
    )
    remember(path, parts, recipe.seed)
    labels, learn, valid = parts.labels, parts.of_split("train"), parts.of_split("valid")
    preparation = Preparation(size) if own else ready.engine.about.preparation
    if isinstance(network, nn.Module):
        model: nn.Module = Extractor(network, *IMAGENET, size)
    else:
        vectors = select(learn, ready.embeddings)
        seed, folds, copies = recipe.seed, recipe.folds, ties.of(learn)
        probe = fitted_probe(learn, labels, vectors, ready.space, seed=seed, folds=folds, ties=copies)
        model = Classifier.from_probe(ready.engine.backbone.load(), probe.head, recipe.tta).requires_grad_(True)
        model.extractor.body.to(memory_format=torch.channels_last)
    train, check = (
        PicturePart(part, part.targets(labels), len(labels), preparation, options.device) for part in (learn, valid)
    )
    names = Targets("single-label", labels.names, text=True)
    return Pictures(Given(train, check, None, names), model, preparation, "" if own else backbone)


def fine_tuned(
    pictures: Pictures, recipe: Recipe, precision: torch.dtype, observers: Sequence[Observer], progress: Progress
) -> Outcome:
    """From the probe by the measured recipe (`training.transfer`); the model gets the weights that are kept."""
    train, valid = pictures.given.train, pictures.given.valid
    assert isinstance(pictures.model, Classifier)
    assert isinstance(train, PicturePart)
    assert isinstance(valid, PicturePart)
    outcome = fine_tune(
        pictures.model,
        train.batches(recipe),
        valid.views,
        valid.targets,
        recipe,
        precision=precision,
        observers=observers,
        progress=progress,
    )
    pictures.model.requires_grad_(True)
    return outcome


def views(x: Any, preparation: Preparation) -> torch.Tensor:
    """A file, pixels [h, w, 3] uint8, or a list of those -> what the model sees, [N, S, S, 3] uint8."""
    several = x if isinstance(x, list | tuple) else [x]
    made = preparation.blank(len(several))
    for view, one in zip(made, several, strict=True):
        preparation.view(_read(Path(one), preparation) if isinstance(one, str | Path) else one, view)
    return torch.from_numpy(made)


def _read(file: Path, preparation: Preparation) -> image.Pixels:
    try:
        return image.read(file.read_bytes(), at_least=preparation.size, side=preparation.side).pixels
    except (OSError, DataError) as problem:
        raise DataError(f"cannot read the picture {file}", found=str(problem).splitlines()[0]) from problem
