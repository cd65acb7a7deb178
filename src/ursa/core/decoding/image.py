"""Bytes -> RGB picture. One reading for training, embedding, export and server.

What it settles: the turn is applied, transparency is laid on white, colours are sRGB whatever they were, deep values
are scaled (not cut) to 8 bits, an animation is its first frame. What cannot be read whole is refused with the reason:
a truncated file is never filled up with grey, a bomb never unpacked. The first words of a reason are its kind:

not a picture | needs a decoder | too large | truncated | unreadable
"""

import contextlib
import importlib
import io
import re
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ursa.core.decoding import decoding_limits, headers, jpeg, markers, memory_needed, netpbm
from ursa.core.decoding.color import Pixels, in_srgb, to_rgb
from ursa.core.decoding.kinds import DECODERS, FOREIGN, sniff
from ursa.core.decoding.markers import Frame
from ursa.errors import DataError

__all__ = ["DECODERS", "MAX_PIXELS", "ORIENTATION", "Picture", "Pixels", "read", "sniff", "to_rgb"]

MAX_PIXELS = 80_000_000  # 240 MB as RGB; the largest phone sensors in common use give 50 million
_LIMIT = f"{MAX_PIXELS // 1_000_000} million"
ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held


@dataclass(frozen=True)
class Picture:
    """A picture as it is to be seen: upright, RGB."""

    pixels: Pixels  # [h, w, 3], maybe smaller than the file says (see `at_least`)
    format: str  # "JPEG", "PNG", ...: read from the bytes, never from the name
    width: int  # pixels, upright, as in the file
    height: int
    frames: int = 1  # of an animation, or pages, counted up to `headers.WALK`; the first one is what is seen
    orientation: int = 1  # how it was turned to stand upright, 1 to 8 as in EXIF


def read(
    data: bytes,
    at_least: int | None = None,
    side: str = "shorter",
    out: Pixels | None = None,
    before: Callable[[int], None] | None = None,
) -> Picture:
    """The picture in these bytes. Raises DataError that names what is wrong with it.

    at_least: the length in pixels of the "shorter" or "longer" `side` that is enough; a larger JPEG may then come out
    at 1/8 to 7/8 of its size, never below twice this, which is several times faster for photos of 12 megapixels
    (`benchmarks/decode.py`). out: [3 * MAX_PIXELS] where the pixels are put by decoders that can. before: called before
    decoding with the bytes of memory that it takes at the most beyond the file's own, judged from the header alone.
    """
    kind = sniff(data)
    if kind in FOREIGN:
        raise DataError(f"needs a decoder: {kind}, which Ursa does not read", fix="save it as PNG or JPEG")
    if kind not in DECODERS:
        raise DataError(f"not a picture: {kind}", fix="remove the file, or fetch the picture again")
    frame = _frame(data) if kind == "JPEG" else None
    if before is not None:
        before(_memory_needed(data, kind, frame, at_least, side))
    if frame is not None and (found := jpeg.plain(data, frame, at_least, side, out)) is not None:
        return Picture(found[0], kind, found[1], found[2])
    try:
        with _quiet():
            return _decoded(data, kind, frame, at_least, side)
    except DataError:
        raise
    except Image.DecompressionBombError as problem:
        pixels = int((re.findall(r"\d{3,}", str(problem)) or ["0"])[0])
        raise DataError(f"too large: {pixels:,} pixels, the limit is {_LIMIT}", found=problem) from problem
    except MemoryError as problem:
        raise DataError("too large: it does not fit into memory") from problem
    except Exception as problem:  # decoders raise nearly everything on broken input: SyntaxError, KeyError, ...
        raise DataError(_reason(problem, data, kind), found=problem) from problem


def _memory_needed(data: bytes, kind: str, frame: Frame | None, at_least: int | None, side: str) -> int:
    if kind != "JPEG":
        return memory_needed.needed(data, kind, MAX_PIXELS)
    return memory_needed.LEAST if frame is None else memory_needed.needed_jpeg(frame, at_least, side)


def _frame(data: bytes) -> Frame | None:
    """The frame of a JPEG; None where the file makes no sense, for which Pillow has the words. Raises DataError."""
    frame = markers.frame(data)
    if frame is None:
        return None
    _limited(frame.width, frame.height)
    if frame.foreign:
        raise DataError(f"needs a decoder: {frame.foreign}, which Ursa does not read", fix="save it as PNG or JPEG")
    decoding_limits.check_scans(data, frame)
    return frame if frame.is_sound else None


def _decoded(data: bytes, kind: str, frame: Frame | None, at_least: int | None, side: str) -> Picture:
    _limited(*headers.size(data, kind))
    decoding_limits.check(data, kind)
    if kind in ("JPEG2000", "HEIC") and headers.is_cut(data, kind):  # it might come out with holes
        raise DataError(f"truncated: the {kind} file ends too early, or a part is missing")
    marked = kind != "JPEG" or frame is not None  # else Pillow only has to find the words for what is wrong
    image = _open(data if marked else data[: markers.JUNK], kind)
    _limited(image.width, image.height)
    if not marked:  # it reads on where libjpeg would not, or finds another frame
        raise DataError(f"unreadable: a damaged JPEG file of {len(data):,} bytes (its markers make no sense)")
    # Pillow turns a TIFF itself while it loads it, and libheif a HEIC, whose EXIF only repeats what was done.
    turn = 1 if kind in ("TIFF", "HEIC") else _orientation(image)
    width, height = (image.height, image.width) if turn >= 5 else (image.width, image.height)
    frames = headers.frames(data, kind) or max(1, int(getattr(image, "n_frames", 1)))
    pixels = _jpeg(data, frame, image, at_least, side) if frame is not None else None
    if kind == "PPM" and netpbm.is_read_here(image):
        pixels = to_rgb(netpbm.read(data, image))
    if kind in ("WEBP", "AVIF"):  # whose decoders hold on to two more copies of the picture
        image.load()
        vars(image).pop("_decoder", None)
    pixels = to_rgb(image) if pixels is None else pixels
    return Picture(_upright(pixels, turn), kind, width, height, frames, turn)


