"""decisions.jsonl: what was decided, one line a decision, only ever appended to.

A decision counts as saved when `append` returns: its line was written in one piece, under a lock, and is on disk. A
kill or a full disk leaves at worst a torn last line, which is not read, and which the next append ends.

A workspace may have come with somebody's pictures, and decisions change what training believes. Each line carries the
seal of the user whose Ursa wrote it (see `ursa.seals`). Lines of others are read and shown, but nothing is done for
them unless that is asked for by name.
"""

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ursa import workspace
from ursa.clean.decisions.decision import Decision, decision_of
from ursa.core import files
from ursa.errors import DataError
from ursa.file_lock import file_lock
from ursa.workspace import Workspace

LARGEST = 256 << 20  # bytes of the file: half a million decisions


@dataclass(frozen=True)
class Journal:
    """All decisions so far, the oldest first."""

    entries: tuple[Decision, ...] = ()
    damaged: int = 0  # lines that cannot be read, less a torn last one

    def believed(self, *, include_others: bool = False) -> tuple[Decision, ...]:
        """Those of this user, or of all."""
        return tuple(entry for entry in self.entries if entry.mine or include_others)

    @property
    def others(self) -> int:
        """How many another user wrote."""
        return sum(not entry.mine for entry in self.entries)


_WHOLE = re.compile(rb'"seal":"[^"]*"}$')


def journal_path(space: Workspace) -> Path:
    """Where the journal of a workspace lies."""
    return space.root / "decisions.jsonl"


def read_journal(space: Workspace) -> Journal:
    """The journal of a workspace; an empty one where there is none. Raises DataError for a link, and for more than
    LARGEST bytes."""
    data = workspace.read(journal_path(space), LARGEST) or b""
    *whole, torn = data.split(b"\n")
    found = [(line, decision_of(line)) for line in whole if line]
    entries = [decided for _, decided in found if decided is not None]
    if torn and (last := decision_of(torn)) is not None:  # only its line's end is missing
        entries.append(last)
    # a torn line that a later append ended holds no whole document: it was never said to be saved
    damaged = sum(decided is None and _WHOLE.search(line) is not None for line, decided in found)
    return Journal(tuple(entries), damaged)


def read_on(space: Workspace, offset: int) -> tuple[tuple[Decision, ...], int]:
    """What was appended to the journal after its first `offset` bytes, and where that ends.

    A line that is not whole yet is left to the next time. Raises DataError as `read_journal`.
    """
    path = journal_path(space)
    try:
        with files.opened(path, follow=False) as (descriptor, about):
            if about.st_size > LARGEST:
                raise DataError(f"{path} is too large", found=f"{about.st_size:,} bytes", fix="--workspace DIR")
            os.lseek(descriptor, offset, os.SEEK_SET)
            data = files.read(descriptor, max(0, about.st_size - offset))
    except FileNotFoundError:
        return (), offset
    except OSError as problem:
        raise DataError(f"cannot read {path}", found=problem.strerror, fix="remove what lies there") from problem
    whole = data[: data.rfind(b"\n") + 1]
    found = (decision_of(line) for line in whole.split(b"\n") if line)
    return tuple(decided for decided in found if decided is not None), offset + len(whole)


def append(space: Workspace, decisions: Sequence[Decision]) -> None:
    """Save decisions: all of them, in one write, or none. Raises DataError where they cannot be written."""
    lines, path = b"".join(decided.line() for decided in decisions), journal_path(space)
    if not lines:
        return
    with file_lock(space.root / "decisions.lock") as alone, workspace.appended(path) as file:
        number = file.fileno()
        before = os.fstat(number).st_size
        if before + len(lines) > LARGEST:
            raise DataError(f"{path} is full", found=f"{before:,} bytes", fix="begin anew with --workspace DIR")
        try:
            _write(number, lines)
            os.fsync(number)
            if not before:
                _sync_folder(space.root)
        except OSError as problem:
            if alone:  # else what another process appended meanwhile would go, too
                with contextlib.suppress(OSError):
                    os.ftruncate(number, before)
            raise workspace.cannot_write(path, problem) from problem


def _write(number: int, lines: bytes) -> None:
    view = memoryview(lines)
    while view:  # one call, but where a disk or a limit takes a part of it alone
        view = view[os.write(number, view) :]


def _sync_folder(folder: Path) -> None:
    """The name of a new file is on disk, too; where folders cannot be opened (Windows) the system sees to it."""
    with contextlib.suppress(PermissionError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
