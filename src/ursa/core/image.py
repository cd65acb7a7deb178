"""Bytes -> RGB picture. One reading for training, embedding, export and server.

What it settles: the EXIF turn is applied, transparency is laid on white, CMYK and LAB become RGB, 16-bit values are
scaled (not cut) to 8, an animation is its first frame. What cannot be read whole is refused with the reason: a
truncated file is never filled up with grey, a bomb never unpacked.
"""

import contextlib
import io
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from ursa.errors import DataError

Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 80_000_000  # 240 MB as RGB; the largest phone sensors in common use give 50 million
ORIENTATION = 0x0112  # the EXIF tag that says how the camera was held

# Pillow's decoders that a file may reach, and no others: each one is attack surface.
DECODERS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


@dataclass(frozen=True)
class Picture:
    """A picture as it is to be seen: upright, RGB."""

    pixels: Pixels  # [h, w, 3], maybe smaller than the file says (see `at_least`)
    format: str  # "JPEG", "PNG", ...: read from the bytes, never from the name
    width: int  # pixels, upright, as in the file
    height: int
    frames: int = 1  # of an animation, or pages; the first one is what is seen


def read(data: bytes, at_least: int | None = None) -> Picture:
    """The picture in these bytes. Raises DataError that names what is wrong with it.

    at_least: the shorter side in pixels that is enough; a larger JPEG may then come out at 1/8 to 7/8 of its
    size, never below twice this, which is several times faster for photos of 12 megapixels (`benchmarks/decode.py`).
    """
    kind = sniff(data)
    if kind not in DECODERS:
        raise DataError(f"not a picture: {kind}", fix="remove the file, or fetch the picture again")
    try:
        with _quiet():
            image, turn, pixels = _decoded(data, kind, at_least)
    except DataError:
        raise
    except Image.DecompressionBombError as problem:
        raise DataError("too large: a decompression bomb", found=problem) from problem
    except MemoryError as problem:
        raise DataError("too large: it does not fit into memory") from problem
    except Exception as problem:  # decoders raise nearly everything on broken input: SyntaxError, KeyError, ...
        raise DataError(_reason(problem, data, kind), found=problem) from problem
    width, height = (image.height, image.width) if turn >= 5 else (image.width, image.height)
    return Picture(_upright(pixels, turn), kind, width, height, int(getattr(image, "n_frames", 1)))


def sniff(data: bytes) -> str:
    """The kind of a file, from its first bytes: a decoder's name, or words for what it is instead."""
    head = data[:64]
    for kind, matches in _KINDS:
        if matches(head):
            return kind
    text = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not data:
        return "an empty file"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if b"<svg" in text:
        return "an SVG drawing"
    if text.startswith(b"<?xml"):
        return "an XML file"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in data[:512]):
        return "a text file"
    return "unknown bytes"


def to_rgb(image: Image.Image) -> Pixels:
    """Any Pillow image -> [h, w, 3] uint8; transparency is laid on white."""
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(image)
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image.load()
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        return np.asarray(converted)
    if image.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    return np.asarray(image.convert("RGB"))


def _decoded(data: bytes, kind: str, at_least: int | None) -> tuple[Image.Image, int, Pixels]:
    """-> the file as Pillow knows it, how it is turned, and its pixels as stored."""
    image = _open(data, kind)
    if image.width * image.height > MAX_PIXELS:
        raise DataError(
            f"too large: {image.width} x {image.height} pixels, the limit is {MAX_PIXELS // 1_000_000} million",
            fix="make it smaller with any picture editor",
        )
    turn = 1 if kind == "TIFF" else _orientation(image)  # Pillow turns a TIFF itself while it loads it
    pixels = _jpeg(data, image, at_least) if kind == "JPEG" else None
    return image, turn, to_rgb(image) if pixels is None else pixels


def _open(data: bytes, kind: str) -> Image.Image:
    """As `Image.open`, but for one decoder and without Pillow's own size warning, which our limit replaces."""
    if kind not in Image.OPEN:
        Image.init()
    if kind not in Image.OPEN:
        raise DataError(f"this Pillow cannot read {kind}", fix="python -m pip install --upgrade pillow")
    return Image.OPEN[kind][0](io.BytesIO(data), "")


def _jpeg(data: bytes, image: Image.Image, at_least: int | None) -> Pixels | None:
    """The fast decoder for plain JPEG; None where Pillow has to decide (CMYK, or libjpeg has something to say).

    The pixels lie four bytes apart, as Pillow keeps them, so that `prepare.resize` need not copy them.
    """
    import simplejpeg

    if image.mode not in ("RGB", "L"):
        return None
    try:
        small = 0 if at_least is None else 2 * at_least
        return np.asarray(simplejpeg.decode_jpeg(data, "RGBX", min_height=small, min_width=small))[..., :3]
    except ValueError:  # truncated, or a harmless warning: Pillow tells them apart
        return None


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


def _from_deep(image: Image.Image) -> Pixels:
    """16-bit, 32-bit and float grey -> RGB. 16-bit by its full range; wider types by the picture's own."""
    values = np.asarray(image).astype(np.float64)
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (float(values.min()), float(values.max()))
    if image.mode == "I" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0  # Pillow opens some 16-bit PNG as "I"
    scaled = np.zeros_like(values) if high <= low else (values - low) * (255 / (high - low))
    grey = np.clip(scaled + 0.5, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _reason(problem: Exception, data: bytes, kind: str) -> str:
    said = str(problem).lower()
    cut = kind == "WEBP" and len(data) < 8 + int.from_bytes(data[4:8], "little")  # less than its header says
    if cut or "truncated" in said or "not enough image data" in said or "broken data stream" in said:
        return f"truncated: the {kind} file ends too early"
    return f"unreadable: a damaged {kind} file of {len(data):,} bytes"


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


def _starts(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _brand(*brands: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[4:8] == b"ftyp" and any(brand in head[8:32] for brand in brands)


_KINDS: tuple[tuple[str, Callable[[bytes], Any]], ...] = (
    ("JPEG", _starts(b"\xff\xd8\xff")),
    ("PNG", _starts(b"\x89PNG\r\n\x1a\n")),
    ("GIF", _starts(b"GIF87a", b"GIF89a")),
    ("WEBP", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    ("BMP", _starts(b"BM")),
    ("TIFF", _starts(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")),
    ("AVIF", _brand(b"avif", b"avis")),
    ("HEIC, which needs a decoder that Ursa does not have yet", _brand(b"heic", b"heix", b"mif1", b"msf1", b"hevc")),
    ("JPEG2000", _starts(b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    ("ICO", _starts(b"\x00\x00\x01\x00")),
    ("PPM", lambda head: head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace()),
    ("a PDF document", _starts(b"%PDF")),
    ("a Photoshop document", _starts(b"8BPS")),
    ("a zip archive", _starts(b"PK\x03\x04")),
    ("gzip-compressed", _starts(b"\x1f\x8b")),
)
