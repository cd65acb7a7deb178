"""bytes -> Picture, by workers that all threads of this process share. See `ursa.sandbox`."""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ursa.core import picture_file
from ursa.core.image import Picture, Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import cores
from ursa.errors import DataError
from ursa.sandbox import process, protocol
from ursa.sandbox.memory import KEPT, Budget, default_budget
from ursa.sandbox.process import ForkServer, Server, Started
from ursa.sandbox.protocol import Decoded, Request


@dataclass(frozen=True)
class Limits:
    """What one picture may take."""

    seconds: float = 10.0  # of computing; the slowest honest picture of 80 megapixels takes about half of it
    wall: float = 120.0  # seconds on the clock, for a worker that waits instead of computing
    memory: int = 3 << 30  # bytes of address space of a worker, beyond what it begins with


LIMITS = Limits()
WORKERS = 2  # a core, at most: a server keeps some for pictures that are quick while others are slow
HEAVY = 512 << 20  # bytes that a picture may take until its worker is replaced, as its heap has grown


def read(data: bytes, at_least: int | None = None, side: str = "shorter") -> Picture:
    """As `core.image.read`, in a worker process. Raises DataError, also where the decoder dies or overruns."""
    with reading(data, at_least, side) as found:
        return replace(found, pixels=found.pixels.copy())


@contextlib.contextmanager
def reading(data: bytes, at_least: int | None = None, side: str = "shorter") -> Iterator[Picture]:
    """As `read`, but the pixels may only be used inside: they lie where the next picture will be put."""
    with _POOL.decoded(data, Request(len(data), LIMITS.seconds, at_least, side)) as (found, pixels):
        yield Picture(pixels, found.format, found.width, found.height, found.frames, found.orientation)


def view(data: bytes, preparation: Preparation, seconds: float = LIMITS.seconds) -> Pixels:
    """bytes -> what the model sees of the picture, [size, size, 3], made in a worker. Raises as `read`.

    seconds: of computing that it may take.
    """
    side, size = preparation.side, preparation.size
    with _POOL.decoded(data, Request(len(data), seconds, size, side, size, preparation.fit)) as (_, pixels):
        if pixels.shape != (size, size, 3):
            raise _crashed("the process gave a view of another size")
        return pixels.copy()


def prepare() -> None:
    """Start the first worker now, so that the first picture need not wait for it."""
    _POOL.warm()


