"""Pictures -> batches. The order is a function of (seed, epoch), the view of a picture of (seed, epoch, picture)."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ursa.core import seeds
from ursa.core.image import Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import chunks, cores
from ursa.data.catalog import Catalog
from ursa.data.pixels import PixelCache
from ursa.embed import resize
from ursa.errors import DataError
from ursa.recipe import Recipe
from ursa.training.augment import augmented, draws
from ursa.training.mixing import mixed
from ursa.training.pictures import Pictures

Out = TypeVar("Out")

AHEAD = 4  # batches decoded ahead of an accelerator; on a CPU decoding and computing take turns


@dataclass(frozen=True)
class Batch:
    """Pictures with their ids and classes."""

    ids: list[str]
    pictures: Tensor  # [N, S, S, 3] uint8
    targets: Tensor  # [N] int64; [N, K] float32 shares of each class where pictures were mixed

    def __len__(self) -> int:
        return len(self.targets)

    def parts(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pictures and targets in parts of at most `size`."""
        return zip(self.pictures.split(size), self.targets.split(size), strict=True)


class Batches:
    """The training pictures of a catalog, anew each epoch: every picture once, in another order, in another view."""

    def __init__(
        self,
        catalog: Catalog,
        targets: npt.NDArray[np.int64],
        preparation: Preparation,
        recipe: Recipe,
        device: str = "cpu",
        cache: PixelCache | None = None,
        classes: int | None = None,
    ) -> None:
        """cache: of pictures of `side_for(preparation, recipe)` pixels; what it yields does not depend on it.

        classes: how many there are, where not all of them occur here.
        """
        if not len(catalog):
            raise DataError("there are no pictures to train on", fix="put some into the training part")
        self.ids, self.targets, self.classes = catalog.ids, targets, classes or int(targets.max()) + 1
        self.preparation, self.recipe, self.device = preparation, recipe, device
        self.pictures = Pictures.of(catalog, side_for(preparation, recipe), preparation.fit, cache)

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self.ids) // self.recipe.batch)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `first`-th on; the last one may be smaller."""
        size, seed = self.recipe.batch, self.recipe.seed
        order = seeds.generator(seed, "order", epoch).permutation(len(self.ids))[first * size :]
        ahead = 0 if torch.device(self.device).type == "cpu" else AHEAD
        for number, seen in enumerate(chunks(order.tolist(), self._read, size=size, ahead=ahead), first):
            rows = [row for row, _ in seen]
            squares, sizes = in_squares([pixels for _, pixels in seen], self.pictures.side)
            pictures = torch.from_numpy(squares).to(self.device, non_blocking=True)
            views = augmented(pictures, sizes, self.preparation, self.recipe, draws(seed, epoch, rows))
            targets = torch.from_numpy(self.targets[rows]).to(self.device)
            if self.recipe.mixup or self.recipe.cutmix:
                views, targets = mixed(views, targets, self.classes, self.recipe, epoch, number)
            yield Batch([self.ids[row] for row in rows], views, targets)

    def _read(self, row: int) -> tuple[int, Pixels]:
        return row, self.pictures[row]


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
        for row, view in zip(rows, views, strict=True):
            pixels = self.pictures.whole(row) if self.pictures.cache is None else self.pictures[row]
            self.preparation.view(pixels, view, by)
        return views


def side_for(preparation: Preparation, recipe: Recipe) -> int:
    """Pixels that a picture needs so that no random part of it has to be magnified."""
    return math.ceil(preparation.size / recipe.zoom)


def in_squares(pictures: Sequence[Pixels], side: int) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """pictures [h, w, 3] -> [N, side, side, 3], each in the top left corner, and heights and widths [N, 2].

    What lies beyond a picture is left as it is.
    """
    squares = np.empty((len(pictures), side, side, 3), np.uint8)
    for square, pixels in zip(squares, pictures, strict=True):
        square[: pixels.shape[0], : pixels.shape[1]] = pixels
    return squares, np.array([pixels.shape[:2] for pixels in pictures])
