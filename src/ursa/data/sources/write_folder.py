"""Pictures in memory -> a picture folder, on all cores, memory flat. What is there already is compared, not written."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ursa import sandbox, workspace
from ursa.core import files, picture_file
from ursa.core.decoding.image import Pixels, sniff
from ursa.core.threads import chunks
from ursa.data.catalog import Catalog
from ursa.data.sources import parquet
from ursa.data.sources.class_names import Target
from ursa.data.sources.folder_source import LITTER, from_folder
from ursa.data.sources.tables import from_table
from ursa.errors import DataError

TABLE = "labels.parquet"
OURS = re.compile(r"(train|train-dev|valid|test)/([^/]+/)?\d{6,}\.[a-z0-9]+")
ENDINGS = {"JPEG": "jpg", "JPEG2000": "jp2", "TIFF": "tif"}  # of the rest: their name in small letters
DEEPEST = 2  # folders below each other that are ours: split/class
SAID = 200  # characters of somebody else's message
COMPRESSION = 1  # of zlib, 0 to 9: the quickest that still compresses


@dataclass(frozen=True)
class Item:
    """One picture on its way into a folder."""

    split: str
    number: int
    picture: Any  # whatever `pixels` of `write_folder` takes
    label: Target


def write_folder(
    items: Iterable[Item], to: Path, pixels: Callable[[Any], Pixels | bytes], *, by_class: bool
) -> Catalog:
    """Write `split/class/number.png`, or `split/number.png` and a table of labels, and read the catalog of it.

    pixels: makes of an item's picture [h, w] or [h, w, 3] uint8, written as PNG, or the bytes of a file, written as
    they are; it runs in several threads. by_class: labels are single classes that can be names of folders.
    Raises DataError where the folder holds anything else, and for what `pixels` refuses.
    """
    before = _present(to)
    made: list[tuple[str, Item]] = []

    def write(item: Item) -> tuple[str, Item]:
        try:
            data, ending = _encoded(pixels(item.picture))
        except Exception as problem:  # a picture may be anything, and be decoded only now
            raise of_item(f"picture {item.number} of {item.split}", problem) from problem
        place = f"{item.split}/{item.label}" if by_class and item.label is not None else item.split
        name = f"{place}/{item.number:06}.{ending}"
        _write(to / name, data, name in before)
        return name, Item(item.split, item.number, None, item.label)

    for chunk in chunks(items, write):
        made += chunk
    left = sorted(before - {name for name, _ in made} - (set() if by_class else {TABLE}))
    if left:
        raise _foreign(to, left)
    if not made:
        raise DataError("there are no pictures to write")
    if by_class:
        return from_folder(to)
    _write_table(made, to / TABLE)
    return from_table(to / TABLE)


def of_item(item: str, problem: Exception, fix: str = "look at it, and leave it out or mend it") -> DataError:
    """What went wrong with one item of many, as an error that names it."""
    if isinstance(problem, DataError):
        return DataError(f"{item}: {problem.what}", found=problem.found, fix=problem.fix)
    said = str(problem).strip().partition("\n")[0][:SAID]
    return DataError(f"{item}: {type(problem).__name__}: {said}", fix=fix)


def _present(to: Path) -> set[str]:
    """The files that an earlier call has written. Raises DataError for any other one."""
    if to.exists() and not to.is_dir():
        raise DataError(f"{to} is a file", fix="name a folder: to=...")
    found: set[str] = set()
    for place, folders, names in os.walk(to):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(place).relative_to(to).as_posix()
        if inside.count("/") >= DEEPEST:
            raise _foreign(to, [inside])
        shown = [name for name in names if not name.startswith(".") and name.lower() not in LITTER]
        found |= {name if inside == "." else f"{inside}/{name}" for name in shown}
    foreign = sorted(name for name in found if name != TABLE and not OURS.fullmatch(name))
    if foreign:
        raise _foreign(to, foreign)
    return found


def _foreign(to: Path, names: Sequence[str]) -> DataError:
    more = f", and {len(names) - 3:,} more" if len(names) > 3 else ""
    return DataError(
        f"{to} holds other files than these pictures",
        found=", ".join(names[:3]) + more,
        fix="name an empty folder: to=..., or move them away",
    )


def _encoded(picture: Pixels | bytes) -> tuple[bytes, str]:
    """-> the bytes of a file and its ending."""
    if isinstance(picture, bytes):
        kind = sniff(picture)
        return picture, ENDINGS.get(kind, kind.lower()) if kind.isalnum() else "bin"
    return picture_file.encoded(picture, "PNG", compress_level=COMPRESSION), "png"


def _write(path: Path, data: bytes, exists: bool) -> None:
    """Write a file whole; one that is there already has to hold the same picture."""
    part = path.with_name(f".{path.name}.part")  # hidden, so that one that is left behind is not taken for a picture
    try:
        if exists:
            _compare(path, data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as problem:
        raise DataError(f"cannot write {path}", found=problem.strerror, fix="name another folder: to=...") from problem


def _compare(path: Path, data: bytes) -> None:
    """Raises DataError unless the file holds this picture; another release of zlib may have packed it otherwise."""
    try:
        there = files.read_bytes(path)
        same = there == data or np.array_equal(sandbox.read(there).pixels, sandbox.read(data).pixels)
    except DataError:
        same = False
    if not same:
        raise _foreign(path.parent, [path.name])


def _write_table(made: Sequence[tuple[str, Item]], path: Path) -> None:
    labels = [item.label for _, item in made]
    kinds = {_kind(label) for label in labels} - {None}
    if len(kinds) > 1:
        fix = "give all pictures one class, or all of them lists of classes, or all numbers"
        raise DataError("labels of different kinds", found=", ".join(sorted(map(str, kinds))), fix=fix)
    # as nothing but empty lists is several labels of which none is there
    types: dict[str, Any] = {"one class": pl.String, "a number": pl.Float64, "numbers": pl.List(pl.Float64)}
    dtype = types.get(str(kinds.pop()), pl.List(pl.String)) if kinds else pl.String
    columns = {"file": [name for name, _ in made], "split": [item.split for _, item in made]}
    frame = pl.DataFrame({**columns, "label": pl.Series(labels, dtype=dtype)})
    if path.exists():
        try:
            same = parquet.read(files.read_bytes(path), path).equals(frame)
        except (OSError, DataError):
            same = False
        if not same:
            raise _foreign(path.parent, [f"{path.name} with other labels"])
        return
    with workspace.writing(path, "to=...") as file:
        frame.write_parquet(file)


def _kind(label: Target) -> str | None:
    if label is None or isinstance(label, str):
        return label and "one class"
    if isinstance(label, list):
        return None if not label else "several classes" if isinstance(label[0], str) else "numbers"
    return "a number"
