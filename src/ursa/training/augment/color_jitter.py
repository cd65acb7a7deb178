"""Draws -> one affine map of colours a picture. However many changes of light and colour, pixels are touched once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ursa.recipe import AugmentSettings
from ursa.training.augment.random_numbers import F64

GRAY = np.array([0.299, 0.587, 0.114])  # how bright red, green and blue look (ITU-R BT.601)

_YIQ = np.array([GRAY, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])  # of NTSC: brightness, and a plane of hues
# Directions [3, 3], a column each, in which the colours of ImageNet's pixels spread, and how far (of values in [0, 1]),
# for the method of Krizhevsky et al. (2012): numbers of facebookarchive/fb.resnet.torch.
_SPREAD = np.array([0.2175, 0.0188, 0.0045])
_DIRECTIONS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])


@dataclass(frozen=True)
class Color:
    """colours -> matrix @ colours + offset + pull * (mean brightness of the view), a row a picture."""

    matrix: F64  # [N, 3, 3]
    offset: F64  # [N, 3], of values from 0 to 255
    pull: F64  # [N]: what contrast mixes in

    @property
    def changes(self) -> bool:
        """False where every picture keeps its colours."""
        return bool((self.matrix != np.eye(3)).any() or self.offset.any() or self.pull.any())

    def rows(self, which: slice) -> "Color":
        """The same of some of the pictures."""
        return Color(self.matrix[which], self.offset[which], self.pull[which])


@dataclass(frozen=True)
class Factors:
    """How much light and colour change, a row a picture; 1 is unchanged."""

    light: F64  # [N] times as bright
    contrast: F64  # [N] times as far from the mean brightness
    saturation: F64  # [N] times as far from grey
    hue: F64  # [N] turned by this, radians in the plane of hues; 0 is unchanged
    offset: F64  # [N, 3] added at last


def drawn(augment: AugmentSettings, draw: F64) -> Factors:
    """draw [N, 11] in [0, 1) -> Factors."""
    light, contrast, saturation, hue = (2 * draw[:, :4] - 1).T
    gray = draw[:, 4] < augment.grayscale
    radius, angle = np.sqrt(-2 * np.log1p(-draw[:, 5:8])), 2 * np.pi * draw[:, 8:11]  # Box and Muller 1958
    spread = 255 * augment.pca * radius * np.cos(angle) * _SPREAD
    return Factors(
        light=1 + augment.brightness * light,
        contrast=1 + augment.contrast * contrast,
        saturation=np.where(gray, 0, 1 + augment.saturation * saturation),
        hue=2 * np.pi * augment.hue * hue,
        offset=spread @ _DIRECTIONS.T,
    )


def composed(factors: Factors) -> Color:
    """First light, then contrast, saturation, hue, and the offset, as one map: all of them are affine."""
    cos, sin, zero = np.cos(factors.hue), np.sin(factors.hue), np.zeros_like(factors.hue)
    turn = np.stack([zero + 1, zero, zero, zero, cos, -sin, zero, sin, cos], 1).reshape(-1, 3, 3)
    hues = np.where(factors.hue[:, None, None] == 0, np.eye(3), np.linalg.inv(_YIQ) @ turn @ _YIQ)
    saturation = factors.saturation[:, None, None]
    colors = hues @ (saturation * np.eye(3) + (1 - saturation) * GRAY)
    matrix = colors * (factors.light * factors.contrast)[:, None, None]
    return Color(matrix, factors.offset, factors.light * (1 - factors.contrast))  # greys stay greys in `colours`


def apply(views: Tensor, color: Color) -> Tensor:
    """views [N, 3, S, S] from 0 to 255 -> likewise. The grey beyond a picture takes part."""
    if not color.changes:
        return views
    offset = _tensor(color.offset, views)
    if color.pull.any():
        offset = offset + (_tensor(color.pull, views) * (views.mean((2, 3)) @ _tensor(GRAY, views)))[:, None]
    mapped = torch.bmm(_tensor(color.matrix, views), views.flatten(2)).view_as(views)
    return mapped.add_(offset[:, :, None, None]).clamp_(0, 255)


def _tensor(values: npt.NDArray[np.float64], like: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(like.device)
