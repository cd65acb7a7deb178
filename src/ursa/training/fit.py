"""The loop's usual reader: history, evaluation, the best weights, checkpoints, early stopping, Ctrl-C, divergence."""

import contextlib
import copy
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ursa.core.progress import Progress, silent
from ursa.errors import TrainingError
from ursa.training.batches.batch import Batches
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.divergence import diverged, finite
from ursa.training.history import Best, History
from ursa.training.loop import Gradient, State, Step, accumulated, train
from ursa.training.optim.optimizers import parameters_of
from ursa.training.optim.schedules import Schedule
from ursa.training.tasks.losses import Loss, cross_entropy

Evaluate = Callable[[nn.Module], dict[str, float]]  # after each epoch: {"valid_loss": ..., "accuracy": ...}

ENOUGH, LATE, INTERRUPTED = "no better", "time", "interrupted"  # why a run stopped early; only the last can be resumed


@dataclass(frozen=True)
class Monitor:
    """What makes an epoch the best one so far."""

    name: str = "valid_loss"  # of what `evaluate` measured
    higher: bool = False  # is better

    def better(self, now: dict[str, float], best: dict[str, float] | None) -> bool:
        """Ties go to the earlier epoch; NaN is never better."""
        value = now[self.name]
        if best is None or math.isnan(best[self.name]):
            return not math.isnan(value)
        return value > best[self.name] if self.higher else value < best[self.name]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a fit whose checkpoints are kept. Says at which step."""


class Observer:
    """Something that watches a run, such as a tracker. Does nothing: override what is of interest."""

    def step(self, step: dict[str, float]) -> None:
        """{"step", "epoch", "loss", "lr"}; told some time after the step, many at once."""

    def epoch(self, record: dict[str, float]) -> str | None:
        """{"epoch", "train_loss", ..., "seconds"} -> None, or a reason to stop, which ends the run there."""

    def close(self) -> None:
        """The run is over, however it ended."""


def fit(
    state: State,
    batches: Batches,
    evaluate: Evaluate,
    *,
    epochs: int,
    loss: Loss = cross_entropy,
    schedule: Schedule | None = None,
    gradient: Gradient | None = None,
    max_grad_norm: float = 0.0,
    seed: int = 0,
    patience: int = 0,
    monitor: Monitor | None = None,
    history: History | None = None,
    observers: Sequence[Observer] = (),
    checkpoints: Checkpoints | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    stop: Callable[[], bool | str | None] | None = None,
    progress: Progress = silent,
) -> tuple[History, Best]:
    """Train to the last epoch. Afterwards the model has the weights of the best epoch.

    The model as it is before the first step counts as epoch 0. Ctrl-C ends the fit after the step it is in, a second
    one at once. Raises TrainingError when the loss is NaN or infinite; the model then has the best weights so far.

    loss, schedule, gradient, max_grad_norm, seed: as of `train`. patience: epochs without a better one until training
    stops (Prechelt 1998); 0: never.
    checkpoints: written before the first step, when due, and at the end, whatever ended it but an error. resume: from
    the newest one, if there is one; the result is then that of a run that never stopped, but for seconds. Without
    `resume` a folder that holds checkpoints is refused, so that no run is lost to another. Observers are told of the
    new steps only; one that returns a reason after an epoch stops the run there. settings: what identifies the run,
    as JSON; kept in its checkpoints, and a run is not resumed with other ones. Where none are given they are seed and
    max_grad_norm.
    stop: asked after each step whether time is up, or for another reason to stop, as text; the epoch then ends there,
    is evaluated, and counts like any other.
    """
    settings = {"seed": seed, "max_grad_norm": max_grad_norm} if settings is None else settings
    monitor, history, gradient = monitor or Monitor(), history or History(), gradient or accumulated()
    best, spent = _begin(state, settings, evaluate, monitor, history, checkpoints, resume)
    started = time.perf_counter() - spent

    def read() -> None:
        if (bad := _read(history, observers)) is not None:
            raise diverged(bad, state, batches, seed, loss, gradient, history, best)

    with interruptible() as asked, _closing(observers):
        steps = train(
            state, batches, epochs, loss, schedule=schedule, gradient=gradient, max_grad_norm=max_grad_norm, seed=seed
        )
        for step in () if history.stopped else steps:
            late = stop() if stop is not None else None
            if history.add(step) or late:
                read()
            progress("train", step.number, step.of)
            reasons: list[str | None] = []
            due = checkpoints is not None and checkpoints.due(step.number, ends_epoch=step.ends_epoch)
            if step.ends_epoch or late:
                record = _epoch(state, step, evaluate, history, started)
                started = time.perf_counter()
                reasons = [observer.epoch(record) for observer in observers]
                if monitor.better(record, best.record):
                    best = Best(step.epoch + 1, record, _weights(state))
            history.stopped = _why(step, patience, best, asked(), late) or _first_reason(step, reasons)
            over = history.stopped is not None or step.number == step.of
            if over or due:
                read()
            if checkpoints is not None and (over or due):
                if not finite(parameters_of(state.optimizer)):
                    raise diverged(step, state, batches, seed, loss, gradient, history, best)
                checkpoints.save(state, settings, history, best, time.perf_counter() - started)
            if history.stopped:
                break
    state.model.load_state_dict(best.weights)
    return history, best


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Inside, a first Ctrl-C only makes what this yields say True, so that no step is torn; a second one interrupts.

    Only the main thread can handle signals: in another, and where Ctrl-C is ignored, nothing changes.
    """
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
        yield pressed.is_set
        return

    def note(_number: int, _frame: Any) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(
    state: State,
    settings: Mapping[str, Any],
    evaluate: Evaluate,
    monitor: Monitor,
    history: History,
    checkpoints: Checkpoints | None,
    resume: bool,
) -> tuple[Best, float]:
    """The best epoch so far, and the seconds spent on the epoch that is under way."""
    if checkpoints is not None and checkpoints.exist():
        if not resume:
            raise TrainingError(
                f"the folder {checkpoints.folder} holds the checkpoints of a run",
                fix="resume=True to continue it, or another folder for a new one",
            )
        saved, best = checkpoints.resume(state, settings)
        history.take(saved.history)
        if history.stopped == INTERRUPTED:
            history.stopped = None
        return best, saved.seconds
    best = _first(state, evaluate, monitor, history)
    if checkpoints is not None:
        checkpoints.save(state, settings, history, best)  # so that a disk that is full or read-only is known now
    return best, 0.0


