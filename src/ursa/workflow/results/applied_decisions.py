"""What `ursa apply` and `ursa revert` did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ursa.clean.decisions.corrections import Corrected, LeftOut, Relabeled
from ursa.clean.decisions.decision import CHANGES, Decision
from ursa.clean.decisions.moves import Move
from ursa.clean.stopping.when_to_stop import StopAdvice
from ursa.data.catalog import Catalog
from ursa.diagnose.corrections_effect import CorrectionsEffect
from ursa.workflow.results.short_repr import ShortRepr


@dataclass(frozen=True, repr=False)
class AppliedDecisions(ShortRepr):
    """What follows from the decisions that stand, compared with the pictures as they were given."""

    catalog: Catalog  # corrected
    decisions: int  # that stand, those that change nothing too
    applied: int  # of them, that change something and were carried out
    relabeled: tuple[Relabeled, ...]
    removed: tuple[str, ...]
    moved: tuple[Move, ...]
    moved_back: tuple[Move, ...]  # files of decisions that stand no more
    left_out: tuple[LeftOut, ...]  # decisions that nothing follows from, and files that could not be moved
    new_classes: tuple[str, ...]
    others: int  # decisions of another user, which are not followed
    problems: tuple[str, ...] = ()  # moves that failed
    dry_run: bool = False
    effect: CorrectionsEffect | str = field(default="", repr=False)  # what changed; why it is not known
    left: StopAdvice | None = None  # wrong labels that nobody has looked at; None where no check has judged them

    @classmethod
    def of(
        cls,
        stands: Sequence[Decision],
        result: Corrected,
        moved: Sequence[Move],
        left_out: Sequence[LeftOut],
        others: int,
        *,
        stay: Sequence[LeftOut] = (),
        back: Sequence[Move] = (),
        problems: Sequence[str] = (),
        dry_run: bool = False,
    ) -> "AppliedDecisions":
        """From the decisions that stand and what follows from them; stay: files that cannot be moved."""
        changes = sum(decided.kind in CHANGES for decided in stands) - len(left_out)
        return cls(
            result.catalog,
            len(stands),
            changes,
            result.relabeled,
            tuple(id for id, _ in result.removed),
            tuple(moved),
            tuple(back),
            (*left_out, *stay),
            result.new_classes,
            others,
            tuple(problems),
            dry_run,
        )

    def _shown(self) -> list[tuple[str, str]]:
        effect = self.effect if isinstance(self.effect, str) else self.effect.sentence
        rows = [("relabeled", f"{len(self.relabeled):,}"), ("removed", f"{len(self.removed):,}")]
        return [*rows, ("left out", f"{len(self.left_out):,}"), ("effect", effect)]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa apply --json`."""
        return {
            "decisions": self.decisions,
            "applied": self.applied,
            "reverted": len(self.moved_back),
            "dry_run": self.dry_run,
            "relabeled": [
                {"picture": change.id, "given": change.given, "label": change.label} for change in self.relabeled
            ],
            "removed": list(self.removed),
            "moved": _moves(self.moved),
            "moved_back": _moves(self.moved_back),
            "left_out": [
                {"picture": left.decision.id, "decision": left.decision.kind, "reason": left.reason}
                for left in self.left_out
            ],
            "new_classes": list(self.new_classes),
            "others": self.others,
            "problems": list(self.problems),
            "effect": self.effect.to_json() if isinstance(self.effect, CorrectionsEffect) else None,
            "not_measured": self.effect if isinstance(self.effect, str) else None,
            "estimate_left": estimate_left(self.left),
        }


@dataclass(frozen=True, repr=False)
class RevertedDecisions(ShortRepr):
    """What was taken back."""

    reverted: int = 0  # decisions that had been applied
    moved_back: tuple[Move, ...] = ()
    problems: tuple[str, ...] = ()  # files that could not be brought back, and why
    decisions: int = 0  # that stand in the journal, and can be applied again
    left: StopAdvice | None = None  # wrong labels that nobody has looked at; None where no check has judged them

    def _shown(self) -> list[tuple[str, str]]:
        return [("reverted", f"{self.reverted:,}"), ("files brought back", f"{len(self.moved_back):,}")]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa revert --json`."""
        return {
            "decisions": self.decisions,
            "applied": 0,
            "reverted": self.reverted,
            "moved_back": _moves(self.moved_back),
            "problems": list(self.problems),
            "estimate_left": estimate_left(self.left),
        }


def estimate_left(advice: StopAdvice | None) -> dict[str, Any]:
    """As every document of decisions has it: wrong labels that are left, and at most how many; null where unknown."""
    return {"value": None, "high": None} if advice is None else advice.to_json()


def _moves(moves: Sequence[Move]) -> list[dict[str, str]]:
    return [{"from": one.origin, "to": one.to} for one in moves]
