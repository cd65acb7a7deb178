"""What caller and worker say to each other: fixed-size messages over a socket; bytes and pixels lie in shared memory.

The caller does not trust a reply: a worker may have been taken over by what it decoded.
"""

import json
import socket
import struct
from typing import Any, NamedTuple

from ursa.core.decoding.image import MAX_PIXELS
from ursa.core.decoding.kinds import DECODERS
from ursa.core.prepare import FITS

ROOM_IN, ROOM_OUT = 512 << 20, -(-3 * MAX_PIXELS >> 20) << 20  # bytes, in whole megabytes: the file, then the pixels
SLOT = ROOM_IN + ROOM_OUT  # of one picture
SLOTS = 4  # one picture is used while the next three are decoded; with two, callers and workers wait
ROOM = SLOTS * SLOT

_REQUEST = struct.Struct("<qqqdBBBxxxxx")
_REPLY = struct.Struct("<Bxxxxxxxqqqqqqq")

PICTURE, REFUSED, NEEDS = range(1, 4)
GO = _REQUEST.pack(-1, 0, 0, 0, 0, 0, 0)  # the answer to NEEDS; requests that were sent before it come first
LARGEST_TEXT = 1 << 16  # bytes of a refusal


class Request(NamedTuple):
    """Decode `length` bytes that lie in a slot of the shared memory; with `size`, also prepare the view of them."""

    length: int
    seconds: float  # of computing
    at_least: int | None = None  # see `core.image.read`
    side: str = "shorter"
    size: int = 0  # pixels, both sides of the view; 0: the pixels as they are
    fit: str = "pad"
    slot: int = 0  # in which of the SLOTS of the shared memory

    def pack(self) -> bytes:
        """The message."""
        at_least = -1 if self.at_least is None else self.at_least
        fit = FITS.index(self.fit)
        return _REQUEST.pack(self.length, at_least, self.size, self.seconds, self.side == "longer", fit, self.slot)

    @classmethod
    def unpack(cls, message: bytes) -> "Request":
        """The request that was packed."""
        length, at_least, size, seconds, longer, fit, slot = _REQUEST.unpack(message)
        side = "longer" if longer else "shorter"
        return cls(length, seconds, None if at_least < 0 else at_least, side, size, FITS[fit], slot)


class Decoded(NamedTuple):
    """A picture whose pixels [rows, columns, 3] lie in the shared memory."""

    rows: int
    columns: int
    format: str
    width: int
    height: int
    frames: int
    orientation: int = 1


def pack_picture(found: Decoded) -> bytes:
    """The reply for a picture."""
    kind = DECODERS.index(found.format)
    numbers = (found.rows, found.columns, kind, found.width, found.height, found.frames, found.orientation)
    return _REPLY.pack(PICTURE, *numbers)


def pack_text(length: int) -> bytes:
    """The reply for a refusal whose text, JSON of `length` bytes, lies where the pixels would."""
    return _REPLY.pack(REFUSED, length, *[0] * 6)


def pack_needs(count: int) -> bytes:
    """The question whether decoding may take `count` bytes of memory; GO is the answer."""
    return _REPLY.pack(NEEDS, count, *[0] * 6)


def unpack(message: bytes) -> Decoded | tuple[int, int]:
    """A reply -> the picture, or (REFUSED, bytes of text), or (NEEDS, bytes). Raises ValueError for nonsense."""
    kind, *numbers = _REPLY.unpack(message)
    first, second, decoder, *_ = numbers
    if min(numbers) < 0 or kind not in (PICTURE, REFUSED, NEEDS) or (kind == REFUSED and first > LARGEST_TEXT):
        raise ValueError("a reply out of bounds")
    if kind != PICTURE:
        return kind, first
    if not 0 < 3 * first * second <= ROOM_OUT or decoder >= len(DECODERS):
        raise ValueError("a picture out of bounds")
    return Decoded(first, second, DECODERS[decoder], *numbers[3:])


def refusal(text: bytes) -> tuple[str, str | None, str | None]:
    """JSON of a refusal -> what, found, fix. Raises ValueError for nonsense."""
    try:
        document: Any = json.loads(text)
    except RecursionError as problem:  # lists within lists, thousands deep
        raise ValueError("not a refusal") from problem
    if not isinstance(document, list) or len(document) != 3 or not isinstance(document[0], str):
        raise ValueError("not a refusal")
    what, found, fix = (None if part is None else str(part) for part in document)
    return str(what), found, fix


def receive(connection: socket.socket, size: int) -> bytes:
    """So many bytes; fewer only where the other side has gone. Raises TimeoutError as the socket does."""
    data = connection.recv(size)
    while data and len(data) < size and (some := connection.recv(size - len(data))):
        data += some
    return data


REQUEST_SIZE, REPLY_SIZE = _REQUEST.size, _REPLY.size
