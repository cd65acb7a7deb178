"""Files -> pixels no larger than training needs them, decoded once where there is a cache."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ursa import sandbox
from ursa.core import picture_file
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import Preparation, Resize
from ursa.data.catalog import Catalog
from ursa.data.pixel_cache import PixelCache
from ursa.embed import resize
from ursa.errors import DataError
from ursa.workspace import Workspace


@dataclass(frozen=True)
class Pictures:
    """The pictures of some rows, their longer side (as `fit` cuts them) at most `side` pixels."""

    files: Sequence[Path]
    keys: Sequence[str | None]  # sha256 of each file, null where no scan has read it
    side: int
    fit: str
    cache: PixelCache | None = None

    @classmethod
    def of(cls, catalog: Catalog, side: int, fit: str, cache: PixelCache | None = None) -> "Pictures":
        """The pictures of a catalog, row by row."""
        return cls(catalog.files(), catalog.rows["sha256"].to_list(), side, fit, cache)

    @cached_property
    def preparation(self) -> Preparation:
        """How far they are downscaled."""
        return Preparation(self.side, self.fit)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> Pixels:
        """[h, w, 3]. Raises DataError for a picture that a scan found sound and that cannot be read any more."""
        key = self.keys[row] if self.cache is not None else None
        if self.cache is not None and key is not None and (known := self.cache.get(key)) is not None:
            return known
        with contextlib.closing(sandbox.reading(_bytes(self.files[row]), self.side, self.preparation.side)) as pictures:
            found = next(pictures)
            if isinstance(found, DataError):
                raise gone(self.files[row], found) from found
            pixels = downscaled(found.pixels, self.preparation, resize.fastest())
            pixels = pixels.copy() if np.may_share_memory(pixels, found.pixels) else pixels  # a part of it, as it was
        if self.cache is not None and key is not None:
            self.cache.put(key, pixels)
        return pixels


@contextlib.contextmanager
def cached(space: Workspace, side: int, fit: str, most: int) -> Iterator[PixelCache | None]:
    """The workspace's cache of pictures of this kind, with room for `most` bytes; None for none."""
    if most <= 0:
        yield None
        return
    with PixelCache(space.pixels(f"{fit}-{side}"), most) as cache:
        yield cache


def downscaled(pixels: Pixels, preparation: Preparation, by: Resize) -> Pixels:
    """pixels [h, w, 3] -> the same cut and downscaled as the preparation says, but never enlarged."""
    if max(pixels.shape[:2]) <= preparation.size:
        return pixels
    side = min(preparation.size, *pixels.shape[:2]) if preparation.fit == "crop" else preparation.size
    return Preparation(side, preparation.fit).sized(pixels, by)


def _bytes(file: Path) -> Iterator[bytes]:
    try:
        yield picture_file.read(file)
    except DataError as problem:
        raise gone(file, problem) from problem


def gone(file: Path, problem: DataError) -> DataError:
    """The error for a picture that a scan found sound, and that is not sound any more."""
    return DataError(f"{file} could be read before, and now cannot", found=problem, fix="run the command again")
