"""Bytes of pictures through `image.read`, at every size asked for. Every picture that comes out keeps laws."""

import time
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from fuzz.mutate import mutated
from fuzz.pictures import pictures
from fuzz.target import LawError, Target

if TYPE_CHECKING:
    from ursa.core.decoding.image import Picture

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
HUGE = 400 << 20  # bytes that decoding may take by the header; an honest picture of 20 to 80 megapixels
ENOUGH = 0.4  # s of CPU after which no further size is tried
LARGEST = 256 << 10  # bytes of a torture file: the few larger ones would take most of the time
ASKED = (*((size, side) for size in (1, 8, 64, 224, 4096) for side in ("shorter", "longer")), (None, "shorter"))
KINDS = ("AVIF", "BMP", "GIF", "HEIC", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


@cache
def _made() -> list[bytes]:
    return [data for _, data in pictures()]


@cache
def _jpegs() -> list[bytes]:
    return [data for data in _made() if data.startswith(b"\xff\xd8")]


@cache
def _torture() -> list[bytes]:
    folders = [SHARED / "torture", SHARED / "hostile"]
    files = sorted(file for folder in folders if folder.is_dir() for file in folder.rglob("*") if file.is_file())
    return [
        file.read_bytes() for file in files if file.stat().st_size <= LARGEST and file.suffix not in (".md", ".tsv")
    ]


def made_case(rng: Random) -> bytes:
    """A mutant of a picture made here; every third is a JPEG, as most pictures of the world are."""
    files = _jpegs() if rng.random() < 0.25 else _made()
    return mutated(rng.choice(files), rng, _made())


def torture_case(rng: Random) -> bytes:
    """A mutant of one of the shared difficult files, where they are there; else of a picture made here."""
    files = _torture() or _made()
    return mutated(rng.choice(files), rng, files)


def run(data: bytes) -> None:
    """Read it whole and, where that makes a difference, at every size: what fails whole is tried at a size, too.

    The limit of time is for one reading: of a large picture, only as many sizes are tried as fit into a part of it.
    """
    from ursa.core.decoding import image
    from ursa.errors import DataError

    refused, began = None, time.process_time()
    for at_least, side in ASKED if image.sniff(data) == "JPEG" else ASKED[-1:]:  # only a JPEG is decoded smaller
        try:
            _check(image.read(data, at_least, side, before=_limited), at_least, side)
        except DataError as error:
            refused = refused or error
        if time.process_time() - began > ENOUGH:
            break
    if refused is not None:
        raise refused


def _limited(needed: int) -> None:
    """Honest pictures as large as this take seconds, too; tests/core has them."""
    from ursa.errors import DataError

    if needed > HUGE:
        raise DataError("too large for the limits of a case")


def _check(picture: "Picture", at_least: int | None, side: str) -> None:
    """Shape, kind of numbers, and how large it has to be for what was asked."""
    from ursa.core.decoding.image import MAX_PIXELS

    pixels = picture.pixels
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype.name != "uint8" or 0 in pixels.shape:
        raise LawError(f"pixels {pixels.shape} of {pixels.dtype}")
    if picture.format not in KINDS or picture.frames < 1 or picture.width * picture.height > MAX_PIXELS:
        raise LawError(f"{picture.format}, {picture.frames} frames, {picture.width} x {picture.height}")
    height, width = pixels.shape[:2]
    if (width, height) == (picture.width, picture.height):
        return
    scales = [k for k in range(1, 8) if (-(-picture.width * k // 8), -(-picture.height * k // 8)) == (width, height)]
    if at_least is None or picture.format != "JPEG" or not scales:
        raise LawError(f"{width} x {height} of {picture.width} x {picture.height}, asked for {at_least} {side}")
    least = min(2 * at_least, (max if side == "longer" else min)(picture.width, picture.height))
    if (max if side == "longer" else min)(width, height) < least:
        raise LawError(f"{width} x {height} is too small for {at_least} of the {side} side")


def kind(data: bytes) -> str:
    """What Ursa takes it for."""
    from ursa.core.decoding.image import sniff

    found = sniff(data)
    return found if found in KINDS else "none"


@cache
def warm() -> None:
    """Read one of each kind; once, so that a process forked from one that did begins at once."""
    for data in _made():
        run(data)


TARGETS = (
    Target("pictures", made_case, run, warm, kind, weight=10),
    Target("torture", torture_case, run, warm, kind, weight=6, ours=False),
)
