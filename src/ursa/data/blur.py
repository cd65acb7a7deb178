"""View of a picture -> how blurred it is, in one number. Measured in the one pass, on pixels that are there anyway."""

import numpy as np
import numpy.typing as npt

from ursa.core.decoding.image import Pixels

LAG = 4  # pixels: blur of a radius of 1.5 shows, and of more than 4 is no worse
EVERY = 2  # lines measured: half of them say the same in half the time


def blur(pixels: Pixels) -> float:
    """pixels [h, w, 3] -> how many times as much levels change over 4 pixels as over 1, along the strongest edges.

    About 1.4 where edges are a pixel wide (4 ** 1/4), 4 where nothing changes faster than evenly. By fourth powers a
    sharp eye before a soft background counts as sharp, and noise does not; by the ratio contrast does not count.
    """
    lines = pixels[::EVERY, :, 1].astype(np.float32)
    columns = pixels[:, ::EVERY, 1].astype(np.float32)
    near = _fourth_powers(lines[:, 1:], lines[:, :-1]) + _fourth_powers(columns[1:], columns[:-1])
    far = _fourth_powers(lines[:, LAG:], lines[:, :-LAG]) + _fourth_powers(columns[LAG:], columns[:-LAG])
    return float(((far + 1) / (near + 1)) ** 0.25)  # 1: of one color nothing can be said


def _fourth_powers(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    squares = (one - other).ravel()
    squares *= squares
    return float(squares @ squares)
