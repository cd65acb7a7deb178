"""Probabilities -> what is answered: the cheapest class where mistakes cost differently, or "unsure".

A miss of a class is a picture of it that gets another label; a false alarm is another picture that gets its label.
Where a miss of class k costs m and a false alarm f, calling a picture k is cheaper from a probability of f / (f + m) on
(Elkan 2001). Classes without costs are chosen among by their probability.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core.tasks import MULTI_LABEL, SINGLE_LABEL
from ursa.errors import DataError, did_you_mean

Numbers = npt.NDArray[np.floating[Any]]

DEAREST = 1e6  # times one mistake may cost the other: beyond it a class is always or never answered


@dataclass(frozen=True)
class Costs:
    """What mistakes about one class cost, in any unit: only their ratio counts."""

    miss: float
    false_alarm: float

    @property
    def threshold(self) -> float:
        """The probability from which on this class is the cheaper answer."""
        return self.false_alarm / (self.false_alarm + self.miss)

    @classmethod
    def of(cls, miss: object, false_alarm: object) -> "Costs":
        """Raises DataError for what cannot be costs."""
        for name, value in (("a miss", miss), ("a false alarm", false_alarm)):
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not number or not 1 / DEAREST <= float(value) <= DEAREST:  # type: ignore[arg-type]
                fix = f"numbers from {1 / DEAREST:g} to {DEAREST:g}, as in 10:1"
                raise DataError(f"{name} costs a positive number", found=repr(value)[:40], fix=fix)
        return cls(float(miss), float(false_alarm))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Decisions:
    """How probabilities become answers."""

    costs: Mapping[str, Costs] = field(default_factory=dict)  # by class; those that are not named have none
    abstain: float | None = None  # probability of the answer below which it is unsure; None: always sure

    def chosen(self, probabilities: Numbers, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """[N, K] -> [N] the class that is answered: the cheapest; without costs the most probable."""
        if not self.costs:
            return np.asarray(probabilities.argmax(1), np.int64)
        each = [self.costs.get(name) for name in names]
        miss, alarm = (
            np.array([0 if one is None else getattr(one, of) for one in each]) for of in ("miss", "false_alarm")
        )
        gain = probabilities.astype(np.float64) * (miss + alarm) - alarm  # over an answer that costs nothing
        best = gain + 1e-12 * probabilities  # classes without costs by their probability
        return np.asarray(best.argmax(1), np.int64)

    def present(self, probabilities: Numbers, names: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Of several labels a picture: [N, K] -> [N, K] which are answered, from a probability of 0.5 on or what costs
        imply."""
        least = [self.costs[name].threshold if name in self.costs else 0.5 for name in names]
        return np.asarray(probabilities >= np.array(least, np.float32))

    def fit(self, task: str) -> bool:
        """Whether they mean something for a task: to abstain needs one class a picture, costs need classes."""
        return task == SINGLE_LABEL or (self.abstain is None and (task == MULTI_LABEL or not self.costs))

    def unsure(self, probabilities: Numbers) -> npt.NDArray[np.bool_]:
        """[N, K] -> [N] whether the likeliest class is less probable than it has to be."""
        least = -math.inf if self.abstain is None else self.abstain
        return np.asarray(probabilities.max(1) < least)

    def to_json(self) -> dict[str, Any]:
        """The `thresholds` of a bundle, without what was measured at them."""
        costs = {
            name: {"miss": one.miss, "false_alarm": one.false_alarm, "threshold": one.threshold}
            for name, one in self.costs.items()
        }
        return {"abstain": None if self.abstain is None else {"value": self.abstain}, "costs": costs}

    @classmethod
    def from_json(cls, document: Any, names: Sequence[str]) -> "Decisions":
        """What stands in a bundle. Raises DataError for anything else than `to_json` gave."""
        if not isinstance(document, dict) or not isinstance(document.get("costs", {}), dict):
            raise DataError("thresholds are a document", found=repr(document)[:60])
        costs = {}
        for name, one in document.get("costs", {}).items():
            if name not in names or not isinstance(one, dict):
                raise DataError("costs are of the model's classes", found=repr(name)[:60])
            costs[name] = Costs.of(one.get("miss"), one.get("false_alarm"))
        abstain = document.get("abstain")
        value = abstain.get("value") if isinstance(abstain, dict) else abstain
        if value is not None and not (type(value) in (int, float) and 0 <= value <= 1):
            raise DataError("a threshold is a probability", found=repr(value)[:60])
        return cls(costs, None if value is None else float(value))


def costs_of(given: Mapping[str, Any], names: Sequence[str]) -> dict[str, Costs]:
    """{class: (miss, false alarm)} -> costs. Raises DataError for a class that there is not, and for no costs."""
    found = {}
    for name, pair in given.items():
        if name not in names:
            raise DataError(f"the model knows no class {name!r}", fix=did_you_mean(name, names))
        if isinstance(pair, Costs):
            pair = (pair.miss, pair.false_alarm)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise DataError("costs are a pair: of a miss, of a false alarm", found=repr(pair)[:60], fix="(10, 1)")
        found[name] = Costs.of(*pair)
    return found
