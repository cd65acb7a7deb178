"""WiSE-FT (Wortsman et al. 2022): weights on the line from where training began to where it went.

A network that was fine-tuned from a probe and the probe itself are right on different pictures, and their weights lie
so near each other that weights between them answer as the mean of both would, at the price of one network.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

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
        with super().in_place():  # `values` holds the last weights meanwhile
            averages = [weight.detach().clone() for weight in self.weights] if self.start else []
            self._toward_start()
            try:
                yield
            finally:
                self._set(averages)

    @torch.no_grad()
    def _toward_start(self) -> None:
        for weight, start in zip(self.weights, self.start, strict=bool(self.start)):
            weight.copy_(torch.lerp(start, weight, self.alpha))

    @torch.no_grad()
    def _set(self, values: list[torch.Tensor]) -> None:
        for weight, value in zip(self.weights, values, strict=bool(values)):
            weight.copy_(value)
