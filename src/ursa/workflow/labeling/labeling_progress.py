"""How far the labeling of pictures is, and what a classifier of these labels would be worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ursa.clean.labeling.expected_accuracy import AHEAD, JUDGES, ExpectedAccuracy
from ursa.core.text import counted


@dataclass(frozen=True)
class LabelingProgress:
    """After the labels so far."""

    labeled: int
    left: int  # nobody has looked at
    classes: Mapping[str, int]  # pictures a class
    expected: ExpectedAccuracy

    @property
    def sentence(self) -> str:
        """For the person who labels."""
        known = f"{counted(self.labeled, 'picture')} labeled, {self.left:,} to go."
        now, ahead = self.expected.now, self.expected.ahead
        if self.expected.judges < JUDGES:
            return f"{known} The accuracy can be told from {JUDGES} random pictures on; {self.expected.judges} so far."
        said = f"{known} A classifier would be right in about {100 * now.value:.0f} %"
        said += f" ({100 * now.low:.0f} to {100 * now.high:.0f})"
        if ahead.value == ahead.value and self.left:
            said += f", with {AHEAD} more labels in about {100 * ahead.value:.0f} %"
        return f"{said}."

    def to_json(self) -> dict[str, Any]:
        """Its document."""
        known = {"labeled": self.labeled, "left": self.left, "classes": dict(self.classes)}
        return {**known, **self.expected.to_json(), "sentence": self.sentence}
