"""A network, data, recipe and arguments -> one fit by the loop, and what became of it."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ursa import models
from ursa.core.progress import silent
from ursa.errors import TrainingError
from ursa.learner.fit_arguments import FitArguments, Lr
from ursa.learner.learner_recipe import Optimizer
from ursa.learner.progress_table import ProgressTable
from ursa.recipe import Recipe
from ursa.training import evaluation
from ursa.training.batches import memory_format
from ursa.training.batches.batch import Batch
from ursa.training.batches.learner_data import LearnerData
from ursa.training.batches.splits import ArraySplit, DatasetSplit, Split
from ursa.training.fit import Monitor, fit
from ursa.training.history import Best, History
from ursa.training.loop import Gradient, State, accumulated
from ursa.training.optim import layer_lrs
from ursa.training.optim.data_parallel import gradients
from ursa.training.optim.ema import EMA
from ursa.training.optim.gradual_unfreezing import gradual_unfreezing
from ursa.training.optim.optimizers import Group, make
from ursa.training.tasks import loss_check
from ursa.training.tasks.losses import Loss
from ursa.training.tasks.metrics import Metric
from ursa.training.tasks.target_shapes import check_range, shaped
from ursa.training.tensor_tree import tree_map

# Learning rates where none is given, by optimizer: on mnist_12k, for a linear model and an MLP, within a point of the
# best of three rates a factor of 3 apart.
USUAL_LRS = {"adagrad": 3e-2, "adam": 3e-3, "adamw": 3e-3, "rmsprop": 1e-3, "sgd": 5e-2}
OF_OTHERS = 0.1  # slice(lr): learning rate of the layers below the last ones, as in fastai
CALL_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError)  # of code that is called


@dataclass(frozen=True)
class FitSetup:
    """What stays the same from fit to fit."""

    model: nn.Module
    data: LearnerData
    loss: Loss
    metrics: tuple[Metric, ...]
    optimizer: Optimizer
    device: str
    precision: torch.dtype
    backbone: bool  # whether the network is pretrained: its lower layers then learn more slowly
    eval_batch: int = evaluation.AT_ONCE  # examples that are evaluated at a time


def checked(setup: FitSetup) -> FitSetup:
    """One small batch through network, loss and metrics -> the setup, its targets in the shape of the outputs.

    Raises TrainingError for what does not fit together.
    """
    data, few = setup.data, min(8, len(setup.data.train))
    batch = next(iter(data.train.in_order(few)))
    setup.model.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            outputs = setup.model(*batch.inputs)
    except Exception as error:  # whatever a network's own code raises
        raise models.explain(setup.model, batch.inputs, error) from error
    _check_last_layer(setup)
    data = replace(data, train=_fitting(data.train, outputs), valid=_fitting(data.valid, outputs))
    targets = shaped(next(iter(data.train.in_order(few))).targets, outputs)
    loss_check.check(outputs, targets, setup.loss)
    _check_metrics(setup.metrics, data.targets.undo(outputs), targets)
    return replace(setup, data=data, eval_batch=evaluation.size_for(batch.inputs))


def in_fastest_memory_format(setup: FitSetup, wanted: bool | None) -> FitSetup:
    """Network and data with pictures channels last, where that is wanted or (None) usually faster."""
    faster = memory_format.is_channels_last_faster
    if wanted is False or (wanted is None and not faster(setup.model, setup.device, setup.precision)):
        return setup
    setup.model.to(memory_format=torch.channels_last)
    there = memory_format.to_channels_last
    return replace(setup, data=replace(setup.data, train=there(setup.data.train), valid=there(setup.data.valid)))


def usual_lr(setup: FitSetup, recipe: Recipe) -> float:
    """The largest learning rate where none is given."""
    if setup.backbone:
        return recipe.optim.head_lr
    return USUAL_LRS.get(setup.optimizer, 1e-3) if isinstance(setup.optimizer, str) else 1e-3


def lr_groups(setup: FitSetup, recipe: Recipe, lr: Lr, *, decayed: bool = False) -> list[Group]:
    """Layers with their learning rates: one for all; on a backbone, and where `decayed`, lower ones for lower layers,
    in the recipe's proportions; by a slice from the first layers to the last in equal factors."""
    if isinstance(lr, slice):
        return _sliced(setup.model, lr)
    lr = usual_lr(setup, recipe) if lr is None else lr
    if not (setup.backbone or decayed):
        return [Group([setup.model], lr)]
    body = lr * recipe.optim.body_lr / recipe.optim.head_lr if setup.backbone else lr
    return layer_lrs.groups(setup.model, lr, body, recipe.optim.layer_decay)


