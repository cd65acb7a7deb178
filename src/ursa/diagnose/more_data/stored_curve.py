"""Embeddings and labels -> their learning curve, kept in the workspace under the hash of all that it depends on."""

import hashlib

import numpy as np

from ursa.diagnose.more_data.learning_curve import F32, I64, LearningCurve, learning_curve
from ursa.embed.stored_arrays import read_arrays, write_arrays
from ursa.workspace import Workspace

VERSION = 1  # raised when another curve is computed from the same embeddings


def stored_learning_curve(
    vectors: F32, targets: I64, classes: int, space: Workspace, *, groups: I64, seed: int = 0
) -> LearningCurve:
    """As `learning_curve`, read from the workspace if nothing has changed.

    A damaged file, and one that another user wrote, is computed and written again.
    """
    path = space.probe(f"learning-curve-{_key(vectors, targets, classes, groups, seed)}")
    if (known := read_arrays(path)) is not None:
        return LearningCurve(known["sizes"], known["right"], known["log_losses"], targets, groups)
    curve = learning_curve(vectors, targets, classes, groups=groups, seed=seed)
    write_arrays(path, {"sizes": curve.sizes, "right": curve.right, "log_losses": curve.log_losses})
    return curve


def _key(vectors: F32, targets: I64, classes: int, groups: I64, seed: int) -> str:
    known = hashlib.blake2b(repr((VERSION, vectors.shape, classes, seed)).encode(), digest_size=16)
    for array in (vectors, targets, groups):
        known.update(np.ascontiguousarray(array).data)
    return known.hexdigest()
