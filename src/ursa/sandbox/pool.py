"""bytes -> Picture, by workers that all threads of this process share. See `ursa.sandbox`."""

import contextlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace

from ursa.core.decoding.image import Picture, Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import cores
from ursa.errors import DataError
from ursa.sandbox.client import Client, EndedError, crashed
from ursa.sandbox.process import ForkServer, Server, Started
from ursa.sandbox.protocol import SLOTS, Request
from ursa.sandbox.shared_memory import KEPT, MemoryBudget, default_budget

WORKERS = 2  # a core, at most: a server keeps some for pictures that are quick while others are slow


@dataclass(frozen=True)
class DecodingLimits:
    """What one picture may take."""

    seconds: float = 10.0  # of computing; the slowest honest picture of 80 megapixels takes about half of it
    wall: float = 120.0  # seconds on the clock, for a worker that waits instead of computing
    memory: int = 3 << 30  # bytes of address space of a worker, beyond what it begins with


LIMITS = DecodingLimits()

Pictures = Generator[Picture | DataError, None, None]
Ask = Callable[[int, int], Request]  # bytes of a file, slot -> the request


def read(data: bytes, at_least: int | None = None, side: str = "shorter") -> Picture:
    """As `core.image.read`, in a worker process. Raises DataError, also where the decoder dies or overruns."""
    with contextlib.closing(reading([data], at_least, side)) as pictures:
        found = _sound(next(pictures))
        return replace(found, pixels=found.pixels.copy())


def reading(datas: Iterable[bytes], at_least: int | None = None, side: str = "shorter") -> Pictures:
    """As `read` for each of some files, in order, the refusal where there is one; the next is decoded meanwhile.

    The pixels of a picture may be used until the next one is asked for: another one is then put in their place.
    """
    return _POOL.each(datas, lambda length, slot: Request(length, LIMITS.seconds, at_least, side, slot=slot))


def view(data: bytes, preparation: Preparation, seconds: float = LIMITS.seconds) -> Pixels:
    """bytes -> what the model sees of the picture, [size, size, 3], made in a worker. Raises as `read`.

    seconds: of computing that it may take.
    """
    side, size, fit = preparation.side, preparation.size, preparation.fit

    def ask(length: int, slot: int) -> Request:
        return Request(length, seconds, size, side, size, fit, slot)

    with contextlib.closing(_POOL.each([data], ask)) as views:
        pixels = _sound(next(views)).pixels
        if pixels.shape != (size, size, 3):
            raise crashed("the process gave a view of another size")
        return pixels.copy()


def prepare() -> None:
    """Start the first worker now, so that the first picture need not wait for it."""
    _POOL.warm()


class Pool:
    """Workers, each lent to one thread at a time; as many as threads ask at once, up to `WORKERS` a core."""

    def __init__(self, limits: DecodingLimits = LIMITS) -> None:
        self.limits = limits
        self.budget = MemoryBudget(default_budget())
        self.server = _server(limits)
        self._free: list[Started] = []
        self._changed = threading.Condition()
        self._count = 0  # of workers, free or lent

    def each(self, datas: Iterable[bytes], ask: Ask) -> Pictures:
        """See `reading`."""
        queue, slots = iter(datas), itertools.cycle(range(SLOTS))
        pending: deque[_Sent] = deque()
        with self._client() as client:
            while True:
                for data in itertools.islice(queue, SLOTS - len(pending)):
                    pending.append(_Sent(data, ask(len(data), next(slots))))
                    pending[-1].to(client)
                if not pending:
                    return
                current = pending.popleft()
                found = current.answer(client)
                if client.lost:  # with the worker that ended went what else had been sent to it
                    client.lost = False
                    for other in pending:
                        other.to(client)
                yield found
                if isinstance(found, Picture) and len(current.data) + found.pixels.nbytes > KEPT:
                    client.worker.shared.release(current.request.slot)

    def warm(self) -> None:
        """Have one worker ready."""
        with self._client():
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
        self.budget = MemoryBudget(self.budget.total)
        self.server.forget_after_fork()

    @contextlib.contextmanager
    def _client(self) -> Iterator[Client]:
        with self._changed:
            self._changed.wait_for(lambda: self._free or self._count < WORKERS * cores())
            worker = self._free.pop() if self._free else None
            self._count += worker is None
        client = None
        try:
            client = Client(worker or self.server.start(), self.server, self.budget, self.limits.wall)
            yield client
        finally:
            with self._changed:
                if client is not None and client.sound:
                    self._free.append(client.worker)
                else:
                    self._count -= 1
                self._changed.notify()
            if client is not None and not client.sound:
                client.end()


class _Sent:
    """The bytes of a picture on their way to a worker."""

    def __init__(self, data: bytes, request: Request) -> None:
        self.data, self.request = data, request
        self.refusal: DataError | None = None

    def to(self, client: Client) -> None:
        """Send them, unless they are refused unsent."""
        try:
            client.send(self.data, self.request)
        except DataError as problem:
            self.refusal = problem

    def answer(self, client: Client) -> Picture | DataError:
        """The picture or its refusal. Only who ends a fresh worker is to blame: an earlier one may have harmed it."""
        if self.refusal is not None:
            return self.refusal
        for fresh in (False, True):
            try:
                found = client.receive(self.request)
            except DataError as refusal:
                return refusal
            except EndedError as ended:
                if fresh or ended.too_long:
                    return ended.refusal
                self.to(client)
            else:
                about = (found.format, found.width, found.height, found.frames, found.orientation)
                return Picture(client.pixels(found, self.request.slot), *about)
        raise AssertionError  # the second end returns


def _sound(found: Picture | DataError) -> Picture:
    if isinstance(found, DataError):
        raise found
    return found


def _server(limits: DecodingLimits) -> Server:
    if hasattr(os, "fork"):
        return ForkServer(limits.memory)
    from ursa.sandbox.windows import Spawner

    return Spawner(limits.memory)


_POOL = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.forget_after_fork)