def state_of(setup: FitSetup, recipe: Recipe, groups: list[Group]) -> State:
    """A fresh optimizer over the groups. Raises TrainingError where there is nothing to learn."""
    state = State(setup.model, _optimizer(setup.optimizer, groups, setup.model, recipe.optim.weight_decay))
    state.average = EMA(setup.model, recipe.optim.ema_decay) if recipe.optim.ema_decay else None
    state.scaler = torch.amp.GradScaler(setup.device) if setup.precision is torch.float16 else None
    return state


@contextlib.contextmanager
def gradient_of(setup: FitSetup, recipe: Recipe, steps: int) -> Iterator[Gradient]:
    """How a batch's gradient is computed. A backbone keeps its statistics, so on a CPU every core takes some pictures.

    steps: of the whole fit. With `gradual_unfreezing` layer groups learn from the head downwards; in the end all can.
    """
    gradual, size = recipe.optim.gradual_unfreezing * steps, recipe.optim.micro_batch_size
    with contextlib.ExitStack() as stack:
        if setup.backbone:
            gradient = stack.enter_context(gradients(setup.device, setup.precision, size))
        else:
            gradient = accumulated(size, setup.precision)
        if gradual and all(p.requires_grad for p in setup.model.parameters()):
            stack.callback(models.unfreeze, setup.model)
            gradient = gradual_unfreezing(gradient, models.parameter_groups(setup.model), gradual)
        yield explained(gradient)


def explained(gradient: Gradient) -> Gradient:
    """The same gradient; an error in the step itself says which layer it comes from."""

    def step(state: State, batch: Batch, loss: Loss) -> Tensor:
        try:
            return gradient(state, batch, loss)
        except CALL_ERRORS as error:
            raise models.explain(state.model, batch.inputs, error) from error

    return step


def run(
    setup: FitSetup, recipe: Recipe, groups: list[Group], wanted: FitArguments, history: History, shown: ProgressTable
) -> Best:
    """Train, and leave the network with the weights that are kept -> the epoch they are from. history: is filled."""
    state, batches = state_of(setup, recipe, groups), setup.data.train.batches(recipe)
    identity = {name: value for name, value in recipe.flat().items() if name != "optim.epochs"}  # more may follow
    evaluate = evaluation.evaluator(
        setup.data.valid, setup.loss, setup.metrics, setup.eval_batch, setup.precision, setup.data.targets
    )
    with gradient_of(setup, recipe, wanted.epochs * len(batches)) as gradient:
        _, best = fit(
            state,
            batches,
            evaluate,
            epochs=wanted.epochs,
            loss=setup.loss,
            schedule=wanted.schedule,
            gradient=gradient,
            max_grad_norm=recipe.optim.max_grad_norm,
            seed=recipe.seed,
            patience=wanted.patience or recipe.optim.patience,
            settings=identity,
            monitor=_monitor(wanted.keep, setup.metrics),
            history=history,
            observers=(*shown.observers, *wanted.observers),
            checkpoints=wanted.checkpoints,
            resume=wanted.resume,
            stop=wanted.stop,
            progress=shown.progress if shown.observers else silent,
        )
    return best


