"""What corrections changed: a probe of the old labels and one of the corrected ones, on the same pictures.

Neither set of labels is a fair judge by itself. Old labels hold the errors that the old probe learned; corrected ones
were partly chosen because a model disagreed with the old ones. So both judge, and what is said follows from both.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core.differences import enough_examples
from ursa.core.statistics import Estimate
from ursa.diagnose.paired_accuracy import PairedAccuracy

Text = npt.NDArray[np.str_]


@dataclass(frozen=True)
class CorrectionsEffect:
    """Of N pictures that both probes were cross-validated on, so that neither had seen them when it judged them."""

    relabeled: int  # of the N
    removed: int  # pictures that are left out now, and are none of the N
    by_old: PairedAccuracy  # the probe after (first) and before (second), judged by the old labels
    by_corrected: PairedAccuracy  # the same, judged by the corrected labels

    @classmethod
    def of(cls, old: Text, corrected: Text, before: Text, after: Text, removed: int) -> "CorrectionsEffect":
        """old, corrected: the labels [N]; before, after: what the probes predict, by name [N]."""
        judged = [PairedAccuracy(after == labels, before == labels) for labels in (old, corrected)]
        return cls(int((old != corrected).sum()), removed, *judged)

    @property
    def pictures(self) -> int:
        """How many both judged."""
        return self.by_old.pictures

    @cached_property
    def sentence(self) -> str:
        """In plain words, and no more than the figures show."""
        new, old = self.by_corrected, self.by_old
        better = [paired.told and paired.difference.value > 0 for paired in (old, new)]
        worse = [paired.told and paired.difference.value < 0 for paired in (old, new)]
        if all(better):
            return "The probe became better, whichever labels judge it."
        if any(better) and any(worse):
            return "Each probe is better by its own labels: whether the model became better depends on the corrections."
        if better[1]:
            return "The probe became better if the corrections are right; by the old labels no difference is seen."
        if better[0]:
            return "The probe became better by the old labels; by the corrected ones no difference is seen."
        if any(worse):
            by = "the corrected" if worse[1] else "the old"
            return f"By {by} labels the probe became worse: look at the corrections again."
        needed = enough_examples(abs(new.difference.value), (new.only_first + new.only_second) / max(1, new.pictures))
        hint = f" A difference as large as this one would show on about {needed:,} pictures." if needed else ""
        return f"The labels changed; that the model became better is not shown, it may be chance.{hint}"

    @property
    def said_before_and_after(self) -> tuple[Estimate, Estimate]:
        """What a check says of these pictures before and after: each probe judged by its own labels."""
        return self.by_old.accuracies()[1], self.by_corrected.accuracies()[0]

    def to_json(self) -> dict[str, Any]:
        """For the document of `ursa apply`."""
        return {
            "pictures": self.pictures,
            "relabeled": self.relabeled,
            "removed": self.removed,
            "by_old_labels": _told(self.by_old),
            "by_corrected_labels": _told(self.by_corrected),
            "sentence": self.sentence,
        }


def _told(paired: PairedAccuracy) -> dict[str, Any]:
    after, before = paired.accuracies()
    return {
        "before": before.to_json(),
        "after": after.to_json(),
        "difference": paired.difference.to_json(),
        "p_value": paired.p_value,
    }
