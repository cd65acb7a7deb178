"""An exponential moving average of the weights: often a little better than the last ones (Polyak and Juditsky 1992)."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class EMA:
    """A model's trainable weights, averaged over the last 1 / (1 - decay) steps or so."""

    def __init__(self, model: nn.Module, decay: float = 0.99) -> None:
        """decay: what is kept of the average at each step; less in the first steps, so that the start is forgotten."""
        self.decay, self.steps = decay, 0
        self.weights: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self.values = [p.detach().clone() for p in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        """One step of the average towards the weights as they are now."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.values, self.weights, 1 - decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the model has the averaged weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for weight, value in zip(self.weights, self.values, strict=True):
            kept = weight.detach().clone()
            weight.copy_(value)
            value.copy_(kept)

    def tensors(self) -> list[Tensor]:
        """The averages, in the order of the model's trainable parameters: for a checkpoint."""
        return self.values
