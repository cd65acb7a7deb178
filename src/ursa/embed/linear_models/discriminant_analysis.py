"""Components, classes, folds -> linear discriminant analyses with a shrunken covariance, from sums alone.

A class is a normal distribution, all of them with one covariance: that within classes, drawn towards a multiple of the
identity (Ledoit and Wolf 2004; Friedman 1989). One pass adds up what each fold has to say; leaving a fold out is a
subtraction, and one shrinkage is one linear system.
"""

import numpy as np
import numpy.typing as npt

from ursa.core.threads import blas_threads
from ursa.embed.linear_models.principal_components import blocks

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

LEAST_VARIANCE = 0.01  # within classes, of all; a picture a class, or copies alone, vary in nothing


class DiscriminantAnalyses:
    """P analyses of the same features, each without its fold. Weights are [R + 1, P, K], the last row the bias."""

    def __init__(self, scores: F32, targets: I64, classes: int, left_out: I64, problems: int) -> None:
        """scores [N, R], targets [N]; left_out [N]: the problem that does not learn from the row, -1 for none."""
        width = scores.shape[1]
        self.counts = np.zeros((problems, classes))
        sums, products = np.zeros((problems, classes, width)), np.zeros((problems, width, width))
        whole_counts, whole_sums, whole_products = np.zeros(classes), np.zeros((classes, width)), np.zeros((width,) * 2)
        for problem in range(-1, problems):
            rows = np.flatnonzero(left_out == problem)
            for some in blocks(len(rows)):
                part, known = scores[rows[some]], targets[rows[some]]
                count, total, product = _sums(part, known, classes)
                whole_counts += count
                whole_sums += total
                whole_products += product
                if problem >= 0:
                    self.counts[problem] += count
                    sums[problem] += total
                    products[problem] += product
        self.counts = whole_counts - self.counts  # [P, K] what is learned from
        self.means = (whole_sums - sums) / np.maximum(self.counts, 1)[..., None]  # [P, K, R]
        self.within = whole_products - products  # [P, R, R]
        self.least = max(LEAST_VARIANCE * float(scores.var(0).mean()), 1e-6)
        for covariance, mean, count in zip(self.within, self.means, self.counts, strict=True):
            covariance -= (mean * count[:, None]).T @ mean
            covariance /= max(count.sum(), 1)

    def solve(self, shrinkage: float) -> F32:
        """shrinkage: 0 the covariance as it is, 1 a multiple of the identity -> weights [R + 1, P, K].

        Classes that a problem has no picture of get zeros.
        """
        problems, classes, width = self.means.shape
        weights = np.zeros((width + 1, problems, classes), np.float32)
        for p, (covariance, mean, count) in enumerate(zip(self.within, self.means, self.counts, strict=True)):
            level = max(float(np.trace(covariance)) / width, self.least)
            shrunken = ((1 - shrinkage) * covariance).astype(np.float32)
            shrunken[np.diag_indices(width)] += shrinkage * level
            there = count > 0
            with blas_threads(0):
                slope = np.linalg.solve(shrunken, mean[there].T.astype(np.float32))  # [R, classes there]
            weights[:-1, p, there] = slope
            weights[-1, p, there] = np.log(count[there] / count.sum()) - (mean[there].T * slope).sum(0) / 2
        return weights


def _sums(scores: F32, targets: I64, classes: int) -> tuple[F64, F64, F32]:
    """-> pictures [K], their sum [K, R], their sum of products [R, R]."""
    onehot = (targets == np.arange(classes)[:, None]).astype(np.float32)  # [K, N]
    return onehot.sum(1), (onehot @ scores).astype(np.float64), scores.T @ scores
