"""Tensors in memory -> batches."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ursa.errors import DataError
from ursa.training.batches.batch import Batch, order
from ursa.training.tensor_tree import tree_leaves, tree_map

AT_ONCE = 1 << 26  # bytes of examples that are brought into the epoch's order at a time, to be cut into batches


class ArrayBatches:
    """Examples that lie in memory, on the device where they are: every example once an epoch, each time in another
    order."""

    def __init__(self, inputs: tuple[Tensor, ...], targets: Any, *, batch: int, seed: int = 0) -> None:
        """inputs: each [N, ...]; targets: [N, ...], or a tuple or dict of such.

        batch: examples a step; 1 is stochastic, N full-batch gradient descent. Raises DataError where there is nothing,
        or where numbers of examples differ.
        """
        counts = {len(x) for x in (*inputs, *tree_leaves(targets))}
        if counts in ({0}, set()):
            raise DataError("there is nothing to train on", fix="give at least one example")
        if len(counts) > 1:
            raise DataError("inputs and targets differ in number", found=", ".join(map(str, sorted(counts))))
        self.inputs, self.targets, self.batch, self.seed = inputs, targets, batch, seed
        self.count = counts.pop()
        nbytes = sum(x.element_size() * x[0].numel() for x in inputs)
        self.block = batch * max(1, AT_ONCE // max(1, nbytes * batch))

    def __len__(self) -> int:
        return -(-self.count // self.batch)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from the `first`-th on; the last one may be smaller."""
        rest = torch.from_numpy(order(self.seed, epoch, self.count)[first * self.batch :]).to(self.inputs[0].device)
        for rows in rest.split(self.block):
            block = self._block(rows)
            if isinstance(block.targets, Tensor):  # in one go: a fifth of the cost of cutting batch by batch
                inputs = zip(*(x.split(self.batch) for x in block.inputs), strict=True)
                yield from map(Batch, inputs, block.targets.split(self.batch))
            else:
                yield from block.parts(self.batch)

    def _block(self, rows: Tensor) -> Batch:
        targets = tree_map(self.targets, lambda y: y.index_select(0, rows))
        return Batch(tuple(x.index_select(0, rows) for x in self.inputs), targets)
