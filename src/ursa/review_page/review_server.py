"""Application -> a server on this machine only, in a thread or in this one, and the address to open."""

import contextlib
import dataclasses
import logging
import socket
import threading

from starlette.types import ASGIApp

from ursa.errors import DataError
from ursa.serve import logs
from ursa.serve.http.http_server import address, http_server, listen
from ursa.serve.limits import ServerLimits, connections

HOST = "127.0.0.1"
GRACE = 2  # s that requests in flight have when it ends; a decision takes milliseconds
STARTS = 10.0  # s

logging.getLogger("ursa.serve").addHandler(logging.NullHandler())  # a terminal that shows progress is no log


def local_socket(port: int = 0) -> socket.socket:
    """On this machine alone; port 0 takes any free one. Raises DataError where it cannot be had."""
    return listen(HOST, port, "--port 0 takes any free one")


class ReviewServer:
    """Serves from the moment it is made until `stop`."""

    def __init__(self, application: ASGIApp, token: str, listener: socket.socket) -> None:
        """listener: as `local_socket` gives it. Raises DataError where the server does not start."""
        self.listener = listener
        self.port: int = self.listener.getsockname()[1]
        self.url = f"{address(self.listener)}{token}/"
        limits = ServerLimits()
        limits = dataclasses.replace(limits, max_connections=connections(200))
        ready = threading.Event()
        self._server = http_server(application, self.listener, limits, ready=lambda _: ready.set(), grace=GRACE)
        self._thread = threading.Thread(target=self._run, name="ursa-review", daemon=True)
        self._thread.start()
        if not ready.wait(STARTS):
            raise DataError("the page cannot be served", found="the server did not start", fix="try another --port")

    def once(self, path: str) -> str:
        """The address of a ticket."""
        return f"{address(self.listener)}{path}/"

    def stop(self) -> None:
        """What is being saved is saved before."""
        self._server.should_exit = True
        self._thread.join(GRACE + 5)
        with contextlib.suppress(OSError):
            self.listener.close()

    def wait(self) -> None:
        """Until it is stopped, or Ctrl-C is pressed."""
        while self._thread.is_alive():
            self._thread.join(0.2)

    def _run(self) -> None:
        with logs.limited():
            self._server.run(sockets=[self.listener])
