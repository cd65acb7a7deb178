"""A request to an ASGI application, in this process; Starlette's test client would start a thread for each."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


def asked(
    app: ASGIApp, method: str, path: str, headers: Iterable[tuple[bytes, bytes]] = (), chunks: Iterable[bytes] = (b"",)
) -> Answer:
    """The answer to a body that comes in these chunks. What the application raises is raised, and what it logs, too."""
    log, logger = _Log(), logging.getLogger("ursa.serve")
    logger.addHandler(log)
    try:
        answer = asyncio.run(_asked(app, method, path, list(headers), list(chunks)))
    finally:
        logger.removeHandler(log)
    if log.problem is not None:
        raise log.problem
    return answer


class _Log(logging.Handler):
    """Keeps what was logged as an exception: a 500 has its reason there and nowhere else."""

    problem: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.problem = record.exc_info[1]


async def _asked(
    app: ASGIApp, method: str, path: str, headers: list[tuple[bytes, bytes]], chunks: list[bytes]
) -> Answer:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"127.0.0.1:8000"), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    left, sent = list(chunks), []

    async def receive() -> dict[str, Any]:
        if left:
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return Answer(int(start["status"]), dict(start["headers"]), body)
