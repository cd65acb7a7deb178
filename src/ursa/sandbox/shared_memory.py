"""Memory: what caller and worker share, and the budget that all workers of a process have together."""

import contextlib
import mmap
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ursa.core.decoding.image import Pixels
from ursa.sandbox.protocol import ROOM, ROOM_IN, ROOM_OUT, SLOT

KEPT = 4 << 20  # bytes that a slot of shared memory may keep between two pictures


class SharedMemory:
    """`ROOM` bytes that two processes see; only what was written to takes memory."""

    def __init__(self, descriptor: int, mapped: mmap.mmap | None = None) -> None:
        """Over an open file of that size, as `create` makes it; the descriptor belongs to this from now on."""
        self.descriptor = descriptor
        self.bytes = mapped or mmap.mmap(descriptor, ROOM)

    @classmethod
    def named(cls, name: str) -> "SharedMemory":
        """The shared memory of that name (Windows); made by who asks first."""
        if sys.platform == "win32":
            return cls(-1, mmap.mmap(-1, ROOM, tagname=name))
        raise OSError(f"named shared memory is of Windows: {name}")

    @classmethod
    def create(cls) -> "SharedMemory":
        """New shared memory, which nobody can shrink under the other one's feet (memfd_create(2), sealed, on Linux)."""
        if not hasattr(os, "memfd_create"):
            with tempfile.TemporaryFile(prefix="ursa-") as file:
                file.truncate(ROOM)
                return cls(os.dup(file.fileno()))
        import fcntl

        descriptor = os.memfd_create("ursa", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, ROOM)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(descriptor)

    def room(self, slot: int) -> Pixels:
        """[ROOM_OUT] where a slot has its pixels."""
        return np.frombuffer(self.bytes, np.uint8, ROOM_OUT, slot * SLOT + ROOM_IN)

    def pixels(self, slot: int, rows: int, columns: int) -> Pixels:
        """[rows, columns, 3] where a slot has them."""
        place = slot * SLOT + ROOM_IN
        return np.frombuffer(self.bytes, np.uint8, 3 * rows * columns, place).reshape(rows, columns, 3)

    def release(self, slot: int) -> None:
        """Give back the memory of what was written to a slot, where the system can."""
        if hasattr(mmap, "MADV_REMOVE") and self.descriptor >= 0:
            self.bytes.madvise(mmap.MADV_REMOVE, slot * SLOT, SLOT)

    def close(self) -> None:
        """Unmap it; where arrays still look at it, the mapping goes with the last of them."""
        with contextlib.suppress(BufferError):
            self.bytes.close()
        if self.descriptor >= 0:
            os.close(self.descriptor)


class MemoryBudget:
    """Bytes that all workers together may take for large pictures; who asks for more than is left waits."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._used = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """`count` bytes of it for a while; one that asks for more than there is gets in alone."""
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + count <= self.total)
            self._used += count
        try:
            yield
        finally:
            with self._changed:
                self._used -= count
                self._changed.notify_all()


def default_budget() -> int:
    """A quarter of the memory that this process may have, from 1 to 4 GB."""
    return min(max(_memory() // 4, 1 << 30), 4 << 30)


def _memory() -> int:
    """Bytes of memory of this machine, or of its container (cgroup v2)."""
    found = [4 << 30]
    if sys.platform != "win32":
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with contextlib.suppress(OSError, ValueError):
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found)
