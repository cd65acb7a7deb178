"""Folder -> Catalog. Reads names and the first bytes of loose files; decodes nothing."""

import os
import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ursa.core import files
from ursa.core.decoding.kinds import ARCHIVES, DECODERS, HEAD, sniff
from ursa.data.catalog import Catalog
from ursa.data.sources.name_patterns import SPLITS as SPLITS
from ursa.data.sources.name_patterns import Pattern, split_of
from ursa.data.sources.walk import LITTER as LITTER
from ursa.data.sources.walk import Folder, FoundFile, Inside, Walk, inside, names_in
from ursa.errors import DataError

EMPTY = "empty class: a folder without pictures"


def from_folder(folder: str | Path, *, pattern: str | re.Pattern[str] | None = None, labeled: bool = True) -> Catalog:
    """`class/picture`, or `train|train-dev|valid|val|test/class/picture` in any case; deeper folders belong to it.

    Hidden files and litter (Thumbs.db and the like) are skipped. Every other file below a class becomes a row: whether
    it is a picture is for the scan to say, from its bytes. Pictures outside any class become rows without a label.
    What cannot be read (a folder that may not be read or lies too deep, a name that is not Unicode), and a class
    folder without files, is a row with that as its problem. Links are followed as `ursa.data.sources.walk.Walk` says.

    pattern: finds label, split and group in the names of the files (see `name_patterns`), "{label}_*.jpg"; what it
    does not name comes from the folders. A file that does not match gets none of what it names.
    labelled: False where the folders are no classes: all pictures come without a label then.
    Raises DataError when the folder is missing or holds no picture, or the pattern matches none.
    """
    root = _existing(Path(folder))
    named = None if pattern is None else Pattern.of(pattern)
    fields = () if named is None else named.fields
    rows = _listed(root, by_split="split" not in fields, by_class=labeled and "label" not in fields)
    if not any(row.stat for row in rows):
        raise _nothing(root, rows)
    names = [row.file for row in rows]
    columns: dict[str, Sequence[Any]] = {
        "id": names,
        "path": names,
        "label": [row.label if labeled else None for row in rows],
        "split": [row.split for row in rows],
        "bytes": [row.stat and row.stat.st_size for row in rows],
        "modified": [row.stat and modified(row.stat) for row in rows],
        "problem": [row.problem for row in rows],
    }
    return Catalog.of(root, columns if named is None else {**columns, **named.read_all(names)})


def modified(about: os.stat_result) -> int:
    """When a file was changed, in nanoseconds, as the catalog keeps it: file systems know years that 64 bits do not."""
    return min(max(about.st_mtime_ns, -(2**63)), 2**63 - 1)


def _nothing(root: Path, rows: "list[_Row]") -> DataError:
    said = next((f"{row.file}: {row.problem}" for row in rows if row.problem != EMPTY), None)
    return DataError(
        f"no pictures in {root}",
        found=said or "neither class folders with files in them nor pictures",
        fix=f"put them into one folder a class: {root}/cat/1.jpg",
    )


def needs_labels(catalog: Catalog) -> Catalog:
    """The catalog, for whoever cannot do without labels. Raises DataError where no picture has one."""
    if catalog.rows["label"].null_count() < len(catalog):
        return catalog
    raise DataError(
        f"no classes in {catalog.root}",
        found=f"{len(catalog.readable())} pictures, none of them in a folder of its own class",
        fix=f"one folder a class: {catalog.root}/cat/1.jpg, {catalog.root}/dog/2.jpg; or label them where they lie: "
        f"{shlex.join(['ursa', 'review', str(catalog.root)])}, then ursa apply",
    )


class _Row(NamedTuple):
    file: str
    label: str | None
    split: str | None
    stat: os.stat_result | None = None
    problem: str | None = None


