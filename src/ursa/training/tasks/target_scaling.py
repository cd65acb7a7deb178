"""Numbers of any size as targets: the network learns them with mean 0 and standard deviation 1.

So learning rates suit prices in dollars as well as shares: what an optimizer changes a weight by does not depend on the
unit. Data stay in their own units; the loss scales the targets, and whoever reads outputs scales them back (`undo`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ursa.training.tasks.losses import Loss


@dataclass(frozen=True)
class TargetScaling:
    """(target - mean) / std: one number for all of [N, ...], or one for each column of [N, M]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def measured(cls, numbers: npt.NDArray[Any]) -> "TargetScaling":
        """numbers [N], [N, M] or [N, ...] of the training part; NaN are missing and do not count."""
        columns = numbers if numbers.ndim == 2 else numbers.reshape(-1, 1)
        known = [column[~np.isnan(column)].astype(np.float64) for column in columns.T]
        mean = tuple(float(column.mean()) if len(column) else 0.0 for column in known)
        return cls(mean, tuple(_std(column) for column in known))

    def of(self, targets: Tensor) -> Tensor:
        """[N, ...] in their own units -> as the network learns them."""
        return (targets - self._tensor(self.mean, targets)) / self._tensor(self.std, targets)

    def undo(self, outputs: Tensor) -> Tensor:
        """[N, ...] of the network -> in the targets' units."""
        return outputs * self._tensor(self.std, outputs) + self._tensor(self.mean, outputs)

    def loss(self, loss: Loss) -> Loss:
        """The same loss for targets in their own units."""
        return partial(_of_standardized, loss=loss, scaling=self)

    @staticmethod
    def _tensor(values: tuple[float, ...], like: Tensor) -> Tensor:
        kind = like.dtype if like.is_floating_point() else torch.float32
        return torch.tensor(values, device=like.device, dtype=kind)


class InTargetUnits(nn.Module):
    """A network whose outputs come in the targets' units: what is exported, so that nobody can scale them otherwise."""

    def __init__(self, network: nn.Module, scalings: TargetScaling | Mapping[str, TargetScaling]) -> None:
        """scalings: of the output, or of some of several outputs by name."""
        super().__init__()
        self.network, self.scalings = network, scalings

    def forward(self, *inputs: Tensor) -> Any:
        """What the network takes -> [N, ...], or a dict of such."""
        outputs = self.network(*inputs)
        if isinstance(self.scalings, TargetScaling):
            return self.scalings.undo(outputs)
        return {name: self.scalings[name].undo(y) if name in self.scalings else y for name, y in outputs.items()}


def _std(column: npt.NDArray[np.float64]) -> float:
    """1 for a column that never changes, whose rounded mean would leave a deviation of 1e-17 to divide by."""
    return float(column.std()) if len(column) and column.min() < column.max() else 1.0


def _of_standardized(outputs: Tensor, targets: Tensor, loss: Loss, scaling: TargetScaling) -> Tensor:
    return loss(outputs, scaling.of(targets))
