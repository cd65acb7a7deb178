"""Requests under a foreign name are refused: a web page elsewhere must not reach a server on this machine.

Such a page can have its own name resolved to 127.0.0.1 (DNS rebinding) and then read the answers; the Host header,
which it cannot change, gives it away. As Starlette's TrustedHostMiddleware, with answers in JSON and without redirects.
"""

import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ursa.core.text import escaped
from ursa.errors import DataError

LOCAL = ("localhost", "127.0.0.1", "[::1]")
START = "open http://localhost, or start the server with --allowed-host NAME"
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]@/\s]+)\.?(?::[0-9]*)?")


def checked(names: Sequence[str]) -> tuple[str, ...]:
    """Names as they are compared: lower case, without a port. Raises DataError for what can be no host's name."""
    return tuple(_checked(name) for name in names)


class AllowedHosts:
    """Around an application: answers 421 to every other Host. `*` allows all, `*.example.com` all names under it.

    allowed: as `checked` gives them, besides the names of this machine; fix: what to tell who uses another name.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str], fix: str = START) -> None:
        self.app, self.allowed, self.fix = app, (*LOCAL, *allowed), fix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "*" in self.allowed:
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("host", "")
        if self._allows(sent.lower()):
            await self.app(scope, receive, send)
            return
        error = DataError(
            "this server does not answer to that name",
            found=escaped(sent[:100]) or "no Host header",
            fix=self.fix,
        )
        await JSONResponse(error.to_json(), 421, {"connection": "close"})(scope, receive, send)

    def _allows(self, sent: str) -> bool:
        match = _HOST.fullmatch(sent)
        if match is None:
            return False
        host = match[1].rstrip(".")
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in self.allowed)


def _checked(name: str) -> str:
    bare = name.strip().lower()
    if ":" in bare and not bare.startswith("[") and bare.count(":") > 1:
        bare = f"[{bare}]"  # an IPv6 address as people write it
    match = _HOST.fullmatch(bare)
    if match is None or ("*" in match[1].removeprefix("*.") and match[1] != "*"):
        raise DataError(
            "this is no name of a host",
            found=escaped(name),
            fix="as in --allowed-host bears.example.com, without http://",
        )
    return match[1].rstrip(".")
