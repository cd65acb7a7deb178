"""THE loop: a generator of steps. Weights change in here and nowhere else.

for step in train(state, batches, recipe):     # logging, saving, stopping are lines of the reader
    if step.number % 100 == 0: print(step.number, float(step.loss))

`break` is safe at any step: the state is complete and consistent whenever the loop hands it out. Everything random is a
function of the recipe's seed and the step's number, so a state that was saved at step 70 goes on from step 70.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ursa.core import seeds
from ursa.recipe import Recipe
from ursa.training.batches import Batch, Batches
from ursa.training.schedules import one_cycle


@dataclass
class State:
    """All that changes during training."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0  # steps done


@dataclass(frozen=True)
class Step:
    """What one step did."""

    number: int  # 1 for the first
    epoch: int  # 0 for the first
    of: int  # steps in the whole run
    loss: Tensor  # scalar, detached; reading it waits for the device, so read many at once
    rate: float  # learning rate of the head
    ends_epoch: bool


def train(state: State, batches: Batches, recipe: Recipe, precision: torch.dtype = torch.float32) -> Iterator[Step]:
    """Descend until the recipe's epochs are done, from wherever the state is."""
    per_epoch = len(batches)
    total = recipe.epochs * per_epoch
    while state.step < total:
        epoch, first = divmod(state.step, per_epoch)
        for batch in batches.epoch(epoch, first):
            rate = _set_rates(state.optimizer, one_cycle(state.step / total, recipe.warm_up))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seeds.number(recipe.seed, "step", state.step))  # for dropout
                loss = _descend(state, batch, recipe, precision)
            state.step += 1
            yield Step(state.step, epoch, total, loss, rate, ends_epoch=state.step % per_epoch == 0)


def _descend(state: State, batch: Batch, recipe: Recipe, precision: torch.dtype) -> Tensor:
    """One step of gradient descent: loss, gradient, update. Returns the mean loss of the batch."""
    set_training(state.model)
    state.optimizer.zero_grad(set_to_none=True)
    losses = []
    for pictures, targets in batch.parts(recipe.micro_batch):
        with torch.autocast(pictures.device.type, precision, enabled=precision != torch.float32):
            logits = state.model(pictures)
        loss = F.cross_entropy(logits.float(), targets, reduction="sum", label_smoothing=recipe.smoothing)
        (loss / len(batch)).backward()
        losses.append(loss.detach())
    nn.utils.clip_grad_norm_(state.model.parameters(), recipe.clip)
    state.optimizer.step()
    return torch.stack(losses).sum() / len(batch)


def set_training(model: nn.Module) -> None:
    """Training mode, but batch norm keeps the statistics it was pretrained with.

    So the first step starts exactly from the probe, and the result does not depend on the size of micro-batches.
    """
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _set_rates(optimizer: torch.optim.Optimizer, factor: float) -> float:
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return float(optimizer.param_groups[-1]["lr"])