def _limited(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise DataError(
            f"too large: {width} x {height} pixels, the limit is {_LIMIT}",
            fix="make it smaller with any picture editor",
        )


def _open(data: bytes, kind: str) -> Image.Image:
    """As `Image.open`, but for one decoder and without Pillow's own size warning, which our limit replaces."""
    if kind == "HEIC":
        return _open_heic(data)
    if kind not in Image.OPEN:
        Image.init()
    if kind not in Image.OPEN or not _is_built_in(kind):
        raise DataError(
            f"needs a decoder: {kind}, which this Pillow was built without",
            fix="python -m pip install --upgrade pillow",
        )
    return Image.OPEN[kind][0](io.BytesIO(data), "")


def _is_built_in(kind: str) -> bool:
    """Whether Pillow was built with the library that it reads this kind with."""
    module = {"AVIF": "PIL.AvifImagePlugin", "WEBP": "PIL.WebPImagePlugin"}.get(kind)
    return module is None or bool(getattr(importlib.import_module(module), "SUPPORTED", True))


def _open_heic(data: bytes) -> Image.Image:
    try:
        plugin = importlib.import_module("pi_heif.as_plugin")
    except ImportError:
        raise DataError(
            "needs a decoder: HEIC (python -m pip install 'ursa-learn[heic]')",
            fix="python -m pip install 'ursa-learn[heic]', or save it as JPEG",
        ) from None
    if headers.has_unreadable_names(data):
        raise DataError("unreadable: a damaged HEIC file (an item whose name is no text)")
    image: Image.Image = plugin.HeifImageFile(io.BytesIO(data), "")
    return image


# What libjpeg says of data that were lost, not merely of bytes too many; it would fill the gap with grey.
_LOST = ("premature end", "huffman", "found marker", "inconsistent progression")


def _jpeg(data: bytes, frame: Frame, image: Image.Image, at_least: int | None, side: str) -> Pixels:
    """By the fast decoder, or by Pillow where it has to decide (CMYK, or libjpeg has something to say).

    Pillow does not pass on what libjpeg says, so CMYK is decoded here too, to hear it.
    """
    layout = "CMYK" if image.mode == "CMYK" else "RGB"
    pixels = None
    try:
        pixels = jpeg.pixels(data, frame, at_least, side, layout)
    except ValueError as problem:  # a gap, or a harmless warning
        said = str(problem).lower()
        if "end of jpeg" in said:
            raise DataError("truncated: the JPEG file ends too early", found=problem) from problem
        if any(words in said for words in _LOST):
            raise DataError("truncated: a part is missing inside the JPEG file", found=problem) from problem
    if pixels is None or layout == "CMYK":
        pixels = None  # so that both are not held at once
        return _drafted(image, at_least, side)
    return in_srgb(pixels, image)


def _drafted(image: Image.Image, at_least: int | None, side: str) -> Pixels:
    """A JPEG by Pillow, at 1/2, 1/4 or 1/8 where that is enough."""
    if at_least is not None:
        height, width = jpeg.least(image.height, image.width, at_least, side)
        image.draft(None, (max(1, width), max(1, height)))
    return to_rgb(image)


def _orientation(image: Image.Image) -> int:
    """1 to 8 as in EXIF, 1 where nothing sound is said."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except (OSError, ValueError, TypeError, KeyError, SyntaxError, struct.error):
        return 1  # broken EXIF does not make the picture unreadable
    return value if value in range(1, 9) else 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """[h, w, 3] as stored -> as the camera was held (EXIF 2.32, 4.6.4 A, Orientation)."""
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


_ENDS = ("truncated", "not enough image data", "broken data stream")  # what Pillow says where a file just ends


def _reason(problem: Exception, data: bytes, kind: str) -> str:
    said = str(problem)
    low = said.lower()
    if headers.is_cut(data, kind) or any(words in low for words in _ENDS):
        return f"truncated: the {kind} file ends too early"
    if "data too large" in low:
        return f"too large: a text or profile inside the {kind} file unpacks to megabytes"
    if kind == "TIFF" and (packed := headers.rare_compression(data)):
        return f"needs a decoder: a TIFF compressed as {packed}"
    if "not identified by this driver" in low:  # Pillow's words where a side is 0
        said = "it has no width or no height"
    told = said.isprintable() and 8 < len(said) < 100 and not low.startswith("decoder error")
    return f"unreadable: a damaged {kind} file of {len(data):,} bytes{f' ({said})' if told else ''}"


_lock = threading.Lock()
_readers = 0
_hush = contextlib.ExitStack()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings, which under the filter "error" would turn a sound picture into a broken one.

    The filters belong to the whole process: the first thread to come sets ours, the last to go puts the old ones back.
    """
    global _readers
    with _lock:
        if _readers == 0:
            _hush.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0:
                _hush.close()
