"""Workers where there is no fork: every one is a Python of its own, a fifth of a second each.

Written after the documentation of Windows; none of our tests runs there yet.
"""

import socket
import subprocess
import sys
import threading
import uuid

from ursa.errors import UrsaError
from ursa.sandbox.process import PATIENCE, Started, python
from ursa.sandbox.shared_memory import SharedMemory

LONGEST = 1 << 16  # bytes of a socket that is handed over


class Spawner:
    """As `process.ForkServer`."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self._lock = threading.Lock()
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> Started:
        """A new worker. Raises UrsaError where the system does not give us one."""
        ours, theirs = socket.socketpair()
        name = f"ursa-{uuid.uuid4().hex}"
        shared = SharedMemory.named(name)
        call = f"from ursa.sandbox import windows; windows.spawned({name!r}, {self.memory})"
        try:
            with theirs:
                process = python(call, stdin=subprocess.PIPE)
                if sys.platform == "win32" and process.stdin is not None:
                    process.stdin.write(theirs.share(process.pid))
                    process.stdin.close()
        except OSError as problem:
            ours.close()
            shared.close()
            raise UrsaError(
                "cannot start a process to decode pictures in", found=problem, fix="close other programs and try again"
            ) from problem
        with self._lock:
            self._processes[process.pid] = process
        return Started(ours, shared, process.pid)

    def end(self, worker: Started, patience: float = PATIENCE) -> int | None:
        """End a worker, by force after `patience` seconds; nobody knows why one ended."""
        worker.connection.close()
        with self._lock:
            process = self._processes.pop(worker.process, None)
        if process is not None:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return None

    def close(self) -> None:
        """The workers end with the sockets that lead to them."""

    def forget_after_fork(self) -> None:
        """There is no fork here."""


def spawned(name: str, memory: int) -> None:
    """Inside a worker: its socket comes through standard input."""
    from ursa.sandbox import worker

    worker.load_decoders()
    handed = sys.stdin.buffer.read(LONGEST)
    if sys.platform == "win32":
        worker.serve(socket.fromshare(handed), SharedMemory.named(name), memory)
