"""What training takes: batches of examples, each epoch in another order that is a function of (seed, epoch).

A source of batches is anything with `__len__` (batches an epoch) and `epoch(number, first)`. There are three:
`PictureBatches` (a catalog), `ArrayBatches` (tensors in memory), `DatasetBatches` (any torch data set).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ursa.core import seeds
from ursa.training.tensor_tree import tree_map


@dataclass(slots=True)
class Batch:
    """Some examples: what the model gets, and what it should predict."""

    inputs: tuple[Tensor, ...]  # each [N, ...]; the model is called with all of them
    targets: Any  # [N, ...]; or a tuple or dict of such tensors, for several outputs
    ids: Sequence[str] = ()  # of pictures

    def __len__(self) -> int:
        return len(self.inputs[0])

    @property
    def pictures(self) -> Tensor:
        """The first input: [N, S, S, 3] uint8 where pictures are learned."""
        return self.inputs[0]

    def parts(self, size: int) -> "Iterator[Batch]":
        """The same examples in batches of at most `size`, in order."""
        for first in range(0, len(self), size):
            yield self.cut(slice(first, first + size))

    def cut(self, some: slice) -> "Batch":
        """Some of the examples."""
        return Batch(tuple(x[some] for x in self.inputs), tree_map(self.targets, lambda y: y[some]), self.ids[some])

    def to(self, device: str | torch.device) -> "Batch":
        """The same batch on a device."""

        def there(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        return Batch(tuple(there(x) for x in self.inputs), tree_map(self.targets, there), self.ids)


class Batches(Protocol):
    """A source of batches for training."""

    def __len__(self) -> int:
        """Batches an epoch."""

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `first`-th on; the same arguments give the same batches."""


def order(seed: int, epoch: int, count: int) -> "np.typing.NDArray[np.int64]":
    """The order of `count` examples in an epoch."""
    return seeds.generator(seed, "order", epoch).permutation(count)
