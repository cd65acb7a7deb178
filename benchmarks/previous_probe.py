"""The probe as it was up to version 0.2: logistic regression alone, uncalibrated. What the benchmarks compare with."""

import numpy as np
import numpy.typing as npt

from ursa.core.statistics import softmax
from ursa.embed.linear_models.lbfgs import lbfgs
from ursa.embed.probe import assign_folds

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
PATH_TOLERANCE = 3e-4


def previous_probe(vectors: F32, targets: I64, classes: int, groups: I64, seed: int = 0, folds: int = 5) -> F32:
    """vectors [N, D], targets [N], groups [N] -> out-of-sample probabilities [N, K]."""
    fold = assign_folds(targets, groups, folds, seed)
    folds = int(fold.max()) + 1
    held_out = fold[:, None] == np.arange(folds)
    centered = vectors - vectors.mean(0)
    solve = _Problems(centered, targets, classes, ~held_out)
    losses, answers, weights = [], [], None
    for strength in STRENGTHS:
        weights = solve.minimize(strength, weights, PATH_TOLERANCE)
        probabilities = solve.probabilities(weights)[np.arange(len(fold)), fold]
        likelihood = np.clip(probabilities[np.arange(len(fold)), targets], 1e-12, None)
        losses.append([float(-np.log(likelihood[fold == f]).sum()) for f in range(folds)])
        answers.append(probabilities)
        if sum(losses[-1]) > 1.02 * min(map(sum, losses)):
            break
    table = np.array(losses)
    others = (table.sum(1, keepdims=True) - table).argmin(0)
    best = int(table.sum(1).argmin())
    _Problems(centered, targets, classes, np.ones((len(fold), 1), bool)).minimize(STRENGTHS[best], None)  # its head
    return np.asarray(np.stack(answers)[others[fold], np.arange(len(fold))])


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
