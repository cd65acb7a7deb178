"""Path -> the bytes of a picture's file, unless what lies there is no file, no picture or too large to be one; and back
from pixels.
"""

import io
import os
from pathlib import Path

import numpy as np

from ursa.core import files
from ursa.core.decoding.image import Pixels
from ursa.core.decoding.kinds import DECODERS, FOREIGN, HEAD, sniff
from ursa.errors import DataError

MAX_BYTES = 512_000_000  # of a file: 80 megapixels of 16-bit RGB, uncompressed, are 480 MB
LARGE = 32_000_000  # bytes of a file whose head is looked at first; nearly all pictures are smaller, and read in one go


def read(path: Path) -> bytes:
    """The whole file. Raises DataError whose first words say why not: "cannot be opened: ...", "not a picture: ...".

    A film beside the pictures is known by its first bytes: of a LARGE file these are looked at before the rest is read.
    """
    reason = None
    try:
        with files.opened(path) as (descriptor, about):
            if about.st_size > LARGE:
                reason = _not_worth_it(os.read(descriptor, HEAD), about.st_size)
                os.lseek(descriptor, 0, os.SEEK_SET)
            data = b"" if reason else files.read(descriptor, about.st_size)
    except DataError as problem:  # a folder, a pipe, a device
        raise DataError(f"cannot be opened: {problem.found}") from problem
    except OSError as problem:
        raise DataError(f"cannot be opened: {problem.strerror}") from problem
    except ValueError as problem:  # NUL in the name
        raise DataError("cannot be opened: no file can have this name", found=problem) from problem
    except MemoryError as problem:
        raise DataError("cannot be opened: it does not fit into memory") from problem
    if reason:
        raise DataError(reason)
    return data


def encoded(pixels: Pixels, kind: str, **options: int) -> bytes:
    """pixels [h, w, 3] -> a file of a kind that Pillow writes, with its options: "WEBP", quality=70."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **options)
    return buffer.getvalue()


def _not_worth_it(head: bytes, size: int) -> str | None:
    kind = sniff(head)
    if kind in FOREIGN:
        return f"needs a decoder: {kind}, which Ursa does not read"
    if kind not in DECODERS:
        return f"not a picture: {kind}"
    return f"too large: a file of {size:,} bytes, the limit is {MAX_BYTES:,}" if size > MAX_BYTES else None
