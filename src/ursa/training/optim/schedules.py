"""Schedules: the fraction of the run that is done, in [0, 1] -> factor on the peak learning rate.

A schedule is any function from float to float; the ones here are made by the functions below. Pure, so a resumed run
needs no replay, and composable: `sequential([(0.75, constant()), (0.25, cosine())])` is fastai's `fit_flat_cos`.
"""

import bisect
import inspect
import itertools
import math
from collections.abc import Callable, Sequence

from ursa.errors import TrainingError, did_you_mean

Schedule = Callable[[float], float]


def constant(factor: float = 1.0) -> Schedule:
    """The same rate all along."""
    _at_least_0(factor=factor)
    return lambda done: factor  # noqa: ARG005


def linear(start: float = 1.0, end: float = 0.0) -> Schedule:
    """A straight line from start to end."""
    _at_least_0(start=start, end=end)
    return lambda done: start + (end - start) * done


def cosine(start: float = 1.0, end: float = 0.0) -> Schedule:
    """Half a wave from start to end, flat at both (Loshchilov and Hutter 2017, SGDR, without restarts)."""
    _at_least_0(start=start, end=end)
    half = (end - start) / 2
    return lambda done: start + half * (1 - math.cos(math.pi * done))


def one_cycle(warmup: float = 0.25, start: float = 1 / 25, end: float = 1e-5) -> Schedule:
    """Up and down along cosines (Smith 2018; defaults as in fastai's `fit_one_cycle`). warmup: share of the run."""
    _share(warmup=warmup)
    return sequential([(warmup, cosine(start, 1.0)), (1 - warmup, cosine(1.0, end))])


def momentum_cycle(warmup: float = 0.25, high: float = 0.95, low: float = 0.85) -> Schedule:
    """Momentum, not a factor: low where `one_cycle` has its peak (Smith 2018; fastai's `moms`)."""
    _share(warmup=warmup, high=high, low=low)
    return sequential([(warmup, cosine(high, low)), (1 - warmup, cosine(low, high))])


def multi_step(drop: float = 0.1, at: Sequence[float] = (0.5, 0.75)) -> Schedule:
    """The rate times `drop` at each of these fractions of the run (He et al. 2016: 0.1 at 1/2 and 3/4)."""
    _at_least_0(drop=drop)
    _share(**{f"at[{i}]": edge for i, edge in enumerate(at)})
    edges = sorted(at)
    return lambda done: float(drop ** bisect.bisect_right(edges, done))


def exponential(end: float = 0.01) -> Schedule:
    """Falls by the same share each step, from 1 to end: end ** done. end > 0."""
    _above_0(end=end)
    return lambda done: float(end**done)


def inverse_time(decay_rate: float = 10.0) -> Schedule:
    """1 / (1 + rate * done), the classical decay of stochastic approximation (Robbins and Monro 1951)."""
    _at_least_0(decay_rate=decay_rate)
    return lambda done: 1 / (1 + decay_rate * done)


def inverse_sqrt(warmup: float = 0.1) -> Schedule:
    """A straight line to the peak, then 1 / sqrt(steps) (Vaswani et al. 2017, section 5.3). warmup in (0, 1]."""
    _share(warmup=warmup)
    _above_0(warmup=warmup)
    return lambda done: done / warmup if done < warmup else math.sqrt(warmup / done)


def warm_restarts(cycles: int = 3, growth: float = 1.0, end: float = 0.0) -> Schedule:
    """`cycles` cosines from 1 to end, each `growth` times as long as the one before (Loshchilov and Hutter 2017)."""
    if cycles != int(cycles) or cycles < 1:
        raise TrainingError("warm restarts need a whole number of cycles", found=f"cycles={cycles}", fix="1 or more")
    _above_0(growth=growth)
    lengths = [growth**i for i in range(int(cycles))]
    return sequential([(length / math.fsum(lengths), cosine(1.0, end)) for length in lengths])


