"""Arrays or tensors of pictures and labels -> a picture folder, and the catalog of it. Lossless."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core.decoding.image import Pixels
from ursa.core.tasks import is_one_hot
from ursa.data.catalog import Catalog
from ursa.data.sources.class_names import Naming, Target, in_numpy
from ursa.data.sources.folder_names import folders_can_be
from ursa.data.sources.write_folder import Item, of_item, write_folder
from ursa.errors import DataError

Array = npt.NDArray[Any]


def from_arrays(
    train: Any,
    valid: Any = None,
    *,
    to: str | Path,
    test: Any = None,
    names: Sequence[str] | None = None,
) -> Catalog:
    """(x, y) of each part, numpy arrays or torch tensors -> lossless PNG in the folder `to`, and the catalog of it.

    x: [N, H, W], [N, H, W, 1 or 3], or [N, 1 or 3, H, W]; where both could be meant, tensors have the colors first and
    arrays last. uint8 is taken as it is, True is white; fractions are 0 to 1 where none is above, else 0 to 255: all
    parts together decide.
    y: indices of `names` or text are classes, fractions are numbers; lists are several classes; an array [N, K] of 0
    and 1 holds a column for each class, any other one K numbers; None: no labels.

    Single classes become folders, `train/<class>/000001.png`; where that cannot be, `train/000001.png` and a table
    `labels.parquet`, which `from_table` reads. The same data again write nothing. Raises DataError for shapes, lengths,
    values or names that do not fit, and where `to` holds other files.
    """
    given = {name: part for name, part in (("train", train), ("valid", valid), ("test", test)) if part is not None}
    halves = {name: _halves(name, part) for name, part in given.items()}
    pictures = {name: _pictures(name, x) for name, (x, _) in halves.items()}
    labels = _labels({name: y for name, (_, y) in halves.items()}, Naming.of(names))
    for name, targets in labels.items():
        if targets is not None and len(targets) != len(pictures[name]):
            found = f"{len(pictures[name]):,} pictures and {len(targets):,} labels"
            raise DataError(f"pictures and labels of {name} differ in number", found=found)
    brightest = _brightest(pictures)

    def pixels(picture: Array) -> Pixels:
        flat = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
        if flat.dtype == np.uint8 and brightest == 255:
            return np.ascontiguousarray(flat)
        return np.rint(flat.astype(np.float64) * (255 / brightest)).astype(np.uint8)

    return write_folder(_items(pictures, labels), Path(to), pixels, by_class=_single(labels))


def _items(pictures: Mapping[str, Array], labels: Mapping[str, list[Target] | None]) -> Iterator[Item]:
    for name, each in pictures.items():
        targets = labels[name]
        for number, picture in enumerate(each):
            yield Item(name, number, picture, None if targets is None else targets[number])


def _halves(name: str, part: Any) -> tuple[Any, Any]:
    if isinstance(part, tuple | list) and len(part) == 2:
        return part[0], part[1]
    found = f"{len(part)} things" if isinstance(part, tuple | list) else type(part).__qualname__
    raise DataError(
        f"{name} is not a pair of pictures and labels", found=found, fix="give (x, y); (x, None) without labels"
    )


def _pictures(name: str, x: Any) -> Array:
    """-> [N, H, W] or [N, H, W, 1 or 3], a view of what was given."""
    first = hasattr(x, "detach")  # torch has the colors first
    try:
        array = np.asarray(in_numpy(x))
    except ValueError as problem:
        raise DataError(
            f"the pictures of {name} are not one array",
            found=problem,
            fix="bring them to one size, or use from_dataset",
        ) from None
    shape = array.shape
    if array.dtype.kind not in "biuf":
        raise DataError(f"the pictures of {name} are no numbers", found=array.dtype)
    if array.ndim == 3 and 0 not in shape:
        return array
    places = [place for place in ((1, 3) if first else (3, 1)) if array.ndim == 4 and shape[place] in (1, 3)]
    if not places or 0 in shape:
        shapes = "[N, H, W], [N, H, W, 3] or [N, 3, H, W]"
        fix = "lay them on white first" if array.ndim == 4 and 4 in (shape[1], shape[3]) else "reshape them"
        if array.ndim == 2:
            side = round(shape[1] ** 0.5)
            fix = f"x.reshape(-1, {side}, {side})" if side * side == shape[1] else "reshape them"
        raise DataError(f"the pictures of {name} have to be {shapes}", found=f"shape {list(shape)}", fix=fix)
    return array if places[0] == 3 else np.moveaxis(array, 1, 3)


def _brightest(pictures: Mapping[str, Array]) -> int:
    """The value that is white, 1 or 255. Raises DataError where the values can be neither."""
    kinds = {"u" if each.dtype.kind == "i" else each.dtype.kind for each in pictures.values()}
    if len(kinds) > 1:
        found = ", ".join(f"{name} {each.dtype}" for name, each in pictures.items())
        raise DataError("the parts hold numbers of different kinds", found=found, fix="convert them to one")
    if kinds == {"b"}:
        return 1
    extremes = [float(extreme) for each in pictures.values() for extreme in (each.min(), each.max())]
    if not all(map(math.isfinite, extremes)):  # Python's own min() would pass over a NaN that does not come first
        name, number = next(found for found in map(_not_finite, *zip(*pictures.items(), strict=True)) if found)
        found = f"{'nan' if any(map(math.isnan, extremes)) else 'infinite'} in picture {number} of {name}"
        raise DataError("pixels have to be 0 to 1 or 0 to 255", found=found, fix="look how it was made")
    low, high = min(extremes), max(extremes)
    whole = kinds == {"u"}
    if not (low >= 0 and high <= 255) or (whole and high == 1):
        what = "only 0 and 1, which would all be black" if whole and high == 1 else f"values from {low:g} to {high:g}"
        wanted = "0 to 255" if whole else "0 to 1 or 0 to 255"
        fix = (
            "multiply them by 255, or make them bool"
            if whole and high == 1
            else "undo the normalization, or scale them"
        )
        raise DataError(f"pixels have to be {wanted}", found=what, fix=fix)
    return 1 if not whole and high <= 1 else 255


def _not_finite(name: str, pictures: Array) -> tuple[str, int] | None:
    """The part and the number of the first picture that holds NaN or an infinite number."""
    return next(((name, number) for number, picture in enumerate(pictures) if not np.isfinite(picture).all()), None)


def _labels(ys: Mapping[str, Any], naming: Naming) -> dict[str, list[Target] | None]:
    arrays = {name: _numbers(in_numpy(y)) for name, y in ys.items()}
    tables = [y for y in arrays.values() if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] > 1]
    one_hot = bool(tables) and all(map(is_one_hot, tables))
    labels = {name: None if y is None else _each(name, y, naming, one_hot) for name, y in arrays.items()}
    kinds = {type(label).__name__ for each in labels.values() for label in each or () if label is not None}
    if len(kinds) > 1:
        raise DataError("labels of different kinds", found=", ".join(sorted(kinds)), fix="classes, lists or numbers")
    return labels


def _each(name: str, y: Any, naming: Naming, one_hot: bool) -> list[Target]:
    """The labels one by one. Raises DataError with the number of the first that is none."""
    if not hasattr(y, "__iter__"):
        raise DataError(f"the labels of {name} are not one for each picture", found=type(y).__qualname__)
    found: list[Target] = []
    for number, each in enumerate(y):
        try:
            found.append(naming.label(each, one_hot=one_hot))
        except Exception as problem:  # a label may be anything
            raise of_item(f"label {number} of {name}", problem) from problem
    return found


def _numbers(y: Any) -> Any:
    """A list of numbers, one of them with a fraction, as an array of fractions; anything else as it is."""
    if isinstance(y, list | tuple) and any(isinstance(each, float) for each in y):
        return np.asarray(y) if all(isinstance(each, int | float) for each in y) else y
    return y


def _single(labels: Mapping[str, list[Target] | None]) -> bool:
    """Whether all labels are single classes that can be folders."""
    found = [label for each in labels.values() for label in each or () if label is not None]
    names = {label for label in found if isinstance(label, str)}
    return all(isinstance(label, str) for label in found) and folders_can_be(names)
