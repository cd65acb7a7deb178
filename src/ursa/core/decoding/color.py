"""Any Pillow image -> RGB as it is to be seen: [h, w, 3] uint8 in sRGB, transparency laid on white.

An embedded colour profile is obeyed where it changes anything; 16-bit and float values are scaled, not cut.
"""

import io
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from ursa.core.decoding import headers

Pixels = npt.NDArray[np.uint8]

UNSEEN = 3  # grey levels: a profile that moves no colour further is left alone (all that call themselves sRGB: 0 or 1)
LARGEST_PROFILE = 4 << 20  # bytes; CMYK profiles of printers reach 2 MB
BAND = 1 << 18  # pixels that are converted at a time
DEPTHS = (8, 10, 12, 14, 16)  # bits of sensors, for values that came in 16


def to_rgb(image: Image.Image) -> Pixels:
    """Any Pillow image -> [h, w, 3] uint8."""
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(image)
    image.load()
    if image.mode == "LAB":
        return _in_bands(image, _lab().apply)
    if image.mode in ("RGBA", "LA", "La", "RGBa", "PA") or "transparency" in image.info:
        return _in_bands(image, _on_white(profile_of(image, "RGB")))
    if transform := profile_of(image, image.mode):
        return _in_bands(image, transform.apply)
    if image.mode == "P" and (transform := profile_of(image, "RGB")):
        return _in_bands(image, lambda band: transform.apply(band.convert("RGB")))
    if image.mode == "RGB" and image.width * image.height <= 4 * BAND:
        return np.asarray(image)
    return _in_bands(image, lambda band: band.convert("RGB"))


def _in_bands(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Pixels:
    """convert: some rows of the image -> the same in RGB. A copy of 80 megapixels as Pillow keeps them takes 320 MB."""
    width, height = image.size
    rgb = np.empty((height, width, 3), np.uint8)
    rows = max(1, BAND // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        whole = top == 0 and bottom == height
        rgb[top:bottom] = np.asarray(convert(image if whole else image.crop((0, top, width, bottom))))
    return rgb


def in_srgb(pixels: Pixels, image: Image.Image) -> Pixels:
    """pixels [h, w, 3] that another decoder made of this RGB or grey image, its colour profile obeyed in place."""
    transform = profile_of(image, image.mode)
    if transform is None:
        return pixels
    rows = max(1, BAND // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        band = pixels[top : top + rows]
        stored = band if image.mode == "RGB" else band[..., 0]
        band[:] = np.asarray(transform.apply(Image.fromarray(np.ascontiguousarray(stored))))
    return pixels


def profile_of(image: Image.Image, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the image's own colours in this mode to sRGB; None where there is nothing sound to do."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 128 <= len(profile) <= LARGEST_PROFILE:
        return None
    return _to_srgb(profile, mode)


@lru_cache(maxsize=32)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Relative colorimetric with black point compensation, as editors and browsers do it for photos."""
    if {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}.get(mode) != profile[16:20]:
        return None  # it belongs to other colours
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None  # a broken profile does not make the picture unreadable
    if mode == "CMYK":
        return transform
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 27, 3)
    chart = Image.fromarray(cube if mode == "RGB" else levels[None])
    moved = np.asarray(transform.apply(chart)).astype(int) - np.asarray(chart.convert("RGB"))
    return transform if np.abs(moved).max() > UNSEEN else None


@lru_cache(maxsize=1)
def _lab() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")


def _on_white(transform: ImageCms.ImageCmsTransform | None) -> Callable[[Image.Image], Image.Image]:
    def convert(band: Image.Image) -> Image.Image:
        layer = band.convert("RGBA")
        if transform is not None:
            opacity = layer.getchannel("A")
            layer = transform.apply(layer.convert("RGB"))
            layer.putalpha(opacity)
        white = Image.new("RGBA", layer.size, "white")
        white.alpha_composite(layer)
        return white.convert("RGB")

    return convert


def _from_deep(image: Image.Image) -> Pixels:
    """16-bit, 32-bit and float grey -> RGB. See `_range`; what is declared transparent becomes white."""
    image.load()
    low, high = _range(image)
    rgb = np.zeros((image.height, image.width, 3), np.uint8)
    clear = image.info.get("transparency")
    for top, values in _bands(image):
        place = rgb[top : top + len(values)]
        if high > low:
            band = (values.astype(np.float64) - low) * (255 / (high - low))
            gray = np.clip(np.nan_to_num(band, posinf=0, neginf=0) + 0.5, 0, 255).astype(np.uint8)
            place[:] = gray[..., None]
        if isinstance(clear, int):
            place[values == clear] = 255
    return rgb


def _bands(image: Image.Image) -> Iterator[tuple[int, npt.NDArray[np.generic]]]:
    """(the first row, values [rows, w]) of each band from top to bottom."""
    width, height = image.size
    rows = max(1, BAND // width)
    for top in range(0, height, rows):
        yield top, np.asarray(image.crop((0, top, width, min(top + rows, height))))


def _range(image: Image.Image) -> tuple[float, float]:
    """What is black and what is white.

    Whole numbers: the full scale that the file declares; else of the least of `DEPTHS` that holds them all, because
    cameras and microscopes deliver 10 to 14 bits in 16 without saying so, and would come out nearly black. Floats from
    0 to 1 are shares of white. Anything else goes by the picture's own darkest and brightest value.
    """
    lows, highs = [], []
    for _, values in _bands(image):
        finite = values[np.isfinite(values)] if image.mode == "F" else values
        if finite.size:
            lows.append(float(finite.min()))
            highs.append(float(finite.max()))
    low, high = min(lows, default=0.0), max(highs, default=0.0)
    if image.mode == "F":
        return (0.0, 1.0) if low >= 0 and 0 < high <= 1 else (low, high)
    if low < 0 or high > 65535:
        return low, high
    return 0.0, float(_declared(image, high) or next(2**bits - 1 for bits in DEPTHS if high < 2**bits))


def _declared(image: Image.Image, high: float) -> int:
    """The full scale that a TIFF says its values have; 0 where it says none, or one that they exceed."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(headers.BITS, (16,))[0]
    for said in (tags.get(headers.SMAX_SAMPLE), tags.get(headers.MAX_SAMPLE), 2**bits - 1 if bits < 16 else None):
        full = said[0] if isinstance(said, tuple) and said else said
        if isinstance(full, int | float) and high <= full <= 65535 and full > 0:
            return int(full)
    return 0
