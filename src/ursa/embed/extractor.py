"""Pictures -> features: a backbone without its head, as one torch module that also normalizes.

Nothing but `Extractor.forward` turns pixels into features, in embedding, training and export alike.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ursa.core import seeds


class Extractor(nn.Module):
    """pictures [N, S, S, 3] uint8 -> features [N, D] float32.

    A feature map [N, C, H, W] becomes 2 C features, its mean and its maximum over the picture (as in fast.ai's
    `AdaptiveConcatPool2d`): on the shared sets the maximum adds 0.5 to 2 points to a linear probe.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, body: nn.Module, mean: Sequence[float], std: Sequence[float], size: int) -> None:
        """mean, std: of each color, of pixels in [0, 1]; size: of the pictures the body was made for, pixels."""
        super().__init__()
        self.body = body
        self.size = size
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("scale", 1 / (torch.tensor(std).view(1, 3, 1, 1) * 255))
        self.precision = torch.float32

    def in_precision(self, precision: torch.dtype) -> "Extractor":
        """The same extractor computing in another precision (normalization and pooling stay in float32)."""
        self.precision = precision
        self.body.to(precision)
        self.body.to(memory_format=torch.channels_last)
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures [N, S, S, 3] uint8 -> [N, D] float32."""
        maps = self.body(self.normalized(pictures).to(self.precision))
        if maps.ndim == 4:
            maps = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)
        return maps.float()  # type: ignore[no-any-return]

    def normalized(self, pictures: Tensor) -> Tensor:
        """pictures [N, H, W, 3], 0 to 255 -> [N, 3, H, W] float32, as the body knows them.

        Picture by picture in memory, whole rows of W x 3 numbers are normalized at a time: 4 times as fast on a CPU as
        three by three, and the same numbers.
        """
        if not pictures.is_contiguous():
            return (pictures.permute(0, 3, 1, 2).float() - self.mean) * self.scale
        count, height, width, _ = pictures.shape
        rows = pictures.view(count, height, width * 3).to(torch.float32, copy=True)
        rows.sub_(self.mean.view(3).repeat(width)).mul_(self.scale.view(3).repeat(width))  # no room for two more copies
        return rows.view(count, height, width, 3).permute(0, 3, 1, 2)


class OrientedGradients(nn.Module):
    """The `pixels` backbone: features that were written down, not learned. Needs no weights, suits simple pictures.

    In the manner of HOG (Dalal and Triggs 2005): the strength of edges in `directions` directions, summed over cells of
    8 x 8 pixels and set in relation to the cells around, beside the mean color of each cell. As it is made of ordinary
    convolutions, fine-tuning can go on from there. pictures [N, 3, 64, 64] -> features [N, (directions + 3) * 64].
    """

    def __init__(self, directions: int = 12, cell: int = 8) -> None:
        super().__init__()
        angle = torch.arange(directions) * (2 * torch.pi / directions)
        across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8  # Sobel's derivative
        edges = angle.cos().view(-1, 1, 1) * across + angle.sin().view(-1, 1, 1) * across.T
        gray = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601
        self.edges = nn.Parameter(edges[:, None] * gray.view(1, 3, 1, 1))  # [directions, 3, 3, 3]
        self.sharpness = directions / 4
        self.cell = cell

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures [N, 3, H, W], normalized -> [N, D]."""
        slopes = F.conv2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), self.edges)
        strength = F.relu(slopes)
        total = strength.pow(2).sum(1, keepdim=True).add(1e-6).sqrt()
        strength = total * (strength / total).pow(self.sharpness)  # nearly all of it to the nearest directions
        cells = F.avg_pool2d(strength, self.cell)
        around = F.avg_pool2d(cells.pow(2).sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
        color = F.avg_pool2d(pictures, self.cell)
        return torch.cat([(cells / (around + 1e-3).sqrt()).flatten(1), color.flatten(1)], dim=1)


# Channels out, side of the kernel, stride of each convolution: 64 x 64 pixels become 4 x 4 cells, by 283,000 weights.
LAYERS = ((16, 5, 2), (32, 3, 2), (64, 3, 2), (64, 3, 1), (128, 3, 2), (128, 3, 1))


def small_convolutions() -> nn.Sequential:
    """The `small_cnn` backbone: pictures [N, 3, 64, 64], normalized -> maps [N, 128, 4, 4]. Made to learn from scratch.

    Its weights are random, but the same each time, so that embeddings and runs of one process hold for the next one;
    drawn by numpy, uniform within sqrt(6 / inputs) (He et al. 2015), they are so with every torch, too. There is no
    norm: `Classifier` keeps the statistics of batch norm as they are, and six layers do without.
    """
    layers: list[nn.Module] = []
    inputs = 3
    for number, (outputs, side, stride) in enumerate(LAYERS):
        layer = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2)
        bound = math.sqrt(6 / (inputs * side * side))
        drawn = (2 * seeds.generator(0, "small_cnn", number).random((outputs, inputs, side, side)) - 1) * bound
        layer.load_state_dict({"weight": torch.from_numpy(drawn), "bias": torch.zeros(outputs)})
        layers.append(nn.Sequential(layer, nn.ReLU(inplace=True)))
        inputs = outputs
    return nn.Sequential(*layers)
