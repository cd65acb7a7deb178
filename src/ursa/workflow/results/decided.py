"""What `ursa decide` wrote down, and what stands so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ursa.clean.decisions.decision import CHANGES, Decision
from ursa.workflow.results.short_repr import ShortRepr


@dataclass(frozen=True, repr=False)
class Decided(ShortRepr):
    """Decisions that were saved."""

    decisions: tuple[Decision, ...]
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # picture -> other files with the same bytes
    open: int = 0  # decisions that `ursa apply` would carry out, with earlier ones
    journal: Path = Path()

    def _shown(self) -> list[tuple[str, str]]:
        return [("decisions", f"{len(self.decisions):,}"), ("open", f"{self.open:,}"), ("journal", str(self.journal))]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa decide --json`."""
        return {
            "decisions": [decided.to_json() for decided in self.decisions],
            "copies": {id: list(others) for id, others in self.copies.items()},
            "open": self.open,
            "journal": str(self.journal),
        }


@dataclass(frozen=True, repr=False)
class DecisionList(ShortRepr):
    """The decisions that stand."""

    decisions: tuple[Decision, ...]
    applied: Sequence[Decision]
    open: int
    others: int  # lines of the journal that another user wrote
    damaged: int  # lines that cannot be read

    def state(self, decided: Decision) -> str:
        """ "applied", "open", "by another user"; "" where there is nothing to apply."""
        if decided.kind not in CHANGES:
            return ""
        if decided.effect in {one.effect for one in self.applied}:
            return "applied"
        return "open" if decided.mine else "by another user"

    def _shown(self) -> list[tuple[str, str]]:
        return [("decisions", f"{len(self.decisions):,}"), ("open", f"{self.open:,}")]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa decide --list --json`."""
        known = {one.effect for one in self.applied}
        rows = [
            {**decided.to_json(), "applied": decided.effect in known, "mine": decided.mine}
            for decided in self.decisions
        ]
        return {"decisions": rows, "open": self.open, "others": self.others, "damaged": self.damaged}
