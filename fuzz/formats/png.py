"""PNG as a list of chunks (W3C PNG, 3rd edition), written with checksums that are right, mostly."""

import struct
import zlib
from random import Random

from fuzz.values import blob, bytes_changed, number, put, rearranged

SIGNATURE = b"\x89PNG\r\n\x1a\n"
UNPACKED = 1 << 20  # bytes of pixels that are worth unpacking and packing again
TYPES = (b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"bKGD", b"pHYs", b"sBIT")
ANIMATED = (b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND", b"IHDR", b"eXIf", b"hIST", b"tIME", b"cICP", b"xxXx")

Chunk = tuple[bytes, bytes]


def parse(data: bytes) -> tuple[list[Chunk], bytes]:
    """(chunks, what follows the last whole one)."""
    place, chunks = len(SIGNATURE), []
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if place + 12 + length > len(data):
            break
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks, data[place:]


def build(chunks: list[Chunk], rest: bytes = b"", wrong: int = -1) -> bytes:
    """The bytes of these chunks; the one with the index `wrong` gets another checksum."""
    parts = [SIGNATURE]
    for i, (name, body) in enumerate(chunks):
        check = zlib.crc32(name + body) ^ (i == wrong)
        parts.append(struct.pack(">I", len(body)) + name + body + struct.pack(">I", check))
    return b"".join(parts) + rest


def mutate(data: bytes, rng: Random) -> bytes:
    """One change of the structure."""
    chunks, rest = parse(data)
    if not chunks:
        return bytes_changed(data, rng)
    match rng.randrange(9):
        case 0 | 1:
            chunks = rearranged(chunks, rng, lambda: _new(rng))
        case 2:
            chunks = _header(chunks, rng)
        case 3 | 4:
            chunks = _pixels(chunks, rng)
        case 5:
            return build(chunks, rest, rng.randrange(len(chunks)))
        case 6:
            at = rng.randrange(len(chunks))
            name = rng.choice(TYPES + ANIMATED)
            chunks[at] = (name, chunks[at][1])
        case 7:
            at = rng.randrange(len(chunks))
            name, body = chunks[at]
            cut = rng.randint(0, len(body))
            chunks[at : at + 1] = [(name, body[:cut]), (name, body[cut:])]
        case _:
            at = rng.randrange(len(chunks))
            chunks[at] = (chunks[at][0], bytes_changed(chunks[at][1], rng))
    return build(chunks, rest)


def _new(rng: Random) -> Chunk:
    name = rng.choice(TYPES + ANIMATED)
    packed = zlib.compress(blob(rng) * rng.choice((1, 1, 1000)))
    body = {
        b"iCCP": b"name\0\0" + packed,
        b"zTXt": b"Comment\0\0" + packed,
        b"iTXt": b"Comment\0\1\0\0\0" + packed,
        b"acTL": struct.pack(">II", number(rng, 32), number(rng, 32)),
        b"fcTL": struct.pack(
            ">IIIIIHHBB", *(number(rng, 32) for _ in range(5)), 1, 1, rng.randrange(4), rng.randrange(3)
        ),
        b"fdAT": struct.pack(">I", number(rng, 8)) + packed,
        b"eXIf": b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes((number(rng, 8), 0, 0, 0, 0, 0, 0)),
        b"PLTE": rng.randbytes(3 * rng.choice((1, 2, 16, 256, 257))),
    }.get(name, blob(rng, 800))
    return name, body


def _header(chunks: list[Chunk], rng: Random) -> list[Chunk]:
    name, head = chunks[0]
    match rng.randrange(5):
        case 0 | 1:
            side = rng.choice((number(rng, 32), rng.randint(1, 300)))
            head = put(head, rng.choice((0, 4)), struct.pack(">I", side))
        case 2:
            head = put(head, 8, bytes([rng.choice((1, 2, 4, 8, 16, 0, 3, 32))]))
        case 3:
            head = put(head, 9, bytes([rng.choice((0, 2, 3, 4, 6, 1, 7))]))
        case _:
            head = put(head, rng.randint(10, 12), bytes([rng.choice((0, 1, 2, 255))]))
    return [(name, head), *chunks[1:]]


def _pixels(chunks: list[Chunk], rng: Random) -> list[Chunk]:
    """The pixels' data unpacked, changed, and packed again."""
    places = [i for i, (name, _) in enumerate(chunks) if name == b"IDAT"]
    if not places:
        return chunks
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(b"".join(chunks[i][1] for i in places), UNPACKED)
    except zlib.error:
        return chunks
    packed = zlib.compress(bytes_changed(raw, rng), rng.choice((0, 1, 9)))
    if rng.random() < 0.2:
        packed = bytes_changed(packed, rng)
    kept = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    at = places[0]
    return [*kept[:at], (b"IDAT", packed), *kept[at:]]
