"""Losses at rising rates -> what the range test found: curves, a suggestion, its spread.

The rule was chosen by what whole runs at the suggested rate came to (docs/decisions.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.errors import TrainingError

F64 = npt.NDArray[np.float64]

QUIET = 10  # steps at the start, whose rates are too low to learn anything: they tell how much batches differ
ABOVE = 5  # steps in a row far above the start, after which a repeat has diverged
SMOOTHING = 0.04  # deviation of the smoothing kernel, share of all steps
FALLEN, RISEN, BELOW = 0.95, 0.8, 5.0  # of the rule, see `suggested`


@dataclass(frozen=True)
class Trial:
    """A short run of `one_cycle`."""

    lr: float  # its peak
    loss: float  # on batches that it did not learn from; infinite where it diverged


@dataclass(frozen=True, eq=False)
class Suggestion:
    """What the range test saw, and what follows. Rates are those of the last group, which holds the head."""

    lrs: F64  # [S]
    losses: F64  # [R, S] as they were, NaN after the step that ended a repeat
    smoothed: F64  # [R, S], of losses cut off a little above the start
    suggestion: float
    low: float  # the smallest and the largest suggestion that a single repeat would have given
    high: float
    diverged_at: float | None  # median over the repeats; None where most of them went through
    trials: tuple[Trial, ...] = ()  # where it was confirmed

    def __str__(self) -> str:
        lines = [f"learning rate {self.suggestion:.2g} ({self.low:.2g} to {self.high:.2g}, {len(self.losses)} repeats)"]
        if self.diverged_at is not None:
            lines.append(f"the loss diverges at {self.diverged_at:.2g}")
        lines += [f"a trial with {trial.lr:.2g} came to a loss of {trial.loss:.3g}" for trial in self.trials]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Suggestion({'; '.join(str(self).splitlines())})"

    def _repr_html_(self) -> str:
        return f"<p>{'<br>'.join(str(self).splitlines())}</p>"

    def to_json(self) -> dict[str, Any]:
        """As a document; null stands for losses that are no numbers."""
        return {
            "suggestion": self.suggestion,
            "low": self.low,
            "high": self.high,
            "diverged_at": self.diverged_at,
            "trials": [{"lr": trial.lr, "loss": _finite(trial.loss)} for trial in self.trials],
            "lrs": self.lrs.tolist(),
            "losses": [[_finite(loss) for loss in repeat] for repeat in self.losses.tolist()],
            "smoothed": self.smoothed.tolist(),
        }


def read(lrs: F64, losses: F64) -> Suggestion:
    """rates [S], losses [R, S] -> Suggestion. Raises TrainingError where no rate changes the loss."""
    if not np.isfinite(losses[:, :QUIET]).all():
        raise TrainingError(
            "the loss diverges at the lowest rates already", found=f"from {lrs[0]:.1g} on", fix="give a lower limit"
        )
    smoothed, stops = _smoothed(losses)
    differ = [float(np.std(repeat[:QUIET])) for repeat in losses]
    alone = [suggested(lrs, curve, some) for curve, some in zip(smoothed, differ, strict=True)]
    known = [lr for lr in alone if lr is not None]
    if 2 * len(known) <= len(alone):
        level = float(np.nanmedian(losses))
        raise TrainingError(
            "no rate makes the loss fall",
            found=f"a loss of about {level:.4g} at every rate from {lrs[0]:.1g} to {lrs[-1]:.1g}",
            fix="see that inputs and targets belong together, that the loss depends on the model's outputs, and that "
            "no activation is dead; or give a higher limit",
        )
    middle = float(np.exp(np.median(np.log(known))))
    ends = np.sort([lrs[stop] if stop < len(lrs) else math.inf for stop in stops])
    diverged = float(ends[len(ends) // 2])
    at = diverged if math.isfinite(diverged) else None
    suggestion = min(max(middle, min(known)), max(known))  # rounding may leave the range
    return Suggestion(lrs, losses, smoothed, suggestion, min(known), max(known), at)


def ceiling(losses: Sequence[float] | F64) -> float:
    """The loss above which a repeat has not learnt: as far above the start as batches differ there, and some more."""
    start = np.asarray(losses[:QUIET])
    middle = float(np.median(start))
    return middle + 2 * float(np.abs(start - middle).max()) + 0.1 * abs(middle)


def _smoothed(losses: F64) -> tuple[F64, list[int]]:
    """losses [R, S] -> [R, S], and at which step each repeat diverged (S: it did not).

    By a Gaussian kernel: an exponential average lags behind, and a lag of a step is a rate too high by a fifth. Losses
    count only as far as a little above the start, since one that explodes would hide all around it.
    """
    repeats, steps = losses.shape
    place = np.arange(steps)
    kernel = np.exp(-0.5 * ((place[:, None] - place) / (SMOOTHING * steps)) ** 2)
    kernel /= kernel.sum(1, keepdims=True)
    cut, stops = np.empty_like(losses), []
    for repeat in range(repeats):
        top = ceiling(losses[repeat])
        cut[repeat] = np.minimum(np.nan_to_num(losses[repeat], nan=top, posinf=top, neginf=top), top)
        sound = np.flatnonzero(losses[repeat] <= top)  # false for NaN
        end = int(sound[-1]) + 1
        stops.append(end if steps - end >= min(ABOVE, steps) or not np.isfinite(losses[repeat, -1]) else steps)
    return cut @ kernel.T, stops


def suggested(lrs: F64, curve: F64, differ: float) -> float | None:
    """rates [S], a smoothed curve [S], how much batches differ -> the rate, or None where the curve is flat.

    A fifth of the middle (of the logarithms) between the rate at which the loss has fallen by 95 % of all that it
    falls, and the one at which it is back at 80 % of it. A model that has learnt before may have nowhere to fall: then
    a fifth of the rate at which the loss rises.
    """
    bottom = int(np.argmin(curve))
    start = float(np.median(curve[:QUIET]))
    fall = start - float(curve[bottom])
    if fall <= max(differ, 1e-4 * abs(start)):
        risen = np.flatnonzero(curve > start + max(differ, 1e-2 * abs(start)))
        return float(lrs[risen[0]]) / BELOW if len(risen) else None
    fallen = int(np.flatnonzero(curve[: bottom + 1] <= start - FALLEN * fall)[0])
    back = np.flatnonzero(curve[bottom:] > curve[bottom] + RISEN * fall)
    risen_at = bottom + int(back[0]) if len(back) else len(curve) - 1
    return float(np.sqrt(lrs[fallen] * lrs[risen_at])) / BELOW


def _finite(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None
