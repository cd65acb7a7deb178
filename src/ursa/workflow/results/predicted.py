"""What `ursa.predict` found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    seconds: float
    out: Path | None = None
    sorted_to: Path | None = None
    resumed: int = 0  # of the pictures, those that an interrupted run had finished
    left_out: int = 0  # files in the folders that are no pictures
    answers: tuple[tuple[str, AnyPrediction | DataError], ...] = ()  # where no table was asked for

    @property
    def unreadable(self) -> int:
        """Pictures that could not be read."""
        return sum(self.problems.values())

    def with_answers(self, answers: Sequence[tuple[str, AnyPrediction | DataError]]) -> "Predicted":
        """The same, with the answers."""
        return replace(self, answers=tuple(answers))

    def written(self, out: Path, sorted_to: Path | None, *, resumed: int, left_out: int) -> "Predicted":
        """The same, with where it is written."""
        return replace(self, out=out, sorted_to=sorted_to, resumed=resumed, left_out=left_out)

    def took(self, seconds: float) -> "Predicted":
        """The same, with the seconds of the whole."""
        return replace(self, seconds=seconds)

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
