"""The training split and the validation split, whatever they are made of -> batches to learn from, or in order.

A split is anything with `__len__`, `ids`, `batches(recipe)` and `in_order(size)`: arrays, a data set, pictures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import default_collate

from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.recipe import Recipe
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.batches.batch import Batch, Batches
from ursa.training.batches.dataset_batches import DatasetBatches, Reshape, batch_of
from ursa.training.batches.picture_batches import PictureBatches, Views
from ursa.training.tensor_tree import tree_map


class Split(Protocol):
    """Some of the examples."""

    def __len__(self) -> int:
        """Examples."""

    @property
    def ids(self) -> Sequence[str]:
        """Of pictures; empty for other examples."""

    def some(self, rows: npt.NDArray[np.int64]) -> Batch:
        """These examples, in this order."""

    def batches(self, recipe: Recipe) -> Batches:
        """To learn from, in orders (and views) that the recipe's seed gives."""

    def in_order(self, size: int) -> Iterator[Batch]:
        """To be evaluated, at most `size` at a time."""


@dataclass(frozen=True)
class ArraySplit:
    """Examples in memory, on the device where they are computed, ready for the network."""

    inputs: tuple[Tensor, ...]  # each [N, ...]
    targets: Any  # [N, ...], or a dict of such

    def __len__(self) -> int:
        return len(self.inputs[0])

    @property
    def ids(self) -> Sequence[str]:
        """They have none."""
        return ()

    def some(self, rows: npt.NDArray[np.int64]) -> Batch:
        """These examples, in this order."""
        chosen = torch.from_numpy(rows)
        return Batch(
            tuple(x[chosen.to(x.device)] for x in self.inputs),
            tree_map(self.targets, lambda y: y[chosen.to(y.device)]),
        )

    def batches(self, recipe: Recipe) -> Batches:
        """The whole split at a time where the recipe's batch is larger."""
        return ArrayBatches(self.inputs, self.targets, batch=min(recipe.optim.batch_size, len(self)), seed=recipe.seed)

    def in_order(self, size: int) -> Iterator[Batch]:
        """Views of what is there: nothing is copied."""
        yield from Batch(self.inputs, self.targets).parts(size)

    def to(self, device: str) -> "ArraySplit":
        """The same examples on a device."""
        there = tree_map(self.targets, lambda y: y.to(device))
        return ArraySplit(tuple(x.to(device) for x in self.inputs), there)


@dataclass(frozen=True)
class DatasetSplit:
    """The items of a map-style torch data set."""

    dataset: Any
    device: str = "cpu"
    workers: int = 0  # processes that read items
    reshape: Reshape | None = None  # targets as items give them -> in the shape of the network's outputs

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def ids(self) -> Sequence[str]:
        """They have none."""
        return ()

    def some(self, rows: npt.NDArray[np.int64]) -> Batch:
        """These items, in this order."""
        batch = batch_of(default_collate([self.dataset[row] for row in rows.tolist()])).to(self.device)
        return batch if self.reshape is None else replace(batch, targets=self.reshape(batch.targets))

    def batches(self, recipe: Recipe) -> Batches:
        """Items are read anew each epoch."""
        size = min(recipe.optim.batch_size, len(self))
        return DatasetBatches(
            self.dataset,
            batch=size,
            seed=recipe.seed,
            device=self.device,
            workers=self.workers,
            reshape=self.reshape,
        )

    def in_order(self, size: int) -> Iterator[Batch]:
        """Read one after the other."""
        for first in range(0, len(self), size):
            yield self.some(np.arange(first, min(first + size, len(self))))


@dataclass(frozen=True)
class PictureSplit:
    """The pictures of a catalog: augmented views to learn from, plain ones to be evaluated."""

    catalog: Catalog
    targets: npt.NDArray[Any]  # [N] classes int64, [N, K] labels or [N, M] numbers float32
    classes: int  # K; M of a regression
    preparation: Preparation
    device: str = "cpu"

    def __len__(self) -> int:
        return len(self.catalog)

    @property
    def ids(self) -> Sequence[str]:
        """Of the pictures."""
        return self.catalog.ids

    def some(self, rows: npt.NDArray[np.int64]) -> Batch:
        """These pictures, in this order."""
        catalog = replace(self.catalog, rows=self.catalog.rows[rows])
        few = replace(self, catalog=catalog, targets=self.targets[rows])
        return replace(next(iter(few.in_order(len(rows)))), ids=catalog.ids)

    def batches(self, recipe: Recipe) -> PictureBatches:
        """Views are a function of seed, epoch and picture."""
        return PictureBatches(
            self.catalog,
            self.targets,
            self.preparation,
            batch_size=min(recipe.optim.batch_size, len(self)),
            seed=recipe.seed,
            augment=recipe.augment,
            oversample=recipe.optim.oversample,
            epochs=recipe.optim.epochs,
            device=self.device,
            classes=self.classes,
        )

    @property
    def views(self) -> Views:
        """What the network sees of them in evaluation."""
        return Views(self.catalog, self.preparation)

    def in_order(self, size: int) -> Iterator[Batch]:
        """[n, S, S, 3] uint8."""
        first = 0
        for views in self.views.batches(size):
            targets = torch.from_numpy(self.targets[first : first + len(views)])
            yield Batch((torch.from_numpy(views),), targets).to(self.device)
            first += len(views)
