"""Requests that want a core: a place for each, or 503; turns go round the clients, one picture at a time.

One core is kept for clients whose pictures have been quick, so that pictures made to hold a decoder hold up only those
who send them, and newcomers a little. All methods belong to the event loop's thread, so counting needs no lock.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from ursa.serve.http.clients import REMEMBERED, Shares
from ursa.serve.http.refusals import RefusedError, busy

AHEAD = 8  # turns given beyond the cores, which wait in the pool: the event loop may be slow to give the next one
SLOW = 1.0  # s; a picture that takes longer makes its client slow
SLOW_FOR = 60.0  # s


@dataclass(eq=False)
class Place:
    """One request in the queue."""

    client: str
    begun: bool = False  # it has had a turn, so it is not sent away any more
    wait: "asyncio.Future[bool] | None" = field(default=None, repr=False)


class FairQueue:
    """Turns at `workers` threads, some of them given ahead, and up to `waiting` requests that wait for theirs."""

    def __init__(self, workers: int, waiting: int, *, ahead: int = AHEAD) -> None:
        self.places = Shares[Place](workers + waiting)
        self._most = self.free = workers + ahead
        self.not_quick, self.most_not_quick = 0, max(1, workers - 1)  # turns of clients that are slow or unknown
        self._turns: OrderedDict[str, deque[asyncio.Future[bool]]] = OrderedDict()
        self._slow_until: OrderedDict[str, float] = OrderedDict()  # of all clients that had a turn

    def length(self) -> int:
        """Requests that wait for their turn."""
        return sum(map(len, self._turns.values()))

    def in_progress(self) -> int:
        """Turns that were given and not yet given back: pictures that are worked on, or will be at once."""
        return self._most - self.free

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
    async def turn(self, place: Place) -> AsyncIterator[bool]:
        """A core, when it is this client's turn -> whether it had to wait. Raises RefusedError 503 if sent away."""
        quick = self._quick(place.client)
        waits = not self.free or not (quick or self.not_quick < self.most_not_quick)
        if waits:
            quick = await self._wait(place)
        else:
            self._take(quick)
        place.begun = True
        try:
            yield waits
        finally:
            self._give_back(quick)

    def judge(self, client: str, seconds: float) -> None:
        """So long a picture took (not the model: that tells nothing about who asks)."""
        before = self._slow_until.pop(client, 0.0)
        now = asyncio.get_running_loop().time()
        self._slow_until[client] = now + SLOW_FOR if seconds > SLOW else before
        while len(self._slow_until) > REMEMBERED:
            self._slow_until.popitem(last=False)

    async def _wait(self, place: Place) -> bool:
        """-> whether the turn, taken for it, is one of a quick client."""
        wait: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        place.wait = wait
        self._turns.setdefault(place.client, deque()).append(wait)
        try:
            return await wait
        except asyncio.CancelledError:
            if not wait.cancelled() and wait.exception() is None:  # the turn had come, and nobody is there to take it
                self._give_back(wait.result())
            raise
        finally:
            place.wait = None

    def _quick(self, client: str) -> bool:
        return self._slow_until.get(client, float("inf")) <= asyncio.get_running_loop().time()

    def _take(self, quick: bool) -> None:
        self.free -= 1
        self.not_quick += not quick

    def _give_back(self, quick: bool) -> None:
        self.free += 1
        self.not_quick -= not quick
        while self.free and (client := self._next()) is not None:
            queue = self._turns.pop(client)
            wait = queue.popleft()
            if queue:
                self._turns[client] = queue  # to the end: the others come first
            if not wait.done():
                quick = self._quick(client)
                self._take(quick)
                wait.set_result(quick)

    def _next(self) -> str | None:
        """The client that waits longest of those that may have a turn now; newcomers come before slow ones."""
        newcomers = any(client not in self._slow_until for client in self._turns)
        room = self.not_quick < self.most_not_quick
        for client in self._turns:
            if self._quick(client) or (room and not (newcomers and client in self._slow_until)):
                return client
        return None

    def _spare(self, client: str) -> "asyncio.Future[bool] | None":
        """The newest request, not begun, of the client with most places, if that leaves it no worse than this one.

        For a quick client, before that, one of a client that is not.
        """
        clients = self.places.clients()
        if self._quick(client):
            for other in clients:
                if not self._quick(other) and (found := self._newest(other)):
                    return found
        largest = clients[0]
        return self._newest(largest) if self.places.of(largest) >= self.places.of(client) + 2 else None

    def _newest(self, client: str) -> "asyncio.Future[bool] | None":
        for place in reversed(self.places.holders(client)):
            if not place.begun and place.wait is not None and not place.wait.done():
                return place.wait
        return None

    def _busy(self) -> RefusedError:
        return busy("too many pictures are waiting", f"{self.places.taken} requests", "queue_full")