class Pool:
    """Workers, each lent to one thread at a time; as many as threads ask at once, up to `WORKERS` a core."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.budget = Budget(default_budget())
        self.server = _server(limits)
        self._free: list[Started] = []
        self._changed = threading.Condition()
        self._count = 0  # of workers, free or lent

    @contextlib.contextmanager
    def decoded(self, data: bytes, request: Request) -> Iterator[tuple[Decoded, Pixels]]:
        """What became of these bytes, and the pixels [h, w, 3] in shared memory."""
        if len(data) > picture_file.MAX_BYTES:
            limit = f"{picture_file.MAX_BYTES:,}"
            raise DataError(f"too large: a file of {len(data):,} bytes, the limit is {limit}", fix="make it smaller")
        with self._worker() as lent:
            try:
                found = lent.ask(data, request)
            except _EndedError as first:
                if first.too_long:
                    raise first.refusal from None
                lent.renew()  # perhaps an earlier picture did it: only who ends a fresh worker is to blame
                try:
                    found = lent.ask(data, request)
                except _EndedError as ended:
                    raise ended.refusal from None
            size = 3 * found.rows * found.columns
            pixels = np.frombuffer(lent.worker.shared.bytes, np.uint8, size, protocol.ROOM_IN)
            yield found, pixels.reshape(found.rows, found.columns, 3)
            lent.used(len(data) + size)

    def warm(self) -> None:
        """Have one worker ready."""
        with self._worker():
            pass

    def close(self) -> None:
        """End the workers that are free, and the process that they came from."""
        with self._changed:
            free, self._free = self._free, []
            self._count -= len(free)
        for worker in free:
            worker.connection.close()
            worker.shared.close()
        self.server.close()

    def forget_after_fork(self) -> None:
        """In a forked child: these workers answer the parent."""
        for worker in self._free:
            worker.connection.close()
        self._free, self._count, self._changed = [], 0, threading.Condition()
        self.budget = Budget(self.budget.total)
        self.server.forget_after_fork()

    @contextlib.contextmanager
    def _worker(self) -> Iterator["_Lent"]:
        with self._changed:
            self._changed.wait_for(lambda: self._free or self._count < WORKERS * cores())
            worker = self._free.pop() if self._free else None
            self._count += worker is None
        lent = None
        try:
            lent = _Lent(self, worker or self.server.start())
            yield lent
        finally:
            with self._changed:
                if lent is not None and lent.sound:
                    self._free.append(lent.worker)
                else:
                    self._count -= 1
                self._changed.notify()
            if lent is not None and not lent.sound:
                lent.end()


def _server(limits: Limits) -> Server:
    if hasattr(os, "fork"):
        return ForkServer(limits.memory)
    from ursa.sandbox.windows import Spawner

    return Spawner(limits.memory)


class _EndedError(Exception):
    """A worker ended, or was ended, in mid-picture."""

    def __init__(self, refusal: DataError, *, too_long: bool = False) -> None:
        super().__init__(refusal.what)
        self.refusal, self.too_long = refusal, too_long


class _Lent:
    """A worker in the hands of one thread."""

    def __init__(self, pool: Pool, worker: Started) -> None:
        self.pool, self.worker = pool, worker
        self.sound = True  # False from the moment it is asked until it has answered

    def ask(self, data: bytes, request: Request) -> Decoded:
        """Raises DataError for a refused picture, _EndedError where the worker ended."""
        self.sound = False
        connection, shared = self.worker.connection, self.worker.shared
        connection.settimeout(self.pool.limits.wall)
        shared.bytes[: len(data)] = data
        heavy = False
        try:
            connection.sendall(request.pack())
            reply = self._reply()
            if isinstance(reply, tuple) and reply[0] == protocol.NEEDS:
                heavy = reply[1] > HEAVY
                with self.pool.budget.hold(reply[1]):
                    connection.sendall(protocol.GO)
                    reply = self._reply()
            if isinstance(reply, Decoded):
                self.sound = not heavy
                return reply
            if reply[0] != protocol.REFUSED:
                raise ValueError("a second question")
            text = shared.bytes[protocol.ROOM_IN : protocol.ROOM_IN + reply[1]]
            what, found, fix = protocol.refusal(text)
        except TimeoutError:
            self.pool.server.end(self.worker, patience=0)
            raise _EndedError(_timed_out(f"{self.pool.limits.wall:g} s"), too_long=True) from None
        except (OSError, ValueError) as problem:
            raise self._ended(problem, request.seconds) from None
        self.sound = not heavy
        raise DataError(what, found=found, fix=fix)

    def _reply(self) -> Decoded | tuple[int, int]:
        message = protocol.receive(self.worker.connection, protocol.REPLY_SIZE)
        if len(message) < protocol.REPLY_SIZE:
            raise ConnectionResetError("the worker has gone")
        return protocol.unpack(message)

    def _ended(self, problem: Exception, seconds: float) -> _EndedError:
        status = self.pool.server.end(self.worker)
        if process.ran_out_of_time(status):
            limit = f"{seconds:g} s of computing"
            return _EndedError(_timed_out(limit), too_long=True)
        how = process.told(status)
        return _EndedError(_crashed(how if isinstance(problem, OSError) else f"{how}, {problem}"))

    def renew(self) -> None:
        """Another worker instead of the one that ended."""
        self.end()
        self.worker = self.pool.server.start()

    def used(self, count: int) -> None:
        """After a picture: what is over `KEPT` bytes goes back to the system."""
        if self.sound and count > KEPT:
            self.worker.shared.release()

    def end(self) -> None:
        """End the worker, if it has not ended."""
        self.pool.server.end(self.worker)
        self.worker.shared.close()


def _timed_out(limit: str) -> DataError:
    return DataError(f"takes too long: decoding took over {limit}", fix="save it again with any picture editor")


def _crashed(how: str) -> DataError:
    return DataError(
        f"crashes its decoder: {how}", fix="remove the file; do not open it in programs that you want to keep running"
    )


_POOL = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.forget_after_fork)
