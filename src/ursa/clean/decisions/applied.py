"""applied.json: the decisions that `ursa apply` has carried out, which every later command follows. Sealed.

Decisions, and no copy of the catalog: so pictures that are added, renamed or moved later change nothing about them. One
that another user wrote is not followed, as it would change in silence which labels are believed.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from ursa import workspace
from ursa.clean.decisions.corrections import Corrected, corrected, done_to
from ursa.clean.decisions.decision import Decision, from_json
from ursa.clean.decisions.journal import read_journal
from ursa.clean.decisions.sealed_document import write_or_remove
from ursa.clean.decisions.standing import open_decisions, standing
from ursa.core.text import counted
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.workspace import Workspace


@dataclass(frozen=True)
class Applied:
    """What was carried out."""

    decisions: tuple[Decision, ...] = ()
    elsewhere: bool = False  # there is such a file, and this user did not write it


def applied_path(space: Workspace) -> Path:
    """Where it lies."""
    return space.root / "applied.json"


def read_applied(space: Workspace) -> Applied:
    """The decisions that were carried out last; none where there is no file, or another user's."""
    path = applied_path(space)
    data = workspace.read_sealed(path)
    if data is None:
        return Applied(elsewhere=os.path.lexists(path))
    told = workspace.object_of(data).get("decisions", [])
    decisions = [from_json(one) for one in told if isinstance(one, dict)]
    return Applied(tuple(one for one in decisions if one is not None))


def write_applied(space: Workspace, decisions: Sequence[Decision]) -> None:
    """In one piece; no file at all where there is no decision."""
    document = {"decisions": [decided.to_json() for decided in decisions]}
    write_or_remove(applied_path(space), document if decisions else None)


@dataclass(frozen=True)
class Followed:
    """What a command makes of the decisions in its workspace."""

    corrected: Corrected
    open: int  # decisions that `ursa apply` would carry out or take back
    others: int  # decisions of other users, which are not followed
    elsewhere: bool = False  # what was applied here was applied by another user

    @property
    def words(self) -> tuple[str, ...]:
        """Lines for people; none where nothing was ever decided."""
        changed, gone = len(self.corrected.relabeled), len(self.corrected.removed)
        lines = []
        if changed or gone:
            labels = f"{counted(changed, 'label')} {done_to(self.corrected.relabeled)}"
            lines.append(f"Decisions applied: {labels}, {counted(gone, 'picture')} left out.")
        stale = [left for left in self.corrected.left_out if "no class" in left.reason]
        if stale:
            lines.append(f"Not applied: {counted(len(stale), 'label')}, since {stale[0].reason}.")
        if self.open:
            lines.append(f"Not applied yet: {counted(self.open, 'decision')}. `ursa apply` carries out what is open.")
        if self.elsewhere:
            lines.append("Not followed: what another user applied here; `ursa apply` applies what you decided.")
        if self.others:
            lines.append(f"Not followed: {counted(self.others, 'decision')} of another user, see `ursa decide --list`.")
        return tuple(lines)

    def to_json(self) -> dict[str, int]:
        """For the documents of `check` and `train`."""
        return {
            "relabeled": len(self.corrected.relabeled),
            "removed": len(self.corrected.removed),
            "open": self.open,
            "others": self.others,
        }


def followed(catalog: Catalog, space: Workspace) -> Followed:
    """A scanned catalog -> the one that commands go on with, and what is to be said of it. Raises DataError for a
    journal that cannot be read."""
    applied, journal = read_applied(space), read_journal(space)
    if not applied.decisions and not journal.entries:
        return Followed(Corrected(catalog), 0, 0, applied.elsewhere)
    stands = standing(journal.believed())
    included = {decided.effect for decided in applied.decisions}
    others = sum(not one.mine and one.effect not in included for one in standing(journal.entries))
    known = _with_hashes(catalog, applied.decisions)
    result = corrected(known, applied.decisions)
    shown = catalog.without({id for id, _ in result.removed})
    labels = result.catalog.rows["label"]
    result = replace(result, catalog=shown.with_columns(label=labels))
    still_open = open_decisions(stands, _own(applied.decisions, stands, journal.entries))
    return Followed(result, still_open, others, applied.elsewhere)


def _own(applied: Sequence[Decision], stands: Sequence[Decision], entries: Sequence[Decision]) -> tuple[Decision, ...]:
    """Those that were applied, less what others decided and nobody here: they are not open."""
    foreign = {entry.key for entry in entries if not entry.mine}
    about = {decided.about for decided in stands}
    return tuple(one for one in applied if one.key not in foreign or one.about in about)


def _with_hashes(catalog: Catalog, decisions: Sequence[Decision]) -> Catalog:
    """The catalog with the hashes, too, of files decided on that a scan told by their first bytes."""
    asked = pl.col("sha256").is_null() & pl.col("id").is_in([decided.id for decided in decisions])
    some = catalog.where(asked)
    if not len(some):
        return catalog
    hashes = dict(scan.hashed(some).rows.select("id", "sha256").iter_rows())
    found = pl.col("id").replace_strict(hashes, default=None, return_dtype=pl.String)
    return catalog.with_columns(sha256=pl.coalesce("sha256", found))
