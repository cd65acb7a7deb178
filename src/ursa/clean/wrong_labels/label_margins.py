"""Out-of-sample probabilities, given labels -> how strongly another class is preferred to each label."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.errors import DataError

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

LEAST = 1e-12  # probability below which the logarithm says no more
BLOCK = 1 << 20  # numbers in the largest temporary array


@dataclass(frozen=True)
class LabelMargins:
    """A row a picture; the larger the margin, the likelier is the label wrong."""

    margins: F64  # [N] log of the probability of the likeliest other class, less that of the given one
    likely: I64  # [N] that other class
    given_probability: F64  # [N]
    likely_probability: F64  # [N]

    @classmethod
    def of(cls, probabilities: F32, given: I64) -> "LabelMargins":
        """probabilities [N, K], calibrated, by heads that had not seen the picture; given [N] labels, K >= 2."""
        count, classes = probabilities.shape
        if given.shape != (count,) or classes < 2 or (count and not 0 <= given.min() <= given.max() < classes):
            raise DataError(
                "margins need probabilities of two or more classes and one label a row",
                found=f"probabilities {probabilities.shape}, labels {given.shape}",
                fix="probabilities [N, K], labels [N] in 0..K-1",
            )
        likely, own, best = np.zeros(count, np.int64), np.zeros(count), np.zeros(count)
        step = max(1, BLOCK // classes)
        for first in range(0, count, step):
            rows = slice(first, first + step)
            some, label = probabilities[rows].astype(np.float64), given[rows]
            row = np.arange(len(some))
            own[rows] = some[row, label]
            some[row, label] = -1
            likely[rows] = some.argmax(1)
            best[rows] = some.max(1)
        margins = np.log(np.maximum(best, LEAST)) - np.log(np.maximum(own, LEAST))
        return cls(margins, likely, own, best)

    def ranked(self) -> I64:
        """[N] rows, the likeliest to be wrong first; of equals the first row."""
        return ranking(self.margins)


def ranking(margins: F64) -> I64:
    """margins [N] -> rows [N], the largest first; of equals the first row."""
    return np.argsort(-margins, kind="stable")


def mean_probabilities(repeats: list[F32]) -> F32:
    """[N, K] of each repeat -> [N, K], their geometric means, rows summing to 1."""
    logs = np.log(np.maximum(repeats[0], LEAST))
    for some in repeats[1:]:
        logs += np.log(np.maximum(some, LEAST))
    logs /= len(repeats)
    logs -= logs.max(1, keepdims=True)
    np.exp(logs, out=logs)
    logs /= logs.sum(1, keepdims=True)
    return np.asarray(logs, np.float32)
