"""Predictions -> the mistakes to look at: those with the highest loss, and a sample of about 100 that stays the same.

Which mistakes are in the sample depends on the bytes of each picture alone: as pictures come and go, the others stay.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from ursa.diagnose.judged import Judged

SAMPLE = 100  # mistakes to tag: shares of causes are then known to within 10 points (Wilson, 95 %)
TOP = 12


@dataclass(frozen=True)
class Mistake:
    """A picture that is predicted as another class than it was given."""

    id: str
    given: str
    predicted: str
    probability: float  # of the predicted class


@dataclass(frozen=True)
class MistakeSample:
    """Mistakes, the highest loss first, and how many there are in all."""

    top: tuple[Mistake, ...]  # those with the highest loss
    sample: tuple[Mistake, ...]  # those to tag
    mistakes: int  # in all
    pictures: int  # judged

    @property
    def whole(self) -> bool:
        """Whether all mistakes are to be tagged."""
        return len(self.sample) == self.mistakes


def mistake_sample(judged: Judged, size: int = SAMPLE, top: int = TOP) -> MistakeSample:
    """judged: predictions of N pictures -> their mistakes, at most `size` of them to tag."""
    targets, predicted = judged.targets, judged.after.argmax(1)
    wrong = np.flatnonzero(predicted != targets)
    keys = judged.catalog.rows["sha256"].to_list()
    names, ids = judged.labels.names, judged.catalog.ids

    def place(row: int) -> tuple[str, str]:
        key = keys[row] if keys[row] is not None else ids[row]
        return hashlib.sha256(f"mistakes {key}".encode("utf-8", "surrogatepass")).hexdigest(), ids[row]

    def mistake(row: int) -> Mistake:
        sure = float(judged.after[row, predicted[row]])
        return Mistake(ids[row], names[targets[row]], names[predicted[row]], sure)

    drawn = set(sorted(wrong.tolist(), key=place)[:size])
    order = wrong[np.argsort(judged.after[wrong, targets[wrong]], kind="stable")].tolist()
    sample = tuple(mistake(row) for row in order if row in drawn)
    return MistakeSample(tuple(map(mistake, order[:top])), sample, len(order), len(targets))
