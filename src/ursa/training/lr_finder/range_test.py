"""A state and batches -> a largest learning rate for `one_cycle`, with its spread. The state stays as it is.

found = find(state, batches, loss=cross_entropy)     # print(found); plots.lr_find(found)

The rate rises step by step until the loss does (Smith 2017, "Cyclical learning rates for training neural networks").
Here this is repeated from the same start with other batches; `suggestion` reads what came of it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from ursa.core import seeds
from ursa.core.progress import Progress, silent
from ursa.errors import DataError, TrainingError
from ursa.training.batches.batch import Batch, Batches, order
from ursa.training.loop import Gradient, State, Step, train
from ursa.training.lr_finder.restored import restored
from ursa.training.lr_finder.suggestion import ABOVE, F64, QUIET, Suggestion, Trial, ceiling, read
from ursa.training.optim.schedules import Schedule, one_cycle
from ursa.training.tasks.losses import Loss

FACTOR = 3.0  # from one trial's rate to the next
TRIALS = 7  # at most
TRIAL = 120  # steps of a trial, or those of the whole run where that is shorter
TIE, TINY = 0.05, 0.003  # trials are equally good where losses differ by less than this share of them, or of the start
HELD_OUT = 0.2  # share of the batches of a trial that it does not learn from


def find(
    state: State,
    batches: Batches,
    *,
    loss: Loss,
    gradient: Gradient | None = None,
    epochs: int = 1,
    warmup: float = 0.25,
    max_grad_norm: float = 0.0,
    seed: int = 0,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    repeats: int = 3,
    confirm: bool = False,
    progress: Progress = silent,
) -> Suggestion:
    """Raise the rate from low to high in `steps` steps, `repeats` times -> Suggestion.

    The groups' rates keep their proportions ("max_lr"); low, high and the suggestion are those of the last group. loss,
    gradient, max_grad_norm, seed: those of the training to come; the same arguments give the same answer.

    Costs repeats * steps steps. confirm: short runs with the suggestion and its neighbours as peaks, judged by batches
    kept from them, on and on towards the better side, choose the rate: 3 to 7 trials of at most 120 steps. They see
    what a range test cannot, such as what is only learnt by heart. epochs, warmup: of the training to come; trials are
    no longer than that, and follow its `one_cycle`.

    Raises TrainingError where the loss is NaN or infinite from the start or no rate changes it, DataError for batches
    that hold NaN or infinity.
    """
    _check(batches, low, high, steps, repeats)
    asked = _Asked(state, batches, loss, gradient, warmup, max_grad_norm, seed)
    lrs = np.geomspace(low, high, steps)
    losses = np.full((repeats, steps), np.nan)
    for repeat in range(repeats):
        _rise(asked, lrs, losses, repeat, progress)
    progress("lrs", losses.size, losses.size)
    found = read(lrs, losses)
    return _confirmed(found, asked, min(TRIAL, max(1, epochs) * len(batches)), progress) if confirm else found


@dataclass(frozen=True)
class _Asked:
    """What `find` was asked about."""

    state: State
    batches: Batches
    loss: Loss
    gradient: Gradient | None
    warmup: float
    max_grad_norm: float
    seed: int

    @property
    def max_lr(self) -> float:
        return float(self.state.optimizer.param_groups[-1]["max_lr"])

    def steps(self, state: State, source: Batches, schedule: Schedule, seed: int) -> Iterator[Step]:
        """Through the source, which is one epoch."""
        gradient, norm = self.gradient, self.max_grad_norm
        return train(state, source, 1, self.loss, schedule=schedule, gradient=gradient, max_grad_norm=norm, seed=seed)


def _rise(asked: _Asked, lrs: F64, losses: F64, repeat: int, progress: Progress) -> None:
    """Steps with rising rates, whose losses are put into `losses[repeat]`, until the last rate or divergence."""
    steps, high = len(lrs), 0
    source = Consecutive(asked.batches, steps, first=repeat * -(-steps // len(asked.batches)))
    seed = seeds.number(asked.seed, "lrs", repeat)

    def schedule(done: float) -> float:
        return float(lrs[round(done * steps)]) / asked.max_lr

    with restored(asked.state) as own:
        for step in asked.steps(own, source, schedule, seed):
            losses[repeat, step.number - 1] = value = float(step.loss)
            progress("lrs", repeat * steps + step.number, losses.size)
            if not math.isfinite(value):
                _check_numbers(source.last, step.number, value)
                return
            high = high + 1 if step.number > QUIET and value > ceiling(losses[repeat]) else 0
            if high == ABOVE:
                return


def _confirmed(found: Suggestion, asked: _Asked, steps: int, progress: Progress) -> Suggestion:
    """Trials beside the best one so far, until both its neighbours are worse."""
    learnt, judged = _kept_apart(asked.batches, steps)
    near = TINY * abs(float(np.median(found.losses[:, :QUIET])))
    tried: dict[int, Trial] = {}  # by how many factors above the suggestion
    best = 0
    while len(tried) < TRIALS:
        lrs = {place: found.suggestion * FACTOR**place for place in (best, best - 1, best + 1) if place not in tried}
        inside = [place for place, lr in lrs.items() if not tried or found.lrs[0] <= lr <= found.lrs[-1]]
        if not inside:
            break
        lr = lrs[inside[0]]
        tried[inside[0]] = Trial(lr, _trial(asked, learnt, judged, steps, lr))
        best = _best(tried, near)
        progress("trials", len(tried), TRIALS)
    progress("trials", TRIALS, TRIALS)
    lr = tried[best].lr
    trials = tuple(tried[place] for place in sorted(tried))
    return replace(found, suggestion=lr, low=min(found.low, lr), high=max(found.high, lr), trials=trials)


def _best(tried: dict[int, Trial], near: float) -> int:
    """The place of the lowest loss; of those that are as good, the one nearest to where the trials began."""
    lowest = min(trial.loss for trial in tried.values())
    if math.isinf(lowest):
        return min(tried)
    equal = [place for place, trial in tried.items() if trial.loss <= lowest + TIE * abs(lowest) + near]
    return min(equal, key=lambda place: (abs(place), place))


def _kept_apart(batches: Batches, steps: int) -> tuple[list[Batch], list[Batch]]:
    """Batches for trials to learn from, and those that judge them: some of an epoch, or parts of its only batch."""
    some = list(Consecutive(batches, min(len(batches), steps), 0).epoch(0))
    if len(some) == 1:
        aside = round(len(some[0]) * HELD_OUT)
        return ([some[0].cut(slice(aside, None))], [some[0].cut(slice(aside))]) if aside else (some, some)
    aside = max(1, round(len(some) * HELD_OUT))
    return some[aside:], some[:aside]


def _trial(asked: _Asked, learnt: list[Batch], judged: list[Batch], steps: int, lr: float) -> float:
    """The loss on `judged` after a short run of `one_cycle` on `learnt`; infinite where it is NaN."""
    cycle = one_cycle(asked.warmup)

    def schedule(done: float) -> float:
        return lr * cycle(done) / asked.max_lr

    with restored(asked.state) as own:
        for step in asked.steps(own, Again(learnt, steps), schedule, asked.seed):
            if not math.isfinite(float(step.loss)):
                return math.inf
        own.model.eval()
        with torch.no_grad():
            losses = [float(asked.loss(own.model(*b.inputs), b.targets)) * len(b) for b in judged]
    mean = sum(losses) / sum(map(len, judged))
    return mean if math.isfinite(mean) else math.inf


class Consecutive:
    """`steps` batches as one epoch: those of a source, from its `first`-th epoch on, one epoch after the other."""

    def __init__(self, batches: Batches, steps: int, first: int) -> None:
        self.batches, self.steps, self.first = batches, steps, first
        self.last: Batch | None = None  # that was handed out

    def __len__(self) -> int:
        return self.steps

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        """The only epoch there is, from the `first`-th batch on."""
        done = first
        while done < self.steps:
            number, skipped = divmod(done, len(self.batches))
            before = done
            for batch in self.batches.epoch(self.first + number, skipped):
                self.last = batch
                yield batch
                done += 1
                if done == self.steps:
                    return
            if done == before:
                raise DataError("an epoch has no batches", found=f"epoch {self.first + number}")


class Again:
    """`steps` batches as one epoch: the same ones again and again, each time in another order."""

    def __init__(self, some: list[Batch], steps: int) -> None:
        self.some, self.steps = some, steps

    def __len__(self) -> int:
        return self.steps

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:  # noqa: ARG002
        """The only epoch there is, from the `first`-th batch on."""
        for step in range(first, self.steps):
            turn, place = divmod(step, len(self.some))
            yield self.some[int(order(0, turn, len(self.some))[place])]


def _check(batches: Batches, low: float, high: float, steps: int, repeats: int) -> None:
    if not len(batches):
        raise DataError("there is nothing to train on", found="0 batches", fix="give at least one example")
    if not 0 < low < high < math.inf:  # false for NaN too
        raise TrainingError("rates rise from a low to a high one above 0", found=f"low={low}, high={high}")
    if steps < 3 * QUIET or repeats < 1:
        raise TrainingError(
            "a range test needs some steps", found=f"steps={steps}, repeats={repeats}", fix="100 steps, 3 repeats"
        )


def _check_numbers(batch: Batch | None, step: int, value: float) -> None:
    """Raises where a loss that is NaN or infinite comes from the data, or was there from the start."""
    broken = [i for i, x in enumerate(() if batch is None else batch.inputs) if not torch.isfinite(x).all()]
    if broken:
        raise DataError(
            "a batch holds NaN or infinity",
            found=f"input {broken[0] + 1} of step {step}",
            fix="fill in or leave out the examples with missing values",
        )
    if step == 1:
        raise TrainingError(
            "the loss is NaN or infinite before anything was learnt",
            found=f"{value} at the first step",
            fix="look for NaN among the targets, and for a logarithm or a division by 0 in the loss",
        )
