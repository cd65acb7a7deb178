"""Picture -> what the model sees. Defined once, here; training, embedding, export and server all call it.

The whole picture is fitted into a square, its shape kept, the rest filled with gray: measured on the shared sets this
beats cropping and squashing (docs/decisions.md, 2026-11-21). Normalization is the first layer of every model
(`pictures [N, size, size, 3] uint8` goes in), so nothing outside the model can get it wrong.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ursa.core.decoding.image import Pixels
from ursa.core.threads import batched
from ursa.errors import DataError

FILL = 114  # gray of the bars: near ImageNet's mean brightness (0.449 * 255 = 114), so it normalizes to about zero

FITS = ("pad", "squash", "crop")


class Resize(Protocol):
    """pixels [h, w, 3] -> [height, width, 3], written to a contiguous `out` if one is given."""

    def __call__(self, pixels: Pixels, width: int, height: int, out: Pixels | None = None) -> Pixels: ...


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

    @property
    def side(self) -> str:
        """The side of a picture whose length decides how large the view shows it: "longer" or "shorter"."""
        return "longer" if self.fit == "pad" else "shorter"

    def view(self, pixels: Pixels, out: Pixels | None = None, by: Resize | None = None) -> Pixels:
        """pixels [h, w, 3] uint8 -> view [size, size, 3] uint8, bilinear with antialiasing; put into a blank `out`.

        by: another implementation of `resize`, which agrees with it to 2 gray levels (`embed/resize.py`).
        """
        view = self.blank(1)[0] if out is None else out
        shown = self.shown(view, pixels.shape[1], pixels.shape[0])
        sized = self.sized(pixels, by or resize, shown if shown.flags.c_contiguous else None)
        if sized is not shown:
            shown[:] = sized
        return view

    def blank(self, count: int) -> Pixels:
        """[count, size, size, 3] to be filled by `view`: gray where there may be bars."""
        shape = (count, self.size, self.size, 3)
        return np.full(shape, FILL, np.uint8) if self.fit == "pad" else np.empty(shape, np.uint8)

    def shown(self, view: Pixels, width: int, height: int) -> Pixels:
        """What of a view is picture and not bars, if the picture has this size."""
        if self.fit != "pad":
            return view
        w, h = fitted(width, height, self.size)
        top, left = (self.size - h) // 2, (self.size - w) // 2
        return view[top : top + h, left : left + w]

    def enlarged(self, width: int, height: int) -> float:
        """How many times as large as a picture of this size its view shows it; below 1 it is made smaller."""
        return self.size / (max if self.side == "longer" else min)(width, height)

    def sized(self, pixels: Pixels, by: Resize, out: Pixels | None = None) -> Pixels:
        """pixels [h, w, 3] -> what of the view is picture, [h, w <= size, 3]: as it was, or resized to `out`."""
        height, width = pixels.shape[:2]
        if self.fit == "crop":
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            pixels = pixels[top : top + side, left : left + side]
        size = fitted(width, height, self.size) if self.fit == "pad" else (self.size, self.size)
        return pixels if size == pixels.shape[1::-1] else by(pixels, *size, out)

    def to_json(self) -> dict[str, Any]:
        """{"size", "fit"}, as a bundle and the store's key keep it."""
        return asdict(self)


def stacks(views: Iterable[Pixels], size: int) -> Iterator[Pixels]:
    """Views [S, S, 3] -> arrays [n, S, S, 3] of at most `size` of them, taken as they come: memory stays flat."""
    return (np.stack(some) for some in batched(views, size))


def fitted(width: int, height: int, size: int) -> tuple[int, int]:
    """(width, height) of a picture -> of the same picture with its longer side at `size`, in whole pixels."""
    scale = size / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize(pixels: Pixels, width: int, height: int, out: Pixels | None = None) -> Pixels:
    """pixels [h, w, 3] -> [height, width, 3], bilinear with antialiasing, as Pillow does it; written to `out`."""
    sized = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    if out is None:
        return sized
    out[:] = sized
    return out
