"""GIF as a list of blocks (GIF89a): the screen with its colours, extensions, pictures, the end."""

import struct
from random import Random

from fuzz.values import blob, bytes_changed, number, put, rearranged


def parse(data: bytes) -> list[bytes]:
    """The blocks; joined they are the file again. The last may be rubbish."""
    head = 13 + _colors(data[10]) if len(data) > 12 else len(data)
    blocks, place = [data[:head]], head
    while place < len(data):
        kind, end = data[place], None
        if kind == 0x21:
            end = _sub_blocks(data, place + 2)
        elif kind == 0x2C and place + 10 < len(data):
            end = _sub_blocks(data, place + 10 + _colors(data[place + 9]) + 1)
        elif kind == 0x3B:
            end = place + 1
        if end is None:
            blocks.append(data[place:])
            break
        blocks.append(data[place:end])
        place = end
    return blocks


def mutate(data: bytes, rng: Random) -> bytes:
    """One change of the structure."""
    blocks = parse(data)
    if rng.random() < 0.4 and len(blocks) > 1:
        return b"".join([blocks[0], *rearranged(blocks[1:], rng, lambda: _new(rng))])
    at = rng.randrange(len(blocks))
    blocks[at] = _fields(blocks[at], at == 0, rng)
    return b"".join(blocks)


def _colors(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _sub_blocks(data: bytes, place: int) -> int | None:
    """Where a row of sub-blocks ends; None where the file ends first."""
    while place < len(data):
        if data[place] == 0:
            return place + 1
        place += data[place] + 1
    return None


def _new(rng: Random) -> bytes:
    control = b"\x21\xf9\x04" + rng.randbytes(4) + b"\0"
    looping = b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + rng.randbytes(2) + b"\0"
    comment = b"\x21\xfe" + b"\xff" + bytes(255) + b"\0"
    sides = [number(rng, 16) for _ in range(4)]
    image = b"\x2c" + struct.pack("<HHHH", *sides) + bytes((rng.choice((0, 0x40)), rng.choice((2, 8, 12)), 4))
    return rng.choice((control, looping, comment, image + rng.randbytes(4) + b"\0", b"\x3b", blob(rng)))


def _fields(block: bytes, screen: bool, rng: Random) -> bytes:
    """Sides, offsets, flags, the width of codes, the codes."""
    if screen and rng.random() < 0.8:
        match rng.randrange(3):
            case 0:
                return put(block, 10, bytes([number(rng, 8)]))
            case _:
                return put(block, rng.choice((6, 8)), struct.pack("<H", number(rng, 16)))
    if block[:1] == b"\x2c" and len(block) > 12 and rng.random() < 0.7:
        match rng.randrange(4):
            case 0 | 1:
                return put(block, rng.choice((1, 3, 5, 7)), struct.pack("<H", number(rng, 16)))
            case 2:
                return put(block, 9, bytes([number(rng, 8)]))
            case _:
                return put(block, 10 + _colors(block[9]), bytes([rng.choice((0, 1, 2, 8, 11, 12, 13, 255))]))
    return bytes_changed(block, rng)
