"""A lock between processes that ends with the process that holds it, however that ends."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ursa import links, workspace
from ursa.errors import DataError


@contextlib.contextmanager
def file_lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Inside, no other process holds it; False where the system has no such locks.

    wait: for who holds it now; else DataError says that somebody does. Raises DataError where it cannot be written.
    """
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as problem:
        raise (links.link(path) if path.is_symlink() else workspace.cannot_write(path, problem)) from problem
    try:
        held = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as problem:
            raise DataError(
                "another process is carrying out or taking back decisions here", found=path, fix="wait for it"
            ) from problem
        except OSError:  # a file system that cannot lock
            held = False
        yield held
    finally:
        os.close(file)