def piecewise_linear(points: Sequence[tuple[float, float]]) -> Schedule:
    """[(done, factor), ...] -> straight lines between them: piecewise_linear([(0, 0.1), (0.3, 1), (1, 0)]).

    done rises from 0 to 1; two points at the same place make a jump, and the later one counts there.
    """
    places, factors = [float(done) for done, _ in points], [float(factor) for _, factor in points]
    _at_least_0(**{f"factor {i}": factor for i, factor in enumerate(factors)})
    if len(points) < 2 or places[0] != 0 or places[-1] != 1 or places != sorted(places):
        raise TrainingError(
            "the points of a schedule have to rise from 0 to 1",
            found=places,
            fix="for example [(0, 0.1), (0.3, 1), (1, 0)]",
        )

    def factor(done: float) -> float:
        right = bisect.bisect_right(places, done)
        if right == len(places):
            return factors[-1]
        left = right - 1
        share = (done - places[left]) / (places[right] - places[left])
        return factors[left] + (factors[right] - factors[left]) * share

    return factor


def sequential(parts: Sequence[tuple[float, Schedule]]) -> Schedule:
    """[(share of the run, schedule), ...] -> one after the other, each from its own 0 to its own 1.

    The shares sum to 1; where two parts meet, the later one counts.
    """
    _share(**{f"share {i}": share for i, (share, _) in enumerate(parts)})
    used = [(share, schedule) for share, schedule in parts if share > 0]
    if not math.isclose(math.fsum(share for share, _ in used), 1.0, abs_tol=1e-9):
        found = " + ".join(f"{share:g}" for share, _ in parts) or "none"
        raise TrainingError("the shares of schedules one after the other have to sum to 1", found=found)
    starts = [0.0, *itertools.accumulate(share for share, _ in used)][:-1]
    inner = starts[1:]

    def factor(done: float) -> float:
        part = bisect.bisect_right(inner, done)
        share, schedule = used[part]
        return schedule(min(1.0, (done - starts[part]) / share))

    return factor


def with_warmup(schedule: Schedule, share: float = 0.1, start: float = 0.0) -> Schedule:
    """A straight line from start to where the schedule begins, then the schedule in the rest of the run."""
    return sequential([(share, linear(start, schedule(0.0))), (1 - share, schedule)])


NAMED: dict[str, Callable[..., Schedule]] = {
    make.__name__: make
    for make in (
        *(constant, linear, cosine, one_cycle, multi_step),
        *(exponential, inverse_time, inverse_sqrt, warm_restarts),
    )
}


def create(name: str, **settings: float) -> Schedule:
    """create("cosine", end=0.1) -> cosine(end=0.1). Raises TrainingError for an unknown name or setting."""
    if name not in NAMED:
        raise TrainingError(f"there is no schedule {name!r}", fix=did_you_mean(name, NAMED))
    known = inspect.signature(NAMED[name]).parameters
    for setting in settings:
        if setting not in known:
            raise TrainingError(f"the schedule {name} has no setting {setting!r}", fix=did_you_mean(setting, known))
    return NAMED[name](**settings)


def check(schedule: Schedule) -> None:
    """Raises TrainingError where a schedule, a user's too, gives no rate to train with. Looks at 101 places."""
    factors = [schedule(i / 100) for i in range(101)]
    for i, factor in enumerate(factors):
        if not (math.isfinite(factor) and factor >= 0):
            raise TrainingError(
                "a schedule has to give a finite factor of 0 or more on the rate",
                found=f"{factor} after {i} % of the run",
                fix="clamp it, for example max(0.0, factor)",
            )
    if not any(factors):
        raise TrainingError("the schedule is 0 all along, so nothing would be learnt", fix="let it rise above 0")


def _at_least_0(**numbers: float) -> None:
    _limits(numbers, "a finite number of 0 or more", lambda value: 0 <= value < math.inf)


def _above_0(**numbers: float) -> None:
    _limits(numbers, "a finite number above 0", lambda value: 0 < value < math.inf)


def _share(**numbers: float) -> None:
    _limits(numbers, "a number from 0 to 1", lambda value: 0 <= value <= 1)


def _limits(numbers: dict[str, float], wanted: str, holds: Callable[[float], bool]) -> None:
    for name, value in numbers.items():
        if not holds(value):  # false for NaN too
            raise TrainingError(f"a schedule's {name} has to be {wanted}", found=value)