def _optimizer(
    optimizer: Optimizer, groups: list[Group], model: nn.Module, weight_decay: float
) -> torch.optim.Optimizer:
    """One of Ursa's by name, or what a function makes of torch's parameter groups: {"params", "lr"} each."""
    if isinstance(optimizer, str):
        return make(optimizer, groups, model=model, weight_decay=weight_decay)
    split = make("sgd", groups, model=model, weight_decay=0.0).param_groups  # checks them
    name = getattr(optimizer, "__name__", type(optimizer).__name__)
    try:
        own = optimizer([{"params": group["params"], "lr": group["lr"]} for group in split])
    except CALL_ERRORS as error:
        fix = 'a function of torch\'s parameter groups, [{"params": ..., "lr": ...}], such as torch.optim.NAdam'
        raise TrainingError(f"{name} makes no optimizer", found=str(error).partition("\n")[0], fix=fix) from error
    if not isinstance(own, torch.optim.Optimizer):
        raise TrainingError(
            f"{name} makes no optimizer", found=type(own).__name__, fix="return a torch.optim.Optimizer"
        )
    for group in own.param_groups:
        group["max_lr"] = group["lr"]
    return own


def _sliced(model: nn.Module, lr: slice) -> list[Group]:
    """From lr.start for the first layer group to lr.stop for the head, in equal factors; slice(lr): the head has it."""
    groups = models.parameter_groups(model)
    last, lower = lr.stop, len(groups) - 1
    if lr.start is None:
        lrs = [last * OF_OTHERS] * lower
    else:
        lrs = [math.exp(math.log(lr.start) + i / max(1, lower) * math.log(last / lr.start)) for i in range(lower)]
    every = zip(groups, [*lrs, last], strict=True)
    return [Group(members, rate) for members, rate in every if any(p.requires_grad for p in members)]


def _monitor(keep: str, metrics: tuple[Metric, ...]) -> Monitor:
    """ "best": by the first metric, without any by the validation loss; "last": every epoch beats the one before."""
    if keep == "last":
        return _Last()
    return Monitor(metrics[0].name, metrics[0].higher_is_better) if metrics else Monitor()


class _Last(Monitor):
    def better(self, now: dict[str, float], best: dict[str, float] | None) -> bool:  # noqa: ARG002
        return True


def _fitting(split: Split, outputs: Any) -> Split:
    if isinstance(split, DatasetSplit):
        return replace(split, reshape=partial(shaped, outputs=outputs))
    if not isinstance(split, ArraySplit):
        return split
    check_range(split.targets, outputs)
    return replace(split, targets=shaped(split.targets, outputs))


def _check_last_layer(setup: FitSetup) -> None:
    """Raises TrainingError for an activation at the end where the loss wants what comes before it."""
    *_, last = setup.model.modules()
    own = setup.data.targets
    kinds: tuple[type[nn.Module], ...] = ()
    if own.task == "multi-label" and not isinstance(setup.loss, nn.BCELoss):
        kinds, why = (nn.Sigmoid, nn.Softmax), "the loss takes logits"
    elif own.scaling is not None:
        kinds, why = BOUNDED, "numbers are learned with mean 0 and standard deviation 1"
    if isinstance(last, kinds):
        name = type(last).__name__
        fix = f"leave the {name} out" + ("" if own.scaling is None else ", or standardize=False")
        raise TrainingError(f"the network ends in a {name}, but {why}", found=type(setup.model).__name__, fix=fix)


BOUNDED = (nn.Sigmoid, nn.Softmax, nn.LogSoftmax, nn.Softplus, nn.ReLU, nn.ReLU6, nn.Tanh, nn.Hardsigmoid)


def _check_metrics(metrics: tuple[Metric, ...], outputs: Any, targets: Any) -> None:
    """Raises TrainingError for a metric that fails on outputs and targets of this form."""

    def detached(tree: Any) -> Any:  # as after an epoch, so that a metric may call .numpy()
        return evaluation.on_cpu(tree_map(tree, Tensor.detach))

    with torch.inference_mode():
        for metric in metrics:
            try:
                metric(detached(outputs), detached(targets))
            except CALL_ERRORS as error:
                found = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                fix = "a function of the outputs and targets of all examples -> a number"
                raise TrainingError(f"the metric {metric.name} fails on a batch", found=found, fix=fix) from error
