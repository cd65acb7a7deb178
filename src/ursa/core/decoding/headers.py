"""Bytes -> what a file says of itself before it is decoded: its size, its frames, the directories of a TIFF.

For what a decoder would only find out by unpacking or by walking through the whole file. Nothing is allocated, every
walk ends, and what is cut off or makes no sense counts as not said.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ursa.core.decoding import gif

WALK = 1_000  # frames, pages, icons at most: enough to say "many", and a file that points at itself ends
ENTRIES = 4_096  # of one directory, and 16 times as many in all of them: they may overlap

_BOXES = 1 << 20  # bytes at the beginning in which the boxes of AVIF and HEIC are looked for

# Tags of TIFF 6.0 and TIFF/EP (ISO 12234-2).
SUBFILE_TYPE, WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, MAX_SAMPLE = 254, 256, 257, 258, 259, 262, 281
ORIENTATION, SAMPLES = 274, 277
STRIP_PLACES, STRIP_LENGTHS, TILE_PLACES, TILE_LENGTHS = 273, 279, 324, 325
TILE_WIDTH, TILE_LENGTH, SUB_DIRECTORIES, SMAX_SAMPLE, DNG_VERSION = 322, 323, 330, 341, 50706

Directory = Mapping[int, tuple[int, ...]]  # tag -> its numbers; only those of whole numbers


def size(data: bytes, kind: str) -> tuple[int, int]:
    """The largest width x height in pixels that decoding has to hold; (0, 0) where the decoder says it by itself."""
    if kind not in _SIZES:
        return 0, 0
    return max(_SIZES[kind](data), key=lambda size: size[0] * size[1], default=(0, 0))


def frames(data: bytes, kind: str) -> int | None:
    """Frames of a GIF, pages of a TIFF, `WALK` at most; None for kinds whose header says it to the decoder."""
    if kind == "GIF":
        return max(1, gif.frames(data, WALK))
    if kind == "TIFF":  # small versions of a page and masks are no pages
        return max(1, sum(not _first(each, SUBFILE_TYPE) & 5 for each in directories(data)))
    return None


def directories(data: bytes) -> Iterator[Directory]:
    """The directories of a TIFF or BigTIFF in their order, `WALK` at most."""
    place, order, big = _first_directory(data)
    seen: set[int] = set()
    left = 16 * ENTRIES
    while place and place not in seen and len(seen) < WALK and left > 0:
        seen.add(place)
        left -= _unpack(order + ("Q" if big else "H"), data, place)[0]
        found, place = _directory(data, place, order, big)
        if found:
            yield found


def entries(data: bytes) -> int:
    """Entries that the first directory of a TIFF says it has."""
    place, order, big = _first_directory(data)
    return _unpack(order + ("Q" if big else "H"), data, place)[0]


def strips(data: bytes) -> int:
    """Strips or tiles of the first page of a TIFF."""
    place, order, big = _first_directory(data)
    return max((count for tag, _, count, _ in _entries(data, place, order, big) if tag in (273, 324)), default=0)


def is_raw(data: bytes) -> bool:
    """Whether a TIFF is a camera's raw file: its first picture is then only a preview, or the sensor's own mosaic."""
    first, (_, order, big) = next(directories(data), {}), _first_directory(data)
    inside = (_directory(data, place, order, big)[0] for place in first.get(SUB_DIRECTORIES, ())[:16])
    mosaic = any(_first(each, PHOTOMETRIC) in (32803, 34892) for each in (first, *inside))
    return mosaic or DNG_VERSION in first or data[8:10] == b"CR" or bool(_first(first, SUBFILE_TYPE) & 1)


def _first_directory(data: bytes) -> tuple[int, str, bool]:
    """-> its place in a TIFF, the order of bytes, whether it is a BigTIFF."""
    order, big = "<" if data[:2] == b"II" else ">", 43 in data[2:4]
    (place,) = _unpack(order + ("Q" if big else "I"), data, 8 if big else 4)
    return place, order, big


def rare_compression(data: bytes) -> str | None:
    """How a TIFF is compressed, where most builds of libtiff cannot undo it."""
    names = {34887: "LERC", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL"}
    names |= dict.fromkeys((33003, 33005, 34712), "JPEG 2000")
    return names.get(_first(next(directories(data), {}), COMPRESSION))


def is_cut(data: bytes, kind: str) -> bool:
    """Whether the file ends before it says it does. (Some decoders make do with what there is.)"""
    if kind == "WEBP":
        return len(data) < 8 + _unpack("<I", data, 4)[0]
    if kind == "TIFF":  # programs write the directory first or last
        return max(_first_directory(data)[0], _data_end(next(directories(data), {}))) >= len(data)
    if kind in ("AVIF", "HEIC"):
        return _boxes_end(data) > len(data)
    return kind == "JPEG2000" and _is_cut_codestream(data, _codestream(data))


def _data_end(directory: Directory) -> int:
    """The last byte of the strips or tiles of a page."""
    places = directory.get(STRIP_PLACES) or directory.get(TILE_PLACES) or ()
    lengths = directory.get(STRIP_LENGTHS) or directory.get(TILE_LENGTHS) or ()
    return max((place + length - 1 for place, length in zip(places, lengths, strict=False)), default=0)


def _boxes_end(data: bytes) -> int:
    """Where the last box of an ISO base media file ends (ISO/IEC 14496-12, 4.2)."""
    place = 0
    for _ in range(WALK):
        if place >= len(data):
            break
        (length,) = _unpack(">I", data, place)
        if length == 1:
            (length,) = _unpack(">Q", data, place + 8)
        if length < 8:  # 0: to the end of the file
            return len(data)
        place += length
    return place


def has_unreadable_names(data: bytes) -> bool:
    """Whether names or types of items in a HEIC are no text, on which pi-heif 1.4 ends the process."""
    place = data.find(b"infe", 0, _BOXES)
    while place >= 4:
        (length,) = _unpack(">I", data, place - 4)
        item = data[place + 4 : place - 4 + min(length, 4096)]
        try:
            item[10 if item[:1] == b"\3" else 8 :].decode()
        except UnicodeDecodeError:
            return True
        place = data.find(b"infe", place + 4, _BOXES)
    return False


class Codestream(NamedTuple):
    """What the main header of a JPEG 2000 says (ISO/IEC 15444-1, A.5 and A.6)."""

    width: int
    height: int
    components: int
    bits: int
    tiles: int
    code_blocks: int  # of all components at full size


def codestream(data: bytes) -> Codestream | None:
    """None where there is none, or its header makes no sense."""
    place = _codestream(data)
    if data[place : place + 4] != b"\xff\x4f\xff\x51":
        return None
    right, bottom, left, top, tile_width, tile_height, x, y = _unpack(">8I", data, place + 8)
    components, depth = _unpack(">HB", data, place + 40)
    width, height = right - left, bottom - top
    if min(width, height, tile_width, tile_height) <= 0:
        return None
    tiles = -(-(right - x) // tile_width) * -(-(bottom - y) // tile_height)
    style = data.find(b"\xff\x52", place, place + 4096)
    exponents = _unpack(">BB", data, style + 10) if style >= 0 else (4, 4)
    block = 1 << sum(min(8, exponent & 15) + 2 for exponent in exponents)
    return Codestream(width, height, components, (depth & 127) + 1, tiles, width * height * components // block)


def _codestream(data: bytes) -> int:
    """Where the codestream of a JP2 begins (ISO/IEC 15444-1, I.5.4); beyond the end where there is none."""
    place = 0
    while data[:4] != b"\xff\x4f\xff\x51" and place < len(data):
        (length,) = _unpack(">I", data, place)
        wide = length == 1
        if wide:
            (length,) = _unpack(">Q", data, place + 8)
        if data[place + 4 : place + 8] == b"jp2c":
            return place + (16 if wide else 8)
        place += length if length >= 8 else len(data)
    return place


def _is_cut_codestream(data: bytes, place: int) -> bool:
    """Goes from tile-part to tile-part by their lengths; after the last one comes the end mark (A.4)."""
    place = data.find(b"\xff\x90\x00\x0a", place)  # the first tile-part
    while 0 <= place < len(data) and data[place : place + 2] == b"\xff\x90":
        (length,) = _unpack(">I", data, place + 6)
        if length < 14:  # 0: it reaches to the end
            return not data.endswith(b"\xff\xd9")
        place += length
    return place < 0 or data[place : place + 2] != b"\xff\xd9"


def _directory(data: bytes, place: int, order: str, big: bool) -> tuple[Directory, int]:
    """-> numbers by tag, place of the following directory (0: none)."""
    wide = "Q" if big else "I"
    found: dict[int, tuple[int, ...]] = {}
    for tag, type, count, at in _entries(data, place, order, big):
        letter = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(type)
        if letter and 0 < count <= 64:
            if struct.calcsize(letter) * count > (8 if big else 4):
                (at,) = _unpack(order + wide, data, at)
            found[tag] = _unpack(f"{order}{count}{letter}", data, at)
    (number,) = _unpack(order + ("Q" if big else "H"), data, place)
    (following,) = _unpack(order + wide, data, place + (8 + 20 * number if big else 2 + 12 * number))
    return found, following


def _entries(data: bytes, place: int, order: str, big: bool) -> Iterator[tuple[int, int, int, int]]:
    """(tag, type, count, where the value or its place stands) of a directory, `ENTRIES` at most."""
    (number,) = _unpack(order + ("Q" if big else "H"), data, place)
    place += 8 if big else 2
    each, inline = (20, 8) if big else (12, 4)
    layout = struct.Struct(f"{order}HH{'Q' if big else 'I'}")
    for start in range(place, place + min(number, ENTRIES) * each, each):
        if start + layout.size > len(data):
            return
        yield *layout.unpack_from(data, start), start + each - inline


def _first(directory: Directory, tag: int) -> int:
    return directory.get(tag, (0,))[0]


def _unpack(layout: str, data: bytes, place: int) -> tuple[int, ...]:
    """As struct.unpack_from; zeros beyond the end of the data."""
    size = struct.calcsize(layout)
    return struct.unpack(layout, data[place : place + size].ljust(size, b"\0"))


def _pages(data: bytes) -> Iterator[tuple[int, int]]:
    """The first page, and its tile: a decoder unpacks one whole, however small the picture."""
    first = next(directories(data), {})
    yield _first(first, WIDTH), _first(first, LENGTH)
    yield _first(first, TILE_WIDTH), _first(first, TILE_LENGTH)


def _png(data: bytes) -> Iterator[tuple[int, int]]:
    if data[12:16] == b"IHDR":
        width, height = _unpack(">II", data, 16)
        yield width, height


def _bmp(data: bytes) -> Iterator[tuple[int, int]]:
    width, height = _unpack("<HH", data, 18) if data[14:15] == b"\x0c" else _unpack("<ii", data, 18)
    yield abs(width), abs(height)


def _gif(data: bytes) -> Iterator[tuple[int, int]]:
    """The screen, which the first frame may exceed."""
    width, height = _unpack("<HH", data, 6)
    yield width, height


def _jpeg2000(data: bytes) -> Iterator[tuple[int, int]]:
    if found := codestream(data):
        yield found.width, found.height


def _netpbm(data: bytes) -> Iterator[tuple[int, int]]:
    if found := _numbers(data[: 1 << 16]):
        yield int(found[1]), int(found[2])


_GAP = rb"(?:[ \t\n\r\v\f]|#[^\r\n]*[\r\n])+"
_numbers = re.compile(rb"P[1-6]" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s").match


def _webp(data: bytes) -> Iterator[tuple[int, int]]:
    """The canvas, which is allocated when the file is opened (RFC 9649)."""
    if data[12:16] == b"VP8X":
        yield int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    elif data[12:16] == b"VP8 ":
        width, height = _unpack("<HH", data, 26)
        yield width & 0x3FFF, height & 0x3FFF
    elif data[12:16] == b"VP8L":
        (bits,) = _unpack("<I", data, 21)
        yield (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _boxes(data: bytes) -> Iterator[tuple[int, int]]:
    """The `ispe` properties of AVIF and HEIC (ISO/IEC 23008-12, 6.5.3), of tiles and of the whole."""
    place = data.find(b"ispe", 0, _BOXES)
    for _ in range(WALK):
        if place < 0:
            return
        width, height = _unpack(">II", data, place + 8)
        yield width, height
        place = data.find(b"ispe", place + 4, _BOXES)


def _icons(data: bytes) -> Iterator[tuple[int, int]]:
    """The pictures inside an ICO, which may be of any size, whatever its list of at most 256 x 256 says."""
    (count,) = _unpack("<H", data, 4)
    for number in range(min(count, WALK)):
        (place,) = _unpack("<I", data, 6 + 16 * number + 12)
        if data[place : place + 8] == b"\x89PNG\r\n\x1a\n":
            width, height = _unpack(">II", data, place + 16)
        elif _unpack("<I", data, place) == (12,):  # the oldest kind of bitmap
            width, height = _unpack("<HH", data, place + 4)
        else:
            width, height = _unpack("<ii", data, place + 4)
        yield abs(width), abs(height)


_SIZES = {
    "WEBP": _webp,
    "AVIF": _boxes,
    "HEIC": _boxes,
    "ICO": _icons,
    "TIFF": _pages,
    "PNG": _png,
    "BMP": _bmp,
    "GIF": _gif,
    "JPEG2000": _jpeg2000,
    "PPM": _netpbm,
}
