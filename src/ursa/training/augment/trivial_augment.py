"""TrivialAugment (Müller and Hutter 2021), its wide space: each picture gets one change of a random strength.

Geometric changes join the homography and changes of light the colour map, so they cost nothing more; what remains is
done here, on the pictures that drew it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ursa.training.augment import geometry
from ursa.training.augment.color_jitter import Factors
from ursa.training.augment.random_numbers import F64

CHANGES = (
    "identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "colour", "contrast",
    "sharpness", "posterize", "solarize", "autocontrast", "equalize",
)  # fmt: skip
STRENGTHS = 31  # from none to full, evenly spaced


@dataclass(frozen=True)
class Trivial:
    """The change of each picture, and its strength."""

    change: npt.NDArray[np.int64]  # [N] index in CHANGES
    strength: F64  # [N] from 0 to 1
    sign: F64  # [N] -1 or 1: shears, shifts, turns and factors go either way

    def rows(self, which: slice) -> "Trivial":
        """The same of some of the pictures."""
        return Trivial(self.change[which], self.strength[which], self.sign[which])

    def drew(self, name: str) -> npt.NDArray[np.bool_]:
        """[N] whether a picture drew this change."""
        return np.asarray(self.change == CHANGES.index(name))

    def amount(self, name: str, full: float) -> F64:
        """[N] signed strength of a change whose full strength is `full`; 0 for pictures that drew another one."""
        return np.where(self.drew(name), self.sign * self.strength * full, 0.0)


def drawn(probability: float, draw: F64) -> Trivial:
    """probability that a picture is changed, draw [N, 4] in [0, 1) -> Trivial."""
    change = np.where(draw[:, 0] < probability, (draw[:, 1] * len(CHANGES)).astype(np.int64), 0)
    strength = np.floor(draw[:, 2] * STRENGTHS) / (STRENGTHS - 1)
    return Trivial(change, strength, np.where(draw[:, 3] < 0.5, -1.0, 1.0))


def matrices(trivial: Trivial, size: int) -> F64:
    """The geometric changes, as [N, 3, 3] homographies of a view of this size."""
    shears = geometry.shears(trivial.amount("shear_x", 0.99), trivial.amount("shear_y", 0.99))
    pixels = 32 * 2 / size
    shifts = geometry.shifts(trivial.amount("translate_x", pixels), trivial.amount("translate_y", pixels))
    return shears @ shifts @ geometry.turns(trivial.amount("rotate", 135))


def factors(trivial: Trivial, before: Factors) -> Factors:
    """The changes of light, on top of others."""
    return replace(
        before,
        light=before.light * (1 + trivial.amount("brightness", 0.99)),
        contrast=before.contrast * (1 + trivial.amount("contrast", 0.99)),
        saturation=before.saturation * (1 + trivial.amount("colour", 0.99)),
    )


def apply(views: Tensor, trivial: Trivial) -> Tensor:
    """The changes that are neither: views [N, 3, S, S] from 0 to 255, changed in place."""
    for name, change in _OTHERS:
        some = np.flatnonzero(trivial.drew(name))
        if len(some):
            rows = torch.from_numpy(some).to(views.device)
            strength = torch.from_numpy((trivial.sign * trivial.strength)[some].astype(np.float32)).to(views.device)
            views[rows] = change(views[rows].round_(), strength.view(-1, 1, 1, 1))
    return views


def _sharpness(views: Tensor, strength: Tensor) -> Tensor:
    kernel = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]], device=views.device).div_(13).expand(3, 1, 3, 3)
    smooth = views.clone()
    smooth[:, :, 1:-1, 1:-1] = F.conv2d(views, kernel, groups=3)
    return torch.lerp(smooth, views, 1 + 0.99 * strength).clamp_(0, 255)


def _posterize(views: Tensor, strength: Tensor) -> Tensor:
    step = 2.0 ** (6 * strength.abs()).round()  # up to 6 of the 8 bits go
    return (views / step).floor_() * step


def _solarize(views: Tensor, strength: Tensor) -> Tensor:
    return torch.where(views >= 255 * (1 - strength.abs()), 255 - views, views)


def _autocontrast(views: Tensor, _strength: Tensor) -> Tensor:
    least, most = views.amin((2, 3), keepdim=True), views.amax((2, 3), keepdim=True)
    return torch.where(most > least, (views - least) * (255 / (most - least).clamp(min=1)), views).clamp_(0, 255)


def _equalize(views: Tensor, _strength: Tensor) -> Tensor:
    """As Pillow's `ImageOps.equalize`, each colour alone."""
    flat = views.flatten(2).long()  # [N, 3, S * S]
    counts = torch.zeros(*flat.shape[:2], 256, device=views.device).scatter_add_(2, flat, torch.ones_like(flat).float())
    below = counts.cumsum(2)
    last = counts.gather(2, flat.amax(2, keepdim=True))
    step = ((below[:, :, -1:] - last) / 255).floor()
    table = ((below - counts + (step / 2).floor()) / step.clamp(min=1)).floor().clamp_(0, 255)
    return torch.where(step[..., None] > 0, table.gather(2, flat).view(views.shape), views)


_OTHERS: tuple[tuple[str, Callable[[Tensor, Tensor], Tensor]], ...] = (
    ("sharpness", _sharpness),
    ("posterize", _posterize),
    ("solarize", _solarize),
    ("autocontrast", _autocontrast),
    ("equalize", _equalize),
)
