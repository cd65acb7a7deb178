"""Out-of-sample probabilities, labels -> from what probability on to answer, so that few answers are wrong.

Learn then Test (Angelopoulos, Bates, Candes, Jordan and Lei 2021): each threshold is a hypothesis, "more than the
wanted share of what is answered is wrong", and is tested by the exact binomial distribution, as the Clopper-Pearson
bound is. Thresholds are tested in an order fixed beforehand, from strict to lax, up to the first that fails: so the
promise holds for the threshold that is chosen, with the probability asked for, whatever the probabilities are worth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.statistics import Estimate
from ursa.errors import DataError

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.floating[Any]]

ERRORS = (0.01, 0.02, 0.05)  # shares of wrong answers that `ursa check` looks for
SURE = 0.95  # that no more than the wanted share is wrong
STEPS = 40  # thresholds tested, even in the number of pictures that they answer
START = 0.5  # share answered by the first one: a few sure mistakes, as wrong labels are, do not end the search there


@dataclass(frozen=True)
class Threshold:
    """A picture is answered where the probability of its likeliest class is this or more."""

    value: float  # 0 to 1; infinite where no threshold can keep the promise: nothing is answered
    coverage: Estimate  # share of pictures answered
    error: Estimate  # share of those answered that are wrong
    wanted: float  # share of wrong answers that is promised
    sure: float  # with which probability, over the pictures that chose the threshold

    @property
    def answers(self) -> bool:
        """Whether there is such a threshold."""
        return math.isfinite(self.value)

    def __str__(self) -> str:
        wanted, sure = f"{100 * self.wanted:g} %", f"{100 * self.sure:g} %"
        if not self.answers:
            return f"no threshold can promise, with {sure} certainty, that at most {wanted} of the answers are wrong"
        return (
            f"from a probability of {100 * self.value:.1f} % on, {100 * self.coverage.value:.0f} % of pictures are "
            f"answered and {100 * self.error.value:.1f} % of those wrongly (at most {wanted}, with {sure} certainty)"
        )

    def to_json(self) -> dict[str, Any]:
        """{"value", "coverage", "error", "wanted", "sure"}; value null where nothing is answered."""
        return {
            "value": self.value if self.answers else None,
            "coverage": self.coverage.to_json(),
            "error": self.error.to_json(),
            "wanted": self.wanted,
            "sure": self.sure,
        }


def threshold_for(
    probabilities: Numbers, targets: I64, error: float = 0.01, *, sure: float = SURE, chosen: I64 | None = None
) -> Threshold:
    """probabilities [N, K] of pictures that the model had not seen, targets [N] -> the laxest threshold that is safe.

    With probability `sure` over the N pictures, at most the share `error` of what is answered is wrong, of pictures
    drawn as these were, each by itself: give one of a group of near duplicates. That takes `least_pictures(error)`
    pictures at least. chosen: [N] what is answered, where that is not the likeliest class. Raises DataError for shares
    that are none.
    """
    for name, share in (("error", error), ("sure", sure)):
        if not 0 < share < 1:
            raise DataError(f"{name} is a share between 0 and 1", found=f"{share:g}", fix="0.01 means one in a hundred")
    top = np.asarray(probabilities.max(1), np.float64)
    wrong = (probabilities.argmax(1) if chosen is None else chosen) != targets
    value = math.inf
    for candidate in _candidates(top, error, sure):
        answered = top >= candidate
        if statistics.binomial_tail(int((answered & wrong).sum()), int(answered.sum()), error) > 1 - sure:
            break
        value = candidate
    return at_threshold(top, wrong, value, error, sure)


def thresholds_for(probabilities: Numbers, targets: I64) -> tuple[Threshold, ...]:
    """As `threshold_for`, for each of ERRORS."""
    return tuple(threshold_for(probabilities, targets, error) for error in ERRORS)


def described(thresholds: Sequence[Threshold]) -> str:
    """The least share of wrong answers that can be promised, in a sentence; or that none can."""
    kept = [each for each in thresholds if each.answers]
    if kept:
        return f"Of the probe's answers, {kept[0]}."
    return f"{str(max(thresholds, key=lambda each: each.wanted)).capitalize()}." if thresholds else ""


def at_threshold(top: F64, wrong: Bool, value: float, wanted: float, sure: float = SURE) -> Threshold:
    """top [N] probability of the likeliest class, wrong [N] -> what a threshold does on these pictures."""
    answered = top >= value
    count = int(answered.sum())
    return Threshold(
        value,
        statistics.proportion(count, len(top), "share of pictures answered"),
        statistics.proportion(int((answered & wrong).sum()), count, "share of answers that are wrong"),
        wanted,
        sure,
    )


def least_pictures(error: float, sure: float = SURE) -> int:
    """Answers that have to be right, every one, before a share of wrong ones can be promised: 299 for 1 %."""
    return math.ceil(math.log(1 - sure) / math.log(1 - error))


def _candidates(top: F64, error: float, sure: float) -> list[float]:
    """Thresholds from strict to lax. They depend on no label."""
    first = max(least_pictures(error, sure), math.ceil(START * len(top)))
    if first > len(top):
        return []
    falling = np.sort(top)[::-1]
    counts = np.linspace(first, len(top), STEPS).round().astype(int)
    return list(dict.fromkeys(falling[counts - 1].tolist()))
