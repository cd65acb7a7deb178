"""Application, listening socket -> an HTTP server that accepts only what it has places for, to be run in any thread."""

import asyncio
import errno
import ipaddress
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from ursa.errors import DataError
from ursa.serve.http.acceptor import Acceptor
from ursa.serve.http.http_protocol import Connection, Connections
from ursa.serve.limits import ServerLimits

DRAIN = 1.0  # s of answering, each connection's last request, after SIGTERM; balancers that were told need some time
SETTLE = 0.05  # s in which a connection that was accepted last gives its request
GRACE = 30  # seconds that requests in flight have to finish after Ctrl-C
BACKLOG = 1024  # connections that the system keeps until they are accepted; it may allow fewer


def http_server(
    application: ASGIApp,
    listener: socket.socket,
    limits: ServerLimits,
    *,
    ready: Callable[[str], object] | None = None,
    leaving: Callable[[], object] | None = None,
    grace: int = GRACE,
    forwarded_allow_ips: str = "",
) -> uvicorn.Server:
    """The server to `run(sockets=[listener])`, in any thread; `should_exit = True` ends it as Ctrl-C would.

    ready: called once with the address, when the first request can come. leaving: called when the end begins; after
    SIGTERM it then answers for DRAIN seconds more, so that who sends requests here can find out. Without it, the
    application has no lifespan either. grace: seconds for requests in flight.
    """
    config = uvicorn.Config(
        application,
        http="h11",
        loop="asyncio",
        lifespan="off" if leaving is None else "on",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(forwarded_allow_ips),
        forwarded_allow_ips=forwarded_allow_ips,
        timeout_keep_alive=cast(int, limits.keep_alive),  # goes to call_later, which takes fractions
        timeout_graceful_shutdown=grace,
    )
    return _Server(config, limits, ready, leaving, address(listener))


def listen(host: str, port: int, elsewhere: str = "--host 127.0.0.1 --port 8000") -> socket.socket:
    """A bound socket. Raises DataError that says which port is taken and what to do.

    elsewhere: options that name another place.
    """
    if not 0 <= port <= 65535:  # getaddrinfo would take 65536 for 0
        raise DataError(f"cannot listen on {host} port {port}", found="ports are 0 to 65535", fix=elsewhere)
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as problem:
        raise DataError(f"cannot listen on {host} port {port}", found=problem, fix=elsewhere) from problem
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # a port just left is free; on Windows this option would share it with a stranger
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError as problem:
        listener.close()
        raise _refused(host, port, elsewhere, problem) from problem
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser on this machine finds it: `http://127.0.0.1:8000/`."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


class _Server(uvicorn.Server):
    """uvicorn's server, which accepts only what it has places for, and says when it is ready."""

    def __init__(
        self,
        config: uvicorn.Config,
        limits: ServerLimits,
        ready: Callable[[str], object] | None,
        leaving: Callable[[], object] | None,
        url: str,
    ) -> None:
        super().__init__(config)
        self.limits, self.ready, self.leaving, self.url = limits, ready, leaving, url
        self._told_to_end = False  # by another program, not by somebody at the keyboard

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn's, but Ctrl-C is not raised once more after the shutdown: that would look like a second press."""
        if sig != signal.SIGINT:
            self._told_to_end = True
            super().handle_exit(sig, frame)
            return
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        places = Connections(self.limits.max_connections)

        def connection(client: str) -> Connection:
            return Connection(self.config, self.server_state, self.lifespan.state, client, places, self.limits)

        self.servers = [cast(Any, Acceptor(listener, places, connection)) for listener in sockets or []]
        self.started = True
        if self.ready is not None:
            self.ready(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but no connection is lost that the system has accepted, nor one that is told to end.

        uvicorn closes the listener at once: the system resets whoever waits in its backlog, request sent or not.
        """
        if self.leaving is not None:
            self.leaving()
            if self._told_to_end:
                await asyncio.sleep(DRAIN)
        for acceptor in self.servers:
            await cast(Any, acceptor).accept_last()
        for listener in sockets or []:
            listener.close()
        await asyncio.sleep(SETTLE)
        await super().shutdown(sockets)


def _refused(host: str, port: int, elsewhere: str, problem: OSError) -> DataError:
    if problem.errno == errno.EADDRINUSE:
        fix = f"stop the other program, or choose another port: --port {port + 1 if port < 65535 else 8000}"
        return DataError(f"port {port} is taken", found=f"another program listens on {host}:{port}", fix=fix)
    if problem.errno == errno.EACCES:
        return DataError(f"port {port} may not be opened", found=problem.strerror, fix="--port 8000")
    return DataError(f"cannot listen on {host} port {port}", found=problem.strerror, fix=elsewhere)
