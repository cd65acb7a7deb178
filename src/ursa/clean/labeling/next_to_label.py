"""What a classifier says of pictures without labels -> whose label would teach most, and rows to confirm at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.clean.labeling.alike import MOST
from ursa.core import seeds

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

UNSURE = 10  # times as many of the least sure ones are looked among
SURE, LIKELY = 0.9, 0.6  # mean probability of a row: to be confirmed; to learn from
LIKELY_SIZE = 16  # pictures in a row to learn from
SKIPPED = 0.25  # of a class, the surest: they teach nothing
ENOUGH = 10  # labels a class, on average; before, a classifier is surer than it is right


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
    return sorted(_rows(probabilities, size, 0.0, SURE), key=lambda row: -len(row.rows))


def likely_rows(probabilities: F32, counts: I64, *, size: int = LIKELY_SIZE) -> list[PredictedRow]:
    """probabilities [U, K] of the unlabeled, counts [K] of the labeled -> of each class some that are likely of it,
    without the surest; the class with the fewest labels first.

    One click labels those that are, one more takes out each that is not. None before there are ENOUGH labels.
    """
    if counts.sum() < ENOUGH * len(counts):
        return []
    return sorted(_rows(probabilities, size, SKIPPED, LIKELY), key=lambda row: int(counts[row.label]))


def _rows(probabilities: F32, size: int, skipped: float, least: float) -> list[PredictedRow]:
    likely, surest, found = probabilities.argmax(1), probabilities.max(1), []
    for label in range(probabilities.shape[1]):
        rows = np.flatnonzero(likely == label)
        rows = rows[np.argsort(-surest[rows], kind="stable")]
        rows = rows[int(skipped * len(rows)) :][:size]
        if len(rows) and surest[rows].mean() >= least:
            found.append(PredictedRow(label, rows.astype(np.int64), float(surest[rows].mean())))
    return found
