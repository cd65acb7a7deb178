"""Counts and classes -> weights, or an order in which every class occurs as often as the largest."""

import numpy as np
import numpy.typing as npt

from ursa.core import seeds
from ursa.data.catalog import Catalog
from ursa.errors import DataError


def class_weights(catalog: Catalog) -> npt.NDArray[np.float32]:
    """[K] weights of the classes, in the order of `catalog.labels`. Raises DataError for a regression."""
    if catalog.task == "regression":
        raise DataError("numbers have no classes to weigh", found="labels for regression", fix="leave the weights out")
    return weights(np.array(list(catalog.counts().values()), np.int64))


def weights(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """counts [K] -> [K]: N / (K n), so that each class weighs the same and a picture 1 on average; 0 for an empty one.

    King and Zeng 2001, "Logistic regression in rare events data"; scikit-learn's "balanced". K counts no empty class.
    """
    there = counts > 0
    balanced = counts.sum() / (max(1, there.sum()) * np.maximum(counts, 1))
    return np.where(there, balanced, 0).astype(np.float32)


def oversample(targets: npt.NDArray[np.int64], seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """targets [N] classes -> rows [M] in a new order each epoch, every class as often as the largest.

    A picture of a class of n occurs floor(largest / n) times or once more; which ones do is drawn anew each epoch.
    """
    if not len(targets):
        return np.zeros(0, np.int64)
    draw = seeds.generator(seed, "oversample", epoch)
    largest = int(np.unique(targets, return_counts=True)[1].max())
    rows = []
    for target in np.unique(targets):
        mine = np.flatnonzero(targets == target)
        rows.append(np.tile(mine, largest // len(mine)))
        rows.append(draw.choice(mine, largest % len(mine), replace=False))
    return draw.permutation(np.concatenate(rows)).astype(np.int64)
