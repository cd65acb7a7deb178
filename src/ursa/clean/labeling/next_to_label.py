"""What a classifier says of pictures without labels -> whose label would teach most, and rows to confirm at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.clean.labeling.alike import MOST
from ursa.core import seeds

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

UNSURE = 10  # times as many of the least sure ones are looked among
SURE = 0.9  # mean probability of a row to be confirmed


@dataclass(frozen=True)
class PredictedRow:
    """Pictures that are all taken for one class."""

    label: int
    rows: I64  # the surest first
    probability: float  # mean


def next_to_label(probabilities: F32, like: F32, count: int, *, seed: int = 0) -> I64:
    """probabilities [U, K] and likeness [U, D] of the unlabeled -> rows to label one by one, the least sure first.

    Margin and diversity (Citovsky et al. 2021): of the UNSURE * count with the least margin between the two likeliest
    classes one from each of `count` clusters, so that no two alike ones are asked about.
    """
    margins = np.diff(np.sort(probabilities, axis=1)[:, -2:], axis=1)[:, 0]
    unsure = np.argsort(margins, kind="stable")[: UNSURE * count]
    if len(unsure) <= count:
        return np.asarray(unsure, np.int64)
    from sklearn.cluster import KMeans

    state = int(seeds.generator(seed, "unsure pictures", count).integers(1 << 31))
    part = KMeans(count, n_init=1, max_iter=10, random_state=state).fit_predict(like[unsure])
    first = np.sort(np.unique(part, return_index=True)[1])  # of each cluster the least sure one
    return np.asarray(unsure[first], np.int64)


def sure_rows(probabilities: F32, *, size: int = MOST) -> list[PredictedRow]:
    """probabilities [U, K] of the unlabeled -> of each class the surest `size`, where they are sure; the longest first.

    They teach little, but one click labels them all.
    """
    likely, surest, found = probabilities.argmax(1), probabilities.max(1), []
    for label in range(probabilities.shape[1]):
        rows = np.flatnonzero(likely == label)
        rows = rows[np.argsort(-surest[rows], kind="stable")][:size]
        if len(rows) and surest[rows].mean() >= SURE:
            found.append(PredictedRow(label, rows.astype(np.int64), float(surest[rows].mean())))
    return sorted(found, key=lambda row: -len(row.rows))
