"""Bytes of a file -> how much memory decoding it takes at the most, from its header alone.

So that whoever decodes many at a time can keep to one budget: a WebP of 34 bytes may be a white picture of 80
megapixels, honestly written, and its decoder keeps four bytes a pixel five times. What counts are the decoder's own
buffers, Pillow's image (four bytes a pixel but for grey and palettes) and the RGB that comes out. Measured with every
format and mode (`tests/core/test_memory.py`): never less than it takes, at most three times as much.
"""

from collections.abc import Callable

from ursa.core.decoding import headers, jpeg
from ursa.core.decoding.markers import Frame

LEAST = 16 << 20  # bytes: bands, tables, the interpreter's own; the whole of a small picture
LEAST_JPEG = 10 << 20  # nearly none of which is converted in bands
RGB = 3
FULL = 4  # bytes a pixel of Pillow's image in RGB, RGBA, CMYK, LAB, I and F


def needed(data: bytes, kind: str, most: int) -> int:
    """Bytes beyond the file's own, at the most, for all kinds but JPEG. most: pixels from where on `read` refuses.

    Files that `read` refuses from their header take `LEAST`.
    """
    width, height = headers.size(data, kind)
    if width * height > most or kind not in _BYTES_A_PIXEL:
        return LEAST
    said = _BYTES_A_PIXEL[kind]
    return LEAST + width * height * ((said if isinstance(said, int) else said(data)) + RGB)


def needed_jpeg(frame: Frame, at_least: int | None, side: str) -> int:
    """The same for a JPEG with a sound frame. `at_least`, `side`: see `ursa.core.decoding.image.read`."""
    height, width = frame.height, frame.width
    least = (height, width) if at_least is None else jpeg.least(height, width, at_least, side)
    by = jpeg.halvings(height, width, *least)
    pixels, whole = -(-height // by) * -(-width // by), height * width
    samples = sum(h * v for h, v in zip(frame.sampling[::2], frame.sampling[1::2], strict=True))
    # Coefficients of two bytes until the last scan has come, whatever the size that is asked for.
    kept = 2 * whole * samples // (max(frame.sampling[::2]) * max(frame.sampling[1::2])) if frame.is_multiscan else 0
    # Pillow decodes what libjpeg warns of, if only at the end.
    return LEAST_JPEG + kept + pixels * (FULL + RGB) + (0 if frame.is_simple and frame.components < 4 else LEAST)


def _png(data: bytes) -> int:
    depth, colors = data[24:25], data[25:26]
    if colors in (b"\2", b"\4", b"\6"):
        return FULL
    return 2 if depth == b"\x10" else 1


def _bmp(data: bytes) -> int:
    depth = int.from_bytes(data[28:30] if data[14] >= 40 else data[24:26], "little")
    return FULL if depth > 8 else 3  # run-length encoded: the same as bytes, twice


def _ico(data: bytes) -> int:
    twice = 1 if b"\x89PNG" in data[: 1 << 16] else 2  # a bitmap says twice its height
    return (3 * FULL + 2) // twice  # colours, mask, and both together


def _tiff(data: bytes) -> int:
    page = next(headers.directories(data), {})
    bits = max(page.get(headers.BITS, (1,)))
    samples = page.get(headers.SAMPLES, (1,))[0] or 1
    gray = samples == 1 and page.get(headers.PHOTOMETRIC, (0,))[0] in (0, 1, 3)
    stored = max(1, min(samples, 8) * min(64, bits) // 8)  # one strip may hold the whole picture
    image = (FULL if bits > 16 else 2 if bits > 8 else 1) if gray else FULL
    turned = image if page.get(headers.ORIENTATION, (1,))[0] != 1 else 0
    return image + stored + turned + (FULL if page.get(headers.PHOTOMETRIC, (0,))[0] == 6 else 0)


def _webp(data: bytes) -> int:
    """Two canvases, the frame as bytes and as an image; a lossless one is unpacked by itself before."""
    return 4 * FULL + (FULL if b"VP8L" in data[12 : 1 << 12] else 2)


def _avif(data: bytes) -> int:
    """Its planes, twice where grain or tiles are added, and as WebP the frame as bytes and as an image."""
    place = data.find(b"pixi", 0, 1 << 14)  # the bits of each plane (ISO/IEC 23008-12, 6.5.6)
    planes = data[place + 9 : place + 9 + data[place + 8]] if 0 <= place < len(data) - 9 else b"\x0a\x0a\x0a"
    if b"auxC" in data[: 1 << 14]:  # opacity
        planes += planes[:1]
    deep = 2 if max(planes, default=10) > 8 else 1
    return 2 * len(planes) * deep + (2 if len(planes) == 1 else 2 * FULL)


def _jpeg2000(data: bytes) -> int:
    """32 bits a sample of the whole or of one tile, and what is kept of each code-block."""
    found = headers.codestream(data)
    if found is None:
        return 0
    samples = 4 * min(found.components, 5)
    return -(-samples // max(1, found.tiles)) + FULL + 400 * found.code_blocks // (found.width * found.height)


def _netpbm(data: bytes) -> int:
    kind = data[1:2]
    if kind in b"14":
        return 1 if kind == b"4" else 4
    text = 16 if kind in b"23" else 0  # numbers of eight bytes and what they were written as
    return (3 if kind in b"36" else 1) * text + (2 * FULL + 3 if kind in b"36" else 2 * FULL)


_BYTES_A_PIXEL: dict[str, Callable[[bytes], int] | int] = {
    "PNG": _png,
    "GIF": 1,
    "BMP": _bmp,
    "ICO": _ico,
    "TIFF": _tiff,
    "WEBP": _webp,
    "AVIF": _avif,
    "HEIC": 8 + 3 * FULL,  # as AVIF, with the most that it may have
    "JPEG2000": _jpeg2000,
    "PPM": _netpbm,
}
