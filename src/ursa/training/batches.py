"""Catalog -> batches. The order is a function of (seed, epoch), the view of a picture of (seed, epoch, picture)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ursa.core import image, seeds
from ursa.core.image import Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import chunks
from ursa.data.catalog import Catalog
from ursa.errors import DataError
from ursa.recipe import Recipe
from ursa.training.augment import random_view


@dataclass(frozen=True)
class Batch:
    """Pictures with their ids and classes."""

    ids: list[str]
    pictures: Tensor  # [N, S, S, 3] uint8
    targets: Tensor  # [N] int64

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
    ) -> None:
        if not len(catalog):
            raise DataError("there are no pictures to train on", fix="put some into the training part")
        self.ids, self.files, self.targets = catalog.ids, catalog.files(), targets
        self.preparation, self.recipe, self.device = preparation, recipe, device

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self.ids) // self.recipe.batch)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `first`-th on; the last one may be smaller."""
        size = self.recipe.batch
        order = seeds.generator(self.recipe.seed, "order", epoch).permutation(len(self.ids))[first * size :]
        for seen in chunks(order.tolist(), lambda row: (row, self._view(row, epoch)), size=size):
            rows = [row for row, _ in seen]
            pictures = torch.from_numpy(np.stack([view for _, view in seen])).to(self.device)
            yield Batch([self.ids[row] for row in rows], pictures, torch.from_numpy(self.targets[rows]).to(self.device))

    def _view(self, row: int, epoch: int) -> Pixels:
        pixels = read(self.files[row], self.preparation)
        return random_view(pixels, self.preparation, self.recipe, seeds.generator(self.recipe.seed, "view", epoch, row))


class Views:
    """What the model sees of some files, decoded anew each time they are gone through, so that memory stays flat."""

    def __init__(self, files: Sequence[Path], preparation: Preparation) -> None:
        self.files, self.preparation = files, preparation

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Pixels]:
        for chunk in chunks(self.files, lambda file: self.preparation.view(read(file, self.preparation))):
            yield from chunk


def read(file: Path, preparation: Preparation) -> Pixels:
    """The pixels of a picture that a scan has found sound. Raises DataError when it is not any more."""
    try:
        return image.read(file.read_bytes(), at_least=preparation.size).pixels
    except (OSError, DataError) as problem:
        raise DataError(
            f"{file} could be read before, and now cannot", found=problem, fix="run the command again"
        ) from problem
