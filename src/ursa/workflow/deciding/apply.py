"""`ursa apply` and `ursa revert`: the decisions that stand -> what every later command goes on with, and back.

Each step can be killed and done again: files are moved by a plan that is written before, and what is followed is
replaced in one piece.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ursa.clean.decisions.applied import read_applied, write_applied
from ursa.clean.decisions.corrections import Corrected, LeftOut, corrected
from ursa.clean.decisions.decision import CHANGES, Decision
from ursa.clean.decisions.journal import read_journal
from ursa.clean.decisions.moves import Move, Moves, bring_back, carry_out, planned_moves, read_moves, write_moves
from ursa.clean.decisions.standing import standing
from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.errors import DataError
from ursa.file_lock import file_lock
from ursa.prepared.last_setup import workspace_of
from ursa.prepared.setup import Setup, catalog_of
from ursa.workflow.deciding.last_check import labels_left
from ursa.workflow.deciding.measured_effect import measured_effect
from ursa.workflow.results.applied_decisions import AppliedDecisions, RevertedDecisions
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.prepared.setup import Data


def apply(
    data: "Data",
    *,
    dry_run: bool = False,
    move: bool = False,
    include_others: bool = False,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
    progress: Progress | bool | None = None,
) -> AppliedDecisions:
    """Carry out the decisions that stand: `ursa.check` and `ursa.train` then see corrected labels, and no deleted
    pictures. Files stay where they are.

    dry_run: only say what would change. move: also move the files of a picture folder, deleted ones into
    `.ursa/removed/`, relabeled ones into the folder of their class; nothing is overwritten, and `ursa.revert` brings
    all back. include_others: also decisions that another user wrote. What was applied before and does not stand any
    more is taken back. Done twice it changes nothing more; interrupted, the next `apply` or `revert` goes on.

    Raises DataError for pictures, journal or workspace that cannot be read or written.
    """
    setup = Setup.of(workspace=workspace, pattern=pattern, table=table)
    job = _Job(data, setup, move, include_others)
    with shown(progress) as bar:
        if dry_run:
            space = _space(data, setup)
            return replace(_planned(job, space), left=labels_left(space, catalog_of(data, setup).root))
        space = Workspace.open(catalog_of(data, setup).root, setup.workspace)
        with file_lock(space.root / "apply.lock", wait=False):
            result, raw = _applied(job, space, bar)
        place = raw.root if isinstance(data, Catalog) else data
        bar("probe", 0, 0)
        changed = result.relabeled or result.removed
        effect = measured_effect(raw, result.catalog, space, place) if changed else "nothing changed"
    return replace(result, effect=effect, left=labels_left(space, raw.root))


def revert(
    data: "Data",
    *,
    include_others: bool = False,
    workspace: str | Path | None = None,
    progress: Progress | bool | None = None,
) -> RevertedDecisions:
    """Take back what `ursa.apply` did: labels are the given ones again, and files that it moved lie where they were,
    byte for byte. Decisions stay in the journal, and can be applied again.

    include_others: also follow a list of moved files that another user wrote. Done twice it changes nothing more;
    interrupted, the next one goes on. Raises DataError as `ursa.apply`.
    """
    at = None if workspace is None else Path(workspace)
    place = _place(data)
    if not workspace_of(place, at).root.is_dir():
        return RevertedDecisions()
    root = place if place.is_dir() else place.parent
    space = Workspace.open(root, at)
    with shown(progress) as bar, file_lock(space.root / "apply.lock", wait=False):
        plan, before = read_moves(space, include_others=include_others), read_applied(space)
        kept, problems = bring_back(root, plan, bar)
        write_moves(space, replace(plan, moves=tuple(kept)))
        write_applied(space, ())
    back = tuple(one for one in plan.moves if one not in kept and not any(one.origin in said for said in problems))
    count = sum(decided.kind in CHANGES for decided in before.decisions)
    stands = standing(read_journal(space).believed(include_others=include_others))
    return RevertedDecisions(count, back, tuple(problems), len(stands), labels_left(space, root))


@dataclass(frozen=True)
class _Job:
    """What was asked for."""

    data: "Data"
    setup: Setup
    move: bool
    include_others: bool

    def listed(self, space: Workspace) -> Catalog:
        """The pictures as they lie there, each with its hash. Raises DataError where none can be moved."""
        is_table = isinstance(self.data, Catalog) or Path(self.data).is_file()
        if self.move and (is_table or self.setup.pattern is not None):
            found = "labels that come from elsewhere"
            fix = "leave out --move: the labels are corrected without it"
            raise DataError("files are moved between the class folders of a folder", found=found, fix=fix)
        return scan.hashed(scan.load_scan(catalog_of(self.data, self.setup), space.catalog))

    def stands(self, space: Workspace) -> tuple[tuple[Decision, ...], int]:
        """The decisions to carry out, and how many of others are not followed."""
        journal = read_journal(space)
        stands = standing(journal.believed(include_others=self.include_others))
        return stands, 0 if self.include_others else journal.others


def _planned(job: _Job, space: Workspace) -> AppliedDecisions:
    """What `apply` would do."""
    stands, others = job.stands(space)
    raw = job.listed(space)
    result = corrected(raw, stands)
    moves, stay = planned_moves(raw, result, stands) if job.move else (Moves(), [])
    stale = _stale(read_moves(space), stands)
    left_out = _missing(result, read_moves(space).moves)
    return AppliedDecisions.of(stands, result, moves.moves, left_out, others, stay=stay, back=stale, dry_run=True)


def _applied(job: _Job, space: Workspace, bar: Progress) -> tuple[AppliedDecisions, Catalog]:
    stands, others = job.stands(space)
    moved, back, problems = _resumed(space, job, stands, bar)
    raw = job.listed(space)
    result = corrected(raw, stands)
    new, stay = planned_moves(raw, result, stands) if job.move else (Moves(), [])
    if new.moves:
        whole = Moves(moved.moves + new.moves, tuple(dict.fromkeys(moved.folders + new.folders)))
        write_moves(space, whole)  # before the first of them
    write_applied(space, stands)
    done, failed = carry_out(raw.root, new.moves, bar)
    if len(done) < len(new.moves):
        write_moves(space, replace(whole, moves=moved.moves + tuple(done)))
    left_out, problems = _missing(result, moved.moves), [*problems, *failed]
    told = AppliedDecisions.of(stands, result, done, left_out, others, stay=stay, back=back, problems=problems)
    return told, raw


def _resumed(
    space: Workspace, job: _Job, stands: Sequence[Decision], bar: Progress
) -> tuple[Moves, tuple[Move, ...], list[str]]:
    """Goes on with moves that were interrupted, and takes back those of decisions that stand no more.

    -> the moves that are done and stay, those taken back, and what could not be done.
    """
    plan = read_moves(space, include_others=job.include_others)
    if not plan.moves:
        return plan, (), []
    root = catalog_of(job.data, job.setup).root
    stale = _stale(plan, stands)
    kept, problems = bring_back(root, replace(plan, moves=stale), bar)
    done, failed = carry_out(root, [one for one in plan.moves if one not in stale], bar)
    now = replace(plan, moves=tuple(done) + tuple(kept))
    if now != plan:
        write_moves(space, now)
    return now, tuple(one for one in stale if one not in kept), problems + failed


def _stale(plan: Moves, stands: Sequence[Decision]) -> tuple[Move, ...]:
    """Moves of decisions that were taken back or replaced."""
    changes = [decided for decided in stands if decided.kind in CHANGES]
    wanted = {(decided.sha256, decided.label) for decided in changes if not decided.copies}
    copies = {(decided.sha256, decided.id) for decided in changes if decided.copies}
    named = {(one.sha256, one.origin) for one in plan.moves}
    renamed = {key for key, id in copies if (key, id) not in named}  # moved from another name than it was decided under
    return tuple(
        one
        for one in plan.moves
        if (one.sha256, one.label) not in wanted
        and not (one.label is None and ((one.sha256, one.origin) in copies or one.sha256 in renamed))
    )


def _missing(result: Corrected, moves: Sequence[Move]) -> list[LeftOut]:
    """Decisions that nothing follows from, but for those of pictures that are among the removed files."""
    removed = {one.sha256 for one in moves if one.label is None}
    return [left for left in result.left_out if left.decision.sha256 not in removed]


def _space(data: "Data", setup: Setup) -> Workspace:
    return workspace_of(_place(data), setup.workspace)


def _place(data: "Data") -> Path:
    place = data.root if isinstance(data, Catalog) else Path(data)
    if not place.exists():
        raise DataError(f"there is no folder {place}", fix="name the folder of pictures")
    return place
