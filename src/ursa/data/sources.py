"""Folder -> Catalog. Reads names and the first bytes of loose files; decodes nothing."""

import os
from collections.abc import Iterator
from pathlib import Path

from ursa.core.image import DECODERS, sniff
from ursa.data.catalog import Catalog
from ursa.errors import DataError

SPLITS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "test": "test",
}
LITTER = {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "__macosx"}


def from_folder(folder: str | Path) -> Catalog:
    """`class/picture`, or `train|valid|val|test/class/picture` in any case; deeper folders belong to their class.

    Hidden files and litter (Thumbs.db and the like) are skipped. Every other file below a class becomes a row: whether
    it is a picture is for the scan to say, from its bytes. Pictures outside any class become rows without a label.
    Raises DataError when the folder is missing or holds no class.
    """
    root = _existing(Path(folder))
    above = frozenset({os.path.realpath(root)})
    tops = [entry for entry in _entries(root) if entry.is_dir()]
    splits = _splits(root, [top.name for top in tops])
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
    rows.sort(key=lambda row: row[0])
    if not rows:
        raise DataError(
            f"no pictures in {root}",
            found="neither class folders with files in them nor pictures",
            fix=f"put them into one folder a class: {root}/cat/1.jpg",
        )
    if not any(label for _, label, _, _ in rows):
        raise DataError(
            f"no classes in {root}",
            found=f"{len(rows)} pictures, none of them in a folder of its own class",
            fix=f"one folder a class: {root}/cat/1.jpg, {root}/dog/2.jpg",
        )
    return Catalog.of(
        root,
        {
            "id": [file for file, _, _, _ in rows],
            "path": [file for file, _, _, _ in rows],
            "label": [label for _, label, _, _ in rows],
            "split": [split for _, _, split, _ in rows],
            "bytes": [stat.st_size for _, _, _, stat in rows],
            "modified": [stat.st_mtime_ns for _, _, _, stat in rows],
        },
    )


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
    found = {top: SPLITS[top.lower()] for top in tops if top.lower() in SPLITS}
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
