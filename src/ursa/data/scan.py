"""File -> facts: hash, format, size, perceptual hash, and the reason why it cannot be used. Decodes each file once.

`look` is the one place where a picture file is opened for learning. It returns the facts and the model's view of the
picture together, so that `embed/run.py` need not decode a second time.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ursa.core import image
from ursa.core.image import Pixels
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.errors import DataError

FACTS = ("sha256", "format", "width", "height", "frames", "phash", "problem")


@dataclass(frozen=True)
class Facts:
    """What a scan knows of one file."""

    sha256: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    phash: int | None = None
    problem: str | None = None


def look(file: Path, preparation: Preparation) -> tuple[Facts, Pixels | None]:
    """file -> facts and view [size, size, 3], the view None where there is a problem. Never raises for a bad file."""
    try:
        data = file.read_bytes()
    except OSError as problem:
        return Facts(problem=f"cannot be opened: {problem.strerror}"), None
    digest = hashlib.sha256(data).hexdigest()
    try:
        picture = image.read(data, at_least=preparation.size)
    except DataError as problem:
        return Facts(sha256=digest, problem=problem.what), None
    view = preparation.view(picture.pixels)
    size = picture.width, picture.height
    return Facts(digest, picture.format, *size, picture.frames, difference_hash(picture.pixels)), view


def difference_hash(pixels: Pixels) -> int:
    """pixels [h, w, 3] -> 64 bits: whether each cell of a 9 x 8 grey miniature is darker than its right neighbour.

    Krawetz 2013, "Kind of like that". Survives resizing and re-encoding; near copies differ in few bits. A cell is the
    mean of 8 x 8 samples spread evenly over it, which says as much as all of its pixels, in a tenth of the time.
    """
    rows = (np.arange(64) * 2 + 1) * pixels.shape[0] // 128
    columns = (np.arange(72) * 2 + 1) * pixels.shape[1] // 144
    samples = pixels[rows[:, None], columns].astype(np.int32)  # [64, 72, 3]
    grey = (samples @ np.array([299, 587, 114], dtype=np.int32)).reshape(8, 8, 9, 8).sum((1, 3))  # ITU-R BT.601
    bits = np.packbits(grey[:, :-1] < grey[:, 1:])
    return int.from_bytes(bits.tobytes(), "big")


def filled(catalog: Catalog, facts: Iterable[Facts]) -> Catalog:
    """The catalog with these facts, one a row in order."""
    found = list(facts)
    kinds = catalog.rows.schema
    columns = {name: pl.Series(name, [getattr(fact, name) for fact in found], dtype=kinds[name]) for name in FACTS}
    return catalog.with_columns(**columns)


def remembered(catalog: Catalog, before: Catalog) -> Catalog:
    """The catalog with the facts of an earlier scan, where size and time of the file have not changed.

    A file that could not even be opened is looked at again: who may read it changes neither.
    """
    known = before.rows.filter(pl.col("sha256").is_not_null()).select("id", "bytes", "modified", *FACTS)
    rows = catalog.rows.drop(FACTS).join(known, on=["id", "bytes", "modified"], how="left", maintain_order="left")
    return Catalog(catalog.root, rows.select(catalog.rows.columns))


def unscanned(catalog: Catalog) -> pl.Series:
    """[N] bool: rows that no scan has looked at yet."""
    return catalog.rows["sha256"].is_null() & catalog.rows["problem"].is_null()
