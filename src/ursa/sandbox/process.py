"""Worker processes: how they begin, and why one ended.

On POSIX one process, the fork server, imports the decoders and is forked for each worker: a few milliseconds and a few
megabytes each. It holds neither threads nor torch, so that forking it is safe, and it never sees a picture. Elsewhere
every worker is started for itself.
"""

import atexit
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol

from ursa.errors import UrsaError
from ursa.sandbox.shared_memory import SharedMemory

_ORDER = struct.Struct("<cqd")  # what to do; process, or bytes of memory; seconds of patience
START, WAIT = b"S", b"W"
PATIENCE = 2.0  # seconds until a process that closed its socket has ended


@dataclass(frozen=True)
class Started:
    """A worker that runs."""

    connection: socket.socket
    shared: SharedMemory
    process: int


class Server(Protocol):
    """Whoever starts workers."""

    def start(self) -> Started:
        """A new worker. Raises UrsaError where the system does not give us one."""
        ...

    def end(self, worker: Started, patience: float = PATIENCE) -> int | None:
        """End a worker, by force after `patience` seconds; -> its status as of `os.waitpid`, None if nobody knows."""
        ...

    def close(self) -> None:
        """End it. Its workers end with the sockets that lead to them."""
        ...

    def forget_after_fork(self) -> None:
        """In a forked child of the caller: the workers are the parent's."""
        ...


class ForkServer:
    """The process that workers are forked from; begun when the first one is wanted, and again if it has died."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> Started:
        """A new worker. Raises UrsaError where the system does not give us one."""
        ours, theirs = socket.socketpair()
        shared = SharedMemory.create()
        try:
            with theirs:
                order = _ORDER.pack(START, self.memory, 0)
                process = self._ask(order, [theirs.fileno(), shared.descriptor])
        except BaseException:
            ours.close()
            shared.close()
            raise
        return Started(ours, shared, process)

    def end(self, worker: Started, patience: float = PATIENCE) -> int | None:
        """End a worker, by force after `patience` seconds; -> its status as of `os.waitpid`, None if nobody knows."""
        with contextlib.suppress(OSError):
            worker.connection.close()
        try:
            status = self._ask(_ORDER.pack(WAIT, worker.process, patience), [])
        except UrsaError:
            return None
        return None if status < 0 else status

    def close(self) -> None:
        """End it. Its workers end with the sockets that lead to them."""
        with self._lock:
            self._forget()

    def forget_after_fork(self) -> None:
        """In a forked child of the caller: the fork server is the parent's."""
        self._lock = threading.Lock()
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.returncode = 0  # not ours to wait for
        self._process = self._control = None

    def _ask(self, order: bytes, descriptors: list[int]) -> int:
        with self._lock:
            for again in (True, False):
                try:
                    control = self._running()
                    socket.send_fds(control, [order], descriptors)
                    answer = control.recv(8, socket.MSG_WAITALL)
                    if len(answer) == 8:
                        return int.from_bytes(answer, "little", signed=True)
                    problem: object = "the process that decoders are forked from has ended"
                except OSError as failed:
                    problem = failed
                self._forget()
                if not again or order[:1] == WAIT:
                    break
            raise UrsaError(
                "cannot start a process to decode pictures in", found=problem, fix="close other programs and try again"
            )

    def _running(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                call = f"from ursa.sandbox import process; process.fork_server({theirs.fileno()})"
                self._process = python(call, pass_fds=[theirs.fileno()])
            atexit.register(self.close)
        return self._control

    def _forget(self) -> None:
        atexit.unregister(self.close)
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._control = None


def fork_server(descriptor: int) -> None:
    """Inside the fork server: start workers and say how they ended, until the caller has gone."""
    from ursa.sandbox import worker

    worker.quiet_signals()
    worker.load_decoders()
    control = socket.socket(fileno=descriptor)
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, _ORDER.size, 2)
        if len(order) < _ORDER.size:
            os._exit(0)
        kind, number, patience = _ORDER.unpack(order)
        if kind == WAIT:
            answer = _ended(number, patience)
        elif (answer := os.fork()) == 0:
            control.close()
            connection, memory = descriptors
            worker.serve(socket.socket(fileno=connection), SharedMemory(memory), number)
        for each in descriptors:
            os.close(each)
        control.sendall(answer.to_bytes(8, "little", signed=True))


def _ended(process: int, patience: float) -> int:
    """Wait for a process, killing it when it takes longer; -> its status, -1 where it is none of ours."""
    until = time.monotonic() + patience
    try:
        while True:
            found, status = os.waitpid(process, os.WNOHANG)
            if found:
                return status
            if time.monotonic() > until:
                os.kill(process, signal.SIGKILL)
                return os.waitpid(process, 0)[1]
            time.sleep(0.001)
    except ChildProcessError:
        return -1


def ran_out_of_time(status: int | None) -> bool:
    """Whether a process with this status was ended by its limit of computing time."""
    return status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU


def told(status: int | None) -> str:
    """How a process with this status ended, in words."""
    if status is None:
        return "the process ended"
    if os.WIFSIGNALED(status):
        return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.WEXITSTATUS(status)}"


def python(call: str, **options: Any) -> "subprocess.Popen[bytes]":
    """A new Python that makes this call; it sees none of our environment, files or terminal."""
    code = f"import sys; sys.path[:] = {sys.path!r}; {call}"
    null = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-I", *(["-B"] if sys.dont_write_bytecode else []), "-c", code],
        **{"stdin": null, "stdout": null, "stderr": null, "start_new_session": True, **options},
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **_passed_on()},
    )


def _passed_on() -> dict[str, str]:
    """What the loader of shared libraries, or Windows, cannot do without."""
    names = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "OPENBLAS_CORETYPE", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}
