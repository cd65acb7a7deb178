"""What `ursa export --int8` and `--fp16` came to: accuracy, size, speed, before and after, and whether it is of use."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.core.statistics import Estimate
from ursa.workflow.results.short_repr import ShortRepr

FASTER = 0.95  # of the time: below it one is called faster; two runs of one model differ by up to 4 % (measured)
SLOWER = 1.1  # of the time for one picture, above which nobody wants it


@dataclass(frozen=True)
class ModelFigures:
    """Of one model, on the same pictures and in the same minute as the other's."""

    accuracy: Estimate
    megabytes: float  # of model.onnx
    ms_one: float  # milliseconds a picture, asked one at a time
    ms_batch: float  # milliseconds a picture, in batches

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for bundle.json too."""
        return {
            "accuracy": self.accuracy.to_json(),
            "megabytes": self.megabytes,
            "ms_one": self.ms_one,
            "ms_batch": self.ms_batch,
        }


@dataclass(frozen=True, repr=False)
class Quantized(ShortRepr):
    """A bundle's model with smaller numbers, beside the one that it was made from."""

    precision: str  # "int8" or "fp16"
    before: ModelFigures
    after: ModelFigures
    difference: Estimate  # of accuracy, after less before, in pairs
    pictures: int  # that both judged; none of them was learned from
    changed: int  # of them, those that get another answer
    calibrated_on: int  # pictures that were learned from; 0 for fp16
    max_loss: float  # percentage points
    largest_difference: float  # of any probability
    problems: Mapping[str, str]  # picture id -> why it could not be judged
    bundle: Path | None = None  # where it was written; None: it was not

    @property
    def lost(self) -> float:
        """Percentage points of accuracy, as measured: negative where it gained."""
        return -100 * self.difference.value

    @property
    def most_lost(self) -> float:
        """Percentage points that the interval does not exclude."""
        return -100 * self.difference.low

    @property
    def refusal(self) -> str | None:
        """Why it is of no use, in one sentence; None where it is."""
        one, batch = self.after.ms_one / self.before.ms_one, self.after.ms_batch / self.before.ms_batch
        if self.lost > self.max_loss + 1e-9:
            return f"It loses {self.lost:.2g} percentage points of accuracy; {self.max_loss:g} are allowed."
        if self.after.megabytes >= self.before.megabytes:
            return "It is no smaller, so it is of no use."
        if one > SLOWER:
            return f"It is slower: {one:.2g} times the time for a picture, so it is of no use."
        if self.precision == "int8" and min(one, batch) >= FASTER:
            return f"It is no faster ({one:.2g} times the time for a picture), so it is of no use; --fp16 halves it."
        return None

    @property
    def doubt(self) -> str | None:
        """What so few pictures cannot exclude; None where they can."""
        if self.refusal is not None or self.most_lost <= self.max_loss:
            return None
        said = f"On {self.pictures:,} pictures, a loss of up to {self.most_lost:.1f} points cannot be excluded"
        return f"{said}: measure on more pictures to be sure."

    def _shown(self) -> list[tuple[str, str]]:
        one = self.before.ms_one / self.after.ms_one
        return [
            ("precision", self.precision),
            ("accuracy", f"{self.after.accuracy} (before {self.before.accuracy})"),
            ("size", f"{self.after.megabytes:.1f} MB (before {self.before.megabytes:.1f})"),
            ("speed", f"{one:.2f} times, one picture at a time"),
            ("bundle", str(self.bundle) if self.bundle else f"not written: {self.refusal}"),
        ]

    def noted(self) -> dict[str, Any]:
        """What the new bundle says of it in `bundle.json`, under `quantized`."""
        return {
            "precision": self.precision,
            "calibrated_on": self.calibrated_on,
            "pictures": self.pictures,
            "changed": self.changed,
            "difference": self.difference.to_json(),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
        }

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa export --int8 --json`."""
        return {
            **self.noted(),
            "max_loss": self.max_loss,
            "largest_difference": self.largest_difference,
            "problems": dict(self.problems),
            "refusal": self.refusal,
            "doubt": self.doubt,
            "bundle": None if self.bundle is None else str(self.bundle),
        }
