"""Pictures, what is wanted of them -> decisions to be saved, or the reason why one cannot be made. Opens no file."""

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ursa.clean.decisions.corrections import text_of
from ursa.clean.decisions.decision import LABELS, MOST_COPIES, Decision, now
from ursa.clean.decisions.decision_table import WantedDecision
from ursa.clean.decisions.standing import latest_of
from ursa.errors import DataError, did_you_mean


@dataclass(frozen=True)
class KnownPictures:
    """What has to be known of pictures to decide about them: hash, label, copies, classes, what stands."""

    ids: Mapping[str, str]  # as they were named -> id
    about: Mapping[str, tuple[str | None, Any]]  # id -> hash, label
    same: Mapping[str, list[str]]  # hash -> ids
    classes: frozenset[str]
    task: str
    stands: Sequence[Decision]

    def decisions(self, asked: Sequence[WantedDecision], who: str) -> list[Decision]:
        """The decisions that are asked for. Raises DataError where one cannot be made, or two contradict each other."""
        when = now()
        made: dict[tuple[str, str], Decision] = {}
        deleted = {self.ids[one.picture] for one in asked if one.kind == "delete"}
        deleted |= {decided.id for decided in self.stands if decided.kind == "delete" and decided.mine}
        begun = {one.label for one in asked if one.kind == "new-label"}
        for wanted in asked:
            decided = replace(self._decided(wanted, deleted, begun), who=who, when=when, why=wanted.why)
            decided = replace(decided, drawn_from=0 if wanted.kind == "undo" else wanted.drawn_from)
            before = made.setdefault(decided.about, decided)
            if (before.kind, before.label) != (decided.kind, decided.label):
                fix = "decide once; identical files have one label" if before.id != decided.id else "decide once"
                raise DataError("two decisions of one picture", found=f"{before.id} and {decided.id}", fix=fix)
        return list(made.values())

    def _decided(self, wanted: WantedDecision, deleted: set[str], begun: set[str | None]) -> Decision:
        id = self.ids[wanted.picture]
        at = f"{wanted.where}: " if wanted.where else ""
        key, label = self.about.get(id, (None, None))
        if wanted.kind == "undo":
            return self._undone(id, key, at)
        if key is None:
            raise DataError(f"{at}this file cannot be read", found=id, fix="check who may read it")
        if wanted.kind in LABELS and self.task != "single-label":
            raise DataError(f"{at}a label is set where each picture has one class", found=self.task)
        if wanted.kind == "label" and wanted.label not in self.classes | begun:
            known = self.classes | {name for name in begun if name}
            hint = did_you_mean(wanted.label or "", known) if known else "the pictures have no classes yet"
            raise DataError(f"{at}there is no class {wanted.label!r}", found=hint, fix="to begin it: --new-class")
        stays = wanted.kind == "delete" and not deleted.issuperset(self.same[key])
        others = sorted(other for other in self.same[key] if other != id) if stays else []  # deleted ones may come back
        if len(others) > MOST_COPIES:
            raise DataError(f"{at}too many copies to keep all but this one", found=f"{len(others):,} of {id}")
        return Decision(key, wanted.kind, id, wanted.label, text_of(label), tuple(others))

    def _undone(self, id: str, key: str | None, at: str) -> Decision:
        of_content = [one for one in self.stands if one.sha256 == key or (key is None and one.id == id)]
        latest = latest_of(of_content, of_content[0].sha256, id) if of_content else None
        if latest is None:
            raise DataError(f"{at}nothing is decided of this picture", found=id, fix="ursa decide FOLDER --list")
        return Decision(latest.sha256, "undo", id, undoes=latest.key)


def user_name(given: str | None = None) -> str:
    """The name of whoever decides."""
    if given is not None:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without users
        return ""
