"""Pictures of a folder -> spoiled ones: dark, overexposed, blurred, blank, without detail, stretched, pages of text."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Draw = np.random.Generator
F32 = npt.NDArray[np.float32]

STOPS = 3  # of exposure, too little or too much
BLUR = 0.01  # of the longer side: radius
PLANTED = {  # what is done -> the kind of the finding that ought to name it
    "darkened": "dark",
    "overexposed": "overexposed",
    "blurred": "blurred",
    "one color": "blank",
    "gradient": "low-information",
    "stretched": "odd-shape",
    "text page": "outlier",
}
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog,", "while", "nobody", "at", "all", "was.")


def spoiled(kind: str, picture: Image.Image, draw: Draw) -> Image.Image:
    """The picture, spoiled; or one of its size that shows something else."""
    picture = picture.convert("RGB")
    width, height = picture.size
    if kind in ("darkened", "overexposed"):
        linear = exposed(np.asarray(picture), STOPS if kind == "overexposed" else -STOPS)
        return Image.fromarray(linear)
    if kind == "blurred":
        return picture.filter(ImageFilter.GaussianBlur(BLUR * max(width, height)))
    if kind == "one color":
        color = draw.integers(0, 256, 3)
        noise = draw.normal(0, 1.5, (height, width, 3))
        return Image.fromarray(np.clip(color + noise, 0, 255).astype(np.uint8))
    if kind == "gradient":  # as an empty sky
        top, bottom = draw.uniform(60, 230, 3), draw.uniform(60, 230, 3)
        ramp = np.linspace(0, 1, height)[:, None, None]
        noise = draw.normal(0, 1.5, (height, width, 3))
        return Image.fromarray(np.clip(top + (bottom - top) * ramp + noise, 0, 255).astype(np.uint8))
    if kind == "stretched":
        side, times = round((width * height) ** 0.5), float(draw.uniform(3.2, 6))
        size = round(side * times**0.5), round(side / times**0.5)
        return picture.resize(size if draw.random() < 0.5 else size[::-1])
    return text_page(draw)


def exposed(pixels: npt.NDArray[np.uint8], stops: float) -> npt.NDArray[np.uint8]:
    """Levels as a camera with so many stops more of exposure would have written them (sRGB)."""
    levels = pixels.astype(np.float32) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4) * np.float32(2**stops)
    linear = np.clip(linear, 0, 1)
    again = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255 * again), np.uint8)


def text_page(draw: Draw) -> Image.Image:
    """A page as a scanner or a screenshot gives it."""
    width, height = (480, 640) if draw.random() < 0.6 else (640, 400)
    paper, size = int(draw.integers(225, 256)), int(draw.integers(11, 19))
    page = Image.new("RGB", (width, height), (paper, paper, paper - int(draw.integers(0, 12))))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    top = 40
    while top < height - 40:
        line = ""
        while pen.textlength(line, font) < width - 110 * (1 + float(draw.random() < 0.15)):
            line += f"{draw.choice(WORDS)} "
        pen.text((40, top), line.strip(), fill=(30, 30, 30), font=font)
        top += round(size * 1.5) * (1 + int(draw.random() < 0.12))
    return page
