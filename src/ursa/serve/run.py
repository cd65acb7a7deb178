"""Predictor, or several models -> a web server, until Ctrl-C."""

import contextlib
import dataclasses
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn

from ursa.serve import logs
from ursa.serve.api.readiness import Readiness
from ursa.serve.api.served_models import ServedModel
from ursa.serve.app import ApiOptions, app
from ursa.serve.http.http_server import address, http_server, is_loopback, listen
from ursa.serve.limits import ServerLimits, connections
from ursa.serve.predictor import Predictor

__all__ = ["address", "listen", "run", "server"]

SWITCH = 0.001  # s; at Python's 5 ms, a thread that decodes waits so long several times a picture beside a busy loop


def run(
    served: Predictor | ServedModel | Sequence[ServedModel],
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    ready: Callable[[str], object] | None = None,
    options: ApiOptions | None = None,
    **more: Any,
) -> None:
    """Serve until Ctrl-C, then finish what is in flight and return. (SIGTERM: finish, then end the process.)

    port 0 takes any free one. ready: called once with the address, when the first request can come. options, more: as
    of `server`. Raises DataError when the port or the address cannot be had. Prints nothing.
    """
    with (
        logs.limited(),
        logs.written(as_json=options is not None and options.log == "json"),
        _switching(SWITCH),
        listen(host, port) as listener,
        contextlib.suppress(KeyboardInterrupt),  # raised again after the shutdown
    ):
        server(served, listener, ready=ready, options=options, **more).run(sockets=[listener])


def server(
    served: Predictor | ServedModel | Sequence[ServedModel],
    listener: socket.socket,
    *,
    ready: Callable[[str], object] | None = None,
    title: str | None = None,
    limits: ServerLimits | None = None,
    allowed_hosts: Sequence[str] = (),
    options: ApiOptions | None = None,
    forwarded_allow_ips: str = "",
) -> uvicorn.Server:
    """The server to `run(sockets=[listener])`, in any thread; `should_exit = True` ends it as Ctrl-C would.

    allowed_hosts: names under which it may be asked. On a loopback address, those of this machine are the only others;
    elsewhere all are allowed unless some are given. forwarded_allow_ips: as uvicorn's, addresses of proxies whose
    X-Forwarded-For says who asks, separated by commas; nobody's is believed by default.
    """
    limits = limits or ServerLimits()
    limits = dataclasses.replace(limits, max_connections=connections(limits.max_connections))
    hosts = allowed_hosts if allowed_hosts or is_loopback(listener) else None
    readiness = Readiness()
    application = app(served, title=title, limits=limits, allowed_hosts=hosts, options=options, readiness=readiness)
    return http_server(
        application, listener, limits, ready=ready, leaving=readiness.leave, forwarded_allow_ips=forwarded_allow_ips
    )


@contextlib.contextmanager
def _switching(seconds: float) -> Iterator[None]:
    """Threads take turns in the interpreter so often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
