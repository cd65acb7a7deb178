"""Components, classes, folds -> multinomial logistic regressions with an L2 penalty, of all folds at once.

The folds share the features, so one matrix product serves them all, and each strength starts from the solution of the
stronger one before it. Numbers along a component are scaled so that the loss bends about alike in all directions
(Böhning 1992 bounds how much it does), which takes L-BFGS to the solution in a few steps.
"""

import numpy as np
import numpy.typing as npt

from ursa.embed.linear_models.lbfgs import lbfgs
from ursa.embed.linear_models.principal_components import Components, blocks

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

FLAT = 1e-6  # least curvature: of a subset with a single class the loss has none
TEMPORARY = 1 << 21  # numbers in the largest temporary array


class LogisticRegressions:
    """P regressions on the same features, each with its own rows. Weights are [R + 1, P, K], the last row the bias."""

    def __init__(self, components: Components, targets: I64, classes: int, left_out: I64, problems: int) -> None:
        """targets [N]; left_out [N]: the problem that does not learn from the row, -1 for none."""
        self.scores, self.targets = components.scores, targets
        self.shape = (self.scores.shape[1] + 1, problems, classes)
        learned = left_out[:, None] != np.arange(problems)
        self.share = (learned / np.maximum(learned.sum(0), 1)).astype(np.float32)  # [N, P], columns summing to 1
        portion = np.bincount(targets, minlength=classes) / len(targets)
        bend = max(float((portion * (1 - portion)).mean()), FLAT)  # of the loss, for a feature of variance 1
        self.bend = np.append(bend * components.variance, bend).astype(np.float32)  # [R + 1]

    def minimize(self, strength: float, start: F32 | None = None, tolerance: float = 1e-4) -> F32:
        """-> weights [R + 1, P, K] with the least mean loss + strength / 2 * |W|^2; the bias is not penalized."""
        penalty = np.full((self.shape[0], 1), strength, np.float32)
        penalty[-1] = 0
        scale: F32 = np.sqrt(self.bend[:, None] + penalty)  # [R + 1, 1]
        weights = np.zeros(self.shape, np.float32) if start is None else start
        flat = (weights.reshape(len(scale), -1) * scale).reshape(-1)

        def loss(scaled: F32) -> tuple[float, F32]:
            weights: F32 = np.asarray(scaled.reshape(len(scale), -1) / scale, np.float32)
            value, slope = self._loss(weights)
            value += 0.5 * float((penalty * weights**2).sum())
            return value, np.asarray((slope + penalty * weights) / scale, np.float32).reshape(-1)

        found = lbfgs(loss, flat, tolerance=tolerance).reshape(len(scale), -1) / scale
        return np.asarray(found.reshape(self.shape), np.float32)

    def _loss(self, weights: F32) -> tuple[float, F32]:
        """weights [R + 1, P * K] -> mean negative log-likelihoods, added up; their gradient."""
        _, problems, classes = self.shape
        value, slope = 0.0, np.zeros_like(weights)
        for rows in blocks(len(self.scores), max(64, TEMPORARY // (problems * classes))):
            scores, share, target = self.scores[rows], self.share[rows], self.targets[rows]
            error = (scores @ weights[:-1] + weights[-1]).reshape(-1, problems, classes)
            error -= error.max(-1, keepdims=True)
            own = error[np.arange(len(target)), :, target]  # [n, P]
            np.exp(error, out=error)
            total = error.sum(-1)
            value += float(((np.log(total) - own) * share).sum())
            error *= (share / total)[..., None]
            error[np.arange(len(target)), :, target] -= share
            flat = error.reshape(len(target), -1)
            slope[:-1] += scores.T @ flat
            slope[-1] += flat.sum(0)
        return value, slope
