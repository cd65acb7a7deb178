"""Logits of pictures by models that had not seen them -> how good they are once calibrated, and the best mixture.

A temperature divides logits so that the probabilities are right on average (Guo et al. 2017); stacking adds up the
logits of several models with weights that are not negative (Wolpert 1992, Breiman 1996). With one model, its weight is
one over the temperature: both are found by the same few steps of Newton's method.

Labels are smoothed by one picture in all (as in Platt 1999): where nothing is wrong, no finite temperature would do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

SEEN = 8192  # pictures that choose: the loss of so many is known to 1 %
# Of logits that differ by about 1 within a row. The loss at the best lies within 0.3 % of a parabola's minimum.
INVERSE_TEMPERATURES = np.geomspace(0.1, 40, 16)
STEPS = 30


@dataclass(frozen=True)
class Judge:
    """Pictures that choose between models, and what is known of them."""

    rows: I64  # [M] of all rows
    targets: I64  # [M]
    folds: I64  # [M]
    count: int  # of folds
    offset: F32  # [M, K] added to logits whatever their weight: says that a model cannot know a class

    @classmethod
    def of(cls, targets: I64, folds: I64, offset: F32, order: I64) -> "Judge":
        """targets [N], folds [N], offset [folds, K], order [N] of the rows -> at most SEEN of them, evenly."""
        rows = order[np.linspace(0, len(order) - 1, min(len(order), SEEN)).round().astype(np.int64)]
        return cls(rows, targets[rows], folds[rows], len(offset), offset[folds[rows]])

    def losses(self, logits: F32) -> F64:
        """logits [N, K] -> [folds + 1] mean loss at the best temperature: of all but each fold; the last one of all."""
        by_fold: F64 = self._at_temperatures(_in_units(logits[self.rows])[0])
        pictures = np.append(len(self.rows) - np.bincount(self.folds, minlength=self.count), len(self.rows))
        total = by_fold.sum(1, keepdims=True)
        least = _parabola(np.concatenate([total - by_fold, total], axis=1))
        return np.asarray(least / np.maximum(pictures, 1))

    def weights(self, logits: Sequence[F32], without: int | None = None) -> F64:
        """logits: of M models, [N, K] each -> their weights [M] >= 0 with the least loss, judged without one fold.

        Projected Newton (Bertsekas 1982): weights at zero that the loss pushes below stay out of a step.
        """
        part = self if without is None else self._where(self.folds != without)
        known, units = zip(*(_in_units(some[part.rows]) for some in logits), strict=True)
        start = weights = part._best_alone(known)
        value = part._loss(known, weights).mean(dtype=np.float64)
        for _ in range(STEPS):
            slope, bend = part._derivatives(known, weights)
            free = np.flatnonzero((weights > 0) | (slope < 0))
            if np.abs(slope[free]).max(initial=0) < 1e-6:
                break
            step = np.zeros(len(weights))
            step[free] = np.linalg.solve(bend[np.ix_(free, free)] + 1e-9 * np.eye(len(free)), slope[free])
            most = 0.5 + weights.max()  # where the loss is nearly straight, Newton's step is far too long
            length = min(1.0, most / max(np.abs(step).max(), 1e-12))
            while (ahead := part._loss(known, np.maximum(weights - length * step, 0)).mean(dtype=np.float64)) >= value:
                length /= 2
                if length < 1e-4:
                    return np.asarray(weights / units)  # no descent left at this precision
            weights, value = np.maximum(weights - length * step, 0), ahead
        return np.asarray((weights if weights.any() else start) / units)

    def mixed(self, logits: Sequence[F32], weights: F64) -> F32:
        """logits: [M, K] each -> [M, K]."""
        total = self.offset.copy()
        for some, weight in zip(logits, weights, strict=True):
            total += np.float32(weight) * some
        return total

    def _at_temperatures(self, logits: F32) -> F64:
        """logits [M, K] -> [temperatures, folds] losses, added up."""
        losses = [self._loss([logits], np.array([inverse])) for inverse in INVERSE_TEMPERATURES]
        return np.stack([np.bincount(self.folds, some, minlength=self.count) for some in losses])

    def _best_alone(self, logits: Sequence[F32]) -> F64:
        """Weights to start from: those of the best of the models alone.

        Where models know nothing, that at the highest temperature: some class still comes first.
        """
        losses = np.stack([self._at_temperatures(some).sum(1) for some in logits])  # [models, temperatures]
        model, inverse = np.unravel_index(int(losses.argmin()), losses.shape)
        return np.where(np.arange(len(logits)) == model, INVERSE_TEMPERATURES[inverse], 0.0)

    def _where(self, chosen: npt.NDArray[np.bool_]) -> "Judge":
        return replace(
            self,
            rows=self.rows[chosen],
            targets=self.targets[chosen],
            folds=self.folds[chosen],
            offset=self.offset[chosen],
        )

    def _own(self, logits: F32) -> F32:
        """[M] the logit of the picture's class, smoothed over all classes."""
        smoothing = np.float32(1 / max(len(self.targets), 2))
        own = logits[np.arange(len(self.targets)), self.targets]
        return np.asarray((1 - smoothing) * own + smoothing * logits.mean(1), np.float32)

    def _loss(self, logits: Sequence[F32], weights: F64) -> F32:
        """-> [M] cross-entropy with the smoothed label."""
        mixed = self.mixed(logits, weights)
        top = mixed.max(1)
        return np.asarray(np.log(np.exp(mixed - top[:, None]).sum(1)) + top - self._own(mixed), np.float32)

    def _derivatives(self, logits: Sequence[F32], weights: F64) -> tuple[F64, F64]:
        """-> slope [M] and bend [M, M] of the mean loss by the weights."""
        mixed = self.mixed(logits, weights)
        probabilities = np.exp(mixed - mixed.max(1, keepdims=True))
        probabilities /= probabilities.sum(1, keepdims=True)
        means = [(probabilities * some).sum(1) for some in logits]
        slope = np.array(
            [(mean - self._own(some)).mean(dtype=np.float64) for mean, some in zip(means, logits, strict=True)]
        )
        bend = np.empty((len(logits),) * 2)
        for i, one in enumerate(logits):
            for j, other in enumerate(logits[: i + 1]):
                product = (probabilities * one * other).sum(1) - means[i] * means[j]
                bend[i, j] = bend[j, i] = product.mean(dtype=np.float64)
        return slope, bend


def _in_units(logits: F32) -> tuple[F32, float]:
    """logits [M, K] -> the same in units of their usual standard deviation within a row, and that unit."""
    unit = float(np.median(logits.std(1))) or 1.0
    return np.asarray(logits / np.float32(unit), np.float32), unit


def _parabola(values: F64) -> F64:
    """values [T, M] at even distances -> [M] the minimum of the parabola through the least and its neighbours."""
    best = values.argmin(0).clip(1, len(values) - 2)
    columns = np.arange(values.shape[1])
    below, here, above = (values[best + step, columns] for step in (-1, 0, 1))
    bend = below + above - 2 * here
    slope = (above - below) / 2
    inside = (bend > 0) & (np.abs(slope) < bend)
    return np.asarray(np.where(inside, here - slope**2 / np.where(inside, 2 * bend, 1), values.min(0)))
