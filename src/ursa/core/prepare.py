"""Picture -> what the model sees. Defined once, here; training, embedding, export and server all call it.

The whole picture is fitted into a square, its shape kept, the rest filled with grey: measured on the shared sets this
beats cropping and squashing (docs/decisions.md, 2026-11-21). Normalisation is the first layer of every model
(`pictures [N, size, size, 3] uint8` goes in), so nothing outside the model can get it wrong.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from ursa.core.image import Pixels
from ursa.errors import DataError

FILL = 114  # grey of the bars: near ImageNet's mean brightness (0.449 * 255 = 114), so it normalises to about zero

FITS = ("pad", "squash", "crop")


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes a square view."""

    size: int = 224  # pixels, both sides of the view
    fit: str = "pad"  # "pad": whole picture, shape kept; "squash": whole, shape lost; "crop": the middle square

    def __post_init__(self) -> None:
        if self.fit not in FITS or self.size < 1:
            raise DataError(
                "a preparation needs a size of at least 1 and a known fit",
                found=f"size {self.size}, fit {self.fit!r}",
                fix=f"fit: one of {', '.join(FITS)}",
            )

    def view(self, pixels: Pixels) -> Pixels:
        """pixels [h, w, 3] uint8 -> view [size, size, 3] uint8, bilinear with antialiasing."""
        height, width = pixels.shape[:2]
        if self.fit == "squash":
            return resize(pixels, self.size, self.size)
        if self.fit == "crop":
            side = min(height, width)
            left, top = (width - side) / 2, (height - side) / 2
            return resize(pixels, self.size, self.size, (left, top, left + side, top + side))
        scale = self.size / max(height, width)
        h, w = max(1, round(height * scale)), max(1, round(width * scale))
        view = np.full((self.size, self.size, 3), FILL, np.uint8)
        top, left = (self.size - h) // 2, (self.size - w) // 2
        view[top : top + h, left : left + w] = resize(pixels, w, h)
        return view

    def to_json(self) -> dict[str, Any]:
        """{"size", "fit"}, as a bundle and the store's key keep it."""
        return asdict(self)


def stacks(views: Iterable[Pixels], size: int) -> Iterator[Pixels]:
    """Views [S, S, 3] -> arrays [n, S, S, 3] of at most `size` of them, taken as they come: memory stays flat."""
    source = iter(views)
    while some := list(itertools.islice(source, size)):
        yield np.stack(some)


def resize(pixels: Pixels, width: int, height: int, box: tuple[float, float, float, float] | None = None) -> Pixels:
    """pixels [h, w, 3] -> [height, width, 3]; box is (left, top, right, bottom) in pixels of the source."""
    return np.asarray(_as_image(pixels).resize((width, height), Image.Resampling.BILINEAR, box))[..., :3]


def _as_image(pixels: Pixels) -> Image.Image:
    """Without a copy where the pixels lie as Pillow keeps them: its copying holds the interpreter's lock."""
    height, width = pixels.shape[:2]
    whole = pixels.base
    if (
        isinstance(whole, np.ndarray)
        and whole.shape == (height, width, 4)
        and pixels.strides == whole.strides == (4 * width, 4, 1)
        and pixels.ctypes.data == whole.ctypes.data
    ):
        return Image.frombuffer("RGBX", (width, height), whole, "raw", "RGBX", 0, 1)
    return Image.fromarray(pixels)
