"""What `ursa compare` came to: two models on the same pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ursa.core.finding import Finding
from ursa.core.statistics import Estimate
from ursa.diagnose.paired_accuracy import PairedAccuracy
from ursa.workflow.results.short_repr import ShortRepr


@dataclass(frozen=True, repr=False)
class Compared(ShortRepr):
    """Two models on the same pictures."""

    first: str  # what the models are called
    second: str
    part: str  # which pictures these are
    ids: tuple[str, ...]  # of the pictures
    paired: PairedAccuracy = field(repr=False)
    left_out: Mapping[str, int]  # why a picture is not among them -> how many there are
    verdict: Finding  # "models-differ" or "models-not-told-apart"

    @classmethod
    def of(
        cls,
        first: str,
        second: str,
        part: str,
        ids: list[str],
        right: tuple[list[bool], list[bool]],
        left_out: Mapping[str, int],
    ) -> "Compared":
        """ids [N], right [N] of each, at least one picture."""
        paired = PairedAccuracy(*(np.array(some, dtype=bool) for some in right))
        reasons = {reason: count for reason, count in left_out.items() if count}
        return cls(first, second, part, tuple(ids), paired, reasons, paired.verdict(first, second))

    @property
    def accuracies(self) -> tuple[Estimate, Estimate]:
        """Of the first and of the second."""
        return self.paired.accuracies()

    @property
    def difference(self) -> Estimate:
        """Accuracy of the first less that of the second."""
        return self.paired.difference

    def _shown(self) -> list[tuple[str, str]]:
        rows = zip((self.first, self.second), map(str, self.accuracies), strict=True)
        return [*rows, ("difference", str(self.difference)), ("verdict", self.verdict.evidence)]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa compare --json`. difference: of the first less the second."""
        paired, ids = self.paired, np.array(self.ids, object)
        models = zip(
            (self.first, self.second),
            self.accuracies,
            (paired.first & ~paired.second, paired.second & ~paired.first),
            strict=True,
        )
        better = None if not paired.told else self.first if self.difference.value > 0 else self.second
        return {
            "models": [
                {"name": name, "accuracy": accuracy.to_json(), "right_alone": ids[alone].tolist()}
                for name, accuracy, alone in models
            ],
            "better": better,
            "difference": self.difference.to_json(),
            "p_value": paired.p_value,
            "enough": paired.enough,
            "pictures": paired.pictures,
            "part": self.part,
            "left_out": dict(self.left_out),
            "verdict": self.verdict.to_json(),
        }
