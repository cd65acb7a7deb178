"""Margins, answers of a person -> how many wrong labels are left, in a sentence and as numbers."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.clean.wrong_labels.label_answers import FEWEST, estimate
from ursa.core.text import counted


@dataclass(frozen=True)
class EstimateLeft:
    """Wrong labels among those that nobody has looked at."""

    value: float | None  # None: too few answers to say
    high: float | None
    words: str

    def to_json(self) -> dict[str, float | None]:
        """The `estimate_left` of documents."""
        return {"value": self.value, "high": self.high}


def estimate_left(
    margins: npt.NDArray[np.float64],
    answers: Mapping[int, bool],
    drawn: Set[int] = frozenset(),  # noqa: ARG001  # what a bound on the rest is made from
) -> EstimateLeft:
    """margins [N]; answers: row -> whether its label is wrong; drawn: rows of them that were drawn at random."""
    few = min(FEWEST, len(margins))
    if not len(margins):
        return EstimateLeft(None, None, "")
    if len(answers) < few:
        more = few - len(answers)
        return EstimateLeft(None, None, f"{counted(more, 'more answer')} until the wrong labels can be counted")
    found = estimate(margins, answers)
    seen = sum(answers.values())
    left, high = max(0.0, found.left), max(0.0, found.count.high - seen)
    return EstimateLeft(left, high, f"about {left:,.0f} wrong labels are left, at most {high:,.0f} (95 %)")
