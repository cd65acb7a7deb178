"""ISO base media boxes (ISO 14496-12): AVIF and HEIC; JPEG 2000 has the same ones, with a codestream inside."""

import struct
from dataclasses import dataclass
from random import Random

from fuzz.values import blob, bytes_changed, number, put

INSIDE = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0, b"jp2h": 0}
NAMES = (b"ispe", b"pixi", b"colr", b"av1C", b"hvcC", b"irot", b"imir", b"clap", b"auxC", b"ipma", b"iloc", b"iinf")
MORE = (b"iref", b"pitm", b"mdat", b"idat", b"grid", b"ihdr", b"pclr", b"cmap", b"cdef", b"bpcc", b"res ", b"xxxx")
MARKERS = (0x51, 0x52, 0x53, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x55, 0x57, 0x58, 0x90, 0x93, 0xD9, 0x64)


@dataclass(frozen=True)
class Box:
    """Where a box lies: its header, its payload, its end."""

    name: bytes
    start: int
    payload: int
    end: int


def parse(data: bytes, start: int = 0, end: int | None = None, deep: int = 0) -> list[Box]:
    """All boxes, those within others too, a container before its contents."""
    end = len(data) if end is None else end
    boxes: list[Box] = []
    while start + 8 <= end and len(boxes) < 200:
        size, name, payload = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], start + 8
        if size == 1:
            size, payload = int.from_bytes(data[start + 8 : start + 16], "big"), start + 16
        stop = end if size == 0 else start + size
        if stop > end or stop < payload:
            break
        boxes.append(Box(name, start, payload, stop))
        if name in INSIDE and deep < 6:
            boxes += parse(data, payload + INSIDE[name], stop, deep + 1)
        start = stop
    return boxes


def resized(data: bytes, boxes: list[Box], start: int, end: int, new: bytes) -> bytes:
    """The data with `new` in place of [start, end), and the sizes of all boxes around it as they have to be."""
    more = len(new) - (end - start)
    for box in boxes:
        inside = box.payload <= start and (end <= box.end if start < end else end < box.end)  # right behind is outside
        if inside and data[box.start : box.start + 4] not in (b"\0\0\0\0", b"\0\0\0\1"):
            data = put(data, box.start, struct.pack(">I", max(0, box.end - box.start + more) & 0xFFFFFFFF))
    return data[:start] + new + data[end:]


def mutate(data: bytes, rng: Random) -> bytes:
    """One change of the structure."""
    boxes = parse(data)
    if not boxes:
        return bytes_changed(data, rng)
    box = rng.choice(boxes)
    body = data[box.payload : box.end]
    match rng.randrange(10):
        case 0:
            return resized(data, boxes, box.start, box.end, b"")
        case 1:
            return resized(data, boxes, box.end, box.end, data[box.start : box.end] * rng.choice((1, 1, 100)))
        case 2:
            name, new = rng.choice(NAMES + MORE), blob(rng)
            return resized(data, boxes, box.end, box.end, struct.pack(">I", len(new) + 8) + name + new)
        case 3:
            return put(data, box.start, struct.pack(">I", number(rng, 32)))  # a size that lies
        case 4:
            return put(data, box.start + 4, rng.choice(NAMES + MORE + tuple(INSIDE)))
        case 5:
            return resized(data, boxes, box.payload, box.end, bytes_changed(body, rng))
        case 6 | 7 if box.name == b"jp2c":
            return resized(data, boxes, box.payload, box.end, mutate_codestream(body, rng))
        case 8:
            other = rng.choice(boxes)
            return resized(data, boxes, box.start, box.end, data[other.start : other.end])
        case _:  # a field, where it lies
            small = [each for each in boxes if each.end - each.payload < 400] or boxes
            box = rng.choice(small)
            width = rng.choice((1, 2, 4))
            at = rng.randint(box.payload, max(box.payload, box.end - width))
            return put(data, at, number(rng, 8 * width).to_bytes(width, "big"))[: len(data)]


def mutate_codestream(data: bytes, rng: Random) -> bytes:
    """JPEG 2000's own markers (ISO 15444-1, annex A): one field of the main header, or a marker segment."""
    place, segments = 2, []
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0x93:
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        segments.append((place, place + 2 + length))
        place += 2 + length
    if not segments:
        return bytes_changed(data, rng)
    start, end = rng.choice(segments)
    match rng.randrange(6):
        case 0:
            return data[:start] + data[end:]
        case 1:
            return data[:end] + data[start:end] * rng.choice((1, 1, 50)) + data[end:]
        case 2:
            return put(data, start + 1, bytes([rng.choice(MARKERS)]))
        case _:
            width = rng.choice((1, 2, 4))
            at = rng.randint(start + 2, max(start + 2, min(end, len(data)) - width))
            return put(data, at, number(rng, 8 * width).to_bytes(width, "big"))[: len(data)]