def _listed(root: Path, *, by_split: bool, by_class: bool) -> list[_Row]:
    """A row for every picture below, by name, and for what cannot be read or, `by_class`, is an empty class."""
    top = _top(root)
    splits = _splits(root, [folder.name for folder in top.folders]) if by_split else {}
    walk = Walk(root)
    rows = [_Row(file.name, None, None, file.stat) for file in _loose(root, top)]
    rows += [_Row(found.name, None, None, None, found.problem) for found in top.problems]
    places = [(folder, folder.name, splits.get(folder.name)) for folder in top.folders]
    if splits:
        walk.bar(top.folders, above=True)
        places = []
        for folder in top.folders:
            split = splits[folder.name]
            try:
                within = inside(folder.path, folder.name)
            except OSError as problem:
                rows.append(_Row(folder.name, None, split, None, f"unreadable folder: {problem.strerror}"))
                continue
            places += [(place, posixpath.basename(place.name), split) for place in within.folders]
            rows += [_Row(file.name, None, split, file.stat) for file in _loose(folder.path, within)]
            rows += [_Row(found.name, None, split, None, found.problem) for found in within.problems]
    walk.bar([place for place, _, _ in places])
    rows += _classes(walk, places, by_class=by_class)
    return sorted(_told_apart(rows), key=lambda row: row.file)


def _classes(walk: Walk, places: list[tuple[Folder, str, str | None]], *, by_class: bool) -> list[_Row]:
    """The rows of folders that are classes: (folder, class, split) each. A folder that is a row itself has no class."""
    rows: list[_Row] = []
    empty: list[_Row] = []
    for place, label, split in places:
        found = list(walk.files(place))
        rows += [_Row(each.name, None if each.is_folder else label, split, each.stat, each.problem) for each in found]
        if by_class and not found and not walk.leads_back(place):
            empty.append(_Row(place.name, label, split, None, EMPTY))
    filled = {row.label for row in rows}  # a class that only one split lacks is another finding
    return rows + [row._replace(label=None) for row in empty if row.label not in filled]


def _told_apart(rows: list[_Row]) -> list[_Row]:
    """The rows with ids that occur once: an escaped name can be the real one of another file."""
    odd = [row for row in rows if row.stat is None]
    apart = [row for row in rows if row.stat is not None] if odd else rows
    taken = {row.file for row in apart} if odd else set()
    for row in odd:
        name, number = row.file, 1
        while name in taken:
            number += 1
            name = f"{row.file}#{number}"
        taken.add(name)
        apart.append(row._replace(file=name))
    return apart


def _top(root: Path) -> Inside:
    try:
        return inside(root)
    except OSError as problem:
        raise DataError(f"cannot look into {root}", found=problem.strerror, fix="check who may read it") from problem


def _existing(folder: Path) -> Path:
    if not folder.exists():
        near = folder.parent if folder.parent.is_dir() else Path()
        others = [name for name in names_in(near) if (near / name).is_dir()]
        listed = ", ".join(others[:5]) or "no folders"
        raise DataError(f"there is no folder {folder}", found=f"{near.resolve()} holds {listed}", fix="check the path")
    if not folder.is_dir():
        raise _not_a_folder(folder)
    return folder


def _not_a_folder(path: Path) -> DataError:
    fix = "name the folder that holds the class folders"
    try:
        with files.opened(path) as (descriptor, _):
            kind = sniff(os.read(descriptor, HEAD))
    except OSError as problem:
        return DataError(f"{path} is not a folder", found=f"a file ({problem.strerror})", fix=fix)
    except DataError as problem:
        return DataError(f"{path} is not a folder", found=problem.found, fix=fix)
    if kind in ARCHIVES:
        return DataError(f"{path} is not a folder", found=kind, fix="unpack it, and name the folder that comes out")
    return DataError(f"{path} is not a folder", found=f"a file: {kind}", fix=fix)


def _splits(root: Path, tops: list[str]) -> dict[str, str]:
    """Folder name -> split when the folders are splits; empty when they are classes. Raises DataError for a mixture."""
    found = {top: split for top in tops if (split := split_of(top))}
    if "train" not in found.values():
        return {}
    others = [top for top in tops if top not in found]
    if others:
        raise DataError(
            f"{root} holds splits and something else side by side",
            found=f"{', '.join(sorted(found))} beside {', '.join(others[:5])}",
            fix="move the other folders away, or into a split",
        )
    return found


def _loose(folder: str | Path, within: Inside) -> Iterator[FoundFile]:
    """Pictures lying directly in a folder of folders; a README or a table beside the classes is nobody's concern."""
    for file in within.files:
        try:
            with files.opened(Path(folder) / posixpath.basename(file.name)) as (descriptor, _):
                kind = sniff(os.read(descriptor, HEAD))
        except (OSError, DataError):  # it may not be read, or has just gone or become a pipe: nobody's concern either
            continue
        if kind in DECODERS:
            yield file
