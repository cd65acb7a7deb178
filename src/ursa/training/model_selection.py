"""Two models' answers for the same validation pictures -> which one is kept, on what evidence, and how good it is.

A picture's score is 1 where it is right, plus the log-likelihood of its class. Hits alone tell little of few pictures;
log-loss alone is more often won by confidence (docs/decisions.md). Both models are taken at the temperature of their
least log-loss (Guo et al. 2017), so that none wins by how sure it is; there the loss is flat, so that having chosen the
temperature on the same pictures adds nothing to the standard error.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ursa.core import seeds, statistics
from ursa.core.statistics import Estimate

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

LEVEL = 0.1  # of the one-sided test by which fine-tuning has to be better (docs/decisions.md: against 0.05 and 0.15)
POWER = 0.8  # with which a validation part that is called large enough would show the difference
Z_LEVEL, Z_POWER = (NormalDist().inv_cdf(share) for share in (1 - LEVEL, POWER))
TEMPERATURES = np.geomspace(0.25, 6.0, 33)  # those of real models lie between 0.5 and 5
DRAWS, FOLDS = 40, 5  # random divisions into folds, for the accuracy of what was kept
LARGEST = 20  # times the pictures that there are: more are not named as enough


@dataclass(frozen=True)
class PairedComparison:
    """A fine-tuned model against the probe, on the same N pictures."""

    before: npt.NDArray[np.bool_]  # [N] which the probe has right
    after: npt.NDArray[np.bool_]  # [N] likewise of the fine-tuned model
    gain: F64  # [N] its scores less the probe's
    tried: int = 1  # models among which these pictures chose the fine-tuned one

    @classmethod
    def of(cls, probe: F32, tuned: F32, targets: I64, tried: int = 1) -> "PairedComparison":
        """probabilities [N, K] of both, targets [N]."""
        before, after = probe.argmax(1) == targets, tuned.argmax(1) == targets
        gain = after * 1.0 - before + log_likelihoods(tuned, targets) - log_likelihoods(probe, targets)
        return cls(before, after, gain, tried)

    @property
    def won(self) -> int:
        """Pictures that only the fine-tuned model has right."""
        return int((self.after & ~self.before).sum())

    @property
    def lost(self) -> int:
        """Pictures that only the probe has right."""
        return int((self.before & ~self.after).sum())

    @cached_property
    def z(self) -> float:
        """The mean gain over its standard error."""
        return float(_z(np.ones((1, len(self.gain))), self.gain)[0])

    @property
    def p_value(self) -> float:
        """One-sided: the chance of such a gain where there is none, the best of `tried` (Bonferroni)."""
        return min(1.0, self.tried * (1 - NormalDist().cdf(self.z)))

    @property
    def better(self) -> bool:
        """Whether the fine-tuned model is to be kept: more pictures right, and more gain than chance."""
        return self.won > self.lost and self.z > self._needed

    def enough(self) -> int | None:
        """Pictures on which a difference such as this one would show; None where there is none to show, or of a size
        that matters to nobody."""
        if self.won <= self.lost or self.z <= 0:
            return None
        count: float = len(self.gain) * ((self._needed + Z_POWER) / self.z) ** 2
        if count > LARGEST * len(self.gain):
            return None
        return max(len(self.gain) + 1, _rounded(count))

    def enough_for(self, gain: float) -> int:
        """Pictures on which an accuracy that is better by `gain` (0.02: two points) would show, by hits alone.

        Of the pictures that the two disagree on, as many as here, and one more for each: with few, none says little.
        """
        disagreeing = (self.won + self.lost + 2) / (len(self.gain) + 2)
        return _rounded((self._needed + Z_POWER) ** 2 * max(gain, disagreeing) / gain**2)

    def accuracy_of_kept(self, method: str, *, kept: bool) -> Estimate:
        """Of the fine-tuned model, where it is kept: a picture is judged by what the others would have kept; of the
        probe, where it is, plainly: that it was kept says next to nothing of how lucky it was.

        The same pictures cannot choose and judge: those on which the kept model is lucky helped to choose it (on 24
        pictures 0.3 points too much on average, up to 1.3: benchmarks/kept.py). So each is left out with the other
        pictures of a random fifth, what the rest would keep answers for it, and that is averaged over many divisions.
        """
        count = len(self.gain)
        if not kept:
            return statistics.proportion(int(self.before.sum()), count, method)
        draw = seeds.generator(0, "kept", count)
        fold = np.stack([draw.permutation(count) % min(FOLDS, count) for _ in range(DRAWS)])
        out = np.concatenate([fold == number for number in range(min(FOLDS, count))])
        rest = (~out).astype(np.float64)
        hits = self.after * 1.0 - self.before
        better = (_z(rest, self.gain) > self._needed) & (rest @ hits > 0)
        share = better.astype(np.float64) @ out / out.sum(0)  # [N] of the times that the fine-tuned model was kept
        right = round(float((share * self.after + (1 - share) * self.before).sum()), 9)
        return statistics.proportion(right, count, method)

    @property
    def _needed(self) -> float:
        """What z has to exceed."""
        return NormalDist().inv_cdf(1 - LEVEL / self.tried)


def _rounded(count: float) -> int:
    """Up, to two digits."""
    digits: int = 10 ** max(0, len(str(int(count))) - 2)
    return math.ceil(count / digits) * digits


def log_likelihoods(probabilities: F32, targets: I64) -> F64:
    """probabilities [N, K], targets [N] -> [N] nats, of the given classes, at the temperature of the least log-loss."""
    logits = np.log(np.clip(probabilities.astype(np.float64), 1e-12, 1.0))
    rows, best, least = np.arange(len(targets)), np.empty(0), math.inf
    for temperature in TEMPERATURES:
        heated = logits / temperature
        heated -= heated.max(1, keepdims=True)
        given = heated[rows, targets] - np.log(np.exp(heated).sum(1))
        loss = -float(given.mean()) if len(given) else 0.0
        if loss < least:
            best, least = given, loss
    return best


def _z(rows: F64, gain: F64) -> F64:
    """rows [R, N] of 0 and 1, gain [N] -> [R] the mean gain of these rows over its standard error."""
    count = rows.sum(1)
    mean = rows @ gain / np.maximum(count, 1)
    variance = np.maximum(rows @ gain**2 / np.maximum(count, 1) - mean**2, 0)
    error = np.sqrt(variance / np.maximum(count - 1, 1))
    return np.where(error > 1e-12, mean / np.maximum(error, 1e-12), 0.0)
