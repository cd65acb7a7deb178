"""A network that says numbers of mean 0 and deviation 1 -> one that says them in their own units."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


class InUnits(nn.Module):
    """outputs [N, M] of a network -> outputs * deviation + mean.

    So learning rates suit numbers of any size: what Adam changes a weight by does not depend on the size of the loss.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, numbers: npt.NDArray[np.float32]) -> None:
        """numbers [N, M]: of the training part."""
        super().__init__()
        mean, std = _measured(numbers)
        self.network = network
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("std", torch.from_numpy(std))

    def forward(self, *inputs: Tensor) -> Tensor:
        """-> [N, M]."""
        numbers: Tensor = self.network(*inputs) * self.std + self.mean
        return numbers


def standardized(numbers: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """numbers [N, M] -> of mean 0 and deviation 1 in each column: what the network inside says of them."""
    mean, std = _measured(numbers)
    return (numbers - mean) / std


def _measured(numbers: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    std = numbers.std(0)
    return numbers.mean(0), np.where(std > 0, std, 1).astype(np.float32)
