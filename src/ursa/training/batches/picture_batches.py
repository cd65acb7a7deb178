"""A catalog -> batches of pictures. The view of a picture is a function of (seed, epoch, picture)."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ursa import sandbox
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import chunks, cores
from ursa.data.balance import oversample as oversampled
from ursa.data.catalog import Catalog
from ursa.data.pixel_cache import PixelCache
from ursa.embed import resize
from ursa.errors import DataError, TrainingError
from ursa.recipe import AugmentSettings
from ursa.training.augment.mixing import mixed
from ursa.training.augment.views import augmented, draws
from ursa.training.batches.batch import Batch, order
from ursa.training.batches.picture_reader import Pictures, gone

Out = TypeVar("Out")

SMALL = 2 / 3  # of the size, in the epochs of `progressive_resizing`
AHEAD = 4  # batches decoded ahead of an accelerator; on a CPU decoding and computing take turns


class PictureBatches:
    """The training pictures of a catalog, anew each epoch: every picture once, in another order, in another view.

    With `oversample` those of rare classes come several times, each time in another view.
    """

    def __init__(
        self,
        catalog: Catalog,
        targets: npt.NDArray[Any],
        preparation: Preparation,
        *,
        batch_size: int,
        seed: int = 0,
        augment: AugmentSettings | None = None,
        oversample: bool = False,
        epochs: int = 0,
        device: str = "cpu",
        cache: PixelCache | None = None,
        classes: int | None = None,
    ) -> None:
        """targets: [N] classes int64; [N, K] labels or [N, M] numbers float32.

        augment: how pictures are changed; None: as recipes do by default. epochs: of the whole run, for
        `progressive_resizing`, which is a share of them. cache: of pictures of `side_for(preparation, min_scale)`
        pixels; what it yields does not depend on it. classes: how many there are, where not all of them occur here.
        Raises DataError for no pictures, TrainingError for settings that mean nothing here.
        """
        augment = augment or AugmentSettings()
        if augment.progressive_resizing and not epochs:
            found = f"progressive_resizing={augment.progressive_resizing:g}, epochs=0"
            raise TrainingError("progressive resizing is a share of the epochs", found=found, fix="give epochs")
        if not len(catalog):
            raise DataError("there are no pictures to train on", fix="put some into the training part")
        self.ids, self.targets = catalog.ids, targets
        self.classes = targets.shape[1] if targets.ndim > 1 else classes or int(targets.max()) + 1
        if oversample and targets.ndim > 1:
            found = "several labels or numbers a picture"
            raise TrainingError("oversample is for one class a picture", found=found, fix="oversample=false")
        self.preparation, self.augment, self.device = preparation, augment, device
        self.batch_size, self.seed, self.oversample = batch_size, seed, oversample
        self.small_epochs = augment.progressive_resizing * epochs  # Howard 2018, "progressive resizing"
        self.pictures = Pictures.of(catalog, side_for(preparation, augment.min_scale), preparation.fit, cache)
        self.small = replace(preparation, size=small_size(preparation.size))
        self.small_pictures = replace(self.pictures, side=side_for(self.small, augment.min_scale), cache=None)

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self._order(0)) // self.batch_size)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `first`-th on; the last one may be smaller."""
        size, seed, augment = self.batch_size, self.seed, self.augment
        rest = self._order(epoch)[first * size :]
        small = epoch < self.small_epochs
        preparation, source = (self.small, self.small_pictures) if small else (self.preparation, self.pictures)

        def read(view: int) -> tuple[int, Pixels]:
            return view, source[view % len(self.ids)]

        ahead = 0 if torch.device(self.device).type == "cpu" else AHEAD
        for number, seen in enumerate(chunks(rest.tolist(), read, size=size, ahead=ahead), first):
            shown = [view for view, _ in seen]
            rows = [view % len(self.ids) for view in shown]
            squares, sizes = in_squares([pixels for _, pixels in seen], source.side)
            pictures = torch.from_numpy(squares).to(self.device, non_blocking=True)
            views = augmented(pictures, sizes, preparation, augment, draws(seed, epoch, shown))
            targets = torch.from_numpy(self.targets[rows]).to(self.device)
            if augment.mixup or augment.cutmix:
                views, targets = mixed(views, targets, self.classes, augment, seed, epoch, number)
            yield Batch((views,), targets, [self.ids[row] for row in rows])

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Row, or row + N for its second view in this epoch, row + 2 N for its third, and so on."""
        if not self.oversample:
            return order(self.seed, epoch, len(self.ids))
        rows = oversampled(self.targets, self.seed, epoch)
        by_row = np.argsort(rows, kind="stable")
        first = np.searchsorted(rows[by_row], rows[by_row])  # of each row, where its occurrences begin
        rows[by_row] += (np.arange(len(rows)) - first) * len(self.ids)
        return rows


class Views:
    """What the model sees of some pictures, decoded or read from the cache each time they are gone through."""

    def __init__(self, catalog: Catalog, preparation: Preparation, cache: PixelCache | None = None) -> None:
        """cache: of pictures of `preparation.size` pixels."""
        self.preparation = preparation
        self.pictures = Pictures.of(catalog, preparation.size, preparation.fit, cache)

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Pixels]:
        for views in self.batches(8):
            yield from views

    def batches(self, size: int) -> Iterator[Pixels]:
        """Arrays [n, S, S, 3] of at most `size` views, in order."""
        return self.each(size, lambda views: views)

    def each(
        self, size: int, work: Callable[[Pixels], Out], begin: Callable[[], object] | None = None
    ) -> Iterator[Out]:
        """work(views [n, S, S, 3]) for at most `size` views at a time, in order.

        Every core makes views and works on them by itself; begin: what its thread does first.
        """
        groups = (range(first, min(first + size, len(self))) for first in range(0, len(self), size))
        for (done,) in chunks(groups, lambda rows: work(self._made(rows)), size=1, ahead=cores(), begin=begin):
            yield done

    def _made(self, rows: range) -> Pixels:
        views, by = self.preparation.blank(len(rows)), resize.fastest()
        if self.pictures.cache is not None:
            for row, view in zip(rows, views, strict=True):
                self.preparation.view(self.pictures[row], view, by)
            return views
        files = [self.pictures.files[row] for row in rows]
        for file, found in zip(files, sandbox.views(files, self.preparation, by=by, into=views), strict=True):
            if isinstance(found, DataError):
                raise gone(file, found) from found
        return views


def small_size(size: int) -> int:
    """Pixels of the pictures in the epochs of progressive resizing: two thirds, a multiple of 32."""
    return max(32, round(size * SMALL / 32) * 32)


def side_for(preparation: Preparation, min_scale: float) -> int:
    """Pixels that a picture needs so that no random part of it, of at least this share, has to be magnified."""
    return math.ceil(preparation.size / min_scale)


def in_squares(pictures: Sequence[Pixels], side: int) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """pictures [h, w, 3] -> [N, side, side, 3], each in the top left corner, and heights and widths [N, 2].

    What lies beyond a picture is left as it is.
    """
    squares = np.empty((len(pictures), side, side, 3), np.uint8)
    for square, pixels in zip(squares, pictures, strict=True):
        square[: pixels.shape[0], : pixels.shape[1]] = pixels
    return squares, np.array([pixels.shape[:2] for pixels in pictures])
