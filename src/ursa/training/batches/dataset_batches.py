"""Any map-style torch data set -> batches."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from ursa.core import seeds
from ursa.errors import DataError
from ursa.training.batches.batch import Batch, order
from ursa.training.randomness import drawing

Reshape = Callable[[Any], Any]


class DatasetBatches:
    """The items of a data set, (input, target) or (input, another, ..., target) each: every item once an epoch."""

    def __init__(
        self,
        dataset: Any,
        *,
        batch: int,
        seed: int = 0,
        device: str = "cpu",
        workers: int = 0,
        reshape: Reshape | None = None,
    ) -> None:
        """workers: processes that read items; 0: read here, what torch draws being a function of the batch. reshape:
        of the targets."""
        self.reshape = reshape
        if not len(dataset):
            raise DataError("there is nothing to train on", fix="give at least one example")
        self.dataset, self.batch, self.seed, self.device, self.workers = dataset, batch, seed, device, workers

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `first`-th on; the last one may be smaller."""
        rows = torch.from_numpy(order(self.seed, epoch, len(self.dataset))).split(self.batch)[first:]
        stream = seeds.number(self.seed, "items", epoch)
        if self.workers:
            draw = torch.Generator().manual_seed(seeds.number(self.seed, "workers", epoch, first))
            lists = [some.tolist() for some in rows]
            yield from map(
                self._batch,
                DataLoader(self.dataset, batch_sampler=lists, num_workers=self.workers, generator=draw),
            )
            return
        for number, some in enumerate(rows, first):
            with drawing(stream, number):  # for random views that the data set makes by torch
                items = default_collate([self.dataset[row] for row in some.tolist()])
            yield self._batch(items)

    def _batch(self, items: Any) -> Batch:
        batch = batch_of(items).to(self.device)
        return batch if self.reshape is None else replace(batch, targets=self.reshape(batch.targets))


def batch_of(items: Any) -> Batch:
    """A collated (input, ..., target) -> Batch. Raises DataError for what is none."""
    if isinstance(items, Mapping) or not isinstance(items, tuple | list) or len(items) < 2:
        raise DataError(
            "an item of the data set is not (input, target)",
            found=type(items).__name__,
            fix="return a tuple whose last part is the target",
        )
    *inputs, targets = items
    flat = [part for each in inputs for part in (each if isinstance(each, tuple | list) else [each])]
    if not all(isinstance(part, Tensor) for part in flat):
        raise DataError("inputs have to be tensors", found=", ".join(type(part).__name__ for part in flat))
    return Batch(tuple(flat), targets)
