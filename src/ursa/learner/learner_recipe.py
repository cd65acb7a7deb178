"""What a learner begins with: its settings, one small batch through everything, and its optimiser."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training import evaluation
from ursa.training.batches import memory_format
from ursa.training.batches.learner_data import LearnerData
from ursa.training.batches.splits import ArraySplit, PictureSplit, Split
from ursa.training.fit import Monitor
from ursa.training.loop import Gradient, accumulated
from ursa.training.optim import layer_lrs
from ursa.training.optim.data_parallel import gradients
from ursa.training.optim.gradual_unfreezing import gradual_unfreezing
from ursa.training.optim.optimizers import Group, make
from ursa.training.tasks import loss_check
from ursa.training.tasks.losses import Loss
from ursa.training.tasks.metrics import Metric
from ursa.training.tasks.target_shapes import check_range, shaped

SCRATCH = Recipe.of(
    batch_size=64, max_grad_norm=0.0, label_smoothing=0.0, ema_decay=0.0
)  # for networks that learn from nothing
# Peak rates where none is given, by optimiser: on mnist_12k, for a linear model and an MLP, within a point of the best
# of three rates a factor of 3 apart.
RATES = {"adagrad": 3e-2, "adam": 3e-3, "adamw": 3e-3, "rmsprop": 1e-3, "sgd": 5e-2}
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

Optimizer = str | Callable[[list[dict[str, Any]]], torch.optim.Optimizer]


def recipe_of(given: Recipe | Mapping[str, Any] | None, usual: Recipe) -> Recipe:
    """A whole recipe as it is; settings that differ from the usual one."""
    return given if isinstance(given, Recipe) else usual.with_settings(given or {})


def precision_of(name: str, device: str) -> torch.dtype:
    """ "fp32", "bf16" or "fp16" -> what autocast computes in."""
    if name not in PRECISIONS:
        raise TrainingError("no such precision", found=name, fix=f"one of {', '.join(PRECISIONS)}")
    if name == "fp16" and device.startswith("cpu"):
        raise TrainingError("fp16 is for accelerators", found=f"device {device}", fix='"bf16", or "fp32"')
    return PRECISIONS[name]


def loss_of(given: LearnerData, recipe: Recipe) -> Loss:
    """The usual one. Raises TrainingError where there is none, or where the recipe balances what has no classes."""
    targets, classes = given.targets, getattr(given.train, "targets", None)  # a data set's are not known beforehand
    if targets.task == "own":
        fix = "name one: loss=, a function of outputs and targets"
        raise TrainingError("there is no usual loss for such targets", found="whole numbers [N, ...]", fix=fix)
    pictures = isinstance(given.train, PictureSplit)
    weighed, oversampled = recipe.optim.class_weights, recipe.optim.oversample
    if not (weighed or oversampled) or not len(given.train) or (oversampled and pictures):
        return evaluation.loss_for(targets, recipe.optim.label_smoothing)
    if oversampled:
        raise TrainingError("only pictures in folders and tables are shown more often", fix="class_weights=true")
    if targets.task != "single-label" or targets.missing or classes is None:
        fix = "class_weights=false, or a loss of your own: ursa.training.tasks.losses"
        raise TrainingError("classes are weighed where each example has one", found=f"a {targets.task} task", fix=fix)
    known = classes if isinstance(classes, np.ndarray) else classes.cpu().numpy()
    return evaluation.balanced(known, len(targets.names), recipe.optim.label_smoothing)


def checked(model: nn.Module, given: LearnerData, loss: Loss) -> tuple[LearnerData, int]:
    """One small batch through network and loss -> data whose targets have the shape of the outputs, and the number of
    examples to evaluate at a time. Raises TrainingError for what does not fit together.
    """
    few = min(8, len(given.train))
    batch = next(iter(given.train.in_order(few)))
    model.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            said = model(*batch.inputs)
    except Exception as error:  # whatever a network's own code raises
        raise models.explain(model, batch.inputs, error) from error
    given = replace(given, train=_fitting(given.train, said), valid=_fitting(given.valid, said))
    loss_check.check(said, next(iter(given.train.in_order(few))).targets, loss)
    return given, evaluation.size_for(batch.inputs)


def laid(model: nn.Module, given: LearnerData, wanted: bool | None, device: str, precision: torch.dtype) -> LearnerData:
    """Network and data with pictures channels last, where that is wanted or (None) usually faster."""
    if wanted is False or (wanted is None and not memory_format.suits(model, device, precision)):
        return given
    model.to(memory_format=torch.channels_last)
    return replace(given, train=memory_format.laid(given.train), valid=memory_format.laid(given.valid))


def lr_of(optimizer: Optimizer, recipe: Recipe, *, backbone: bool) -> float:
    """The peak rate where none is given."""
    if backbone:
        return recipe.optim.head_lr
    return RATES.get(optimizer, 1e-3) if isinstance(optimizer, str) else 1e-3


def groups_of(model: nn.Module, recipe: Recipe, lr: float, *, backbone: bool) -> list[Group]:
    """A backbone's lower layers get lower rates, in the recipe's proportions; a network from scratch one for all."""
    return layer_groups_of(model, recipe, lr, backbone=backbone) if backbone else [Group([model], lr)]


def layer_groups_of(model: nn.Module, recipe: Recipe, lr: float, *, backbone: bool) -> list[Group]:
    """Rates that fall from the head downwards; on a backbone of Ursa's the body's are lower still."""
    body = lr * recipe.optim.body_lr / recipe.optim.head_lr if backbone else lr
    return layer_lrs.groups(model, lr, body, recipe.optim.layer_decay)


def made(optimizer: Optimizer, groups: list[Group], model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """One of Ursa's by name, or what a function makes of torch's parameter groups: {"params", "lr"} each."""
    if isinstance(optimizer, str):
        return make(optimizer, groups, model=model, weight_decay=recipe.optim.weight_decay)
    split = make("sgd", groups, model=model, weight_decay=0.0).param_groups  # checks them
    own = optimizer([{"params": group["params"], "lr": group["lr"]} for group in split])
    for group in own.param_groups:
        group["max_lr"] = group["lr"]
    return own


@contextlib.contextmanager
def gradient_of(
    model: nn.Module, recipe: Recipe, steps: int, precision: torch.dtype, device: str, *, backbone: bool
) -> Iterator[Gradient]:
    """How a batch's gradient is computed. A backbone keeps its statistics, so on a CPU every core takes some pictures.

    steps: of the whole fit. With `gradual_unfreezing` layer groups learn from the head downwards; in the end all can.
    """
    on_cpu, gradual = torch.device(device).type == "cpu", recipe.optim.gradual_unfreezing * steps
    with contextlib.ExitStack() as stack:
        if backbone:
            gradient = stack.enter_context(gradients(device, precision, recipe.optim.micro_batch_size))
        else:
            gradient = accumulated(recipe.optim.micro_batch_size if on_cpu else 0, precision)
        if not gradual or not all(p.requires_grad for p in model.parameters()):
            yield gradient
            return
        stack.callback(models.unfreeze, model)
        yield gradual_unfreezing(gradient, models.parameter_groups(model), gradual)


def monitor_of(keep: str, measures: tuple[Metric, ...]) -> Monitor:
    """ "best": by the first metric, without any by the validation loss; "last": every epoch beats the one before."""
    if keep not in ("best", "last"):
        raise TrainingError(f"no weights are called {keep!r}", fix='keep="best" or keep="last"')
    if keep == "last":
        return _Last()
    return Monitor(measures[0].name, measures[0].higher_is_better) if measures else Monitor()


def _fitting(part: Split, said: Any) -> Split:
    if not isinstance(part, ArraySplit):
        return part
    check_range(part.targets, said)
    return replace(part, targets=shaped(part.targets, said))


class _Last(Monitor):
    def better(self, now: dict[str, float], best: dict[str, float] | None) -> bool:  # noqa: ARG002
        return True
