"""The page's files, read once, with their hashes; and the headers under which they are safe.

index.html               what stands there before anything is known
assets/NAME              style, scripts, icon
assets/languages/NAME    the words, one file a language
"""

import gzip
import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "json": "application/json",
}
TITLE = "What is in the picture?"  # as in index.html and in languages/en.json

ASK_AGAIN = "no-cache"  # kept, and asked for each time whether it is still the same: 304, a few bytes

# Of every answer. Own files only; `blob:` are the visitor's pictures and the table to download.
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@dataclass(frozen=True)
class Kept:
    """Bytes that do not change while the server runs, and how a browser may keep them."""

    data: bytes
    media_type: str
    etag: str
    gzipped: bytes | None  # where that is shorter

    @classmethod
    def of(cls, data: bytes, media_type: str) -> "Kept":
        packed = gzip.compress(data, mtime=0) if not media_type.startswith("image/jpeg") else data
        shorter = packed if len(packed) < len(data) else None
        return cls(data, media_type, hashlib.sha256(data).hexdigest()[:32], shorter)

    def answer(self, request: Request) -> Response:
        """200, or 304 for who has it already."""
        packed = self.gzipped is not None and "gzip" in request.headers.get("accept-encoding", "")
        tag = f'"{self.etag}{"-gzip" if packed else ""}"'
        headers = {"etag": tag, "cache-control": ASK_AGAIN, "vary": "accept-encoding"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if packed and self.gzipped is not None:
            return Response(self.gzipped, media_type=self.media_type, headers={**headers, "content-encoding": "gzip"})
        return Response(self.data, media_type=self.media_type, headers=headers)


@cache
def page_files() -> Mapping[str, bytes]:
    """{path relative to the page: bytes}; the page itself is `index.html`, under the title that nobody chose."""
    place = files("ursa.serve.page").joinpath("assets")
    known = dict(_walk(place, "assets/"))
    return {"index.html": known.pop("assets/index.html"), **known}


def titled(index: bytes, title: str | None) -> bytes:
    """index.html under this title."""
    if title is None:
        return index
    return index.replace(TITLE.encode(), html.escape(title).encode("utf-8", "replace"))


def media_type(name: str) -> str:
    """By the ending of one of our own files."""
    return TYPES[name.rpartition(".")[2]]


def _walk(place: Traversable, under: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _walk(entry, f"{under}{entry.name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            found.append((under + entry.name, entry.read_bytes()))
    return found
