"""Catalog -> mean pictures, and mean and deviation of its colors. Streams over the files; memory stays flat."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa.core.decoding.image import Pixels
from ursa.core.prepare import Preparation
from ursa.core.progress import Progress, silent
from ursa.core.threads import chunks
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.errors import DataError
from ursa.plots.reading import PHASE


def statistics(
    catalog: Catalog, preparation: Preparation | None = None, *, progress: Progress = silent
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean [3] and deviation [3] (red, green, blue; 0 to 1) of the views of the training part, and of nothing else.

    The training part: the labelled pictures whose split is "train" or not given. Bars of a
    padded view count, as the model sees them too: normalized with these numbers, what it trains on has a mean of 0 and
    a deviation of 1. Files that cannot be read are left out. Raises DataError where nothing is left.
    """
    preparation = preparation or Preparation()
    part = training_part(catalog)
    counts = np.zeros((3, 256), np.int64)  # how often each value occurs: exact, and as small for any number of files
    for _, view in _views(part.files(), preparation, progress):
        counts += [np.bincount(view[..., channel].ravel(), minlength=256) for channel in range(3)]
    total = counts[0].sum()
    if not total:
        raise DataError(
            "no picture of the training part can be read",
            found=f"{len(part)} files in it",
            fix="`ursa check` says what is wrong with each of them",
        )
    values = np.arange(256) / 255
    mean = counts @ values / total
    return mean, np.sqrt(np.maximum(counts @ values**2 / total - mean**2, 0))


def means(
    files: Sequence[Path], classes: Sequence[int], total: int, preparation: Preparation, progress: Progress = silent
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Files with their class numbers -> mean views [total, S, S, 3] (0 to 255) and how many [total] are in each.

    Holds one sum a class, whatever the number of files; files that cannot be read are left out.
    """
    sums = np.zeros((total, preparation.size, preparation.size, 3), np.uint32)  # enough for 16 million pictures
    counts = np.zeros(total, np.int64)
    for place, view in _views(files, preparation, progress):
        sums[classes[place]] += view
        counts[classes[place]] += 1
    return sums / np.maximum(counts, 1)[:, None, None, None], counts


def training_part(catalog: Catalog) -> Catalog:
    """The labelled pictures that are trained on (a row without a split is), less those with a known problem."""
    return catalog.usable().where(pl.col("split").fill_null("train") == "train")


def _views(files: Sequence[Path], preparation: Preparation, progress: Progress) -> Iterator[tuple[int, Pixels]]:
    """(place of the file, its view) for each that can be read."""
    done = 0
    for some in chunks(files, lambda file: scan.read_file(file, preparation)[1]):
        for view in some:
            if view is not None:
                yield done, view
            done += 1
        progress(PHASE, done, len(files))
