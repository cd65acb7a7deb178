"""Two models' hits on the same pictures -> whether one is better, by how much, and how many pictures would tell."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.differences import MOST, enough_examples, paired_difference, visible_difference
from ursa.core.finding import Finding
from ursa.core.statistics import Estimate
from ursa.core.text import p_value_text

Bool = npt.NDArray[np.bool_]

CHANCE = 0.05  # p-values from which on a difference may be chance; the rate of wrong claims: benchmarks/compare.py
LEAST = 6  # pictures: of fewer, all one way, McNemar's p-value is 0.06 at best
POINT = 0.01  # of accuracy: a difference that is named where none is seen


@dataclass(frozen=True)
class PairedAccuracy:
    """Which of the same N pictures two models have right."""

    first: Bool  # [N]
    second: Bool  # [N]

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self.first)

    @property
    def only_first(self) -> int:
        """Pictures that only the first has right."""
        return int((self.first & ~self.second).sum())

    @property
    def only_second(self) -> int:
        """Pictures that only the second has right."""
        return int((self.second & ~self.first).sum())

    @cached_property
    def p_value(self) -> float:
        """Of the hypothesis that both are right equally often: McNemar's test, exact whatever the number."""
        return statistics.mcnemar_exact(self.only_first, self.only_second)

    @cached_property
    def difference(self) -> Estimate:
        """Accuracy of the first less that of the second."""
        both, neither = int((self.first & self.second).sum()), int((~self.first & ~self.second).sum())
        return paired_difference(both, self.only_first, self.only_second, neither, "accuracy on the same pictures")

    @property
    def told(self) -> bool:
        """Whether chance explains the difference too seldom to be believed."""
        return self.p_value < CHANCE

    @property
    def enough(self) -> int | None:
        """Pictures on which a difference as large as this one would most likely show; None without one, or with one
        that more than a million pictures would be needed for."""
        return enough_examples(self.difference.value, self._differing)

    @property
    def visible(self) -> float:
        """The smallest difference that would most likely have shown on these pictures."""
        return visible_difference(self.pictures, self._differing)

    def accuracies(self) -> tuple[Estimate, Estimate]:
        """Of each by itself."""
        sides = ((self.first, "first"), (self.second, "second"))
        one, other = (
            statistics.proportion(int(right.sum()), self.pictures, f"pictures that both judge, {name} model")
            for right, name in sides
        )
        return one, other

    def verdict(self, first: str, second: str) -> Finding:
        """In plain words; first and second: what the models are called. Raises ValueError without a picture."""
        if not self.pictures:
            raise ValueError("two models are compared on pictures")
        gap = self.difference.value
        better, other = (first, second) if gap >= 0 else (second, first)
        won, lost = sorted((self.only_first, self.only_second), reverse=True)
        numbers: dict[str, Any] = {
            "p_value": self.p_value,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "enough": self.enough,
            "visible_difference": self.visible,
        }
        count = f"{self.pictures:,} {'picture' if self.pictures == 1 else 'pictures'}"
        split = f"{won:,} that {other} has wrong, and wrong {lost:,} that {other} has right"
        if self.told:
            said = f"{better} is better than {other}: of {count} it has right {split} ({p_value_text(self.p_value)})."
            said += f" Its accuracy is {_points(self.difference)} higher."
            return Finding("models-differ", (), 1 - self.p_value, said, f"Use {better}.", numbers)
        if self.pictures < LEAST:
            said = f"Too small to tell: on {count} no difference can be told from chance, however large."
            return Finding(
                "models-not-told-apart", (), self.p_value, said, f"Compare them on {LEAST} at least.", numbers
            )
        if gap == 0:
            said = f"No difference is seen: {first} and {second} have the same number of {count} right"
            said += f", {won:,} of them where the other one is wrong." if won else ", and the same ones."
            seen = f"One of {100 * self.visible:.1f} points or more would most likely have shown here"
            hint = enough_examples(POINT, max(self._differing, POINT))
            advice = f"{seen}, one of 1 point on about {hint:,} pictures (power 80 %). Take the faster or smaller one."
            return Finding("models-not-told-apart", (), self.p_value, said, advice, numbers)
        chance = p_value_text(self.p_value)
        said = f"Too small to tell: of {count} {better} has right {split}, which may be chance ({chance})."
        said += f" Its accuracy is {_points(self.difference)} higher."
        advice = f"{_would_be_enough(self.enough)} Until then take the faster or smaller one."
        return Finding("models-not-told-apart", (), self.p_value, said, advice, numbers)

    @property
    def _differing(self) -> float:
        return (self.only_first + self.only_second) / max(1, self.pictures)


def _would_be_enough(count: int | None) -> str:
    if count is None:
        return f"To show a difference this small would take more than {MOST:,} pictures."
    return f"If it is as large as it is here, about {count:,} pictures would be enough to show it (power 80 %)."


def _points(difference: Estimate) -> str:
    """Of the better one: its lead with the interval, in points."""
    low, high = difference.low, difference.high
    if difference.value < 0:
        low, high = -high, -low
    return f"{100 * abs(difference.value):.1f} points (95 % interval {100 * low:.1f} to {100 * high:.1f})"
