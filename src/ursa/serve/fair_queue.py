"""Requests that want a core: a place for each, or 503; turns go round the clients, one picture at a time.

All methods belong to the event loop's thread, so counting needs no lock.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from ursa.serve.clients import Shares
from ursa.serve.refusals import RefusedError, busy


@dataclass(eq=False)
class Place:
    """One request in the queue."""

    client: str
    begun: bool = False  # it has had a turn, so it is not sent away any more
    wait: "asyncio.Future[None] | None" = field(default=None, repr=False)


class FairQueue:
    """`workers` turns at once, and up to `waiting` requests that wait for theirs."""

    def __init__(self, workers: int, waiting: int) -> None:
        self.places = Shares[Place](workers + waiting)
        self.free = workers
        self._turns: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def refuse_if_full(self, client: str) -> None:
        """Raises RefusedError 503 where a request of this client would find no place now."""
        if self.places.taken >= self.places.total and self._spare(client) is None:
            raise self._busy()

    @contextmanager
    def place(self, client: str) -> Iterator[Place]:
        """A place, if need be that of a request of the client that has most of them. Raises RefusedError 503."""
        if self.places.taken >= self.places.total:
            spare = self._spare(client)
            if spare is None:
                raise self._busy()
            spare.set_exception(self._busy())
        place = Place(client)
        self.places.add(client, place)
        try:
            yield place
        finally:
            self.places.drop(client, place)

    @asynccontextmanager
    async def turn(self, place: Place) -> AsyncIterator[None]:
        """A core, when it is this client's turn. Raises RefusedError 503 where the place had to be given up."""
        if self.free:
            self.free -= 1
        else:
            await self._wait(place)
        place.begun = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, place: Place) -> None:
        place.wait = wait = asyncio.get_running_loop().create_future()
        self._turns.setdefault(place.client, deque()).append(wait)
        try:
            await wait
        except asyncio.CancelledError:
            if not wait.cancelled() and wait.exception() is None:  # the turn had come, and nobody is there to take it
                self._pass_on()
            raise
        finally:
            place.wait = None

    def _pass_on(self) -> None:
        while self._turns:
            client, queue = self._turns.popitem(last=False)
            wait = queue.popleft()
            if queue:
                self._turns[client] = queue  # to the end: the others come first
            if not wait.done():
                wait.set_result(None)
                return
        self.free += 1

    def _spare(self, client: str) -> "asyncio.Future[None] | None":
        """The newest request, not begun, of the client with most places, if that leaves it no worse than this one."""
        largest = self.places.clients()[0]
        if self.places.of(largest) < self.places.of(client) + 2:
            return None
        for place in reversed(self.places.holders(largest)):
            if not place.begun and place.wait is not None and not place.wait.done():
                return place.wait
        return None

    def _busy(self) -> RefusedError:
        return busy("too many pictures are waiting", f"{self.places.taken} requests")
