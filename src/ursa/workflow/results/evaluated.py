"""What `ursa evaluate` came to: how good a bundle is on pictures that it did not learn from."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.statistics import Estimate
from ursa.diagnose.abstain import Threshold
from ursa.diagnose.operating_points import ClassCurves
from ursa.workflow.results.short_repr import ShortRepr, interval_text

UNKNOWN = "pictures of this folder; the bundle does not say which of them it learned from"
EXACT = "Pictures are recognized by their bytes: a resized or re-encoded copy counts as new."


@dataclass(frozen=True, repr=False)
class Evaluated(ShortRepr):
    """How a bundle does on labelled pictures."""

    pictures: int  # judged
    problems: dict[str, str]  # picture id -> why it could not be judged
    accuracy: Estimate  # on those that were not learned from; NaN where all were
    accuracy_of_all: Estimate
    learned_from: int | None  # of the judged pictures; None where the bundle is of an Ursa that did not write it down
    validated_on: int  # of the others, those that had a say in what was kept
    labels: Labels
    confusion: npt.NDArray[np.int64]  # [K, K], rows the given class, of the pictures that the accuracy is of
    test_set_uses: int = 0  # at these test pictures so far; 0 where they are no test part, or no workspace counts them
    findings: tuple[Finding, ...] = ()
    report: Path | None = None  # the page, where one was asked for
    curves: tuple[ClassCurves, ...] = ()  # of each class, on the same pictures: `ursa.plots.roc(result.curves)`
    saved: Estimate | None = None  # what deciding by the costs saves a picture; None where none were given
    abstain: Threshold | None = None  # the threshold for the wanted share of errors; None where none was asked for
    bundle: Path | None = None  # with these costs and this threshold, where it was written

    @property
    def promised(self) -> bool:
        """Whether there is a threshold that keeps the wanted share of errors, where one was asked for."""
        return self.abstain is None or self.abstain.answers

    def _shown(self) -> list[tuple[str, str]]:
        rows = [("pictures", f"{self.pictures:,}"), ("accuracy", interval_text(self.accuracy))]
        if self.learned_from:
            rows[1:1] = [("learned from", f"{self.learned_from:,}")]
        return [*rows, *([("unusable files", f"{len(self.problems):,}")] if self.problems else [])]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa evaluate --json`."""
        return {
            "pictures": self.pictures,
            "learned_from": self.learned_from,
            "validated_on": self.validated_on,
            "problems": self.problems,
            "accuracy": self.accuracy.to_json(),
            "accuracy_of_all": self.accuracy_of_all.to_json(),
            "per_class": statistics.per_class(self.confusion, self.labels.names),
            "confusion": self.confusion.tolist(),
            "operating_points": {each.name: each.to_json() for each in self.curves},
            "saved": None if self.saved is None else self.saved.to_json(),
            "abstain": None if self.abstain is None else self.abstain.to_json(),
            "bundle": None if self.bundle is None else str(self.bundle),
            "test_set_uses": self.test_set_uses,
            "findings": [finding.to_json() for finding in self.findings],
            "report": None if self.report is None else str(self.report),
        }


def accuracy_of_new(hits: int, total: int, learned: int | None, validated: int) -> Estimate:
    """Of `total` pictures that were not learned from, beside `learned` that were; `validated`: those that chose."""
    if learned is None:
        return statistics.proportion(hits, total, UNKNOWN)
    if learned and not total:
        return statistics.proportion(0, 0, "the model learned from all of these pictures")
    which = "pictures that the model did not learn from" if learned else "pictures of this folder"
    chose = f", {validated:,} of them its validation pictures" if validated else ""
    return statistics.proportion(hits, total, which + chose)


def learned_from(ids: tuple[str, ...], new: Estimate, hits: int, others: int, of_all: Estimate) -> list[Finding]:
    """The finding where pictures were learned from: their ids; what is right of the others, and of all."""
    if not ids:
        return []
    count, total, numbers = len(ids), len(ids) + others, {"learned_from": len(ids), "others": others, "right": hits}
    share = str(of_all)
    if math.isnan(new.value):
        evidence = f"All {total:,} pictures were learned from: that {share} of them are right says nothing of new ones."
        advice = "Name a folder of other pictures."
    else:
        interval = f"{100 * new.value:.1f} %, 95 % interval {100 * new.low:.1f} to {100 * new.high:.1f}"
        evidence = (
            f"{count:,} of these {total:,} pictures were learned from; of the other {others:,}, {hits:,} are right "
            f"({interval}). Of all, {share} are, which says less about new pictures."
        )
        advice = "The accuracy is that of the others."
    return [Finding("learned-from", ids, count / total, evidence, f"{advice} {EXACT}", numbers)]
