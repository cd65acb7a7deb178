"""Features -> standardized, and turned to their principal components: few numbers that say nearly all. No labels.

Turning changes no penalized linear fit, since |W|^2 and the identity look the same from everywhere; but uncorrelated
features are fitted in a fraction of the steps, and what hardly varies is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core.threads import blas_threads
from ursa.embed.linear_models.feature_scale import feature_scale

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

# On the shared sets 400 components do as well as all 1,024; digits still gain from those of a thousandth of the
# largest variance (docs/decisions.md).
MOST = 512
LEAST_VARIANCE = 1e-5  # of the largest; below lies the rounding of float32
SEEN = 1024  # pictures that the components are found from, where there are more features than that
BLOCK = 2048  # rows at a time: memory does not grow with the pictures


@dataclass(frozen=True)
class Components:
    """Features as (features - mean) * scale @ basis, for a linear fit."""

    mean: F32  # [D]
    scale: F32  # [D], one over the standard deviation; 0 for a feature that never changed
    basis: F32  # [D, R], orthonormal columns
    scores: F32  # [N, R], the features so seen
    variance: F32  # [R] of the scores, the smallest first

    def largest(self, count: int) -> "Components":
        """Those that vary most."""
        basis, scores = (np.ascontiguousarray(some[:, -count:]) for some in (self.basis, self.scores))
        return Components(self.mean, self.scale, basis, scores, self.variance[-count:])


def principal_components(features: F32, order: I64) -> Components:
    """features [N, D], order [N] of the rows -> their components, at most MOST.

    The order decides which rows are seen where there are too many features for all, so that the same pictures in
    another order give the same.
    """
    mean, scale = standardization(features)
    count, width = features.shape
    if width <= SEEN and width <= count:
        gram: npt.NDArray[np.float64] = np.zeros((width, width))
        for rows in blocks(count):
            some = (features[rows] - mean) * scale
            gram += some.T @ some
        variance, basis = _largest(gram.astype(np.float32))
    else:
        seen = order[np.linspace(0, count - 1, min(count, SEEN)).round().astype(np.int64)]
        some = (features[seen] - mean) * scale
        variance, turned = _largest(some @ some.T)
        basis = np.asarray(some.T @ turned / np.sqrt(np.maximum(variance, 1e-12)), np.float32)
    scores = np.empty((count, basis.shape[1]), np.float32)
    for rows in blocks(count):
        scores[rows] = (features[rows] - mean) * scale @ basis
    return Components(mean, scale, basis, scores, scores.var(0))


def standardization(features: F32) -> tuple[F32, F32]:
    """features [N, D], all in one unit -> mean [D], and what they are scaled by [D]: see `feature_scale`."""
    mean = features.mean(0, dtype=np.float64).astype(np.float32)
    variance = np.zeros(len(mean), np.float64)
    for rows in blocks(len(features)):
        variance += np.square(features[rows] - mean).sum(0) / len(features)
    return mean, feature_scale(np.sqrt(variance).astype(np.float32))


def blocks(count: int, size: int = BLOCK) -> Iterator[slice]:
    """Rows 0..count-1 in blocks."""
    return (slice(first, first + size) for first in range(0, count, size))


def _largest(gram: F32) -> tuple[F32, F32]:
    """A symmetric matrix [M, M] -> its largest eigenvalues [R], and their vectors [M, R]."""
    with blas_threads(0):
        values, vectors = np.linalg.eigh(gram)
    known = values > LEAST_VARIANCE * values[-1]
    known[: -min(MOST, len(known))] = False
    known[-1] = True  # features that are all constant: one component, of zeros
    return values[known], vectors[:, known]
