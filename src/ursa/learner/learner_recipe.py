"""What a learner is told -> recipe, loss, optimizer, precision: settings that count, or one error that says where they
would."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ursa.errors import TrainingError, did_you_mean
from ursa.learner.picture_data import PictureInputs
from ursa.recipe import PLACES, Recipe
from ursa.training import evaluation
from ursa.training.batches.learner_data import InputReader, LearnerData
from ursa.training.batches.picture_batches import small_size
from ursa.training.batches.splits import PictureSplit
from ursa.training.network_limits import refuse_for_network
from ursa.training.optim import optimizers
from ursa.training.tasks import losses
from ursa.training.tasks.losses import Loss
from ursa.training.tasks.targets import Targets

# For networks that learn from nothing.
SCRATCH = Recipe.of(batch_size=64, max_grad_norm=0.0, label_smoothing=0.0, ema_decay=0.0)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
AUGMENT = tuple(name for name in PLACES if name.startswith("augment."))
OWN_LOSS = "a function of outputs and targets, or one of ursa.training.tasks.losses with its settings"

Optimizer = str | Callable[[list[dict[str, Any]]], torch.optim.Optimizer]


@dataclass(frozen=True)
class Use:
    """What a recipe is for."""

    pictures: bool  # in folders or tables
    dataset: bool  # of torch, whose targets are not known beforehand
    backbone: bool  # pretrained
    has_valid: bool  # whether a validation split is given, so that none is drawn
    targets: Targets
    own_loss: bool  # a function of the user's
    own_optimizer: bool  # likewise


def recipe_of(wanted: Any, usual: Recipe, seed: int | None) -> Recipe:
    """A whole recipe as it is; settings that differ from the usual one. seed: the same as the recipe's."""
    if wanted is not None and not isinstance(wanted, Recipe | Mapping):
        fix = 'settings that differ, as in {"batch_size": 128}, or a whole ursa.Recipe'
        raise TrainingError("this is no recipe", found=type(wanted).__name__, fix=fix)
    recipe = wanted if isinstance(wanted, Recipe) else usual.with_settings(wanted or {})
    if seed is None or seed == recipe.seed:
        return recipe
    if recipe.seed:
        raise TrainingError("there are two seeds", found=f"seed={seed}, in the recipe {recipe.seed}", fix="give one")
    return recipe.with_settings({"seed": seed})


def refuse_unread(recipe: Recipe, use: Use, begun: Recipe = SCRATCH) -> None:
    """Raises TrainingError for a setting that was changed and that nothing reads here, with the place that does.

    begun: the recipe that the user's settings were added to.
    """
    usual, mine = [known.flat() for known in (Recipe(), SCRATCH, begun)], recipe.flat()
    for names, why, fix in _unread(use):
        changed = [name for name in names if all(mine[name] != known[name] for known in usual)]
        recipe.refuse(changed, why, fix)


def refuse_unread_by_network(recipe: Recipe, model: nn.Module, inputs: InputReader) -> None:
    """Raises TrainingError for a setting that was changed and that this network has no use for."""
    size = inputs.preparation.size if isinstance(inputs, PictureInputs) else 0
    if size and small_size(size) == size:
        why = f"for pictures of {size} pixels"
        recipe.refuse(["augment.progressive_resizing"], why, "larger pictures: size=")
    refuse_for_network(recipe, model.eval(), small_size(size))


def loss_of(loss: str | Loss | None, data: LearnerData, recipe: Recipe) -> Loss:
    """One by name, one's own, or the usual one. Raises TrainingError where there is none, for one-hot classes, and
    where the recipe balances what has no classes."""
    if loss is not None and not isinstance(loss, str):
        if isinstance(loss, type) or not callable(loss):
            found = getattr(loss, "__name__", type(loss).__name__)
            raise TrainingError("this is no loss", found=found, fix=f"{OWN_LOSS}; of a class an instance: {found}()")
        return loss
    targets, smoothing = data.targets, recipe.optim.label_smoothing
    if loss is None:
        _check_has_usual(data)
    elif losses.create(loss) is not losses.cross_entropy:  # raises for an unknown name
        named = losses.create(loss)
        return named if targets.scaling is None else targets.scaling.loss(named)
    if recipe.optim.class_weights:
        return evaluation.balanced(_classes(data), len(targets.names), smoothing)
    if recipe.optim.oversample:
        _check_oversample(data)
    return losses.smoothed(smoothing) if loss is not None else evaluation.loss_for(targets, smoothing)


def optimizer_of(optimizer: Any) -> Optimizer:
    """A name, or a function of parameter groups. Raises TrainingError for anything else."""
    if isinstance(optimizer, str):
        if optimizer not in optimizers.NAMES:
            raise TrainingError(f"there is no optimizer {optimizer!r}", fix=did_you_mean(optimizer, optimizers.NAMES))
        return optimizer
    if isinstance(optimizer, torch.optim.Optimizer):
        kind = type(optimizer).__name__
        fix = f"optimizer=torch.optim.{kind}, or functools.partial(torch.optim.{kind}, ...) with its settings"
        raise TrainingError("every fit makes its own optimizer", found=f"a finished {kind}", fix=fix)
    if not callable(optimizer):
        fix = f"one of {', '.join(optimizers.NAMES)}, or a class such as torch.optim.NAdam"
        raise TrainingError("this is no optimizer", found=type(optimizer).__name__, fix=fix)
    made: Optimizer = optimizer
    return made


