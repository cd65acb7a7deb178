"""PPM, PGM and PBM as text, or with another highest value than 255, -> image. What Pillow reads a sample at a time.

20 MB of a PGM with the highest value 254 take Pillow a minute with the interpreter's lock held, and a text with many
comments is copied once for each of them. The samples come out as Pillow scales them.
"""

import re
from typing import TypeGuard

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

HEADER = 1 << 16  # bytes in which the numbers of the header have to be, comments and all

_GAP = rb"(?:[ \t\n\r\v\f]|#[^\r\n]*[\r\n])+"
_header = re.compile(rb"P(?:[14](?:" + _GAP + rb"\d+){2}|[2356](?:" + _GAP + rb"\d+){3})[ \t\n\r\v\f]").match
_comments = re.compile(rb"#[^\r\n]*[\r\n]?")
_numbers = re.compile(rb"[0-9 \t\n\r\v\f]*").match


def has_header(data: bytes) -> bool:
    """Whether the numbers of the header come early enough to be read byte by byte."""
    return len(data) <= HEADER or _header(data[:HEADER]) is not None


def is_read_here(image: Image.Image) -> TypeGuard[ImageFile.ImageFile]:
    """image: opened by Pillow, not loaded."""
    return (
        isinstance(image, ImageFile.ImageFile) and bool(image.tile) and image.tile[0].codec_name in ("ppm", "ppm_plain")
    )


def read(data: bytes, image: ImageFile.ImageFile) -> Image.Image:
    """image: opened by Pillow from the data. Raises ValueError, in Pillow's words where the data end too early."""
    tile = image.tile[0]
    bands = 3 if image.mode == "RGB" else 1
    highest = int(tile.args[-1]) if isinstance(tile.args, tuple) else 1  # a PBM says none
    total = image.width * image.height * bands
    if tile.codec_name == "ppm_plain":
        text = _comments.sub(b"", data[tile.offset :])
        values = _bits(text, total) if image.mode == "1" else _text(text, total, highest)
    else:
        values = _binary(data, tile.offset, total, highest)
    if image.mode != "1":
        values = _scale(highest, 65535 if image.mode == "I" else 255)[values]
    shape = (image.height, image.width, 3) if bands == 3 else (image.height, image.width)
    return Image.fromarray(values.reshape(shape))


def _binary(data: bytes, offset: int, total: int, highest: int) -> npt.NDArray[np.unsignedinteger]:
    kind = np.dtype(np.uint8 if highest < 256 else ">u2")
    if len(data) - offset < total * kind.itemsize:
        raise ValueError("not enough image data")
    return np.frombuffer(data, kind, total, offset)


def _bits(text: bytes, total: int) -> npt.NDArray[np.uint8]:
    """1 is black."""
    digits = np.frombuffer(text.translate(None, b" \t\n\r\v\f"), np.uint8)[:total]
    if digits.size < total:
        raise ValueError("not enough image data")
    if digits.min() < 48 or digits.max() > 49:
        raise ValueError("neither 0 nor 1 in a PBM")
    return (49 - digits) * np.uint8(255)


def _text(text: bytes, total: int, highest: int) -> npt.NDArray[np.integer]:
    found = _numbers(text)
    numbers = found.group() if found else b""
    values = np.fromstring(numbers, np.int64, sep=" ")[:total] if numbers.strip() else np.zeros(0, np.int64)
    if values.size < total:
        raise ValueError("not enough image data" if len(numbers) == len(text) else "something else than numbers")
    if values.min() < 0 or values.max() > highest:
        raise ValueError(f"a value above the highest one, {highest}")
    return values


def _scale(highest: int, white: int) -> npt.NDArray[np.uint8] | npt.NDArray[np.int32]:
    """[256 or 65536]: what each value becomes."""
    steps = np.arange(256 if highest < 256 else 65536)
    scaled = np.minimum(np.rint(steps / highest * white), white)
    return scaled.astype(np.uint8) if white == 255 else scaled.astype(np.int32)
