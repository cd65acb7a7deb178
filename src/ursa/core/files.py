"""Path -> the bytes of a regular file. A pipe, a device or a socket put where a file was is refused, not waited for."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ursa.errors import DataError

# A pipe without a writer would block `open` for ever, and a terminal could become ours.
_SAFELY = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


@contextlib.contextmanager
def opened(path: str | Path, *, follow: bool = True) -> Iterator[tuple[int, os.stat_result]]:
    """A descriptor to read from, and what `fstat` says of it; closed afterwards.

    follow: False where a symbolic link has no business, as inside a workspace. Raises OSError as `open` does (ELOOP for
    such a link), DataError where there is no regular file.
    """
    descriptor = os.open(path, _SAFELY | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise DataError(f"{path} is not a file", found=kind(about.st_mode), fix="name a regular file")
        yield descriptor, about
    finally:
        os.close(descriptor)


def read_bytes(path: str | Path, most: int | None = None, *, follow: bool = True) -> bytes:
    """The whole file. Raises as `opened` does; DataError, before anything is read, for more than `most` bytes."""
    with opened(path, follow=follow) as (descriptor, about):
        if most is not None and about.st_size > most:
            raise DataError(f"{path} is too large", found=f"{about.st_size:,} bytes, the limit is {most:,}")
        return read(descriptor, about.st_size)


def read(descriptor: int, size: int) -> bytes:
    """The bytes of an open file whose size was `size` a moment ago; what is appended meanwhile is left out."""
    data = os.read(descriptor, size)  # one call for nearly every file: each further one costs other threads a hand-over
    while len(data) < size and (some := os.read(descriptor, size - len(data))):
        data += some
    return data


def kind(mode: int) -> str:
    """What a mode of `stat` is, in words."""
    names = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFREG: "a file",
    }
    return names.get(stat.S_IFMT(mode), "something else")
