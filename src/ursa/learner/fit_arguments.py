"""The arguments of a fit -> one value, judged before the first batch."""

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from ursa.errors import TrainingError
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.fit import Observer
from ursa.training.optim import schedules
from ursa.training.optim.schedules import Schedule

Lr = float | slice | None
Observers = Sequence[Observer | Callable[[dict[str, float]], Any]]


class FitKeywords(TypedDict, total=False):
    """What every way to fit takes by name; see `Learner.fit`."""

    keep: str  # weights that are left: "best" epoch's, or "last"
    patience: int  # epochs without a better one until training stops; 0: as the recipe says
    observers: Observers  # told of steps and epochs; one that returns a text after an epoch stops the run
    checkpoints: Checkpoints | str | Path | None  # a folder to write them to
    resume: bool  # from the newest checkpoint, where there is one
    stop: Callable[[], bool] | None  # asked after each step whether time is up


@dataclass(frozen=True)
class FitArguments:
    """What one fit is asked to do."""

    epochs: int
    lr: Lr  # the largest learning rate; a slice: of the first and of the last layers; None: the optimizer's usual one
    schedule: Schedule  # share of the run -> factor on the learning rate
    keep: str = "best"  # weights that are left: "best" epoch's, or "last"
    patience: int = 0  # epochs without a better one until training stops; 0: never
    observers: tuple[Observer, ...] = ()
    checkpoints: Checkpoints | None = None
    resume: bool = False
    stop: Callable[[], bool] | None = None


class EpochFunction(Observer):
    """A function of an epoch's record as an observer: a text that it returns stops the run, and is the reason."""

    def __init__(self, function: Callable[[dict[str, float]], Any]) -> None:
        self.function = function

    def epoch(self, record: dict[str, float]) -> str | None:
        """{"epoch", "train_loss", ..., "seconds"} -> None, or a reason to stop."""
        reason = self.function(record)
        return reason if isinstance(reason, str) else None


def fit_arguments(
    epochs: Any,
    lr: Any,
    schedule: Any,
    *,
    keep: Any = "best",
    patience: Any = 0,
    observers: Any = (),
    checkpoints: Any = None,
    resume: Any = False,
    stop: Any = None,
) -> FitArguments:
    """Raises TrainingError for what cannot be done, with the way to write it."""
    if keep not in ("best", "last"):
        raise TrainingError(f"no weights are called {keep!r}", fix='keep="best" or keep="last"')
    if stop is not None and not callable(stop):
        raise TrainingError("stop is a function that says whether time is up", found=repr(stop), fix="stop=lambda: ...")
    patience = whole_number("patience", patience)
    if patience and keep == "last":
        found, fix = f"patience={patience}, keep='last'", "one of them: patience waits for a better epoch"
        raise TrainingError("no epoch is better than another where the last one is kept", found=found, fix=fix)
    folder = _checkpoints(checkpoints)
    if resume and folder is None:
        raise TrainingError("resume=True needs the run's checkpoints", fix='checkpoints="FOLDER"')
    return FitArguments(
        epochs=whole_number("epochs", epochs),
        lr=learning_rate(lr),
        schedule=_schedule(schedule),
        keep=keep,
        patience=patience,
        observers=_observers(observers),
        checkpoints=folder,
        resume=bool(resume),
        stop=stop,
    )


def whole_number(name: str, value: Any) -> int:
    """A whole number of 0 or more. Raises TrainingError for anything else."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise TrainingError(f"{name} is a whole number of 0 or more", found=repr(value))
    return int(value)


def learning_rate(value: Any) -> Lr:
    """A number above 0, slice(low, high) or slice(high) of such, or None."""
    if value is None:
        return None
    if isinstance(value, slice):
        if value.stop is None or value.step is not None:
            fix = "slice(1e-5, 1e-3): from the first layers to the last; slice(1e-3): the last, the others a tenth"
            raise TrainingError("a slice of learning rates has an end", found=repr(value), fix=fix)
        low = None if value.start is None else _positive(value.start)
        return slice(low, _positive(value.stop))
    return _positive(value)


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < float(value) < math.inf:
        fix = "a number such as 1e-3; to keep weights as they are, freeze them"
        raise TrainingError("a learning rate has to be above 0", found=repr(value), fix=fix)
    return float(value)


def _schedule(schedule: Any) -> Schedule:
    if isinstance(schedule, str):
        schedule = schedules.create(schedule)
    if not callable(schedule):
        fix = 'a name such as "cosine", or a function of the share of the run that is done'
        raise TrainingError("this is no schedule", found=repr(schedule)[:60], fix=fix)
    try:
        schedules.check(schedule)
    except (TypeError, ValueError) as problem:
        fix = "a function float -> float, for example lambda done: 1 - done"
        raise TrainingError(
            "the schedule cannot be called with a share of the run", found=problem, fix=fix
        ) from problem
    checked: Schedule = schedule
    return checked


def _observers(observers: Any) -> tuple[Observer, ...]:
    """Observers, and functions of an epoch's record."""
    if isinstance(observers, Observer) or callable(observers) or not isinstance(observers, Iterable):
        raise TrainingError("observers are a list", found=type(observers).__name__, fix="observers=[...]")
    return tuple(_observer(one) for one in observers)


def _observer(one: Any) -> Observer:
    if isinstance(one, type) and issubclass(one, Observer):
        raise TrainingError("an observer is given, not its class", found=one.__name__, fix=f"{one.__name__}()")
    if isinstance(one, Observer):
        return one
    if callable(one):
        return EpochFunction(one)
    fix = "a function of an epoch's record, or an ursa.training.fit.Observer"
    raise TrainingError("this is no observer", found=type(one).__name__, fix=fix)


def _checkpoints(checkpoints: Any) -> Checkpoints | None:
    if checkpoints is None or isinstance(checkpoints, Checkpoints):
        return checkpoints
    if isinstance(checkpoints, str | Path):
        return Checkpoints(Path(checkpoints))
    fix = 'a folder, checkpoints="FOLDER", or Checkpoints("FOLDER", every_seconds=...)'
    raise TrainingError("checkpoints are written to a folder", found=repr(checkpoints)[:60], fix=fix)


def no_meaning(why: str, fix: str, **values: Any) -> None:
    """Raises TrainingError where one of these arguments is given (not None)."""
    for name, value in values.items():
        if value is not None:
            raise TrainingError(f"{name} has no meaning {why}", found=f"{name}={value!r}"[:80], fix=fix)
