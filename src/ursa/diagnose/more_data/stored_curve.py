"""Embeddings and labels -> their learning curve, kept in the workspace under the hash of all that it depends on."""

import hashlib

import numpy as np

from ursa import workspace
from ursa.diagnose.more_data.learning_curve import F32, I64, LearningCurve, learning_curve
from ursa.workspace import Workspace

VERSION = 1  # raised when another curve is computed from the same embeddings


def stored_learning_curve(
    vectors: F32, targets: I64, classes: int, space: Workspace, *, groups: I64, seed: int = 0
) -> LearningCurve:
    """As `learning_curve`, read from the workspace if nothing has changed.

    A damaged file, and one that another user wrote, is computed and written again.
    """
    from safetensors.numpy import load, save

    path = space.probe(f"learning-curve-{_key(vectors, targets, classes, groups, seed)}")
    if (data := workspace.read_sealed(path)) is not None:
        tensors = load(data)
        return LearningCurve(tensors["sizes"], tensors["right"], tensors["log_losses"], targets, groups)
    curve = learning_curve(vectors, targets, classes, groups=groups, seed=seed)
    tensors = {"sizes": curve.sizes, "right": curve.right, "log_losses": curve.log_losses}
    workspace.write_sealed(path, save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}))
    return curve


def _key(vectors: F32, targets: I64, classes: int, groups: I64, seed: int) -> str:
    known = hashlib.blake2b(repr((VERSION, vectors.shape, classes, seed)).encode(), digest_size=16)
    for array in (vectors, targets, groups):
        known.update(np.ascontiguousarray(array).data)
    return known.hexdigest()
