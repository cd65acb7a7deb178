"""Pictures and maps -> pictures with the maps laid over them, for figures and pages."""

import functools

import numpy as np
import numpy.typing as npt

from ursa.core.decoding.image import Pixels
from ursa.errors import DataError

F32 = npt.NDArray[np.float32]

COLORS = "plasma"  # of matplotlib, from violet to yellow: even steps in lightness, told apart by all color vision
FAINT = 0.25  # of a map's largest value: below it the picture shows through as it is, but grayer
STRONGEST = 0.75  # share of color where the map is 1, so that what is there can still be seen


def overlays(pictures: Pixels, maps: F32) -> Pixels:
    """pictures [N, S, S, 3] uint8, maps [N, S, S] from 0 to 1 -> [N, S, S, 3] uint8.

    The more a place speaks for the class, the more color from violet to yellow; the rest is grayer and darker than it
    was. A map of zeros leaves a gray picture: nothing speaks for the class.
    """
    if pictures.shape[:3] != maps.shape or pictures.shape[3:] != (3,):
        found = f"pictures {list(pictures.shape)}, maps {list(maps.shape)}"
        raise DataError("each picture needs a map as large as it is", found=found, fix="[N, H, W, 3] and [N, H, W]")
    return np.stack([_overlay(picture, one) for picture, one in zip(pictures, maps, strict=True)])


def _overlay(picture: Pixels, one: F32) -> Pixels:
    gray = picture @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
    ground = 0.8 * (0.75 * gray[..., None] + 0.25 * picture)
    share = STRONGEST * np.clip((one - FAINT) / (1 - FAINT), 0, 1) ** 0.7
    color = _colors()[np.rint(np.clip(one, 0, 1) * 255).astype(int)]
    mixed = ground * (1 - share[..., None]) + color * share[..., None]
    drawn: Pixels = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return drawn


@functools.cache
def _colors() -> F32:
    """[256, 3] 0 to 255."""
    from matplotlib import colormaps

    return np.asarray(colormaps[COLORS](np.arange(256))[:, :3] * 255, np.float32)
