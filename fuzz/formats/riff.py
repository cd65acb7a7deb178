"""WebP as a list of RIFF chunks (RFC 9649)."""

import struct
from random import Random

from fuzz.values import blob, bytes_changed, number, put, rearranged

Chunk = tuple[bytes, bytes]
NAMES = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ", b"xxxx")


def parse(data: bytes) -> tuple[list[Chunk], bytes]:
    """(chunks, what follows the last whole one)."""
    place, chunks = 12, []
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        if place + 8 + length > len(data):
            break
        chunks.append((data[place : place + 4], data[place + 8 : place + 8 + length]))
        place += 8 + length + length % 2
    return chunks, data[place:]


def build(chunks: list[Chunk], rest: bytes = b"") -> bytes:
    """The bytes of these chunks, with sizes that fit them."""
    body = b"".join(packed(name, data) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + len(rest) + 4) + b"WEBP" + body + rest


def packed(name: bytes, data: bytes) -> bytes:
    """One chunk, filled up to an even length."""
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def mutate(data: bytes, rng: Random) -> bytes:
    """One change of the structure."""
    chunks, rest = parse(data)
    if not chunks:
        return bytes_changed(data, rng)
    at = rng.randrange(len(chunks))
    name, body = chunks[at]
    match rng.randrange(8):
        case 0 | 1:
            chunks = rearranged(chunks, rng, lambda: _new(rng))
        case 2:
            chunks[at] = (rng.choice(NAMES), body)
        case 3:
            sizes = struct.pack("<I", number(rng, 32))
            return put(data, rng.choice((4, 16)), sizes)  # a size that lies
        case 4 | 5:
            chunks[at] = (name, _fields(name, body, rng))
        case 6:
            chunks.insert(0, _extended(rng))
        case _:
            chunks[at] = (name, bytes_changed(body, rng))
    return build(chunks, rest)


def _new(rng: Random) -> Chunk:
    return rng.choice((_extended(rng), (rng.choice(NAMES), blob(rng, 400)), (b"ANIM", blob(rng, 6))))


def _extended(rng: Random) -> Chunk:
    canvas = [number(rng, 24).to_bytes(3, "little") for _ in range(2)]
    return b"VP8X", bytes((number(rng, 8), 0, 0, 0)) + canvas[0] + canvas[1]


def _fields(name: bytes, body: bytes, rng: Random) -> bytes:
    """Sizes, offsets and flags of the chunk's header."""
    if name == b"VP8X":
        return put(body, rng.choice((0, 4, 7)), number(rng, 24).to_bytes(3, "little"))
    if name == b"VP8 ":  # a key frame's 14 bits of width and height, or its first partition's length
        return put(body, rng.choice((0, 6, 8)), number(rng, 16).to_bytes(2, "little"))
    if name == b"VP8L":
        return put(body, rng.choice((1, 2, 3, 4)), number(rng, 16).to_bytes(2, "little"))
    if name == b"ANMF":
        if rng.random() < 0.5:
            return put(body, rng.choice((0, 3, 6, 9, 12)), number(rng, 24).to_bytes(3, "little"))
        return body[:16] + bytes_changed(body[16:], rng)
    return bytes_changed(body, rng)
