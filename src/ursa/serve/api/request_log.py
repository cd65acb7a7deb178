"""Around everything: each request gets an ID, is counted, and is a line in the log if lines are wanted.

What is never logged: names of pictures, queries, the Host, keys.
"""

import json
import random
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ursa.core.text import escaped
from ursa.errors import DataError, did_you_mean
from ursa.serve.api.server_metrics import ServerMetrics
from ursa.serve.http.exchange import KEY, Exchange

LOGS = ("none", "text", "json")
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RANDOM = random.Random()  # an ID is no secret
_LONGEST = 200  # characters of a path


def require_log(kind: str) -> None:
    """Raises DataError for an unknown kind of log."""
    if kind not in LOGS:
        raise DataError("there is no such log", found=escaped(kind), fix=did_you_mean(kind, LOGS))


class RequestLog:
    """The outermost layer. leaving: whether the server is about to end, so that connections end with their answer."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServerMetrics,
        kind: str = "none",
        leaving: Callable[[], bool] = lambda: False,
        write: Callable[[str], object] | None = None,
    ) -> None:
        require_log(kind)
        self.app, self.metrics, self.kind, self.leaving = app, metrics, kind, leaving
        self.write = write or _to_stderr

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(_request_id(Headers(scope=scope).get("x-request-id", "")))
        scope[KEY] = exchange
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = exchange.request_id
                if self.leaving():
                    headers["connection"] = "close"
            elif message["type"] == "http.response.body":
                exchange.sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - began
            self.metrics.answered(exchange.model, exchange.path, exchange.status, seconds)
            if exchange.status >= 400:
                self.metrics.refused(exchange.refused, exchange.status)
            if self.kind != "none":
                self.write(_line(scope, exchange, seconds, self.kind))


def _request_id(sent: str) -> str:
    """The one that a proxy gave it, if it is one; a log must not hold what else somebody sends."""
    return sent if _SANE.fullmatch(sent) else f"{_RANDOM.getrandbits(64):016x}"


def _line(scope: Scope, exchange: Exchange, seconds: float, kind: str) -> str:
    known: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "id": exchange.request_id,
        "client": scope["client"][0] if scope.get("client") else None,
        "method": scope["method"][:20],
        "path": escaped(scope["path"][:_LONGEST]),
        "status": exchange.status,
        "ms": round(1e3 * seconds, 1),
        "bytes": exchange.sent,
    }
    if kind == "json":
        return json.dumps(known, ensure_ascii=False)
    return "{time} {client} {method} {path} {status} {ms} ms {bytes} bytes {id}".format(**known)


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
