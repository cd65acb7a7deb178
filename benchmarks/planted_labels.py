"""True labels -> labels of which some are wrong, in three ways, and which they are."""

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Draw = np.random.Generator

KINDS = ("uniform", "class-dependent", "picture-dependent")
MOST = 0.45  # of a class, so that most of its labels stay right


def planted(kind: str, targets: I64, share: float, other: F64, draw: Draw) -> I64:
    """targets [N], other [N, K] out-of-sample probabilities of another network -> labels [N], a share of them wrong.

    uniform: any picture, any other class. class-dependent: each class is taken for one other, some twice as often.
    picture-dependent: pictures that the other network has wrong or is unsure of, and the class it mistakes them for.
    """
    labels, count, classes = targets.copy(), round(share * len(targets)), other.shape[1]
    if kind == "uniform":
        rows = draw.permutation(len(targets))[:count]
        labels[rows] = (targets[rows] + draw.integers(1, classes, len(rows))) % classes
    elif kind == "class-dependent":
        order = draw.permutation(classes)
        taken_for = np.empty(classes, np.int64)
        taken_for[order] = np.roll(order, 1)
        uneven = np.asarray(draw.uniform(2 / 3, 4 / 3, classes))
        rates = uneven * share / np.mean(uneven[targets])
        for k, rate in enumerate(np.minimum(rates, MOST)):
            members = draw.permutation(np.flatnonzero(targets == k))
            labels[members[: round(rate * len(members))]] = taken_for[k]
    else:
        own = other[np.arange(len(targets)), targets]
        noise = draw.gumbel(size=len(targets))
        rows = np.argsort(-(np.log(np.maximum(1 - own, 1e-6)) + noise))[:count]  # drawn by 1 - own, none twice
        rest = other.copy()
        rest[np.arange(len(targets)), targets] = -1
        labels[rows] = rest[rows].argmax(1)
    return labels
