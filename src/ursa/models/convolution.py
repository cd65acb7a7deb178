"""Channels and classes -> a small convolutional network from scratch."""

from collections.abc import Sequence

import torch
from torch import nn

from ursa.models.built import count, counts, remembered, share
from ursa.models.dense import blank_linear
from ursa.models.init import initialize as draw_weights


def small_cnn(
    channels: int,
    classes: int | None,
    *,
    widths: int | Sequence[int] = (32, 64, 128),
    dropout: float = 0.0,
    initialize: str | None = None,
    seed: int = 0,
) -> nn.Sequential:
    """pictures [N, channels, H, W], scaled to about -1 to 1, 8 to 64 pixels a side -> logits [N, classes].

    One block of convolution, batch norm and ReLU for each of the widths; between two blocks the picture is halved, and
    after the last the maximum over the picture goes into a linear layer. dropout: share of those numbers. classes None:
    without the linear layer. Raises TrainingError for sizes that make no network.
    """
    channels, widths = count("channels", channels), counts("widths", widths)
    classes = classes if classes is None else count("classes", classes)
    dropout, seed = share("dropout", dropout), count("seed", seed, least=0)
    layers: list[nn.Module] = []
    for inputs, outputs in zip((channels, *widths), widths, strict=False):
        layers += [nn.MaxPool2d(2, ceil_mode=True)] if layers else []
        layers += [_convolution(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    layers += [nn.AdaptiveMaxPool2d(1), nn.Flatten(), *([nn.Dropout(dropout)] if dropout else [])]
    if classes is not None:
        layers.append(blank_linear((channels, *widths)[-1], classes))
    model = draw_weights(nn.Sequential(*layers), initialize, seed=seed)
    return remembered(
        model,
        "small_cnn",
        channels=channels,
        classes=classes,
        widths=widths,
        dropout=dropout,
        initialize=initialize,
        seed=seed,
    )


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3 x 3, without a bias, as the norm that follows takes it away."""
    device = torch.get_default_device()
    layer: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, padding=1, bias=False, device=device)
    return layer
