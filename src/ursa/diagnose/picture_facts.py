"""What a scan knows of pictures beside their content: numbers of files, and levels of their thumbnails."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.data.catalog import Catalog
from ursa.data.scan import THUMBNAIL

F64 = npt.NDArray[np.float64]
Facts = Mapping[str, npt.NDArray[Any]]  # by name, [N] each

# Facts of a file say how it was made, not what it shows; those of a picture may say either.
FILE_FACTS = {
    "width": "the width in pixels",
    "height": "the height in pixels",
    "area": "the number of pixels",
    "aspect": "the shape, width by height",
    "compression": "the bytes a pixel",  # 0 where nothing is lost: of a PNG they say what it shows
    "format": "the file format",
    "folder": "the folder inside the class",
}
PICTURE_FACTS = {
    "brightness": "the mean brightness",
    "darkest": "the darkest level",
    "brightest": "the brightest level",
    "contrast": "the contrast",
    "sharpness": "the sharpness",
    "border": "the brightness of the border",
}
LOSSY = ("JPEG", "WEBP", "AVIF", "HEIC", "JPEG2000")  # how strongly they are compressed is a choice, not the content's
NAMED = ("format", "folder")  # text: equal or not, without an order
ENDS = {  # what pictures at the low and at the high end of a fact are called
    "width": ("narrow", "wide"),
    "height": ("low", "high"),
    "area": ("small", "large"),
    "aspect": ("upright", "oblong"),
    "compression": ("strongly compressed", "hardly compressed"),
    "brightness": ("dark", "bright"),
    "darkest": ("deep-black", "washed-out"),
    "brightest": ("dim", "brightly lit"),
    "contrast": ("low-contrast", "high-contrast"),
    "sharpness": ("blurred", "sharp"),
    "border": ("dark-bordered", "bright-bordered"),
}


def picture_facts(catalog: Catalog) -> Facts:
    """A scanned catalog of N usable pictures -> [N] of each of FILE_FACTS and PICTURE_FACTS; text for those NAMED."""
    rows = catalog.rows
    width, height = (rows[name].cast(float).to_numpy() for name in ("width", "height"))
    pixels = np.maximum(width * height, 1)
    small = np.stack([np.frombuffer(some, np.uint8) for some in rows["thumbnail"]]).astype(np.float64)
    levels = small.reshape(-1, THUMBNAIL, THUMBNAIL)
    spread = small.std(1)
    around = [levels[:, 0], levels[:, -1], levels[:, 1:-1, 0], levels[:, 1:-1, -1]]
    return {
        "width": width,
        "height": height,
        "area": pixels,
        "aspect": width / np.maximum(height, 1),
        "compression": rows["bytes"].cast(float).to_numpy() / pixels * rows["format"].is_in(LOSSY).to_numpy(),
        "format": np.array(rows["format"].to_list(), dtype=str),
        "folder": np.array(_shared_folders(catalog.ids, rows["label"].to_list()), dtype=str),
        "brightness": small.mean(1),
        "darkest": small.min(1),
        "brightest": small.max(1),
        "contrast": spread,
        "sharpness": _edges(levels) / np.maximum(spread, 1),
        "border": np.concatenate(around, axis=1).mean(1),
    }


def _edges(levels: F64) -> F64:
    """[N, h, w] -> [N] mean strength of the Laplacian."""
    inner = 4 * levels[:, 1:-1, 1:-1]
    beside = levels[:, :-2, 1:-1] + levels[:, 2:, 1:-1] + levels[:, 1:-1, :-2] + levels[:, 1:-1, 2:]
    return np.asarray(np.abs(inner - beside).mean((1, 2)))


def _shared_folders(ids: Sequence[str], labels: Sequence[object]) -> list[str]:
    """[N] the folder of each picture, as far as it does not name a class; "" where only one class has such a folder.

    cat/phone/1.jpg and dog/phone/7.jpg -> phone. Folders of one class alone are its kinds (dog/poodle), not sources.
    """
    names = {str(label) for label in labels}
    folders = ["/".join(part for part in PurePosixPath(id).parts[:-1] if part not in names) for id in ids]
    classes: dict[str, set[str]] = {}
    for folder, label in zip(folders, labels, strict=True):
        classes.setdefault(folder, set()).add(str(label))
    return [folder if len(classes[folder]) > 1 else "" for folder in folders]
