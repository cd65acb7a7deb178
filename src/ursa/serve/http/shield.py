"""Security headers on every answer, and a plain JSON 500 with the reason in the log only."""

import logging
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ursa.core.text import escaped
from ursa.errors import UrsaError

logger = logging.getLogger("ursa.serve")


class Shield:
    """Around everything. headers: of every answer that does not set its own."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self.app, self.headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                known = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    known.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, guarded)
        except Exception:
            logger.exception("%s %s failed", scope["method"], escaped(scope["path"][:200]))
            if started:
                raise
            error = UrsaError("something went wrong in the server", fix="try again; the server's log has the reason")
            await JSONResponse(error.to_json(), 500, {"connection": "close"})(scope, receive, guarded)
