"""JPEG -> pixels by libjpeg-turbo, nearly without the interpreter's lock, no larger than they are needed.

Only frames that this decoder knows at every scale come here. It does not scale a lossless one (SOF3), and simplejpeg
1.9 then writes the whole picture into memory that it took for the scaled one.
"""

import numpy as np
import numpy.typing as npt

from ursa.core.decoding.markers import Frame


def plain(
    data: bytes, frame: Frame, at_least: int | None, side: str, out: npt.NDArray[np.uint8] | None = None
) -> tuple[npt.NDArray[np.uint8], int, int] | None:
    """-> pixels [h, w, 3], and width and height of the file; None where Pillow has to look.

    That is where the file may say that it is turned or in other colours, is in CMYK, or libjpeg has something to say.
    `at_least`, `side`, `out`: see `ursa.core.decoding.image.read`.
    """
    if not frame.is_simple or frame.components == 4:
        return None
    try:
        return pixels(data, frame, at_least, side, out=out), frame.width, frame.height
    except ValueError:  # truncated, or a harmless warning: Pillow tells them apart
        return None


def pixels(
    data: bytes,
    frame: Frame,
    at_least: int | None,
    side: str,
    layout: str = "RGB",
    out: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """[h, w, 3] as stored ([h, w, 4] for the layout "CMYK"). Raises ValueError where libjpeg has something to say.

    Never with simplejpeg's `strict=False`: where libjpeg warned and then gave up, 1.9 returns memory as it found it.
    """
    import simplejpeg

    if not frame.is_sound:
        raise ValueError("not a frame that is decoded at every scale")
    height, width, least_height, least_width = frame.height, frame.width, 0, 0
    if at_least is not None:
        least_height, least_width = least(height, width, at_least, side)
        height, width = scaled(height, width, least_height, least_width)
    shape = (height, width, len(layout))  # in a buffer of ours, so that it refuses to write a larger one
    found = np.empty(shape, np.uint8) if out is None else out[: height * width * len(layout)].reshape(shape)
    said = simplejpeg.decode_jpeg(data, layout, min_height=least_height, min_width=least_width, buffer=found)
    if said.shape != found.shape:
        raise ValueError(f"decoded to {said.shape} instead of {found.shape}")
    return found


def least(height: int, width: int, at_least: int, side: str) -> tuple[int, int]:
    """The height and width that are asked for; 0: any."""
    if side == "longer":
        return (2 * at_least, 0) if height > width else (0, 2 * at_least)
    return 2 * at_least, 2 * at_least


def scaled(height: int, width: int, least_height: int, least_width: int) -> tuple[int, int]:
    """The height and width at which it is decoded: the least of 1/8 to 8/8 that is enough, sides rounded up."""
    for eighths in range(1, 8):
        h, w = -(-height * eighths // 8), -(-width * eighths // 8)
        if h >= min(height, least_height) and w >= min(width, least_width) and (least_height > 0 or least_width > 0):
            return h, w
    return height, width


def halvings(height: int, width: int, least_height: int, least_width: int) -> int:
    """By what Pillow's `draft` divides both sides where that is enough: 1, 2, 4 or 8."""
    most = min(height // max(1, least_height), width // max(1, least_width))
    return max((by for by in (1, 2, 4, 8) if by <= most), default=1)
