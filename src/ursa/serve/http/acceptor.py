"""Listening socket -> connections, as many as there are places for.

asyncio's own loop accepts up to its backlog in one go, before it asks anybody; out of file descriptors it tries so
often that the log grows by megabytes a second.
"""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

from ursa.serve.http.clients import client_of
from ursa.serve.http.http_protocol import Connection, Connections
from ursa.serve.limits import DESCRIPTORS

logger = logging.getLogger("ursa.serve")

PAUSE = 0.25  # s without accepting, when the system has no more descriptors or memory
AT_ONCE = DESCRIPTORS // 4  # connections that are accepted before those are ended that are too many
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Accepts until it is closed; has of `asyncio.Server` what uvicorn uses."""

    def __init__(
        self, listener: socket.socket, connections: Connections, connection: Callable[[str], Connection]
    ) -> None:
        """connection: client -> the protocol of one connection."""
        listener.setblocking(False)
        self.listener, self.connections, self.connection = listener, connections, connection
        self.at_once = max(1, min(AT_ONCE, connections.total // 2))
        self.tasks = set[asyncio.Task[None]]()
        self.task = asyncio.get_running_loop().create_task(self._accept())

    async def accept_last(self) -> None:
        """Connections that the system holds are accepted; what comes later is refused once the listener is closed."""
        self.close()
        await self.wait_closed()
        with contextlib.suppress(OSError):  # BlockingIOError: none is left; or no descriptor for another one
            while self.connections.taken < self.connections.total:
                connection, address = self.listener.accept()
                self._connect(connection, client_of(address[0]))

    def close(self) -> None:
        """No more connections; those that are open stay."""
        self.task.cancel()

    async def wait_closed(self) -> None:
        """Until the loop has ended."""
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            accepted: list[tuple[socket.socket, Any]] = []
            failed: OSError | None = None
            try:
                await self._some_wait()
                accepted.append(await loop.sock_accept(self.listener))
                while len(accepted) < self.at_once:  # all that wait: a busy loop is slow to come here again
                    accepted.append(self.listener.accept())
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as problem:
                failed = problem
            for connection, address in accepted:
                self._connect(connection, client_of(address[0]))
            if failed is not None:
                await self._failed(failed)
            await self._place()

    async def _some_wait(self) -> None:
        """Until a connection waits. To end this loses none; to end `sock_accept` may lose the one it has just taken."""
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not readable.done():
                readable.set_result(None)

        try:
            loop.add_reader(self.listener, wake)
        except NotImplementedError:  # Windows
            return
        try:
            await readable
        finally:
            loop.remove_reader(self.listener)

    def _connect(self, accepted: socket.socket, client: str) -> None:
        """In a task of its own, which is done in the loop's next round."""
        protocol = self.connection(client)
        self.connections.add(client, protocol)

        async def connect() -> None:
            try:
                await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, accepted)
            except OSError:  # it is gone already
                self.connections.drop(client, protocol)
                accepted.close()

        task = asyncio.get_running_loop().create_task(connect())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _place(self) -> None:
        """Waits while every connection is being answered: the system keeps the next ones."""
        await asyncio.sleep(0)  # those just accepted are connected
        while self.connections.taken >= self.connections.total:
            room = self.connections.make_room()
            await asyncio.sleep(0 if room else 0.02)  # what is ended is closed in the loop's next round

    async def _failed(self, problem: OSError) -> None:
        if problem.errno in _SCARCE:
            logger.warning("no connections are accepted for a moment: %s", problem.strerror)
            self.connections.make_room()
            await asyncio.sleep(PAUSE)
        elif not isinstance(problem, ConnectionAbortedError):
            await asyncio.sleep(0.01)
