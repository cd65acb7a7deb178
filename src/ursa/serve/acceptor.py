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
from functools import partial

from ursa.serve.clients import client_of
from ursa.serve.protocol import Connection, Connections

logger = logging.getLogger("ursa.serve")

PAUSE = 0.25  # s without accepting, when the system has no more descriptors or memory
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Accepts until it is closed; has of `asyncio.Server` what uvicorn uses."""

    def __init__(
        self, listener: socket.socket, connections: Connections, connection: Callable[[str], Connection]
    ) -> None:
        """connection: client -> the protocol of one connection."""
        listener.setblocking(False)
        self.listener, self.connections, self.connection = listener, connections, connection
        self.task = asyncio.get_running_loop().create_task(self._accept())

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
            try:
                accepted, address = await loop.sock_accept(self.listener)
            except OSError as problem:
                await self._failed(problem)
                continue
            try:
                await self._place()
                await loop.connect_accepted_socket(partial(self.connection, client_of(address[0])), accepted)
            except OSError:  # it is gone already
                accepted.close()
            except BaseException:
                accepted.close()
                raise

    async def _place(self) -> None:
        """Waits while every connection is being answered: the system keeps the next ones."""
        while self.connections.taken >= self.connections.total and not self.connections.make_room():
            await asyncio.sleep(0.02)

    async def _failed(self, problem: OSError) -> None:
        if problem.errno in _SCARCE:
            logger.warning("no connections are accepted for a moment: %s", problem.strerror)
            self.connections.make_room()
            await asyncio.sleep(PAUSE)
        elif not isinstance(problem, ConnectionAbortedError):
            await asyncio.sleep(0.01)
