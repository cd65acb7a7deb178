"""Measured backbones and limits -> the one to take, and the sentence that says why."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ursa.core.statistics import Estimate, mcnemar_exact
from ursa.core.text import p_value_text
from ursa.errors import DataError

CHANCE = 0.05  # p-values from which on a difference may be chance


@dataclass(frozen=True)
class MeasuredBackbone:
    """What one backbone came to on these pictures. What was not measured is None, and `problem` says why."""

    name: str
    weights: Path | None = None
    license: str | None = None  # as timm calls it
    accuracy: Estimate | None = None  # cross-validated
    right: Mapping[str, bool] = field(default_factory=dict, repr=False)  # by picture id, out of sample
    pass_ms: float | None = None  # a picture: reading, decoding, forward
    predict_ms: float | None = None  # a picture, by the exported model: reading, decoding, forward
    megabytes: float | None = None  # of the exported model
    problem: str | None = None

    @property
    def complete(self) -> bool:
        """Whether it can be picked."""
        return None not in (self.accuracy, self.predict_ms, self.megabytes)

    def summary(self) -> str:
        """A line: what it reaches and costs, or why that is not known."""
        if self.accuracy is None or self.predict_ms is None or self.megabytes is None:
            return self.problem or "not measured"
        return f"{self.accuracy}, {self.predict_ms:.3g} ms a picture, {self.megabytes:.3g} MB"

    def to_json(self) -> dict[str, Any]:
        """Its row of the document."""
        return {
            "name": self.name,
            "weights": None if self.weights is None else str(self.weights),
            "license": self.license,
            "accuracy": None if self.accuracy is None else self.accuracy.to_json(),
            "pass_ms": self.pass_ms,
            "predict_ms": self.predict_ms,
            "megabytes": self.megabytes,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Limits:
    """What a model may cost; None: no limit."""

    ms: float | None = None  # of predicting a picture
    mb: float | None = None  # of the exported model

    @classmethod
    def of(cls, ms: float | None, mb: float | None) -> "Limits":
        """Raises DataError for what is no positive number."""
        for option, value in (("--max-ms", ms), ("--max-mb", mb)):
            if value is not None and not 0 < value < math.inf:  # false for NaN too
                raise DataError("a limit is a number above 0", found=f"{option} {value:g}", fix=f"{option} 20")
        return cls(ms, mb)

    def hold(self, row: MeasuredBackbone) -> bool | None:
        """Whether it is within them; None where that was not measured."""
        return None if not row.complete else self.excess(row) <= 1

    def excess(self, row: MeasuredBackbone) -> float:
        """How many times its limit what it costs is, the worse of both; 0 without limits."""
        pairs = ((row.predict_ms, self.ms), (row.megabytes, self.mb))
        return max((cost / limit for cost, limit in pairs if cost is not None and limit is not None), default=0.0)

    def failed(self, row: MeasuredBackbone) -> list[str]:
        """The limits that it is over, by the names of the keywords."""
        costs = {"max_ms": (row.predict_ms, self.ms), "max_mb": (row.megabytes, self.mb)}
        return [
            name for name, (cost, limit) in costs.items() if cost is not None and limit is not None and cost > limit
        ]

    def to_json(self) -> dict[str, float | None]:
        """By the names of the keywords."""
        return {"max_ms": self.ms, "max_mb": self.mb}

    def __str__(self) -> str:
        pairs = ((self.ms, "ms a picture"), (self.mb, "MB"))
        return " and ".join(f"{limit:g} {unit}" for limit, unit in pairs if limit is not None)


@dataclass(frozen=True)
class Pick:
    """The backbone to take; without one, that which comes nearest to the limits."""

    row: MeasuredBackbone | None
    nearest: MeasuredBackbone | None
    why: str


def pick(rows: Sequence[MeasuredBackbone], limits: Limits) -> Pick:
    """Within the limits the most accurate; among those that a paired test cannot tell from it, the fastest.

    The test is McNemar's, exact, on the pictures that both predicted out of sample.
    """
    complete = [row for row in rows if row.complete]
    if not complete:
        return Pick(None, None, "No backbone could be measured.")
    within = sorted((row for row in complete if limits.hold(row)), key=_cost)
    if not within:
        nearest = min(complete, key=limits.excess)
        return Pick(None, nearest, f"None is within {limits}; {nearest.name} comes nearest: {nearest.summary()}.")
    best = max(within, key=_accuracy)  # of equals the fastest, which comes first
    chosen = next(row for row in within if row is best or p_value(row, best) >= CHANCE)
    sentence = f"{chosen.name}: {chosen.summary()}; {_beside(chosen, best, within)}"
    better = max((row for row in complete if row not in within), key=_accuracy, default=None)
    if better is not None and _accuracy(better) > _accuracy(best):
        sentence += f". Outside the limits {better.name} reaches {better.summary()}"
    return Pick(chosen, None, f"{sentence}.")


def p_value(one: MeasuredBackbone, other: MeasuredBackbone) -> float:
    """Of the hypothesis that both are right equally often."""
    both = one.right.keys() & other.right.keys()
    wins = sum(one.right[id] and not other.right[id] for id in both)
    losses = sum(other.right[id] and not one.right[id] for id in both)
    return mcnemar_exact(wins, losses)


def _beside(chosen: MeasuredBackbone, best: MeasuredBackbone, within: Sequence[MeasuredBackbone]) -> str:
    """What is to be said of the best other one within the limits."""
    others = [row for row in within if row is not chosen]
    if not others:
        return "the only one to choose from"
    other = best if chosen is not best else max(others, key=_accuracy)
    gap, p = 100 * (_accuracy(other) - _accuracy(chosen)), p_value(chosen, other)
    points = "no better" if not gap else f"{abs(gap):.1f} points {'better' if gap > 0 else 'worse'}"
    if p < CHANCE:  # of equals the fastest is chosen, so this one is worse
        return f"{other.name}, the next, is {points} ({p_value_text(p)})"
    chance = f", which may be chance ({p_value_text(p)})," if gap else ""
    return f"{other.name} is {points}{chance} and takes {_cost(other) / _cost(chosen):.1f} times as long"


def _accuracy(row: MeasuredBackbone) -> float:
    return -1.0 if row.accuracy is None else row.accuracy.value


def _cost(row: MeasuredBackbone) -> float:
    return math.inf if row.predict_ms is None else row.predict_ms
