"""Embeddings -> for some pictures, the nearest of a class: what a person compares a doubtful one with."""

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

BLOCK = 64 << 20  # bytes of the largest temporary array


def nearest_of_class(vectors: F32, of_class: I64, groups: I64, rows: I64, classes: I64, count: int = 3) -> list[I64]:
    """vectors [N, D], of_class [N], groups [N]; rows [M], a class [M] each -> up to `count` rows of it, nearest first.

    By the cosine of standardized embeddings. Copies (of the same group) are not named: they show nothing new.
    """
    found: list[I64] = [np.zeros(0, np.int64)] * len(rows)
    if not len(rows):
        return found
    mean, scale = vectors.mean(0), 1 / np.maximum(vectors.std(0), 1e-6)
    for k in np.unique(classes).tolist():
        members, asked = np.flatnonzero(of_class == k), np.flatnonzero(classes == k)
        if not len(members):
            continue
        there = _unit(vectors[members], mean, scale)
        step = max(1, BLOCK // (4 * len(members)))
        for first in range(0, len(asked), step):
            some = asked[first : first + step]
            cosines = _unit(vectors[rows[some]], mean, scale) @ there.T
            cosines[groups[rows[some]][:, None] == groups[members]] = -2
            near = np.argpartition(-cosines, min(count, len(members)) - 1, axis=1)[:, :count]
            for row, columns, cosine in zip(some.tolist(), near, cosines, strict=True):
                best = columns[np.argsort(-cosine[columns], kind="stable")]
                found[row] = members[best[cosine[best] > -2]]
    return found


def _unit(vectors: F32, mean: F32, scale: F32) -> F32:
    centered = (vectors - mean) * scale
    centered /= np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-6)
    return np.asarray(centered, np.float32)
