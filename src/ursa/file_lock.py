"""A lock between processes that ends with the process that holds it, however that ends."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ursa import links, workspace
from ursa.errors import DataError, UrsaError


@contextlib.contextmanager
def file_lock(path: Path, *, wait: bool = True, refusal: Callable[[], UrsaError] | None = None) -> Iterator[bool]:
    """Inside, no other process holds it; False where the system has no such locks.

    wait: for who holds it now; else the refusal, or a DataError, says that somebody does. Raises DataError where it
    cannot be written.
    """
    file = _locked(path, wait)
    if file is None:
        raise _deciding(path) if refusal is None else refusal()
    try:
        yield file >= 0
    finally:
        if file >= 0:
            os.close(file)


def _deciding(path: Path) -> DataError:
    what = "another process is carrying out or taking back decisions here"
    return DataError(what, found=path, fix="wait for it")


def is_locked(path: Path) -> bool:
    """Whether another process holds it now. Raises DataError where that cannot be asked."""
    file = _locked(path, wait=False)
    if file is not None and file >= 0:
        os.close(file)
    return file is None


def _locked(path: Path, wait: bool) -> int | None:
    """A descriptor that holds the lock; None where another process does, -1 where the system has no such locks."""
    if sys.platform == "win32":
        return -1
    import fcntl

    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as problem:
        raise (links.link(path) if path.is_symlink() else workspace.cannot_write(path, problem)) from problem
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(file)
        return None
    except OSError:  # a file system that cannot lock
        os.close(file)
        return -1
    except BaseException:  # Ctrl-C while it waits
        os.close(file)
        raise
    return file
