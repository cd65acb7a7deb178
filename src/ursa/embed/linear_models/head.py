"""A linear classifier on standardized features, as it is kept, exported and added to others."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core.statistics import softmax

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """A linear classifier on standardized features: logits = (features - mean) * scale @ weight + bias."""

    weight: F32  # [D, K]
    bias: F32  # [K]
    mean: F32  # [D] of the features that it learned from
    scale: F32  # [D], one over their standard deviation, as `feature_scale` limits it

    def probabilities(self, vectors: F32) -> F32:
        """vectors [N, D] -> [N, K], rows summing to 1."""
        return softmax((vectors - self.mean) * self.scale @ self.weight + self.bias)

    def in_terms_of(self, mean: F32, scale: F32) -> "Head":
        """The same classifier, on features that are standardized by other numbers."""
        ratio = np.where(scale > 0, self.scale / np.where(scale > 0, scale, 1), 0)
        shift = ((mean - self.mean) * self.scale) @ self.weight
        weight = (self.weight * ratio[:, None]).astype(np.float32)
        return Head(weight, (self.bias + shift).astype(np.float32), mean, scale)
