"""Networks whose maps are known, and pictures with something in a known place."""

import numpy as np
import pytest
import torch
from torch import nn


class Colors(nn.Module):
    """[N, 3, H, W] -> how much red, green and blue there is: each class has a channel of its own in the layer `see`."""

    def __init__(self, cell=4):
        super().__init__()
        self.see = nn.Conv2d(3, 3, cell, cell, bias=False)
        self.head = nn.Linear(3, 3)
        with torch.no_grad():
            self.see.weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, cell, cell) / cell**2)
            self.head.weight.copy_(torch.eye(3))
            self.head.bias.zero_()

    def forward(self, pictures):
        return self.head(self.see(pictures).mean((2, 3)))


@pytest.fixture
def colors():
    return Colors().eval()


@pytest.fixture(scope="session")
def spots():
    """spots([(class, row, column), ...]) -> black [N, 3, 32, 32], each with a square of 8 px of its color."""

    def paint(places):
        pictures = np.zeros((len(places), 3, 32, 32), np.float32)
        for picture, (color, top, left) in zip(pictures, places, strict=True):
            picture[color, top : top + 8, left : left + 8] = 1
        return pictures

    return paint
