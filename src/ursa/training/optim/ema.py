"""An exponential moving average of the weights: often a little better than the last ones (Polyak and Juditsky 1992)."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class EMA:
    """A model's trainable weights, averaged over the last 1 / (1 - decay) steps or so."""

    def __init__(self, model: nn.Module, decay: float = 0.99, *, warmup: bool = True) -> None:
        """decay: what is kept of the average at each step.

        warmup: less in the first steps, so that a random start is forgotten. Without it the start counts as a network
        that had been there for long: after t steps decay ** t of the average is still the start.
        """
        self.decay, self.warmup, self.steps = decay, warmup, 0
        self.weights: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self.values = [p.detach().clone() for p in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        """One step of the average towards the weights as they are now."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.warmup else self.decay
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
