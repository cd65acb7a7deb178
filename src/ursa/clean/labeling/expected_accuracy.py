"""Labels so far -> which of them are a random part, and by these the accuracy to expect, now and with more labels.

Pictures that were chosen because a classifier is unsure are harder than the others, and rows that one click confirmed
are easier: right or wrong, they tell nothing of the rest. So the judge is a random part: the order of hashes is one
that nobody chose, and of the pictures in front, down to the first without a label, all are known.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.statistics import Estimate

Mask = npt.NDArray[np.bool_]

SHARE = 0.1  # of the labels: as many are in the random part, or are asked for next
JUDGES = 20  # fewer say nothing: their interval is 40 points wide
AHEAD = 50  # labels
STEEPEST = 1.0  # errors fall at most as one over the number of labels (see `core.statistics.cross_validated`)


@dataclass(frozen=True)
class ExpectedAccuracy:
    """What a classifier is worth that learns from the labels so far."""

    now: Estimate  # NaN where there are fewer than JUDGES random pictures
    ahead: Estimate  # with AHEAD more labels, chosen as those so far
    judges: int

    def to_json(self) -> dict[str, Any]:
        """Its part of a document."""
        return {"accuracy": self.now.to_json(), "with_50_more": self.ahead.to_json(), "judged_by": self.judges}


def random_part(hashes: Sequence[str], labeled: Mask, passed: Mask) -> tuple[Mask, int | None]:
    """hashes [N], labeled [N], passed [N]: looked at and not labeled -> the random part [N], and whom to label next.

    A picture of which a person was not sure counts as looked at: no label, no judge.
    """
    judges = np.zeros(len(hashes), np.bool_)
    for row in np.argsort(np.array(hashes, np.str_), kind="stable").tolist():
        if not labeled[row] and not passed[row]:
            return judges, row
        judges[row] = labeled[row]
    return judges, None


def expected_accuracy(
    right: Mask, labels: int, errors: tuple[int, int] | None = None, *, method: str = "random part of the labels"
) -> ExpectedAccuracy:
    """right [J]: whether each of the random part is right, by a classifier that had not seen it; labels: how many.

    errors: of the labeled out of fold, by classifiers that learned from the others, and from half as many. They are of
    chosen pictures, so that both are too high, but what they say of each other is how errors fall as labels double.
    """
    count = len(right)
    if count < JUDGES:
        unknown = Estimate(math.nan, 0.0, 1.0, f"{method}: {count} of {JUDGES} so far", share=True)
        return ExpectedAccuracy(unknown, unknown, count)
    now = statistics.proportion(int(right.sum()), count, method)
    return ExpectedAccuracy(now, _ahead(now, labels, errors), count)


def _ahead(now: Estimate, labels: int, errors: tuple[int, int] | None) -> Estimate:
    """Errors as a power of the number of labels."""
    method = f"{now.method}, and what half of the labels lose"
    if errors is None:
        return Estimate(math.nan, 0.0, 1.0, method, share=True)
    slope = min(max(math.log2((errors[1] + 0.5) / (errors[0] + 0.5)), 0.0), STEEPEST)
    kept, most = ((labels / (labels + AHEAD)) ** power for power in (slope, STEEPEST))
    return Estimate(1 - (1 - now.value) * kept, now.low, 1 - (1 - now.high) * most, method, share=True)
