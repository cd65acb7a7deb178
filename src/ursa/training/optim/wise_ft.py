"""WiSE-FT (Wortsman et al. 2022): weights on the line from where training began to where it went.

A network that was fine-tuned from a probe and the probe itself are right on different pictures, and their weights lie
near each other. What weights between them are worth here: docs/decisions.md.
"""

import contextlib
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from ursa.training.optim.ema import EMA


class WiseFT(EMA):
    """What stands in for the weights: `start + alpha * (average - start)`, with start the weights as they are now."""

    def __init__(self, model: nn.Module, alpha: float, decay: float) -> None:
        """alpha: 1 is the fine-tuned network, 0 where it began; decay: of the average (see `EMA`), 0: the last ones."""
        super().__init__(model, decay, warmup=False)  # a probe is no random start
        self.alpha = alpha
        self.start = [weight.detach().clone() for weight in self.weights] if alpha < 1 else []

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the model has the weights between."""
        last = [weight.detach().clone() for weight in self.weights]
        self._set(torch._foreach_lerp(self.start, self.values, self.alpha) if self.start else self.values)
        try:
            yield
        finally:
            self._set(last)

    @torch.no_grad()
    def _set(self, values: Iterable[Tensor]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.copy_(value)
