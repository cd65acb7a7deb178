"""Examples with a class each -> folds, or a share to put aside, in which every class has its part.

For catalogs, where a picture may have several labels and what was drawn before stays, see `data/split.py`.
"""

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]


def folds(classes: I64, groups: I64, count: int, draw: np.random.Generator) -> I64:
    """classes [N], groups [N] -> fold [N] of 0..count-1; a group lies in one fold, by the class of its first row."""
    first, member = np.unique(groups, return_index=True, return_inverse=True)[1:]
    fold = np.empty(len(first), np.int64)
    # Dealt round: any two folds differ by at most one group a class.
    fold[_by_class(classes[first], draw)] = np.arange(len(first)) % count
    return fold[member.reshape(-1)]


def put_aside(classes: I64, share: float, draw: np.random.Generator) -> npt.NDArray[np.bool_]:
    """classes [N], N > 1 -> [N] True for a share of each class, to within one example; for one in all at least."""
    order, wanted = _by_class(classes, draw), max(1, round(share * len(classes)))
    # Every 1/share-th of the classes one after the other.
    places = np.floor((np.arange(wanted) + 0.5) * len(classes) / wanted)
    aside = np.zeros(len(classes), np.bool_)
    aside[order[places.astype(np.int64).clip(max=len(classes) - 1)]] = True
    if aside.all():
        aside[order[0]] = False
    return aside


def _by_class(classes: I64, draw: np.random.Generator) -> I64:
    """The rows shuffled, those of each class together."""
    order = draw.permutation(len(classes))
    return np.asarray(order[np.argsort(classes[order], kind="stable")])