def _first(state: State, evaluate: Evaluate, monitor: Monitor, history: History) -> Best:
    record = {"epoch": 0, **evaluate(state.model)}
    if monitor.name not in record:
        raise TrainingError(f"nothing measures {monitor.name!r}", found=", ".join(record))
    history.epochs.append(record)
    return Best(0, record, _weights(state))


def _epoch(state: State, step: Step, evaluate: Evaluate, history: History, started: float) -> dict[str, float]:
    with _averaged(state):
        measured = evaluate(state.model)
    train_loss = history.train_loss(step.epoch)
    record = {"epoch": step.epoch + 1, "train_loss": train_loss, **measured, "seconds": time.perf_counter() - started}
    history.epochs.append(record)
    return record


def _why(step: Step, patience: int, best: Best, asked: bool, late: bool | str | None) -> str | None:
    """The reason to stop after this step, if there is one."""
    if step.number == step.of:
        return None
    if step.ends_epoch and patience and step.epoch + 1 - best.epoch >= patience:
        return ENOUGH
    if late:
        return late if isinstance(late, str) else LATE
    return INTERRUPTED if asked else None


def _first_reason(step: Step, reasons: Sequence[str | None]) -> str | None:
    """Why an observer stops the run after an epoch that is not the last, if one does."""
    return next((reason for reason in reasons if reason), None) if step.number < step.of else None


def _read(history: History, observers: Sequence[Observer]) -> Step | None:
    known = len(history.steps)
    bad = history.read()
    for observer in observers:
        for step in history.steps[known:]:
            observer.step(step)
    return bad


def _weights(state: State) -> dict[str, Tensor]:
    with _averaged(state):
        return copy.deepcopy(state.model.state_dict())


def _averaged(state: State) -> contextlib.AbstractContextManager[None]:
    return state.average.in_place() if state.average is not None else contextlib.nullcontext()


@contextlib.contextmanager
def _closing(observers: Sequence[Observer]) -> Iterator[None]:
    try:
        yield
    finally:
        for observer in observers:
            observer.close()
