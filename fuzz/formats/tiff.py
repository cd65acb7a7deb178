"""TIFF and BigTIFF: entries of directories changed where they lie, directories copied, linked to each other."""

import struct
from dataclasses import dataclass
from random import Random
from typing import Literal

from fuzz.values import bytes_changed, number, put

# Width, length, bits, compression, photometric, strip offsets, samples, rows, strip bytes, planar, predictor, colours,
# tile width, length, offsets, bytes, extra samples, sample format, JPEG tables, subsampling, EXIF, ICC, orientation.
TAGS = (
    256,
    257,
    258,
    259,
    262,
    273,
    277,
    278,
    279,
    284,
    317,
    320,
    322,
    323,
    324,
    325,
    338,
    339,
    347,
    530,
    34665,
    34675,
    274,
)
COMPRESSIONS = (1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34676, 34712, 34925, 50000, 50001, 50002)
DIRECTORIES = 16  # that are looked at


@dataclass(frozen=True)
class Layout:
    """Where things lie in a TIFF."""

    order: Literal["little", "big"]
    big: bool  # BigTIFF
    entries: tuple[int, ...]  # offsets of entries: 12 bytes each, 20 in BigTIFF
    links: tuple[int, ...]  # offsets of offsets of directories
    directories: tuple[tuple[int, int], ...]  # begin, end


def parse(data: bytes) -> Layout:
    """The directories that the file leads to, the first few of them."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    big = data[2:4] in (b"+\0", b"\0+")
    link, wide, counted, entry = (8, 8, 8, 20) if big else (4, 4, 2, 12)
    entries: list[int] = []
    links: list[int] = [link]
    directories: list[tuple[int, int]] = []
    while len(directories) < DIRECTORIES:
        start = int.from_bytes(data[links[-1] : links[-1] + wide], order)
        if not 8 <= start < len(data) - counted or any(start == begin for begin, _ in directories):
            break
        count = min(int.from_bytes(data[start : start + counted], order), (len(data) - start) // entry, 100)
        entries += [start + counted + entry * i for i in range(count)]
        end = start + counted + entry * count
        directories.append((start, end + wide))
        links.append(end)
    return Layout(order, big, tuple(entries), tuple(links), tuple(directories))


def mutate(data: bytes, rng: Random) -> bytes:
    """One change of the structure."""
    layout = parse(data)
    if not layout.entries:
        return bytes_changed(data, rng)
    roll = rng.random()
    if roll < 0.75:
        return _entry(data, layout, rng)
    wide = 8 if layout.big else 4
    if roll < 0.82:  # a link to a directory again, to the middle of one, or beyond the end
        to = rng.choice(
            (*(begin for begin, _ in layout.directories), rng.choice(layout.entries), number(rng, 8 * wide))
        )
        return put(data, rng.choice(layout.links), to.to_bytes(wide, layout.order))[: len(data)]
    if roll < 0.9:
        return _copied(data, layout, rng, wide)
    start, _ = rng.choice(layout.directories)
    counted = 8 if layout.big else 2
    return put(data, start, number(rng, 8 * counted).to_bytes(counted, layout.order))


def _entry(data: bytes, layout: Layout, rng: Random) -> bytes:
    at, order = rng.choice(layout.entries), layout.order
    tag = int.from_bytes(data[at : at + 2], order)
    wide = 8 if layout.big else 4
    match rng.randrange(6):
        case 0:
            return put(data, at, rng.choice((rng.choice(TAGS), number(rng, 16))).to_bytes(2, order))
        case 1:
            return put(data, at + 2, rng.choice((*range(19), number(rng, 16))).to_bytes(2, order))
        case 2:
            return put(data, at + 4, number(rng, 8 * wide).to_bytes(wide, order))
        case 3:
            other = rng.choice(layout.entries)
            size = 20 if layout.big else 12
            return put(data, at, data[other : other + size])
        case _:
            return put(data, at + 4 + wide, _value(tag, rng, layout, len(data), wide))


def _value(tag: int, rng: Random, layout: Layout, size: int, wide: int) -> bytes:
    """A value that goes on making some sense for its tag, or any; shorts lie at the left of their field."""
    if tag == 259:
        value = rng.choice(COMPRESSIONS)
    elif tag in (258, 262, 277, 284, 317, 338, 339, 274):
        value = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 64, 65535))
    elif tag in (256, 257, 278, 322, 323):
        value = rng.choice((rng.randint(1, 400), number(rng, 32)))
    else:
        value = rng.choice((rng.randrange(size), number(rng, 8 * wide)))
    if value < 65536 and rng.random() < 0.8:
        return struct.pack("<H" if layout.order == "little" else ">H", value) + bytes(wide - 2)
    return value.to_bytes(wide, layout.order)


def _copied(data: bytes, layout: Layout, rng: Random, wide: int) -> bytes:
    """Directories appended, each linked to the next: many pages, or a loop."""
    start, end = rng.choice(layout.directories)
    body = data[start : end - wide]
    count = rng.choice((1, 3, 200))
    out, place = data, len(data)
    for i in range(count):
        following = place + (i + 1) * (len(body) + wide) if i + 1 < count else rng.choice((0, place, start))
        out += body + following.to_bytes(wide, layout.order)
    return put(out, rng.choice(layout.links), place.to_bytes(wide, layout.order))
