"""Small data sets that need no network: real digits, and drawn bears for the examples of the documentation.

`python -m ursa.data.samples` writes `bears/`, `other-bears/` and `picture.jpg` into the folder it is run in.
"""

import sys
from pathlib import Path

import numpy as np

from ursa.core import seeds
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import resize
from ursa.errors import DataError, UrsaError

BEARS = {"black": (38, 34, 36), "brown": (128, 84, 48), "white": (232, 230, 222)}  # class: fur, RGB


def digits(folder: Path, *, side: int = 32, test: float = 0.2, seed: int = 0) -> Path:
    """scikit-learn's 1,797 handwritten digits (UCI ML repository, Alpaydin and Kaynak 1998) as picture folders.

    Writes `train/<digit>/<number>.png` and `test/...`, gray pictures of side x side pixels enlarged from 8 x 8, dark
    ink on white; `test` is the share that is put aside, drawn by the seed. Returns the folder.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    ink = np.repeat(data.images[..., None], 3, axis=3) * (255 / 16)
    pictures = (255 - ink).round().astype(np.uint8)  # [1797, 8, 8, 3]
    aside = seeds.generator(seed, "digits").random(len(pictures)) < test
    for number, (picture, digit) in enumerate(zip(pictures, data.target, strict=True)):
        place = folder / ("test" if aside[number] else "train") / str(digit)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(resize(picture, side, side)[..., 0]).save(place / f"{number:04}.png")
    return folder


def bears(folder: Path, *, each: int = 12, others: int = 4, seed: int = 0) -> Path:
    """Drawn bears in three classes: `bears/<color>/` with `each` pictures, `other-bears/<color>/`, and `picture.jpg`.

    No two are alike, and a probe on pixels can tell the classes; the seed decides all of them. Returns the folder.
    Raises DataError where one of the three is there already.
    """
    from PIL import Image

    for name in ("bears", "other-bears", "picture.jpg"):
        if (folder / name).exists():
            raise DataError(f"{folder / name} is there already", fix="choose an empty folder")
    for number, (place, count) in enumerate((("bears", each), ("other-bears", others))):
        for color in BEARS:
            (folder / place / color).mkdir(parents=True)
            for row in range(count):
                drawn = Image.fromarray(_bear(color, 1000 * number + row, seed))
                drawn.save(folder / place / color / f"{color}_{row:03}.jpg", quality=92)
    Image.fromarray(_bear("black", 2000, seed)).save(folder / "picture.jpg", quality=92)
    return folder


def _bear(color: str, number: int, seed: int) -> Pixels:
    """A bear's head before a blurred landscape -> [h, w, 3]."""
    draw = seeds.generator(seed, f"bears {color}", number)
    height, width = int(draw.integers(96, 129)), int(draw.integers(112, 161))
    patches = draw.integers(0, 250, (4, 5, 1)) * draw.uniform((0.4, 0.8, 0.3), (0.6, 1, 0.5), (4, 5, 3))
    picture = resize(patches.astype(np.uint8), width, height).astype(float)
    rows, columns = np.mgrid[:height, :width]
    size = height * draw.uniform(0.22, 0.38)
    x, y = width * draw.uniform(0.25, 0.75), height * draw.uniform(0.4, 0.65)
    fur = np.clip(np.array(BEARS[color]) + draw.normal(0, 10), 0, 255)
    dark, snout = fur * 0.35, np.clip(fur * 1.1 + 18, 0, 255)
    circles = [(side * 0.75, -0.7, 0.36, fur) for side in (-1, 1)]  # ears, head, snout, nose, eyes; in head's radii
    circles += [(0, 0, 1, fur), (0, 0.38, 0.45, snout), (0, 0.2, 0.16, dark)]
    circles += [(side * 0.38, -0.2, 0.1, dark) for side in (-1, 1)]
    for right, down, radius, paint in circles:
        inside = np.hypot(columns - x - right * size, rows - y - down * size) < radius * size
        picture[inside] = paint
    return np.clip(picture + draw.normal(0, 7, picture.shape), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    try:
        bears(Path(*sys.argv[1:2]))
    except UrsaError as problem:
        sys.exit(str(problem))
