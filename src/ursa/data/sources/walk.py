"""Folder -> every file below it, and what cannot be read, with the reason. A loop: depth costs no stack."""

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ursa.core.text import escaped

LITTER = {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "__macosx"}
DEPTH = 100  # folders inside each other; data sets have up to ten, and a path ends at 4,096 bytes on Linux
LINKED = 10_000  # folders inside classes that are reached through links: folders that link to each other multiply

NOT_UNICODE = "its name is not Unicode, rename it"

Key = tuple[int, int]  # device and inode: the folder itself, by whatever name


class FoundFile(NamedTuple):
    """A file below, or what cannot be read."""

    name: str  # from the root, with "/"; escaped where the real one is not Unicode
    stat: os.stat_result | None = None  # None where there is a problem
    problem: str | None = None
    is_folder: bool = False


@dataclass(frozen=True)
class Folder:
    """A folder that can be opened."""

    name: str  # from the root, with "/"
    path: str
    key: Key
    is_link: bool = False


@dataclass(frozen=True)
class Inside:
    """What lies directly in a folder, by name, less what is hidden, litter, or a link that leads nowhere."""

    folders: list[Folder] = field(default_factory=list)
    files: list[FoundFile] = field(default_factory=list)
    problems: list[FoundFile] = field(default_factory=list)


def inside(path: str | Path, prefix: str = "") -> Inside:
    """What lies in a folder; pipes, sockets and devices are left out. Raises OSError where it cannot be opened."""
    found = Inside()
    with os.scandir(path) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.name.startswith(".") or entry.name.lower() in LITTER:
            continue
        name = f"{prefix}/{entry.name}" if prefix else entry.name
        try:
            about = entry.stat()
            if stat.S_ISDIR(about.st_mode):
                about = os.stat(entry.path)  # noqa: PTH116  on Windows the entry does not know its inode
        except OSError as problem:
            if problem.errno not in (errno.ENOENT, errno.ELOOP):  # gone meanwhile, or a link that leads nowhere
                found.problems.append(FoundFile(escaped(name), problem=f"cannot be opened: {problem.strerror}"))
            continue
        if stat.S_ISREG(about.st_mode) and _is_unicode(entry.name):
            found.files.append(FoundFile(name, about))
            continue
        is_folder = stat.S_ISDIR(about.st_mode)
        if not _is_unicode(entry.name):
            what = "unreadable folder" if is_folder else "cannot be opened"
            found.problems.append(FoundFile(escaped(name), None, f"{what}: {NOT_UNICODE}", is_folder))
        elif is_folder:
            found.folders.append(Folder(name, entry.path, (about.st_dev, about.st_ino), entry.is_symlink()))
    return found


class Walk:
    """One walk below a picture folder. For each class, each real folder comes once, where it really lies if it can.

    Links to folders elsewhere are followed; a link back to the root, to what the root lies in, or to a folder that was
    given to `bar`, adds nothing.
    """

    def __init__(self, root: str | Path) -> None:
        above = {_key(root)}
        for folder in Path(root).resolve().parents:
            with contextlib.suppress(OSError):  # one that may not be read is none that could be listed
                above.add(_key(folder))
        self._above, self._barred = above, set(above)  # no class is one of the first; no link leads into the second
        self._linked = 0

    def bar(self, folders: list[Folder], *, above: bool = False) -> None:
        """Links inside a class do not lead into these, which are listed themselves; `above`: nothing leads there."""
        keys = {folder.key for folder in folders}
        self._barred |= keys
        if above:
            self._above |= keys

    def files(self, place: Folder) -> Iterator[FoundFile]:
        """Every file below a folder, and what cannot be read; nothing where it is a link back to one above."""
        if self.leads_back(place):
            return
        seen = {place.key}
        real: list[tuple[Folder, int, bool]] = [(place, 1, False)]  # folder, depth, reached through a link
        links: deque[tuple[Folder, int, bool]] = deque()
        while real or links:
            folder, depth, linked = real.pop() if real else links.popleft()  # what is really there comes first
            if linked and folder.is_link:
                if folder.key in seen or folder.key in self._barred:
                    continue
                seen.add(folder.key)
            problem = self._refused(depth, linked)
            try:
                found = Inside() if problem else inside(folder.path, folder.name)
            except OSError as error:
                found, problem = Inside(), error.strerror
            if problem:
                yield FoundFile(folder.name, None, f"unreadable folder: {problem}", is_folder=True)
            yield from found.problems
            yield from found.files
            for each in found.folders:
                if each.is_link:
                    links.append((each, depth + 1, True))
                elif each.key not in seen and each.key not in self._barred:
                    seen.add(each.key)
                    real.append((each, depth + 1, linked))

    def leads_back(self, place: Folder) -> bool:
        """Whether a folder is a link to the root, or to a folder above a class."""
        return place.key in self._above

    def _refused(self, depth: int, linked: bool) -> str | None:
        self._linked += linked
        if self._linked > LINKED and linked:
            return f"more than {LINKED:,} folders are reached through links"
        return f"more than {DEPTH} folders inside each other" if depth > DEPTH else None


def names_in(folder: Path) -> list[str]:
    """What lies in a folder, by name, for hints in messages; nothing where it cannot be opened."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def _key(folder: str | Path) -> Key:
    about = os.stat(folder)  # noqa: PTH116
    return about.st_dev, about.st_ino


def _is_unicode(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)
