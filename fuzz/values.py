"""What mutators of all formats share: numbers at the edges, bytes changed here and there, lists rearranged."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

LARGEST = 1 << 20  # bytes of a mutant; the rest is cut off
EDGES = (0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 63, 64, 127, 128, 255, 256, 257, 4096, 32767, 32768, 65500, 65535)
WIDE = (65536, 1 << 20, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def number(rng: Random, bits: int) -> int:
    """An unsigned number of so many bits: at an edge, small, or any."""
    match rng.randrange(5):
        case 0 | 1:
            return rng.choice(EDGES) & ((1 << bits) - 1)
        case 2:
            return rng.choice(WIDE) & ((1 << bits) - 1)
        case 3:
            return rng.getrandbits(rng.randint(1, bits))
        case _:
            return rng.getrandbits(bits)


def blob(rng: Random, most: int = 64) -> bytes:
    """Random bytes, zeros, or one byte many times."""
    length = rng.choice((0, 1, 2, 3, 4, 8, 16, rng.randint(0, most)))
    return rng.choice((rng.randbytes(length), bytes(length), b"\xff" * length, bytes([rng.getrandbits(8)]) * length))


def put(data: bytes, at: int, new: bytes) -> bytes:
    """The data with these bytes in place of as many others."""
    return data[:at] + new + data[at + len(new) :] if 0 <= at <= len(data) else data


def bytes_changed(data: bytes, rng: Random) -> bytes:
    """A few bits, bytes or words set; a part removed, doubled, zeroed or moved; some bytes put in."""
    if not data:
        return blob(rng)
    a, b = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
    b = min(b, a + rng.choice((1, 2, 4, 16, 256, len(data))))
    match rng.randrange(10):
        case 0 | 1 | 2:
            out = bytearray(data)
            for _ in range(rng.choice((1, 1, 2, 4, 12))):
                out[rng.randrange(len(out))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.getrandbits(8)))
            return bytes(out)
        case 3:
            return put(data, a, bytes([data[a] ^ (1 << rng.randrange(8))]))
        case 4:
            width = rng.choice((1, 2, 4, 8))
            return put(data, a, number(rng, 8 * width).to_bytes(width, rng.choice(("little", "big"))))[: len(data)]
        case 5:
            return data[:a] + data[b:]
        case 6:
            return data[:b] + data[a:b] * rng.choice((1, 1, 2, 50)) + data[b:]
        case 7:
            return data[:a] + bytes(b - a) + data[b:]
        case 8:
            return data[:a] + blob(rng) + data[a:]
        case _:
            return data[b:] + data[a:b] + data[:a]


def rearranged(items: Sequence[T], rng: Random, make: Callable[[], T]) -> list[T]:
    """One item gone, doubled, moved, swapped with another or new."""
    found = list(items)
    if not found:
        return [make()]
    a, b = rng.randrange(len(found)), rng.randrange(len(found))
    match rng.randrange(5):
        case 0:
            del found[a]
        case 1:
            found[b:b] = [found[a]] * rng.choice((1, 1, 1, 2, 40))
        case 2:
            found[a], found[b] = found[b], found[a]
        case 3:
            found.insert(b, found.pop(a))
        case _:
            found.insert(b, make())
    return found
