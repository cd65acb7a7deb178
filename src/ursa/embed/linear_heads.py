"""Embeddings and several labels or numbers a picture -> a linear head. What the probe is for one class a picture."""

import numpy as np
import numpy.typing as npt

from ursa.embed.linear_models.lbfgs import lbfgs
from ursa.embed.linear_models.principal_components import standardization
from ursa.embed.probe import Head

F32 = npt.NDArray[np.float32]

STRENGTH = 0.03  # L2 penalty: amid those that the probe chooses on the shared picture sets (docs/decisions.md)


def fitted_head(vectors: F32, targets: F32, task: str) -> Head:
    """vectors [N, D], targets [N, K] -> a head on standardized features.

    "multi-label": 0 and 1, a logistic regression for each label. "regression": least squares for each number; the
    penalty stays the same for numbers of mean 0 and standard deviation 1. Both with the penalty STRENGTH / 2 * |W|^2
    beside the mean loss.
    """
    mean, scale = standardization(vectors)
    features = np.ascontiguousarray((vectors - mean) * scale, np.float32)
    count, shape = len(features), (features.shape[1] + 1, targets.shape[1])

    def loss(flat: F32) -> tuple[float, F32]:
        weight, bias = np.split(flat.reshape(shape), [-1])
        outputs = features @ weight + bias  # [N, K]
        if task == "multi-label":
            value = np.logaddexp(0, outputs) - targets * outputs
            error = (1 / (1 + np.exp(-np.clip(outputs, -60, 60))) - targets) / count
        else:
            value, error = (outputs - targets) ** 2 / 2, (outputs - targets) / count
        slope = np.concatenate([features.T @ error + STRENGTH * weight, error.sum(0, keepdims=True)])
        return float(value.sum() / count + STRENGTH / 2 * (weight**2).sum()), slope.reshape(-1).astype(np.float32)

    found = lbfgs(loss, np.zeros(shape[0] * shape[1], np.float32)).reshape(shape)
    return Head(found[:-1], found[-1], mean, scale)
