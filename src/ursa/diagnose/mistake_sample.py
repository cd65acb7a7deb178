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
    sampled: bool  # whether it is one of those to tag


@dataclass(frozen=True)
class MistakeSample:
    """Mistakes, the highest loss first, and how many there are in all."""

    top: tuple[Mistake, ...]
    others: tuple[Mistake, ...]  # of the sample, beside those of `top` that are in it
    mistakes: int  # in all
    pictures: int  # judged

    @property
    def sample(self) -> tuple[Mistake, ...]:
        """Those to tag."""
        return tuple(mistake for mistake in (*self.top, *self.others) if mistake.sampled)


def mistake_sample(judged: Judged, size: int = SAMPLE, top: int = TOP) -> MistakeSample:
    """judged: predictions of N pictures -> their mistakes, at most `size` of them to tag."""
    targets, predicted = judged.targets, judged.after.argmax(1)
    wrong = np.flatnonzero(predicted != targets)
    keys = judged.catalog.rows["sha256"].to_list()
    names, ids = judged.labels.names, judged.catalog.ids

    def place(row: int) -> tuple[str, str]:
        key = keys[row] if keys[row] is not None else ids[row]
        return hashlib.sha256(f"mistakes {key}".encode("utf-8", "surrogatepass")).hexdigest(), ids[row]

    sampled = set(sorted(wrong.tolist(), key=place)[:size])
    order = wrong[np.argsort(judged.after[wrong, targets[wrong]], kind="stable")].tolist()
    found = [
        Mistake(
            ids[row],
            names[targets[row]],
            names[predicted[row]],
            float(judged.after[row, predicted[row]]),
            row in sampled,
        )
        for row in order
    ]
    return MistakeSample(
        tuple(found[:top]),
        tuple(mistake for mistake in found[top:] if mistake.sampled),
        len(found),
        len(targets),
    )
