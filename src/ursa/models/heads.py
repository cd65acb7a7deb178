"""Features or feature maps -> logits: a head deeper than one linear layer, for pretrained bodies."""

import torch
from torch import Tensor, nn

from ursa.models.built import count, remembered, share
from ursa.models.dense import blank_linear
from ursa.models.init import initialize


class ConcatPool(nn.Module):
    """maps [N, C, H, W] -> [N, 2 C], their mean and their maximum over the picture; features [N, D] stay as they are.

    The same numbers in the same order as `Extractor` gives.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, 2 C]; [N, D] -> [N, D]."""
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1) if maps.ndim == 4 else maps


def pooled_head(
    features: int, classes: int, *, hidden: int = 512, dropout: float = 0.5, seed: int = 0
) -> nn.Sequential:
    """The head of fastai's `vision_learner`: pooling, norm, dropout, linear, ReLU, norm, dropout, linear.

    features: numbers a picture after pooling, so twice the channels of a map. dropout: before the last layer, half of
    it before the first (Howard and Gugger 2020, "fastai: a layered API for deep learning").
    """
    features, classes, hidden = count("features", features), count("classes", classes), count("hidden", hidden)
    dropout, seed = share("dropout", dropout), count("seed", seed, least=0)
    head = nn.Sequential(
        ConcatPool(),
        nn.BatchNorm1d(features),
        nn.Dropout(dropout / 2),
        blank_linear(features, hidden),
        nn.ReLU(inplace=True),
        nn.BatchNorm1d(hidden),
        nn.Dropout(dropout),
        blank_linear(hidden, classes),
    )
    initialize(head, seed=seed)
    return remembered(
        head, "pooled_head", features=features, classes=classes, hidden=hidden, dropout=dropout, seed=seed
    )
