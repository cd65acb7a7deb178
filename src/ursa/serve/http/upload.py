"""Request -> the pictures in it, in memory. Nothing is written to disk.

A body has a size, a number of parts, a time in all and a least rate; all bodies together have an amount of memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from ursa.core.text import escaped
from ursa.errors import DataError
from ursa.serve.http.clients import Shares
from ursa.serve.http.form import Form, Upload
from ursa.serve.http.refusals import RefusedError, busy, too_large
from ursa.serve.limits import ServerLimits

RAW = ("image/", "application/octet-stream")
HOW = "send a picture: curl -F picture=@photo.jpg http://HOST/predict"
STALLED = 1.0  # s without progress, after which a body may lose its memory to others

Take = Callable[[bytes], object]


@dataclass(eq=False)
class Body:
    """What is held for one request, from its first byte to its answer."""

    client: str
    clock: asyncio.Timeout | None = None  # while it is being received
    moved: float = 0.0  # when the last `grace * min_rate` bytes of it were complete
    crowded_out: bool = False


class Memory:
    """Bytes of all bodies that are received, wait or are worked on."""

    def __init__(self, total: int) -> None:
        self.shares = Shares[Body](total)

    @contextmanager
    def body(self, client: str) -> Iterator[Body]:
        """A body that may grow."""
        body = Body(client)
        try:
            yield body
        finally:
            self.shares.drop(client, body)

    def grow(self, body: Body, amount: int) -> None:
        """So much more of it has come. Raises RefusedError 503 when there is no room, and nobody has to make some."""
        while self.shares.taken + amount > self.shares.total:
            spare = self._stalled(asyncio.get_running_loop().time()) or self._much_larger(body, amount)
            if spare is None or spare is body:
                raise crowded()
            self._crowd_out(spare)
        self.shares.add(body.client, body, amount)

    def _stalled(self, now: float) -> Body | None:
        """Of the client that holds most, the body that waits longest for its next bytes."""
        for client in self.shares.clients():
            slowest = min(self._coming(client), key=lambda body: body.moved, default=None)
            if slowest is not None and now - slowest.moved > STALLED:
                return slowest
        return None

    def _much_larger(self, body: Body, amount: int) -> Body | None:
        """The largest body of the client that holds most, if it is more than twice as large: small ones come first."""
        client = self.shares.clients()[0]
        largest = max(self._coming(client), key=lambda each: self.shares.held(client, each), default=None)
        if largest is None or self.shares.held(client, largest) <= 2 * (self.shares.held(body.client, body) + amount):
            return None
        return largest

    def _coming(self, client: str) -> list[Body]:
        return [body for body in self.shares.holders(client) if body.clock is not None]

    def _crowd_out(self, body: Body) -> None:
        self.shares.drop(body.client, body)
        body.crowded_out = True
        if body.clock is not None:
            body.clock.reschedule(0)  # wakes its `receive`
            body.clock = None


def crowded() -> RefusedError:
    """503: the memory for bodies is used up."""
    return busy("too much is being sent at once", "no memory for more", "memory")


async def uploads(request: Request, limits: ServerLimits, memory: Memory, body: Body) -> list[Upload]:
    """The pictures of a request, at least one; refused as soon as it is too large, long, slow or of another kind."""

    async def receive(take: Take) -> None:
        await _receive(request, limits, memory, body, take)

    kind, options = parse_options_header(request.headers.get("content-type"))
    name = kind.decode("latin-1").lower()  # older versions of the parser leave it as it was sent
    if name == "multipart/form-data":
        found = await _from_form(receive, options.get(b"boundary", b""), limits)
    elif name.startswith(RAW):
        data = bytearray()
        await receive(data.extend)
        found = [Upload("picture", bytes(data))] if data else []
    elif name or request.headers.get("content-length", "0") != "0":
        shown = escaped(name[:100]) or "none"
        raise RefusedError(415, DataError("pictures cannot be read from this content type", found=shown, fix=HOW))
    else:
        found = []
    if not found:
        raise RefusedError(400, DataError("no picture was sent", fix=HOW))
    return found


async def _from_form(receive: Callable[[Take], Awaitable[None]], boundary: bytes, limits: ServerLimits) -> list[Upload]:
    try:
        form = Form(boundary, limits.max_pictures)
        await receive(form.write)
        form.finalize()
    except FormParserError as problem:
        found = escaped(problem)[:200]
        raise RefusedError(400, DataError("this form cannot be read", found=found, fix=HOW)) from problem
    if form.others and not form.uploads:
        found = "only " + ", ".join(repr(name[:50]) for name in form.others[:5])
        raise RefusedError(400, DataError("no picture in the field 'picture'", found=found, fix=HOW))
    return form.uploads


async def _receive(request: Request, limits: ServerLimits, memory: Memory, body: Body, take: Take) -> None:
    """Every chunk of the body goes to `take` as it comes. Stops at the limit, announced or counted."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.max_bytes:
        raise too_large(f"{int(announced):,} bytes", limits.max_bytes)
    loop = asyncio.get_running_loop()
    body.moved, seen, missing = loop.time(), 0, limits.stretch
    end = body.moved + limits.body_timeout
    try:
        async with asyncio.timeout_at(min(end, body.moved + limits.grace)) as body.clock:
            async for chunk in request.stream():
                if body.crowded_out:  # between two chunks, so that the clock has had no time to say so
                    raise crowded()
                seen, missing = seen + len(chunk), missing - len(chunk)
                if seen > limits.max_bytes:
                    raise too_large(f"more than {limits.max_bytes:,} bytes", limits.max_bytes)
                memory.grow(body, len(chunk))
                take(chunk)
                if missing <= 0:
                    body.moved, missing = loop.time(), limits.stretch
                    body.clock.reschedule(min(end, body.moved + limits.grace))
    except TimeoutError as problem:
        if body.crowded_out:
            raise crowded() from problem
        error = DataError("the picture did not arrive in time", found=f"{seen:,} bytes", fix="send it again")
        raise RefusedError(408, error) from problem
    finally:
        body.clock = None
