"""Requests without a key are refused, where keys were given; compared in constant time."""

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ursa.core import files
from ursa.core.text import escaped
from ursa.errors import DataError

VARIABLE = "URSA_API_KEY"
OPEN = ("/health", "/ready")  # what answers without a key: an orchestrator's probes send none
SHORTEST, LONGEST, MOST_BYTES = 16, 512, 1 << 16  # characters of a key; of the file of keys
MAKE = 'make one: python -c "import secrets; print(secrets.token_urlsafe(32))"'


def api_keys(file: Path | None, environment: str | None = None) -> tuple[str, ...]:
    """Keys of a file, one a line (`#` begins a comment), and of URSA_API_KEY. Raises DataError for what is none."""
    keys = [] if (found := os.environ.get(VARIABLE) if environment is None else environment) is None else [found]
    if file is not None:
        keys += _of_file(file)
    return checked_keys(keys)


def checked_keys(keys: Iterable[str]) -> tuple[str, ...]:
    """Keys as they are compared. Raises DataError for one that can be guessed, or that no header can carry."""
    known = tuple(key.strip() for key in keys)
    for key in known:
        if not SHORTEST <= len(key) <= LONGEST:
            raise DataError(f"an API key has {SHORTEST} to {LONGEST} characters", found=f"{len(key)}", fix=MAKE)
        if not all("!" <= sign <= "~" for sign in key):
            raise DataError("an API key is of letters, digits and signs of ASCII", found="another character", fix=MAKE)
    return known


class RequireKey:
    """Around an application: 401 for all but `OPEN`, unless the request carries one of the keys."""

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self.app, self.digests = app, [_digest(key.encode()) for key in checked_keys(keys)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        carries = self._knows(_key_of(Headers(scope=scope)))
        if carries or scope["path"] in OPEN:
            await self.app({**scope, "ursa.key": carries}, receive, send)
            return
        error = DataError(
            "this server needs an API key", found="none, or another one", fix="send Authorization: Bearer KEY"
        )
        headers = {"www-authenticate": "Bearer", "connection": "close"}
        await JSONResponse(error.to_json(), 401, headers)(scope, receive, send)

    def _knows(self, key: bytes) -> bool:
        digest = _digest(key)
        return sum(hmac.compare_digest(digest, known) for known in self.digests) > 0  # all are compared


def may_know(scope: Scope) -> bool:
    """Whether who asks is told about models: no key was wanted, or one was sent."""
    return bool(scope.get("ursa.key", True))


def _key_of(headers: Headers) -> bytes:
    kind, _, key = headers.get("authorization", "").partition(" ")
    return (key if kind.lower() == "bearer" else headers.get("x-api-key", "")).strip().encode("latin-1")


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _of_file(file: Path) -> list[str]:
    try:
        lines = files.read_bytes(file, MOST_BYTES).decode("ascii").splitlines()
    except (OSError, ValueError) as problem:
        found = escaped(problem)
        raise DataError(f"the file of API keys {escaped(file)} cannot be read", found=found, fix=MAKE) from problem
    keys = [line for line in (line.strip() for line in lines) if line and not line.startswith("#")]
    if not keys:
        raise DataError(f"there is no API key in {escaped(file)}", found="an empty file", fix=MAKE)
    return keys
