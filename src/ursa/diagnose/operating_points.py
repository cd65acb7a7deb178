"""Probabilities of held-out pictures, labels, costs -> curves of each class, and the point that the costs imply.

One class against the others: the ROC curve (recall against false alarms), the precision-recall curve, and the point on
both that the costs of a miss and of a false alarm imply. The threshold follows from the costs alone (`core/decisions`),
not from these pictures, so what is measured at it is not too good to be true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.decisions import Costs, Decisions
from ursa.core.statistics import Estimate

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.floating[Any]]

REPEATS = (30, 200)  # bootstrap draws of a class's curve, at least and at most
DRAWS = 4000  # of all classes together, as far as that leaves each its least: some seconds for 2,000 pictures


@dataclass(frozen=True)
class OperatingPoint:
    """What a class's threshold does, one class against the others."""

    costs: Costs
    recall: Estimate  # share of the class's pictures at or above the threshold
    precision: Estimate  # share of those at or above it that are of the class
    false_alarms: Estimate  # share of the other pictures at or above it

    def to_json(self) -> dict[str, Any]:
        """{"miss", "false_alarm", "threshold", "recall", "precision", "false_alarms"}."""
        measured = {name: getattr(self, name).to_json() for name in ("recall", "precision", "false_alarms")}
        known = {"miss": self.costs.miss, "false_alarm": self.costs.false_alarm, "threshold": self.costs.threshold}
        return {**known, **measured}


@dataclass(frozen=True)
class ClassCurves:
    """How well one class is told from the others, at every threshold."""

    name: str
    pictures: int  # of the class
    thresholds: F64  # [M] falling
    recall: F64  # [M] of pictures of the class at or above each threshold
    false_alarms: F64  # [M] of the others
    precision: F64  # [M]
    auc: Estimate  # area under the ROC curve; NaN where there are no pictures of it, or no others
    average_precision: Estimate
    point: OperatingPoint | None = None  # where costs were given

    def to_json(self) -> dict[str, Any]:
        """{"pictures", "auc", "average_precision", "point"}."""
        return {
            "pictures": self.pictures,
            "auc": self.auc.to_json(),
            "average_precision": self.average_precision.to_json(),
            "point": None if self.point is None else self.point.to_json(),
        }


def class_curves(
    probabilities: Numbers, targets: I64, names: Sequence[str], costs: Mapping[str, Costs] | None = None
) -> tuple[ClassCurves, ...]:
    """probabilities [N, K], targets [N] -> the curves of each class, in the order of names [K]."""
    repeats = min(max(REPEATS[0], DRAWS // len(names)), REPEATS[1])
    return tuple(
        _curves(name, probabilities[:, k].astype(np.float64), targets == k, (costs or {}).get(name), repeats)
        for k, name in enumerate(names)
    )


def mean_cost(chosen: I64, targets: I64, names: Sequence[str], costs: Mapping[str, Costs]) -> F64:
    """[N] what each answer costs: a miss of the class that it is of, a false alarm of the one that it is given."""
    miss, alarm = (
        np.array([getattr(costs[n], of) if n in costs else 0.0 for n in names]) for of in ("miss", "false_alarm")
    )
    return np.where(chosen == targets, 0.0, miss[targets] + alarm[chosen])


def saved_by(probabilities: Numbers, targets: I64, names: Sequence[str], costs: Mapping[str, Costs]) -> Estimate:
    """What deciding by the costs saves a picture, over answering the most probable class; paired, by bootstrap."""
    before = mean_cost(probabilities.argmax(1), targets, names, costs)
    after = mean_cost(Decisions(costs).chosen(probabilities, names), targets, names, costs)
    gain = before - after
    return statistics.bootstrap(
        lambda rows: float(gain[rows].mean()) if len(rows) else np.nan, len(gain), "saved a picture"
    )


def _curves(name: str, scores: F64, own: Bool, costs: Costs | None, repeats: int) -> ClassCurves:
    order = np.argsort(-scores, kind="stable")
    falling, hit = scores[order], own[order]
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1) if len(falling) else np.empty(0, np.int64)
    hits, alarms = hit.cumsum()[last], (~hit).cumsum()[last]
    count, others = int(own.sum()), int((~own).sum())
    return ClassCurves(
        name,
        count,
        falling[last],
        hits / max(1, count),
        alarms / max(1, others),
        hits / np.maximum(1, hits + alarms),
        _resampled(_auc, scores, own, "area under the ROC curve", repeats),
        _resampled(_average_precision, scores, own, "average precision", repeats),
        None if costs is None else _point(scores, own, costs),
    )


def _point(scores: F64, own: Bool, costs: Costs) -> OperatingPoint:
    above = scores >= costs.threshold
    hits, alarms = int((above & own).sum()), int((above & ~own).sum())
    return OperatingPoint(
        costs,
        statistics.proportion(hits, int(own.sum()), "recall at the threshold"),
        statistics.proportion(hits, hits + alarms, "precision at the threshold"),
        statistics.proportion(alarms, int((~own).sum()), "false alarms at the threshold"),
    )


def _resampled(measure: Any, scores: F64, own: Bool, method: str, repeats: int) -> Estimate:
    if not own.any():
        return Estimate(np.nan, 0.0, 1.0, f"{method}; no picture of this class", share=True)
    found = statistics.bootstrap(
        lambda rows: measure(scores[rows], own[rows]),
        len(own),
        f"{method}, one class against the others",
        repeats=repeats,
    )
    return Estimate(found.value, found.low, found.high, found.method, share=True)


def _auc(scores: F64, own: Bool) -> float:
    """The chance that a picture of the class scores higher than another one; equal scores count half."""
    count, others = int(own.sum()), int((~own).sum())
    if not count or not others:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts - 1) / 2)[inverse]
    return float((ranks[own].sum() - count * (count + 1) / 2) / (count * others))


def _average_precision(scores: F64, own: Bool) -> float:
    """The precision at each threshold, weighted by the recall that it adds."""
    if not own.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    falling, hits = scores[order], own[order].cumsum()
    last = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    added = np.diff(np.append(0, hits[last]))
    return float((added * hits[last] / (last + 1)).sum() / hits[-1])
