"""Folder -> Catalog. Reads names and the first bytes of loose files; decodes nothing."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ursa.core.image import DECODERS, sniff
from ursa.data.catalog import Catalog
from ursa.data.names import SPLITS as SPLITS
from ursa.data.names import Pattern, split_of
from ursa.errors import DataError

LITTER = {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "__macosx"}


def from_folder(folder: str | Path, *, pattern: str | re.Pattern[str] | None = None, labelled: bool = True) -> Catalog:
    """`class/picture`, or `train|train-dev|valid|val|test/class/picture` in any case; deeper folders belong to it.

    Hidden files and litter (Thumbs.db and the like) are skipped. Every other file below a class becomes a row: whether
    it is a picture is for the scan to say, from its bytes. Pictures outside any class become rows without a label.

    pattern: finds label, split and group in the names of the files (see `ursa.data.names.Pattern`), "{label}_*.jpg";
    what it does not name comes from the folders. A file that does not match gets none of what it names.
    labelled: False where the folders are no classes: all pictures come without a label then.
    Raises DataError when the folder is missing or holds no picture, or the pattern matches none.
    """
    root = _existing(Path(folder))
    named = None if pattern is None else Pattern.of(pattern)
    rows = _listed(root, by_split=named is None or "split" not in named.fields)
    if not rows:
        raise DataError(
            f"no pictures in {root}",
            found="neither class folders with files in them nor pictures",
            fix=f"put them into one folder a class: {root}/cat/1.jpg",
        )
    files = [file for file, _, _, _ in rows]
    columns: dict[str, Sequence[Any]] = {
        "id": files,
        "path": files,
        "label": [label if labelled else None for _, label, _, _ in rows],
        "split": [split for _, _, split, _ in rows],
        "bytes": [stat.st_size for _, _, _, stat in rows],
        "modified": [stat.st_mtime_ns for _, _, _, stat in rows],
    }
    return Catalog.of(root, columns if named is None else {**columns, **named.read_all(files)})


def needs_labels(catalog: Catalog) -> Catalog:
    """The catalog, for whoever cannot do without labels. Raises DataError where no picture has one."""
    if catalog.rows["label"].null_count() < len(catalog):
        return catalog
    raise DataError(
        f"no classes in {catalog.root}",
        found=f"{len(catalog)} pictures, none of them in a folder of its own class",
        fix=f"one folder a class: {catalog.root}/cat/1.jpg, {catalog.root}/dog/2.jpg",
    )


def _listed(root: Path, *, by_split: bool) -> list[tuple[str, str | None, str | None, os.stat_result]]:
    """(file, label, split, stat) of every picture below, by name."""
    above = frozenset({os.path.realpath(root)})
    tops = [entry for entry in _entries(root) if entry.is_dir()]
    splits = _splits(root, [top.name for top in tops]) if by_split else {}
    rows: list[tuple[str, str | None, str | None, os.stat_result]] = []
    for top in tops:
        split = splits.get(top.name)
        for place in [entry for entry in _entries(top.path) if entry.is_dir()] if splits else [top]:
            prefix = f"{top.name}/{place.name}" if splits else top.name
            inside = above | {os.path.realpath(top.path)} if splits else above
            rows += [(file, place.name, split, stat) for file, stat in _files(place.path, prefix, inside)]
        if splits:
            rows += [(f"{top.name}/{file}", None, split, stat) for file, stat in _loose(top.path)]
    rows += [(file, None, None, stat) for file, stat in _loose(root)]
    return sorted(rows, key=lambda row: row[0])


def _existing(folder: Path) -> Path:
    if not folder.exists():
        near = folder.parent if folder.parent.is_dir() else Path()
        others = sorted(entry.name for entry in near.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        listed = ", ".join(others[:5]) or "no folders"
        raise DataError(f"there is no folder {folder}", found=f"{near.resolve()} holds {listed}", fix="check the path")
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder", found="a file", fix="name the folder that holds the class folders")
    return folder


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


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name, less what is hidden or litter."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as problem:
        raise DataError(f"cannot look into {folder}", found=problem.strerror, fix="check who may read it") from problem
    entries = [entry for entry in entries if not entry.name.startswith(".") and entry.name.lower() not in LITTER]
    entries = [entry for entry in entries if not entry.is_symlink() or _leads_somewhere(entry)]
    for entry in entries:
        if not entry.name.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in entry.name):
            raise DataError(f"a name in {folder} is not Unicode", found=ascii(entry.name), fix="rename the file")
    return entries


def _leads_somewhere(link: os.DirEntry[str]) -> bool:
    try:
        link.stat()
    except OSError:  # a dangling link, or one that leads back to itself
        return False
    return True


def _files(folder: str, prefix: str, above: frozenset[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below, as (prefix/path, stat); a link back to a folder above is not followed again."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for entry in _entries(folder):
        name = f"{prefix}/{entry.name}"
        if entry.is_dir():
            yield from _files(entry.path, name, above | {real})
        elif entry.is_file():  # not a socket, a device
            yield name, entry.stat()


def _loose(folder: str | Path) -> Iterator[tuple[str, os.stat_result]]:
    """Pictures lying directly in a folder of folders; a README or a table beside the classes is nobody's concern."""
    for entry in _entries(folder):
        if entry.is_file():
            try:
                with open(entry.path, "rb") as file:
                    kind = sniff(file.read(512))
            except OSError:  # it may not be read, or has just gone: nobody's concern either
                continue
            if kind in DECODERS:
                yield entry.name, entry.stat()
