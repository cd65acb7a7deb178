"""Embeddings -> a linear head, out-of-sample probabilities, honest accuracy. Seconds on a CPU; no torch.

The probe is multinomial logistic regression with an L2 penalty on standardized features. Cross-validation needs it once
for each fold and each strength. All folds are fitted together: they share the features, so one matrix product serves
them all, and each strength starts from the solution of the stronger one before it. That is several times as fast as
scikit-learn's one by one, at the same cross-validated loss (`benchmarks/probe.py`, `tests/embed/test_probe.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core import seeds, statistics, stratified
from ursa.core.statistics import softmax
from ursa.errors import DataError

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

# L2 strengths tried, strongest first; the penalty is strength / 2 * |W|^2 beside the mean loss. The best of the shared
# picture sets lie between 0.003 and 0.1, of digits near 0.0003 (docs/decisions.md): the path has room on both sides.
STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
PATH_TOLERANCE = 3e-4  # of the folds; exact solutions take 1.4 times as long and judge no differently (measured)
MEMORY = 8  # pairs of steps and gradient changes that L-BFGS remembers (Nocedal and Wright 2006 advise 3 to 20)


@dataclass(frozen=True)
class Head:
    """A linear classifier on standardized features: logits = (features - mean) * scale @ weight + bias."""

    weight: F32  # [D, K]
    bias: F32  # [K]
    mean: F32  # [D] of the features that it learned from
    scale: F32  # [D], one over their standard deviation; 0 for a feature that never changed

    def probabilities(self, vectors: F32) -> F32:
        """vectors [N, D] -> [N, K], rows summing to 1."""
        return softmax((vectors - self.mean) * self.scale @ self.weight + self.bias)


@dataclass(frozen=True)
class Probe:
    """A head fitted on all pictures, and what heads that had not seen a picture say of it."""

    head: Head
    strength: float  # L2 penalty of the head
    probabilities: F32  # [N, K], each row by a head fitted without that picture's fold
    folds: I64  # [N], the fold each picture was held out in

    def accuracy(self, targets: I64) -> statistics.Estimate:
        """targets [N] -> share of pictures that are right out of sample."""
        folds = int(self.folds.max()) + 1
        return statistics.accuracy(self.probabilities, targets, f"{folds}-fold cross-validated linear probe")


def fit(vectors: F32, targets: I64, classes: int, *, groups: I64 | None = None, seed: int = 0, folds: int = 5) -> Probe:
    """vectors [N, D], targets [N] in 0..classes-1 -> Probe.

    Pictures of one group (copies of each other) are always held out together. The strength of the head is the one with
    the least cross-validated loss; the strength that judges a fold is chosen on the other folds alone, so no picture
    has a say in the choice of the head that judges it. Raises DataError for fewer than two classes or pictures.
    """
    counts = np.bincount(targets, minlength=classes)
    if (counts > 0).sum() < 2:
        raise DataError(
            "a classifier needs pictures of at least two classes",
            found=f"{(counts > 0).sum()} class with pictures",
            fix="add a folder of pictures for each class",
        )
    fold = assign_folds(targets, groups if groups is not None else np.arange(len(targets)), folds, seed)
    folds = int(fold.max()) + 1
    center = vectors.mean(0)
    centered = vectors - center  # for precision: features of one sign would cancel badly in float32
    held_out = fold[:, None] == np.arange(folds)
    solve = _Problems(centered, targets, classes, ~held_out)
    losses, answers, weights = [], [], None
    for strength in STRENGTHS:
        weights = solve.minimize(strength, weights, PATH_TOLERANCE)
        probabilities = solve.probabilities(weights)[np.arange(len(fold)), fold]
        likelihood = np.clip(probabilities[np.arange(len(fold)), targets], 1e-12, None)
        losses.append([float(-np.log(likelihood[fold == f]).sum()) for f in range(folds)])
        answers.append(probabilities)
        if sum(losses[-1]) > 1.02 * min(map(sum, losses)):
            break  # weaker penalties only overfit more, and are the slowest to fit
    table = np.array(losses)  # [strengths tried, folds]
    others = (table.sum(1, keepdims=True) - table).argmin(0)  # for each fold, the best strength by the other folds
    best = int(table.sum(1).argmin())
    whole = _Problems(centered, targets, classes, np.ones((len(fold), 1), bool))
    (weights,) = whole.minimize(STRENGTHS[best], None)
    return Probe(
        head=Head(weights[:-1], weights[-1], center + whole.mean[0], whole.scale[0]),
        strength=STRENGTHS[best],
        probabilities=np.stack(answers)[others[fold], np.arange(len(fold))],
        folds=fold,
    )


def assign_folds(targets: I64, groups: I64, folds: int, seed: int) -> I64:
    """targets [N], groups [N] -> fold [N]: classes spread evenly, groups never divided, the same for the same seed.

    Uses fewer folds when the largest class has fewer groups than that; a class with a single group is held out once,
    and nobody can then have learned it.
    """
    first = np.unique(groups, return_index=True)[1]
    if len(first) < 2:
        raise DataError(
            "a classifier needs at least two different pictures",
            found=f"{len(groups)} copies of one" if len(groups) > 1 else "one",
            fix="add pictures",
        )
    folds = max(2, min(folds, int(np.bincount(targets[first]).max())))
    return stratified.folds(targets, groups, folds, seeds.generator(seed, "folds"))


class _Problems:
    """P logistic regressions on the same features, each with its own rows: one matrix product serves them all."""

    def __init__(self, features: F32, targets: I64, classes: int, rows: npt.NDArray[np.bool_]) -> None:
        """features [N, D], targets [N], rows [N, P]: problem p learns from the rows where rows[:, p]."""
        self.features = np.ascontiguousarray(features, dtype=np.float32)
        self.onehot = np.eye(classes, dtype=np.float32)[targets]  # [N, K]
        self.share = (rows / rows.sum(0)).astype(np.float32)  # [N, P], columns summing to 1
        self.mean = self.share.T @ self.features  # [P, D]
        variance = self.share.T @ self.features**2 - self.mean**2
        spread = np.sqrt(np.clip(variance, 0, None))
        self.scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0).astype(
            np.float32
        )  # constants say nothing

    def minimize(self, strength: float, start: F32 | None, tolerance: float = 1e-4) -> F32:
        """-> weights [P, D + 1, K] on standardized features, the last row the bias."""
        shape = (self.share.shape[1], self.features.shape[1] + 1, self.onehot.shape[1])
        start = np.zeros(shape, np.float32) if start is None else start

        def loss(flat: F32) -> tuple[float, F32]:
            weights = flat.reshape(shape)
            probabilities = self.probabilities(weights)
            likelihood = (probabilities * self.onehot[:, None]).sum(-1)  # [N, P]
            value = -(np.log(np.maximum(likelihood, 1e-30)) * self.share).sum()
            value += strength / 2 * float((weights[:, :-1] ** 2).sum())
            return float(value), self._gradient(probabilities, weights, strength).reshape(-1)

        return lbfgs(loss, start.reshape(-1), tolerance=tolerance).reshape(shape)

    def probabilities(self, weights: F32) -> F32:
        """weights [P, D + 1, K] -> [N, P, K]."""
        scaled = weights[:, :-1] * self.scale[..., None]  # [P, D, K]
        shift = weights[:, -1] - np.einsum("pd,pdk->pk", self.mean, scaled)  # [P, K]
        p, d, k = scaled.shape
        logits = self.features @ scaled.transpose(1, 0, 2).reshape(d, p * k)
        return softmax(logits.reshape(-1, p, k) + shift)

    def _gradient(self, probabilities: F32, weights: F32, strength: float) -> F32:
        error = (probabilities - self.onehot[:, None]) * self.share[..., None]  # [N, P, K]
        n, p, k = error.shape
        product = (self.features.T @ error.reshape(n, p * k)).reshape(-1, p, k).transpose(1, 0, 2)  # [P, D, K]
        total = error.sum(0)  # [P, K]
        slope = (product - self.mean[..., None] * total[:, None]) * self.scale[..., None] + strength * weights[:, :-1]
        return np.concatenate([slope, total[:, None]], axis=1)


def lbfgs(loss: Callable[[F32], tuple[float, F32]], start: F32, *, steps: int = 200, tolerance: float = 1e-4) -> F32:
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.5) with backtracking: for smooth convex losses.

    loss: x [n] -> value, gradient [n]. Ends when the gradient's norm is below `tolerance` times 1 + |x|.
    """
    x, (value, gradient) = start, loss(start)
    pairs: list[tuple[F32, F32, float]] = []
    for _ in range(steps):
        if np.linalg.norm(gradient) <= tolerance * (1 + np.linalg.norm(x)):
            break
        direction = _two_loops(gradient, pairs)
        slope, length = float(direction @ gradient), 1.0 if pairs else min(1.0, 1 / float(np.linalg.norm(gradient)))
        while True:
            ahead = x + np.float32(length) * direction
            value_ahead, gradient_ahead = loss(ahead)
            if value_ahead <= value + 1e-4 * length * slope + 1e-7 * abs(value):  # the last term: float32 rounding
                break
            length /= 2
            if length < 1e-6:
                return x  # no descent left at this precision
        step, change = ahead - x, gradient_ahead - gradient
        curvature = float(step @ change)
        if curvature > 1e-12:
            pairs = [*pairs[-(MEMORY - 1) :], (step, change, curvature)]
        x, value, gradient = ahead, value_ahead, gradient_ahead
    return x


def _two_loops(gradient: F32, pairs: list[tuple[F32, F32, float]]) -> F32:
    direction, kept = -gradient, []
    for step, change, curvature in reversed(pairs):
        alpha = float(step @ direction) / curvature
        direction = direction - np.float32(alpha) * change
        kept.append(alpha)
    if pairs:
        step, change, curvature = pairs[-1]
        direction = direction * np.float32(curvature / float(change @ change))
    for (step, change, curvature), alpha in zip(pairs, reversed(kept), strict=True):
        direction = direction + np.float32(alpha - float(change @ direction) / curvature) * step
    return direction
