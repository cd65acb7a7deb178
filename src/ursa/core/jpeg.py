"""JPEG -> pixels by libjpeg-turbo, nearly without the interpreter's lock, no larger than they are needed."""

import numpy as np
import numpy.typing as npt

# Where a file may say how the camera was held, or that its colours are not sRGB.
ASIDE = (b"Exif\x00\x00", b"tiff:Orientation", b"ICC_PROFILE\x00")


def plain(data: bytes, at_least: int | None, side: str, most: int) -> tuple[npt.NDArray[np.uint8], int, int] | None:
    """-> pixels [h, w, 3], and width and height of the file; None where Pillow has to look.

    That is where the file may say that it is turned or in other colours, is in CMYK, has more than `most` pixels, or
    libjpeg has something to say. `at_least`, `side`: see `ursa.core.image.read`.
    """
    import simplejpeg

    if any(data.find(mark) >= 0 for mark in ASIDE):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in ("YCbCr", "Gray", "RGB") or width * height > most:
            return None
        return pixels(data, at_least, side), width, height
    except ValueError:  # truncated, or a harmless warning: Pillow tells them apart
        return None


def pixels(data: bytes, at_least: int | None, side: str, layout: str = "RGB") -> npt.NDArray[np.uint8]:
    """[h, w, 3] as stored ([h, w, 4] for the layout "CMYK"). Raises ValueError where libjpeg has something to say."""
    import simplejpeg

    if at_least is None:
        return np.asarray(simplejpeg.decode_jpeg(data, layout))
    h = w = 2 * at_least
    if side == "longer":
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        h, w = (h, 0) if height > width else (0, w)
    return np.asarray(simplejpeg.decode_jpeg(data, layout, min_height=h, min_width=w))
