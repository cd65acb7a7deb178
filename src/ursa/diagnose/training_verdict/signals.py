"""A history -> the few numbers in which faults differ. Losses are relative to that of guessing, log(classes).

Curves are compared at a third of the run and at its end: as losses fall by about as much from T/3 to T as from T to 3T
(power laws, Hestness et al. 2017), what the last two thirds gained is what three times the epochs would gain.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ursa.diagnose.training_verdict.training_history import F64, TrainingHistory

WINDOW = 5  # steps whose losses are averaged: a single batch says little
FIRST = 10  # steps at the largest rate after which a loss has fallen visibly, where the rate is right
MOST = 1e12  # of a loss; larger ones say no more
LEAST_STEPS = 8  # of which a curve can be drawn


@dataclass(frozen=True)
class Signals:
    """NaN where the history does not tell."""

    guessing: float  # loss of guessing that the others are relative to, nats
    begun: float  # loss at the start, at least that of guessing, nats
    spoiled: bool  # a loss was NaN or infinite
    peak: float  # largest loss, of an epoch or of WINDOW steps, over the larger one of guessing and the first steps
    end: float  # training loss of the last epoch
    valid_change: float  # range of the validation losses after the first epoch, and all after it
    train_change: float  # range of the epochs' training losses but for the first
    valid_end: float
    valid_grown: float  # the last one over the larger one of guessing and the start
    valid_least: float
    fallen: float  # from the first steps to the last, share of the first
    early: float  # likewise to those after FIRST steps; without steps to the mean of the first epoch
    late: float  # training loss: from a third of the run to its end, share of the former
    valid_late: float  # likewise, validation loss
    valid_half: float  # likewise, from half of the run
    valid_step: float  # likewise, of the last epoch, times the epochs
    shaking: float  # deviation from step to step, or epoch to epoch, in the last half
    error_end: float
    error_least: float
    error_late: float  # from a third of the run to its end
    error_rise: float  # of the mean of the last three epochs over that of the best three
    error_change: float  # range of the error over the last half, three epochs at least
    noise: float  # standard error of an error on this validation part
    above_chance: float  # error of guessing the largest class, less the last error, in standard errors
    chance_noise: float  # of those
    valid_rise: float  # last over least validation loss
    moved: float  # largest change of the validation loss from its start, as a share of that
    since_best: float  # epochs since the least error, share of all


def signals(history: TrainingHistory) -> Signals:
    """The history has an epoch at least."""
    history = _bounded(history)
    guessing = _guessing(history)
    steps, train = _finite(history.step_loss), history.train_loss
    curve = steps if len(steps) >= LEAST_STEPS else np.array([guessing, *_finite(train)])
    by_step = curve is steps
    windows = _means(steps, WINDOW) if len(steps) >= LEAST_STEPS else steps[:0]
    valid = np.array([history.start[0], *history.valid_loss])
    error = np.array([history.start[1], *history.error])
    first, last = _ends(curve, by_step=by_step)
    begun = max(guessing, history.start[0] if math.isfinite(history.start[0]) else first)
    noise = _noise(history)
    chance = _chance_error(history)
    trained = _finite(train)
    return Signals(
        guessing=guessing,
        begun=begun,
        spoiled=bool(history.spoiled) or history.facts.diverged,
        peak=max([*_finite(train), *windows[1:]], default=math.nan) / begun,
        end=(trained[-1] if len(trained) else math.nan) / guessing,
        valid_change=_range(history.valid_loss) / guessing,
        train_change=_range(train[1:]) / guessing,
        valid_end=_last(valid) / guessing,
        valid_grown=_last(valid) / begun,
        valid_least=_least(history.valid_loss) / guessing,
        fallen=1 - last / first if len(curve) > 1 else math.nan,
        early=_early(history, steps, first) if by_step else 1 - _first(train) / begun,
        late=_late(curve, by_step=by_step),
        valid_late=_relative(_third(valid), _last(valid)),
        valid_half=_relative(_third(valid, 0.5), _last(valid)),
        valid_step=_relative(valid[-2], valid[-1]) * (len(valid) - 1),
        shaking=_shaking(steps if by_step else trained) / guessing,
        error_end=_last(error),
        error_least=_least(history.error),
        error_late=_third(error) - _last(error),
        error_rise=_rise(history.error),
        error_change=_range(history.error[-max(3, len(history.error) // 2) :]),
        noise=noise,
        above_chance=(chance - _last(error)) / noise_of(chance, history.facts.valid_count),
        chance_noise=noise_of(chance, history.facts.valid_count),
        valid_rise=_ratio(_last(valid), _least(history.valid_loss)),
        moved=_moved(valid),
        since_best=_since_best(history.error),
    )


def _bounded(history: TrainingHistory) -> TrainingHistory:
    """NaN for infinity, and no number beyond all measure, so that differences and ratios stay numbers."""

    def bounded(values: F64) -> F64:
        return np.where(np.isfinite(values), np.clip(values, -MOST, MOST), math.nan)

    names = ("train_loss", "valid_loss", "error", "step_loss", "step_lr")
    arrays: dict[str, Any] = {name: bounded(getattr(history, name)) for name in names}
    loss, error = (float(value) for value in bounded(np.array(history.start)))
    return replace(history, start=(loss, error), **arrays)


def noise_of(error: float, count: int | None) -> float:
    """Standard error of a share on so many examples; where they are not known, of a hundred."""
    share = min(max(error, 0.02), 0.98) if math.isfinite(error) else 0.5
    return math.sqrt(share * (1 - share) / (count or 100))


def _guessing(history: TrainingHistory) -> float:
    """log(classes); where their number is not known the loss before the first step, or the first that was measured."""
    if history.facts.classes:
        return math.log(max(2, history.facts.classes))
    start, first = history.start[0], _finite(np.array([*history.step_loss[:WINDOW], *history.train_loss]))
    known = start if math.isfinite(start) else first[0] if len(first) else _first(history.valid_loss)
    return float(max(abs(known), 1e-9)) if math.isfinite(known) else 1.0


def _chance_error(history: TrainingHistory) -> float:
    """Of guessing the largest class; NaN where the metric is no share, or the classes are not known."""
    facts = history.facts
    if not history.share or not (facts.largest_class or facts.classes):
        return math.nan
    return 1 - (facts.largest_class or 1 / (facts.classes or 2))


def _noise(history: TrainingHistory) -> float:
    """Of a share by the size of the validation part; of anything else by how it jumps from epoch to epoch."""
    error = _finite(history.error)
    if history.share:
        return noise_of(float(error[-1]) if len(error) else math.nan, history.facts.valid_count)
    return float(np.median(np.abs(np.diff(error, 2)))) / 2 if len(error) > 3 else math.nan


def _early(history: TrainingHistory, steps: F64, first: float) -> float:
    """The fall after FIRST steps at the largest rate: those of a warmup count by their share of it."""
    lrs = history.step_lr[: len(steps)]
    whole = (
        lrs / lrs.max() if len(lrs) == len(steps) and np.isfinite(lrs).all() and lrs.max() > 0 else np.ones(len(steps))
    )
    place = min(int(np.searchsorted(np.cumsum(whole), FIRST)), len(steps) - 3)
    return 1 - float(steps[max(0, place - 2) : place + 3].mean()) / first


def _ends(curve: F64, *, by_step: bool) -> tuple[float, float]:
    if not by_step:
        return float(curve[0]), float(curve[-1])
    first = curve[0] if curve[1] > 2 * curve[0] else curve[:2].mean()  # a first step can be too long already
    return float(first), float(curve[-max(3, len(curve) // 8) :].mean())


def _late(curve: F64, *, by_step: bool) -> float:
    if len(curve) < 2:
        return math.nan
    _, last = _ends(curve, by_step=by_step)
    if not by_step:
        return _relative(_third(curve), last)
    middle = len(curve) // 3
    around = curve[max(0, middle - max(2, middle // 4)) : middle + max(2, middle // 4)]
    return _relative(float(around.mean()), last)


def _third(curve: F64, share: float = 1 / 3) -> float:
    """The value at this share of the run, its median over a few epochs in a long one; before the first step it is 0."""
    known = np.isfinite(curve)
    place = (len(curve) - 1) * share
    if known.sum() < 2 or np.flatnonzero(known)[0] > place:
        return math.nan
    around = len(curve) // 8
    if around:
        near = _finite(curve[max(0, round(place) - around) : round(place) + around + 1])
        return float(np.median(near)) if len(near) else math.nan
    return float(np.interp(place, np.flatnonzero(known), curve[known]))


def _relative(before: float, after: float) -> float:
    return (before - after) / before if before > 0 and math.isfinite(before) else math.nan


def _ratio(value: float, least: float) -> float:
    return value / least if least > 0 else math.nan


def _shaking(losses: F64) -> float:
    half = losses[len(losses) // 2 :][-200:]
    return float(np.std(np.diff(half)) / math.sqrt(2)) if len(half) > 2 else math.nan


def _rise(error: F64) -> float:
    known = _finite(error)
    if len(known) < 4:
        return 0.0
    smooth = _means(known, 3)
    return float(smooth[-1] - smooth.min())


def _since_best(error: F64) -> float:
    known = _finite(error)
    return 1 - (int(known.argmin()) + 1) / len(known) if len(known) else math.nan


def _moved(valid: F64) -> float:
    later = _finite(valid[1:])
    return float(np.abs(later - valid[0]).max()) / max(abs(valid[0]), 1e-9) if len(later) else math.nan


def _means(values: F64, width: int) -> F64:
    return np.convolve(values, np.ones(width) / width, "valid") if len(values) >= width else values[:0]


def _finite(values: F64) -> F64:
    return np.asarray(values[np.isfinite(values)])


def _range(values: F64) -> float:
    known = _finite(values)
    return float(known.max() - known.min()) if len(known) > 2 else math.nan


def _least(values: F64) -> float:
    known = _finite(values)
    return float(known.min()) if len(known) else math.nan


def _first(values: F64) -> float:
    known = _finite(values)
    return float(known[0]) if len(known) else math.nan


def _last(values: F64) -> float:
    known = _finite(values)
    return float(known[-1]) if len(known) else math.nan
