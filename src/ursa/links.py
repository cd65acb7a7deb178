"""A workspace came with its pictures, perhaps from a stranger: what in it would lead out of it is refused."""

import contextlib
import os
import re
import time
from pathlib import Path

from ursa.core import files
from ursa.errors import DataError

PART = re.compile(r".*\.[0-9a-f]{8}\.part")  # a file that is being written, or was when its process died
STALE = 86_400.0  # seconds after which nobody is writing it any more


def refuse(root: Path) -> None:
    """Raises DataError, naming it, for a link below and for what is neither file nor folder.

    On the way, what dead processes left half written is removed.
    """
    folders, now = [root], time.time()
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        raise link(Path(entry.path))
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif not entry.is_file(follow_symlinks=False):
                        raise _no_file(Path(entry.path), entry.stat(follow_symlinks=False).st_mode)
                    elif entry.name.endswith(".part") and PART.fullmatch(entry.name):
                        with contextlib.suppress(OSError):  # not ours to remove, or gone
                            if now - entry.stat(follow_symlinks=False).st_mtime > STALE:
                                Path(entry.path).unlink()
        except FileNotFoundError:  # another process removed it meanwhile
            continue
        except OSError as problem:
            raise DataError(
                f"cannot read the workspace {root}", found=problem, fix="name another place with --workspace DIR"
            ) from problem


def link(path: Path) -> DataError:
    """The error for a symbolic link in a workspace."""
    return DataError(
        f"{path} is a symbolic link, and nothing outside a workspace is read or written",
        found=f"it points to {path.readlink()}",
        fix="remove it, or name another place with --workspace DIR",
    )


def _no_file(path: Path, mode: int) -> DataError:
    return DataError(
        f"{path} has no business in a workspace",
        found=files.kind(mode),
        fix="remove it, or name another place with --workspace DIR",
    )
