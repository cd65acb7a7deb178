"""moves.json: which files `ursa apply --move` moves, written before the first of them is, so that all can come back."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from ursa import workspace
from ursa.clean.decisions.corrections import Corrected, LeftOut
from ursa.clean.decisions.decision import Decision
from ursa.clean.decisions.moved_file import class_folder, inside, moved_file, removed_path, same_name
from ursa.clean.decisions.sealed_document import write_or_remove
from ursa.core.progress import Progress, silent
from ursa.data.catalog import Catalog
from ursa.errors import DataError
from ursa.workspace import NAME, Workspace

LARGEST = 256 << 20  # bytes of the file


@dataclass(frozen=True)
class Move:
    """A file from its place to another; both from the folder's root, with "/"."""

    origin: str
    to: str
    sha256: str
    label: str | None = None  # of a picture that goes to another class; None: it is removed


@dataclass(frozen=True)
class Moves:
    """Files that were moved, or are to be, the first first."""

    moves: tuple[Move, ...] = ()
    folders: tuple[str, ...] = ()  # class folders that are made for them


def moves_path(space: Workspace) -> Path:
    """Where the plan lies."""
    return space.root / "moves.json"


def read_moves(space: Workspace, *, include_others: bool = False) -> Moves:
    """The plan; an empty one where there is none. Raises DataError for one that another user wrote, unless it is asked
    for: it says which files are moved."""
    path = moves_path(space)
    data = workspace.read(path, LARGEST)
    if data is None:
        return Moves()
    if not workspace.sealed(path, data) and not include_others:
        raise DataError(
            f"{path} was written by another user, or changed since, and is not followed",
            found="files may have been moved",
            fix="look into it; if you trust it, name --include-others, else remove it",
        )
    told = workspace.object_of(data)
    moves, folders = told.get("moves"), told.get("folders")
    found = [_move(one) for one in moves] if isinstance(moves, list) else [None]
    if None in found or not isinstance(folders, list) or not all(isinstance(one, str) for one in folders):
        raise DataError(f"{path} is damaged", found="no list of moves", fix="move the files in .ursa/removed by hand")
    return Moves(tuple(one for one in found if one is not None), tuple(folders))


def write_moves(space: Workspace, plan: Moves) -> None:
    """In one piece; no file at all where nothing is moved."""
    document = {"moves": [asdict(one) for one in plan.moves], "folders": list(plan.folders)}
    write_or_remove(moves_path(space), document if plan.moves else None)


def planned_moves(catalog: Catalog, result: Corrected, decisions: Iterable[Decision]) -> tuple[Moves, list[LeftOut]]:
    """catalog: of class folders, before `result`. -> what to move, and for what nothing can be moved, and why."""
    rows = {id: (path, label) for id, path, label in catalog.rows.select("id", "path", "label").iter_rows()}
    about = {decided.sha256: decided for decided in decisions}
    taken: set[str] = set()
    moves, folders, left_out = [], dict[str, None](), []
    changes: list[tuple[str, str, str | None]] = [(id, key, None) for id, key in result.removed]
    changes += [(change.id, change.sha256, change.label) for change in result.relabeled]
    for id, key, label in changes:
        path, given = rows[id]
        place = removed_path(path) if label is None else _in_class(path, given, label)
        problem = place[1:] if place.startswith("!") else _unsafe(catalog.root, path, place)
        if problem:
            left_out.append(LeftOut(about[key], f"{id} stays where it is: {problem}"))
            continue
        free = _free(catalog.root, place, taken)
        taken.add(free)
        moves.append(Move(path, free, key, label))
        folder = str(PurePosixPath(free).parent)
        if label is not None and not os.path.lexists(catalog.root / folder):
            folders[folder] = None
    return Moves(tuple(moves), tuple(folders)), left_out


def carry_out(root: Path, moves: Sequence[Move], progress: Progress = silent) -> tuple[list[Move], list[str]]:
    """Moves the files -> those that lie there now, and for the others why not."""
    done, problems = [], []
    for number, one in enumerate(moves):
        problem = moved_file(root, one.origin, one.to, one.sha256)
        if problem is None:
            done.append(one)
        else:
            problems.append(f"{one.origin} stays where it is: {problem}")
        progress("move", number + 1, len(moves))
    return done, problems


def bring_back(root: Path, plan: Moves, progress: Progress = silent) -> tuple[list[Move], list[str]]:
    """Moves the files back, the last one first -> those that could not be, and why; emptied folders of ours go."""
    kept, problems = [], []
    for number, one in enumerate(reversed(plan.moves)):
        problem = moved_file(root, one.to, one.origin, one.sha256)
        if problem == "it is gone":
            problems.append(f"{one.origin} is gone: it is neither there nor at {one.to}")
        elif problem is not None:
            kept.append(one)
            problems.append(f"{one.to} could not be brought back to {one.origin}: {problem}")
        progress("move back", number + 1, len(plan.moves))
    _remove_empty(root, plan, {one.to for one in kept})
    return kept[::-1], problems


def _move(told: object) -> Move | None:
    """The move that was written down; None for anything else."""
    if not isinstance(told, dict) or set(told) != {"origin", "to", "sha256", "label"}:
        return None
    texts = all(isinstance(told[name], str) for name in ("origin", "to", "sha256"))
    return Move(**told) if texts and isinstance(told["label"], str | None) else None


def _in_class(path: str, given: str | None, label: str) -> str:
    """Where a picture of one class folder goes in another; "!" and the reason where it cannot."""
    if (problem := class_folder(label)) is not None:
        return f"!{problem}"
    parts = path.split("/")
    places = [place for place in (0, 1) if place < len(parts) - 1 and parts[place] == given]
    if given is None and len(parts) == 1:
        return f"{label}/{path}"
    if not places:
        return "!its label is not the name of its folder"
    parts[places[0]] = label
    return "/".join(parts)


def _unsafe(root: Path, origin: str, to: str) -> str | None:
    if same_name(origin, to):
        return "both names are one on some disks"
    try:
        inside(root, origin)
        inside(root, to)
    except DataError as problem:
        return problem.what
    return None


def _free(root: Path, place: str, taken: set[str]) -> str:
    """The place, or one beside it with a number, where another file has it."""
    stem, suffix = os.path.splitext(place)  # noqa: PTH122  # of text with "/", on every system
    free, number = place, 1
    while free in taken or os.path.lexists(root / free):
        number += 1
        free = f"{stem}~{number}{suffix}"
    return free


def _remove_empty(root: Path, plan: Moves, still: set[str]) -> None:
    """Folders that were made for the moves, and those of what was removed, where nothing lies in them."""
    above = {str(parent) for one in plan.moves for parent in PurePosixPath(one.to).parents if one.label is None}
    removed = {folder for folder in above if folder.startswith(f"{NAME}/removed")}
    for folder in sorted({*removed, *plan.folders}, key=len, reverse=True):
        if not any(place.startswith(f"{folder}/") for place in still):
            try:
                inside(root, f"{folder}/x").parent.rmdir()
            except (OSError, DataError):  # something else lies in it, or it is gone
                continue
