"""What `ursa.predict` found."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.errors import DataError
from ursa.serve.prediction import AnyPrediction
from ursa.workflow.results.short_repr import ShortRepr


@dataclass(frozen=True, repr=False)
class Predicted(ShortRepr):
    """How many pictures are what, and where it is written."""

    pictures: int  # with those that could not be read
    classes: Mapping[str, int]  # pictures by predicted class, the most first; the unsure ones in none
    unsure: int
    problems: Mapping[str, int]  # what is wrong with pictures, and with how many
    seconds: float = 0.0
    out: Path | None = None
    sorted_to: Path | None = None
    resumed: int = 0  # of the pictures, those that an interrupted run had finished
    left_out: int = 0  # files in the folders that are no pictures
    answers: tuple[tuple[str, AnyPrediction | DataError], ...] = ()  # where no table was asked for

    @property
    def unreadable(self) -> int:
        """Pictures that could not be read."""
        return sum(self.problems.values())

    def _shown(self) -> list[tuple[str, str]]:
        known = [("pictures", f"{self.pictures:,}"), *((name, f"{count:,}") for name, count in self.classes.items())]
        return [*known[:8], *([("out", str(self.out))] if self.out else [])]

    def to_json(self) -> Any:
        """The document of `ursa predict --json`: of a table its summary, else the answers."""
        if self.out is None:
            return [
                {"picture": name} | ({"problem": answer.what} if isinstance(answer, DataError) else answer.to_json())
                for name, answer in self.answers
            ]
        return {
            "pictures": self.pictures,
            "classes": dict(self.classes),
            "unsure": self.unsure,
            "problems": dict(self.problems),
            "resumed": self.resumed,
            "left_out": self.left_out,
            "out": str(self.out),
            "sorted_to": None if self.sorted_to is None else str(self.sorted_to),
            "seconds": self.seconds,
        }
