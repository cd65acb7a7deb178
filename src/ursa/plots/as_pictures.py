"""Whatever holds pictures -> [h, w, 3] uint8. Arrays, tensors, grey, floats, channels first, normalised ones.

What numbers mean is told by their type and range, for all pictures of an array at once; where that is not clear, or
where there are numbers that are none, the error says what to give.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ursa.core.decoding.image import Pixels, to_rgb
from ursa.errors import DataError

Values = npt.NDArray[Any]

SLACK = 0.02  # by which floats may leave 0 to 1: resampling and colour changes overshoot a little


def as_pictures(source: Any, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> list[Pixels]:
    """[N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1, 3 or 4, or a sequence of single pictures -> [h, w, 3] each.

    Integers are 0 to 255 (16-bit ones 0 to 65535); floats are 0 to 1 or, where one is larger, 0 to 255. With `mean` and
    `std` (of numbers from 0 to 1, one a channel) a normalisation is undone first. Raises DataError.
    """
    if isinstance(source, Sequence) and not isinstance(source, str | bytes):
        return [picture for one in source for picture in as_pictures(_one(one), mean, std)]
    values = _array(source)
    if values.ndim not in (3, 4):
        raise DataError(
            "pictures come as [N, H, W, 3], [N, 3, H, W] or [N, H, W]",
            found=f"an array {list(values.shape)}",
            fix="put a single picture into a list: show_batch([picture]), or call show(picture)",
        )
    values = _channels_last(values[..., None] if values.ndim == 3 else values)
    if 0 in values.shape[1:3]:
        raise DataError("a picture without pixels", found=f"an array {list(values.shape)}", fix="leave it out")
    return list(_three_channels(_bytes(_denormalized(values, mean, std))))


def as_picture(source: Any, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> Pixels:
    """One picture: [H, W], [H, W, C] or [C, H, W], or one of Pillow's -> [h, w, 3] uint8. Raises DataError."""
    return as_pictures(_one(source), mean, std)[0]


def _one(source: Any) -> Values:
    """A single picture as an array of one."""
    if isinstance(source, Image.Image):
        return to_rgb(source)[None]
    values = _array(source)
    if values.ndim not in (2, 3):
        raise DataError(
            "a picture comes as [H, W], [H, W, 3] or [3, H, W]",
            found=f"an array {list(values.shape)}",
            fix="for several pictures call show_batch",
        )
    return values[None]


def _array(source: Any) -> Values:
    """numpy's view of it; a tensor is fetched from its device first, a bfloat16 one widened."""
    if hasattr(source, "detach"):
        source = source.detach().cpu()
        if str(source.dtype) in ("torch.bfloat16", "torch.float16"):
            source = source.float()
        source = source.numpy()
    try:
        values = np.asarray(source)
    except ValueError as problem:
        raise DataError("these are no pictures", found=problem, fix="give arrays, tensors or a Catalog") from None
    if values.dtype.kind not in "buif":
        raise DataError("these are no pictures", found=f"{type(source).__name__} of {values.dtype}", fix="give numbers")
    return values


def _channels_last(values: Values) -> Values:
    """[N, ?, ?, ?] -> [N, H, W, C]. Three or four in the last place are channels, whatever stands before them."""
    if values.shape[3] not in (3, 4) and values.shape[1] in (1, 3, 4) and (values.shape[3] != 1 or values.shape[1] > 1):
        values = values.transpose(0, 2, 3, 1)
    if values.shape[3] not in (1, 3, 4):
        raise DataError(
            "a picture has 1, 3 or 4 channels",
            found=f"an array {list(values.shape)}",
            fix="choose the channels to look at: pictures[..., [0, 1, 2]]",
        )
    return values


def _denormalized(values: Values, mean: Sequence[float] | None, std: Sequence[float] | None) -> Values:
    if mean is None and std is None:
        return values
    if mean is None or std is None or len(mean) != len(std) or len(mean) not in (1, values.shape[3]):
        raise DataError(
            "undoing a normalisation needs a mean and a deviation for each channel",
            found=f"mean={mean}, std={std}, {values.shape[3]} channels",
            fix="mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225) are ImageNet's",
        )
    plain: Values = np.clip(values * np.asarray(std, np.float64) + np.asarray(mean, np.float64), 0, 1)
    return plain


def _bytes(values: Values) -> Pixels:
    """Numbers of any type -> uint8."""
    if values.dtype == np.uint8 or not values.size:
        return values.astype(np.uint8, copy=False)
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise DataError(
            "pictures hold numbers that are none",
            found=f"{count:,} of {values.size:,} are NaN or infinite",
            fix="look for a division by zero in what made them",
        )
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f" and low >= -SLACK and high <= 1 + SLACK:
        scale = 255.0
    elif low >= 0 and high <= 255:
        scale = 1.0
    elif values.dtype == np.uint16:
        scale = 255 / 65535
    else:
        raise DataError(
            "the numbers of a picture go from 0 to 1 or from 0 to 255",
            found=f"{low:.4g} to {high:.4g}",
            fix="if they are normalised, give mean=... and std=...",
        )
    return (np.clip(values * scale, 0, 255) + 0.5).astype(np.uint8)


def _three_channels(pixels: Pixels) -> Pixels:
    """Grey is repeated; transparency is laid on white."""
    if pixels.shape[3] == 1:
        return np.repeat(pixels, 3, axis=3)
    if pixels.shape[3] == 4:
        alpha = pixels[..., 3:].astype(np.float64) / 255
        return (pixels[..., :3] * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8)
    return pixels