def precision_of(name: str, device: str) -> torch.dtype:
    """ "fp32", "bf16" or "fp16" -> what autocast computes in."""
    if name not in PRECISIONS:
        raise TrainingError("no such precision", found=name, fix=f"one of {', '.join(PRECISIONS)}")
    if name == "fp16" and device.startswith("cpu"):
        raise TrainingError("fp16 is for accelerators", found=f"device {device}", fix='"bf16", or "fp32"')
    return PRECISIONS[name]


def network_of(model: Any, *, pictures: bool, default: str) -> str | nn.Module:
    """A network, or the name of a backbone. Raises TrainingError for what is neither, with what to write instead."""
    if isinstance(model, nn.Module) or (pictures and isinstance(model, str)):
        return model
    if model is None and pictures:
        return default
    name, module = getattr(model, "__name__", repr(model)), str(getattr(model, "__module__", ""))
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise TrainingError("a network is given, not its class", found=name, fix=f"{name}(...)")
    library = module.partition(".")[0]
    if callable(model) and library in ("torchvision", "timm"):  # fastai's way: the function that builds a network
        if pictures:
            return f"torchvision:{name}" if library == "torchvision" else name
        raise TrainingError("arrays need the network itself", found=name, fix=f"{name}(num_classes=...)")
    if callable(model):
        raise TrainingError("a network is given, not a function", found=name, fix=f"{name}()")
    found = "no model" if model is None else repr(model)
    raise TrainingError("arrays and data sets need a network", found=found, fix="ursa.models.mlp(...)")


def _unread(use: Use) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Settings that nothing reads -> why, and what to do."""
    classes = "single-label" in (use.targets.task, *(part.task for part in use.targets.parts.values()))
    yield ("optim.epochs",), "in the recipe of a Learner", "fit(epochs)"
    if not use.pictures:
        only = "pictures in folders or tables: ursa.Learner(FOLDER, ...)"
        yield (*AUGMENT, "split.test", "split.train_dev"), "for arrays and data sets", only
        yield ("optim.oversample",), "for arrays and data sets", "class_weights=true, or pictures in folders or tables"
    if use.dataset:
        yield ("optim.class_weights",), "for a data set, whose classes are not counted", "loss=losses.weighted([...])"
    if use.has_valid:
        yield ("split.valid",), "where a validation part is given", "leave one of both out"
    if not use.backbone:
        yield ("optim.head_lr", "optim.body_lr"), "without a pretrained backbone", "fit(epochs, lr=...)"
    if not use.backbone or use.targets.task != "single-label":
        yield (
            ("probe.folds", "optim.prune_below", "optim.wise_ft_alpha"),
            "where no probe is fitted",
            "a backbone on pictures of one class each; ursa.check",
        )
    if use.own_optimizer:
        fix = "functools.partial(torch.optim.NAdam, weight_decay=...), or an optimizer by name"
        yield ("optim.weight_decay",), "for an optimizer of your own", fix
    if use.own_loss:
        smoothed = "losses.smoothed(...), or losses.weighted(...), or no loss of your own"
        yield ("optim.label_smoothing", "optim.class_weights"), "for a loss of your own", smoothed
    elif not classes:
        fix = "targets of one class an example"
        yield ("optim.label_smoothing",), f"for a {use.targets.task} task", fix


def _check_has_usual(data: LearnerData) -> None:
    """Raises TrainingError for targets that have no usual loss, and for classes that are written as columns."""
    if data.targets.task == "own":
        fix = f"name one: loss=, {OWN_LOSS}"
        raise TrainingError("there is no usual loss for such targets", found="whole numbers [N, ...]", fix=fix)
    known = getattr(data.train, "targets", None)
    if data.targets.task != "multi-label" or data.targets.text or known is None or len(known) < 2:
        return
    sums = torch.as_tensor(known).nansum(1)
    if (sums == 1).all():
        fix = 'y.argmax(1), the class of each; where any number of labels may be there, loss="binary_cross_entropy"'
        raise TrainingError("the targets are one-hot: exactly one 1 in each row", found=list(known.shape), fix=fix)


def _classes(data: LearnerData) -> "np.typing.NDArray[np.int64]":
    """[N] the classes to learn from. Raises TrainingError where the examples have not one each."""
    targets, known = data.targets, getattr(data.train, "targets", None)  # a data set's are not known beforehand
    if targets.task != "single-label" or targets.missing or known is None or not len(data.train):
        fix = "class_weights=false, or a loss of your own: ursa.training.tasks.losses"
        raise TrainingError("classes are weighed where each example has one", found=f"a {targets.task} task", fix=fix)
    return known if isinstance(known, np.ndarray) else known.cpu().numpy()


def _check_oversample(data: LearnerData) -> None:
    if not isinstance(data.train, PictureSplit) or data.targets.task != "single-label":
        fix = "class_weights=true, or oversample=false"
        raise TrainingError("only pictures of single classes are shown more often", found=data.targets.task, fix=fix)
