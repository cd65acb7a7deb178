"""Bytes -> refused where decoding would take long, though the picture is small.

What costs time apart from pixels: scans of a JPEG, directories and strips of a TIFF, chunks of a PNG, blocks of a GIF,
code-blocks of a JPEG 2000, and what Pillow decodes in Python, a byte at a time under the interpreter's lock. Each limit
is far above what programs write and such that a file of 20 MB takes about two seconds at the most.
"""

import struct
from collections.abc import Callable

from ursa.core.decoding import gif, headers, markers, netpbm
from ursa.errors import DataError

SCANS = 1_000  # of a JPEG; programs write 1 to 15
SCANNED = 2_400_000_000  # pixels times scans: 30 scans of the largest picture
ENTRIES = 4_096  # of a TIFF's directory; GeoTIFF has some 50
STRIPS = 65_536  # strips or tiles of a TIFF; Pillow keeps a list of them
CHUNKS = 4_096  # of a PNG, without its pixels
PIXEL_CHUNKS = 200_000  # of a PNG: a picture of 80 megapixels in pieces of 1 KB
PACKED_CHUNKS = 128  # of a PNG: texts and profiles, each of which may unpack to 1 MB
BLOCKS = 65_536  # of a GIF before its first frame: 16 MB of comments
ICONS = 1_000  # of an ICO
RUN_LENGTH_PIXELS = 4_000_000  # of a run-length encoded BMP; Pillow decodes them in Python
RUN_LENGTH_BYTES = 4_000_000
TILES = 4_096  # of a JPEG 2000: 80 megapixels in tiles of 140 x 140
CODE_BLOCKS = 1_000_000  # of a JPEG 2000: 80 megapixels, three colours, in blocks of 16 x 16


def check(data: bytes, kind: str) -> None:
    """Raises DataError, "too large: ..." with the limit; what makes no sense is left to the decoder."""
    if kind in _CHECKS:
        _CHECKS[kind](data)


def check_scans(data: bytes, frame: markers.Frame) -> None:
    """The same for the scans of a JPEG."""
    pixels = max(1, frame.width * frame.height)
    most = min(SCANS, SCANNED // pixels)
    if markers.scans(data, frame, most) > most:
        raise _too_large(f"a JPEG of {frame.width} x {frame.height} pixels in more than {most:,} scans")


def _too_large(what: str, fix: str = "save it anew with any picture editor") -> DataError:
    return DataError(f"too large: {what}", fix=fix)


def _tiff(data: bytes) -> None:
    entries = headers.entries(data)
    if entries > ENTRIES:
        raise _too_large(f"a TIFF with a directory of {entries:,} entries, the limit is {ENTRIES:,}")
    strips = headers.strips(data)
    if strips > STRIPS:
        raise _too_large(f"a TIFF of {strips:,} strips or tiles, the limit is {STRIPS:,}")


def _png(data: bytes) -> None:
    """Goes from chunk to chunk as far as Pillow does (PNG, 5.3)."""
    place, others, pixels, packed, animated = 8, 0, 0, 0, False
    chunk = struct.Struct(">I4s").unpack_from
    while place + 8 <= len(data):
        length, name = chunk(data, place)
        if name == b"IDAT":
            pixels += 1
        elif name == b"IEND" or (name == b"fcTL" and animated and pixels):  # the second frame is not read
            break
        else:
            others += 1
            packed += name in (b"zTXt", b"iTXt", b"iCCP")
            animated = animated or name == b"acTL"
        if pixels > PIXEL_CHUNKS or others > CHUNKS or packed > PACKED_CHUNKS:
            raise _too_large(
                f"a PNG of more than {PIXEL_CHUNKS:,} chunks of pixels, {CHUNKS:,} others or {PACKED_CHUNKS} packed"
            )
        place += 12 + length


def _gif(data: bytes) -> None:
    if gif.blocks_before_frame(data, BLOCKS + 1) > BLOCKS:
        raise _too_large(f"a GIF with more than {BLOCKS:,} blocks before its first frame")


def _ico(data: bytes) -> None:
    count = int.from_bytes(data[4:6], "little")
    if count > ICONS:
        raise _too_large(f"an ICO of {count:,} pictures, the limit is {ICONS:,}")
    for number in range(count):
        _bitmap(data, int.from_bytes(data[6 + 16 * number + 12 :][:4], "little"))


def _bitmap(data: bytes, place: int = 14) -> None:
    """place: where the header of a bitmap begins, a PNG in an ICO left out.

    One by one, Pillow writes the pixels that an end of line leaves out, and all of those with four bits.
    """
    header = data[place : place + 20]
    if len(header) < 20 or header.startswith(b"\x89PNG") or header[0] < 40 or header[16:] not in (_RLE8, _RLE4):
        return
    width, height = struct.unpack_from("<ii", header, 4)
    singly = data.count(b"\0\0", place) * abs(width) + (255 * len(data) // 2 if header[16:] == _RLE4 else 0)
    pixels = min(abs(width) * abs(height), singly)
    if pixels > RUN_LENGTH_PIXELS or len(data) > RUN_LENGTH_BYTES:
        raise _too_large(
            f"a run-length encoded BMP of {abs(width)} x {abs(height)} pixels in {len(data):,} bytes, "
            f"the limit is {RUN_LENGTH_PIXELS // 1_000_000} million"
        )


_RLE8, _RLE4 = b"\1\0\0\0", b"\2\0\0\0"


def _netpbm(data: bytes) -> None:
    if not netpbm.has_header(data):
        raise DataError(f"unreadable: a PPM file whose header does not end within {netpbm.HEADER:,} bytes")


def _jpeg2000(data: bytes) -> None:
    if (found := headers.codestream(data)) is None:
        return
    if found.tiles > TILES:
        raise _too_large(f"a JPEG 2000 of {found.tiles:,} tiles, the limit is {TILES:,}")
    if found.code_blocks > CODE_BLOCKS:
        raise _too_large(f"a JPEG 2000 of {found.code_blocks:,} code-blocks, the limit is {CODE_BLOCKS:,}")


_CHECKS: dict[str, Callable[[bytes], None]] = {
    "TIFF": _tiff,
    "PNG": _png,
    "GIF": _gif,
    "ICO": _ico,
    "BMP": _bitmap,
    "PPM": _netpbm,
    "JPEG2000": _jpeg2000,
}
