"""Who may ask: a browser on this machine that was given the address with the token. All others get no answer to use.

The token is the first part of every path, so that a page, its pictures and its requests carry it without cookies, which
frames of notebooks would not send. Web pages elsewhere do not know it; those that name this machine by a name of theirs
are refused by their Host (`serve.http.hosts`), and requests that they cause by their Origin.
"""

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ursa.errors import DataError
from ursa.serve.http.hosts import LOCAL

TOKEN_BYTES = 24  # random ones, 192 bits

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors {frames}"
)


def new_token() -> str:
    """A random one, which is good for one server."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def page_headers(*, framed: bool) -> dict[str, str]:
    """Of every answer. framed: a notebook shows the page in a frame; the token keeps others from doing so."""
    headers = {
        "content-security-policy": POLICY.format(frames="*" if framed else "'none'"),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
    return headers if framed else {**headers, "x-frame-options": "DENY"}


class Ticket:
    """A path that leads to the page once. Browsers are started with their address on a command line, which other users
    of the machine can read: what they see there is spent."""

    def __init__(self) -> None:
        self.path = new_token()
        self._spent = False

    def admits(self, first: str) -> bool:
        """Whether this is the ticket, for the first time."""
        if self._spent or not secrets.compare_digest(first.encode("utf-8", "surrogateescape"), self.path.encode()):
            return False
        self._spent = True
        return True


class TokenAccess:
    """Around the application: its paths begin with the token, and requests that change something come from its page."""

    def __init__(self, app: ASGIApp, token: str, allowed: Sequence[str] = (), ticket: "Ticket | None" = None) -> None:
        """allowed: hosts of proxies that a notebook brings the page through."""
        self.app, self.token, self.allowed = app, token.encode(), (*LOCAL, *allowed)
        self.ticket = ticket or Ticket()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        first = scope["path"].removeprefix("/").partition("/")[0]
        if self.ticket.admits(first):
            return RedirectResponse(f"/{self.token.decode()}/", 303)
        if not secrets.compare_digest(first.encode("utf-8", "surrogateescape"), self.token):
            error = DataError(
                "this address is not the one of this review", fix="open the one that `ursa review` printed last"
            )
            return JSONResponse(error.to_json(), 404)
        headers = Headers(scope=scope)
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and scope["method"] != "GET":
            return _foreign("a page of another site")
        origin = headers.get("origin")
        if origin is not None and not self._own(origin, headers.get("host", "")):
            return _foreign(origin[:100])
        return None

    def _own(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
            name = parts.hostname or ""
        except ValueError:
            return False
        if parts.netloc == host:  # which was looked at before
            return True
        return any(known.startswith("*.") and name.endswith(known[1:]) for known in self.allowed)


def _foreign(found: str) -> Response:
    error = DataError("pages of other sites may not decide here", found=found, fix="use the page itself")
    return JSONResponse(error.to_json(), 403)
