"""One file of a picture folder from here to there, so that a kill at any moment leaves it under one name or both."""

import hashlib
import os
import stat
import unicodedata
from pathlib import Path

from ursa.core import files, picture_file
from ursa.data.sources.walk import LITTER
from ursa.errors import DataError
from ursa.workspace import NAME

IN_THE_WAY = "another file lies there"
FORBIDDEN = "/\\\0"  # in the name of a class folder, on one system or another


def moved_file(root: Path, origin: str, to: str, sha256: str) -> str | None:
    """Paths from the root, with "/". None where the file lies at `to` now; else why not, and nothing was changed.

    Nothing is overwritten, links are not followed, and only the bytes that were decided on are moved. Done again it
    changes nothing; after a kill in the middle it goes on.
    """
    try:
        return _moved(root, origin, to, sha256)
    except OSError as problem:
        return problem.strerror or "the system refused it"
    except DataError as problem:
        return problem.what


def class_folder(label: str) -> str | None:
    """Why a label cannot be the name of a folder; None where it can."""
    if label in ("", ".", "..") or label.startswith(".") or any(letter in label for letter in FORBIDDEN):
        return f"{label!r} cannot be the name of a folder"
    if label.lower() in LITTER or label != label.strip() or any(ord(letter) < 32 for letter in label):
        return f"{label!r} cannot be the name of a folder"
    if len(label.encode("utf-8", "surrogatepass")) > 200:
        return "this label is too long for the name of a folder"
    return None


def same_name(one: str, other: str) -> bool:
    """Whether two paths are one where a disk tells neither capitals nor ways of writing an accent apart."""
    return _plain(one) == _plain(other)


def inside(root: Path, name: str) -> Path:
    """The path below the root. Raises DataError for one that would lead out of it, by dots or links."""
    parts = name.split("/")
    if not name or "\0" in name or "\\" in name or any(part in ("", ".", "..") for part in parts):
        raise DataError("its path leads out of the folder")
    place = root
    for part in parts[:-1]:
        place = place / part
        try:
            about = place.lstat()
        except FileNotFoundError:
            break
        if not stat.S_ISDIR(about.st_mode):
            raise DataError(f"{place.name} on its path is {files.kind(about.st_mode)}")
    return root.joinpath(*parts)


def _moved(root: Path, origin: str, to: str, sha256: str) -> str | None:
    source, target = inside(root, origin), inside(root, to)
    here, there = _about(source), _about(target)
    if here is None:
        if there is None:
            return "it is gone"
        return None if _hash(target) == sha256 else IN_THE_WAY
    if there is not None:
        if not _one_file(here, there):
            return IN_THE_WAY
        if here.st_nlink > 1 and not same_name(origin, to):  # a kill came between the two steps below
            source.unlink()
        return None
    if not stat.S_ISREG(here.st_mode):
        return f"it is {files.kind(here.st_mode)}"
    if _hash(source) != sha256:
        return "it was changed since"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)  # unlike renaming it never overwrites
    except FileExistsError:
        return IN_THE_WAY
    except (NotImplementedError, OSError):
        if os.path.lexists(target):
            return IN_THE_WAY
        os.rename(source, target)  # noqa: PTH104  # a file system without hard links
        return None
    source.unlink()
    return None


def _about(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _one_file(one: os.stat_result, other: os.stat_result) -> bool:
    return one.st_ino != 0 and (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _hash(path: Path) -> str:
    return hashlib.sha256(files.read_bytes(path, picture_file.MAX_BYTES, follow=False)).hexdigest()


def _plain(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def removed_path(id: str) -> str:
    """Where a deleted picture goes."""
    return f"{NAME}/removed/{id}"
