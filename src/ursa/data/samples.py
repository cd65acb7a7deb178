"""Small real data sets that need no network."""

from pathlib import Path

import numpy as np

from ursa.core import seeds
from ursa.core.prepare import resize


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
