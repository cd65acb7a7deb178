"""THE loop: a generator of steps. Weights change in here and nowhere else.

for step in train(state, batches, epochs=5):     # logging, saving, stopping are lines of the reader
    if step.number % 100 == 0: print(step.number, float(step.loss))

`break` is safe at any step: the state is complete and consistent whenever the loop hands it out. Everything random is a
function of the seed and the step's number, so a state that was saved at step 70 is resumed from step 70.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ursa.core import seeds
from ursa.errors import TrainingError
from ursa.training.batches.batch import Batch, Batches
from ursa.training.optim.ema import EMA
from ursa.training.optim.optimizers import set_momentum
from ursa.training.optim.schedules import Schedule, one_cycle
from ursa.training.randomness import drawing, may_draw
from ursa.training.tasks.losses import Loss, cross_entropy
from ursa.training.tensor_tree import tree_map


@dataclass
class State:
    """All that changes during training."""

    model: nn.Module
    optimizer: torch.optim.Optimizer  # each of its groups with a "max_lr", the learning rate that schedules scale
    step: int = 0  # steps done
    average: EMA | None = None  # of the weights, where one is kept
    scaler: torch.amp.GradScaler | None = None  # for float16, whose gradients would vanish


class Step(NamedTuple):
    """What one step did."""

    number: int  # 1 for the first
    epoch: int  # 0 for the first
    of: int  # steps in the whole run
    loss: Tensor  # scalar, detached; reading it waits for the device, so read many at once
    lr: float  # learning rate of the last group, which holds the head
    ends_epoch: bool


Gradient = Callable[[State, Batch, Loss], Tensor]  # fills .grad, returns the batch's mean loss, detached


def train(
    state: State,
    batches: Batches,
    epochs: int,
    loss: Loss = cross_entropy,
    *,
    schedule: Schedule | None = None,
    gradient: Gradient | None = None,
    momentum: Schedule | None = None,
    max_grad_norm: float = 0.0,
    seed: int = 0,
) -> Iterator[Step]:
    """Descend until so many epochs are done, from wherever the state is.

    schedule: of the learning rates, `one_cycle()` where none is given; momentum: likewise, the optimizer's own.
    gradient: how loss and gradient of a batch are computed, `accumulated()` where none is given. max_grad_norm: larger
    gradients are scaled down to it (Pascanu et al. 2013); 0: never. seed: of what the network draws, such as dropout.
    Raises TrainingError where epochs or max_grad_norm are below 0.
    """
    if epochs < 0 or not max_grad_norm >= 0:  # true for NaN
        found = f"epochs={epochs}, max_grad_norm={max_grad_norm}"
        raise TrainingError("epochs and max_grad_norm are 0 or more", found=found)
    return _steps(
        state, batches, epochs, loss, schedule or one_cycle(), gradient or accumulated(), momentum, max_grad_norm, seed
    )


def _steps(
    state: State,
    batches: Batches,
    epochs: int,
    loss: Loss,
    schedule: Schedule,
    gradient: Gradient,
    momentum: Schedule | None,
    max_grad_norm: float,
    seed: int,
) -> Iterator[Step]:
    model, optimizer = state.model, state.optimizer
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    per_epoch = len(batches)
    total = epochs * per_epoch
    draws, before = may_draw(model, loss), None
    stream = seeds.number(seed, "steps")
    while state.step < total:
        epoch, first = divmod(state.step, per_epoch)
        for batch in batches.epoch(epoch, first):
            if (factor := schedule(state.step / total)) != before:
                lr, before = set_lrs(optimizer, factor), factor
            if momentum is not None:
                set_momentum(optimizer, momentum(state.step / total))
            if not model.training:  # whoever reads the steps may have evaluated it meanwhile
                model.train()
            optimizer.zero_grad()
            if draws:  # what dropout draws belongs to this step
                with drawing(stream, state.step):
                    value = gradient(state, batch, loss)
            else:
                value = gradient(state, batch, loss)
            _update(state, weights, max_grad_norm)
            state.step += 1
            yield Step(state.step, epoch, total, value, lr, state.step % per_epoch == 0)


def accumulated(size: int = 0, precision: torch.dtype = torch.float32) -> Gradient:
    """Loss and gradient of a batch, `size` examples at a time (0: all at once), one after the other.

    Gradients add up, so the size changes memory and speed but not the result. precision: torch.float32, or what
    autocast computes in.
    """

    if not size and precision is torch.float32:
        return _whole

    def gradient(state: State, batch: Batch, loss: Loss) -> Tensor:
        if not size or size >= len(batch):
            return _backward(state, loss(outputs(state.model, batch.inputs, precision), batch.targets))
        losses = []
        for part in batch.parts(size):
            value = loss(outputs(state.model, part.inputs, precision), part.targets) * (len(part) / len(batch))
            losses.append(_backward(state, value))
        return torch.stack(losses).sum()

    return gradient


def outputs(model: nn.Module, inputs: tuple[Tensor, ...], precision: torch.dtype = torch.float32) -> Any:
    """What the model predicts, in float32 whatever it was computed in."""
    if precision is torch.float32:
        return model(*inputs)
    with torch.autocast(inputs[0].device.type, precision):
        return tree_map(model(*inputs), Tensor.float)


def set_lrs(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Learning rates become `factor` of each group's `max_lr`. Returns the last group's."""
    for group in optimizer.param_groups:
        group["lr"] = lr = group["max_lr"] * factor
    return float(lr)


def _whole(state: State, batch: Batch, loss: Loss) -> Tensor:
    return _backward(state, loss(state.model(*batch.inputs), batch.targets))


def _backward(state: State, value: Tensor) -> Tensor:
    if state.scaler is None:
        value.backward()
    else:
        state.scaler.scale(value).backward()
    return value.detach()


def _update(state: State, weights: list[Tensor], max_grad_norm: float) -> None:
    """One step of the optimizer, and of the average behind it."""
    if state.scaler is not None:
        state.scaler.unscale_(state.optimizer)
    if max_grad_norm:
        nn.utils.clip_grad_norm_(weights, max_grad_norm)
    if state.scaler is None:
        state.optimizer.step()
    else:  # leaves out a step whose gradients overflowed
        state.scaler.step(state.optimizer)
        state.scaler.update()
    if state.average is not None:
        state.average.update()
