"""What the loop and the learner cost beside a hand-written loop: the same network, optimiser, batches and validation.

`python benchmarks/loop.py`: steps only (`loop.train` with history), and a whole fit with validation and accuracy after
each epoch (`Learner.fit`). One process on one thread, interleaved, medians of the ratios round by round.
"""

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from common import interleaved, median, ratio, report
from torch import Tensor, nn
from torch.nn import functional as F

from ursa import models
from ursa.learner.learner import Learner
from ursa.learner.learner_recipe import SCRATCH
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.history import History
from ursa.training.loop import State, train
from ursa.training.optim.optimizers import Group, make
from ursa.training.optim.schedules import constant

ROUNDS = 15
RATE = 1e-3
VALID = 128  # examples


@dataclass(frozen=True)
class Case:
    name: str
    network: Callable[[], nn.Module]
    shape: tuple[int, ...]
    classes: int
    examples: int
    epochs: int


CASES = (
    Case("MLP 20-32-2, batch 64", lambda: models.mlp(20, 2, hidden=32), (20,), 2, 6400, 30),
    Case("MLP 784-256-10, batch 64", lambda: models.mlp(784, 10, hidden=256), (784,), 10, 3200, 2),
    Case("small CNN, 28 px, batch 64", lambda: models.small_cnn(1, 10), (1, 28, 28), 10, 640, 4),
)


def main() -> None:
    torch.set_num_threads(1)
    gc.disable()
    rows = []
    for case in CASES:
        x, y = data(case)
        steps = -(-case.examples // SCRATCH.optim.batch_size) * case.epochs
        actions = {
            "hand": lambda case=case, x=x, y=y: by_hand(case, x, y, validate=False),
            "ours": lambda case=case, x=x, y=y: by_loop(case, x, y),
            "hand_fit": lambda case=case, x=x, y=y: by_hand(case, x, y, validate=True),
            "our_fit": lambda case=case, x=x, y=y: by_learner(case, x, y),
        }
        interleaved(2, **actions)  # warm up
        found = interleaved(ROUNDS, **actions)
        us = {name: f"{1e6 * median(seconds) / steps:.0f}" for name, seconds in found.items()}
        only, whole = ratio(found["ours"], found["hand"]), ratio(found["our_fit"], found["hand_fit"])
        rows.append([case.name, us["hand"], us["ours"], f"{only:.3f}", us["hand_fit"], us["our_fit"], f"{whole:.3f}"])
        gc.collect()
    report(
        "loop",
        "The loop beside a hand-written one",
        ["network", "hand, us a step", "loop", "ratio", "hand with validation, us a step", "Learner.fit", "ratio"],
        rows,
        "The same AdamW (fused), data in memory, one thread, the same order of memory on both sides. `loop` keeps the "
        "history of every step; `Learner.fit` also validates after each epoch, with accuracy, and keeps the best "
        "weights, as does the hand-written loop beside it; before the first epoch it validates once more.",
    )


def data(case: Case) -> tuple[Tensor, Tensor]:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(case.examples, *case.shape)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(draw.integers(0, case.classes, case.examples))


def by_hand(case: Case, x: Tensor, y: Tensor, *, validate: bool) -> float:
    """What a good engineer writes for data in memory: one permutation an epoch, losses read once an epoch."""
    model, (x, y), (x_valid, y_valid) = case.network(), ready(case, x, y), ready(case, x[:VALID], y[:VALID])
    model = laid(case, model)
    optimizer = adamw(model)
    best, history = 0.0, []
    start = time.perf_counter()
    for _ in range(case.epochs):
        model.train()
        losses = []
        for inputs, targets in minibatches(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        history += torch.stack(losses).tolist()
        if validate:
            model.eval()
            with torch.inference_mode():
                said = model(x_valid)
                value, accuracy = (
                    float(F.cross_entropy(said, y_valid)),
                    float((said.argmax(1) == y_valid).float().mean()),
                )
            if accuracy > best and np.isfinite(value):
                best, _ = accuracy, {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return time.perf_counter() - start


def by_loop(case: Case, x: Tensor, y: Tensor) -> float:
    model, (x, y) = laid(case, case.network()), ready(case, x, y)
    state = State(model, adamw(model))
    batches = ArrayBatches((x,), y, batch=SCRATCH.optim.batch_size)
    history = History()
    start = time.perf_counter()
    for step in train(state, batches, case.epochs, schedule=constant()):
        if history.add(step):
            history.read()
    return time.perf_counter() - start


def by_learner(case: Case, x: Tensor, y: Tensor) -> float:
    arrays = (x.numpy(), y.numpy()), (x[:VALID].numpy(), y[:VALID].numpy())
    learner = Learner(arrays, case.network(), standardize=False, recipe=SCRATCH)
    start = time.perf_counter()
    learner.fit(case.epochs, RATE)
    return time.perf_counter() - start


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    """The same on both sides: fused, and no decay of biases, hence two groups."""
    return make("adamw", [Group([model], RATE)], model=model)


def minibatches(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(x))
    return zip(x[order].split(SCRATCH.optim.batch_size), y[order].split(SCRATCH.optim.batch_size), strict=True)


def ready(case: Case, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return (x.contiguous(memory_format=torch.channels_last) if len(case.shape) == 3 else x), y


def laid(case: Case, model: nn.Module) -> nn.Module:
    return model.to(memory_format=torch.channels_last) if len(case.shape) == 3 else model


if __name__ == "__main__":
    main()
