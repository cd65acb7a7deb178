"""A data set of torch or Hugging Face -> a picture folder, and the catalog of it. One item at a time."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ursa.core import files, picture_file
from ursa.core.decoding.image import DECODERS, Pixels, sniff, to_rgb
from ursa.data.catalog import Catalog
from ursa.data.sources.class_names import Naming, Target, in_numpy
from ursa.data.sources.folder_names import folders_can_be
from ursa.data.sources.name_patterns import split_of, unknown_split
from ursa.data.sources.tables import COLUMNS
from ursa.data.sources.write_folder import Item, of_item, write_folder
from ursa.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Source:
    """One part, opened: its items, its classes, and how a label is read."""

    items: Iterable[tuple[Any, Any]]  # picture, label
    names: Sequence[Any] | None  # of all classes, where they are known
    label: Callable[[Naming, Any], Target]


def from_dataset(
    dataset: Any,
    *,
    to: str | Path,
    valid: Any = None,
    test: Any = None,
    names: Sequence[str] | None = None,
    picture: str | None = None,
    label: str | None = None,
) -> Catalog:
    """The items of data sets, written to the folder `to` as `from_arrays` writes them, and the catalog of it.

    dataset: a torch `Dataset` of (picture, label), as all of torchvision.datasets are, or a `Dataset` of Hugging Face;
    it is the training part, beside `valid` and `test`. A `DatasetDict`, or another mapping, holds all parts itself.
    A picture is a PIL image (turned upright, transparency on white), or an array or tensor of uint8 or of 0 to 1. Files
    that Hugging Face keeps packed are written as they are.
    names: of the classes; otherwise the data set's own `classes` or `ClassLabel`.
    picture, label: columns of a Hugging Face data set, found by type where they can be; label="" for none.

    Items are read one by one. Raises DataError with the number of the item for whatever goes wrong in reading one, and
    as `from_arrays` does.
    """
    sources = {name: _opened(part, picture, label) for name, part in _parts(dataset, valid, test).items()}
    known = next((source.names for source in sources.values() if source.names is not None), None)
    namings = {name: Naming.of(names or source.names or known) for name, source in sources.items()}
    items = _items(sources, namings)
    first = next(items, None)
    if first is None:
        raise DataError("the data set has no items", fix="check how it was loaded")
    return write_folder(
        _alike(itertools.chain([first], items)),
        Path(to),
        _pixels,
        by_class=_single(first, {name for naming in namings.values() for name in naming.names or ()}),
    )


def _single(first: Item, names: set[str]) -> bool:
    """Whether the labels are single classes that can be folders, told before all of them were seen."""
    if first.label is None or isinstance(first.label, str):
        return folders_can_be(names) if names else first.label is None or first.label.lstrip("-").isdigit()
    return False


def _parts(dataset: Any, valid: Any, test: Any) -> dict[str, Any]:
    """Split -> data set."""
    if not isinstance(dataset, Mapping):
        return {name: part for name, part in (("train", dataset), ("valid", valid), ("test", test)) if part is not None}
    parts: dict[str, Any] = {}
    for word, part in dataset.items():
        split = split_of(str(word))
        if split is None or split in parts:
            raise unknown_split(str(word), "the data set") if split is None else _twice(split, list(dataset))
        parts[split] = part
    return parts


def _twice(split: str, words: list[Any]) -> DataError:
    return DataError(f"the data set has {split} twice", found=", ".join(map(str, words)), fix="leave one of them out")


def _opened(dataset: Any, picture: str | None, label: str | None) -> Source:
    if hasattr(dataset, "features") and hasattr(dataset, "cast_column"):
        return _of_hugging_face(dataset, picture, label)
    if not hasattr(dataset, "__getitem__") and not hasattr(dataset, "__iter__"):
        found = f"{type(dataset).__module__}.{type(dataset).__qualname__}"
        raise DataError("this is no data set", found=found, fix="give a torch Dataset, or one of Hugging Face")
    return Source(map(_pair, _each(dataset)), _classes(dataset), lambda naming, given: naming.label(given))


def _each(dataset: Any) -> Iterator[Any]:
    """By number where that can be: a torch data set that is iterated does not say where it ends."""
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
        return (dataset[number] for number in range(len(dataset)))
    return iter(dataset)


def _pair(item: Any) -> tuple[Any, Any]:
    if isinstance(item, tuple | list) and len(item) == 2:
        return item[0], item[1]
    if isinstance(item, tuple | list) and len(item) > 2:
        raise ValueError(f"an item of {len(item)} things; it has to be (picture, label)")
    if isinstance(item, Mapping):
        raise ValueError(f"an item with {', '.join(map(str, item))}; it has to be (picture, label)")
    return item, None


def _classes(dataset: Any) -> Sequence[Any] | None:
    """The data set's own names, also those of one that it is a part of (torch's Subset, ConcatDataset)."""
    for _ in range(10):
        classes = getattr(dataset, "classes", None)
        if isinstance(classes, list | tuple):
            return classes
        inner = getattr(dataset, "dataset", None)
        dataset = inner if inner is not None else next(iter(getattr(dataset, "datasets", ())), None)
    return None


def _of_hugging_face(dataset: Any, picture: str | None, label: str | None) -> Source:
    features = dataset.features
    if features is None:
        raise DataError("the data set does not say what its columns hold", fix="load it without streaming=True")
    image = _chosen(features, picture, "picture", [name for name in features if _type(features[name]) == "Image"])
    answers = [name for name in features if _type(_inner(features[name])) == "ClassLabel"]
    plain = [name for name in features if name != image]
    named = [name for names in COLUMNS["label"] for name in plain if name.lower() in names]
    target = None if label == "" or not plain else _chosen(features, label, "label", answers or named[:1])
    rows = dataset.with_format(None) if hasattr(dataset, "with_format") else dataset
    rows = rows.cast_column(image, type(features[image])(decode=False))
    rows = rows.select_columns([name for name in (image, target) if name is not None])
    names = None
    if target is not None:
        feature = _inner(features[target])
        if _type(feature) == "ClassLabel":
            names = feature.names
        elif getattr(feature, "dtype", "") in ("string", "large_string") and hasattr(rows, "unique"):
            names = sorted(word for word in rows.unique(target) if word) if feature is features[target] else None

    def packed(row: Any) -> tuple[Any, Any]:
        return _packed(row[image]), None if target is None else row[target]

    return Source(map(packed, rows), names, _unknown_below_zero)


def _unknown_below_zero(naming: Naming, given: Any) -> Target:
    """A negative index of a ClassLabel stands for an unknown label."""
    return None if isinstance(given, int) and naming.names is not None and given < 0 else naming.label(given)


def _type(feature: Any) -> str:
    return type(feature).__name__


def _inner(feature: Any) -> Any:
    """What a list holds; anything else itself."""
    if isinstance(feature, list):
        return feature[0]
    return getattr(feature, "feature", feature) if _type(feature) in ("Sequence", "List", "LargeList") else feature


def _chosen(features: Any, name: str | None, part: str, candidates: list[str]) -> str:
    columns = ", ".join(f"{name} ({_type(features[name])})" for name in features)
    if name is not None:
        if name not in features:
            raise DataError(f"the data set has no column {name!r}", found=columns, fix=did_you_mean(name, features))
        return name
    if len(candidates) != 1:
        none = '; label="" for none' if part == "label" else ""
        fix = f'say which: {part}="{(candidates or list(features))[-1]}"{none}'
        raise DataError(
            f"{'several columns' if candidates else 'no column'} could be the {part}", found=columns, fix=fix
        )
    return candidates[0]


def _packed(value: Any) -> bytes:
    """The bytes of a picture that was not decoded."""
    if value is None:
        raise ValueError("there is no picture in it")
    if value.get("bytes") is not None:
        return bytes(value["bytes"])
    data = files.read_bytes(value["path"], picture_file.MAX_BYTES)
    if (kind := sniff(data[:512])) not in DECODERS:  # the data set may have come from anywhere, and name any file here
        raise ValueError(f"{value['path']} is no picture but {kind}")
    return data


def _items(sources: Mapping[str, Source], namings: Mapping[str, Naming]) -> Iterator[Item]:
    for split, source in sources.items():
        items = iter(source.items)
        for number in itertools.count():
            try:
                found = next(items, None)
                target = None if found is None else source.label(namings[split], found[1])
            except Exception as problem:  # it runs code of the data set's author
                fix = f"look at it: dataset[{number}]"
                raise of_item(f"item {number} of {split} cannot be read", problem, fix) from problem
            if found is None:
                break
            yield Item(split, number, found[0], target)


def _alike(items: Iterable[Item]) -> Iterator[Item]:
    """The items, as long as their labels are of one kind."""
    seen: type | None = None
    for item in items:
        kind = None if item.label is None else type(item.label)
        if seen is not None and kind is not None and kind is not seen:
            found = f"{kind.__name__} after {seen.__name__}"
            raise DataError(f"item {item.number} of {item.split} has a label of another kind", found=found)
        seen = seen or kind
        yield item


def _pixels(picture: Any) -> Pixels | bytes:
    """A picture of any form -> [h, w] or [h, w, 3] uint8; the bytes of a file as they are."""
    if isinstance(picture, bytes):
        return picture
    if hasattr(picture, "getexif"):
        from PIL import ImageOps

        upright = ImageOps.exif_transpose(picture)
        return np.asarray(upright) if upright.mode == "L" and "transparency" not in upright.info else to_rgb(upright)
    first = hasattr(picture, "detach")
    array = np.asarray(in_numpy(picture))
    if array.ndim == 3:
        place = next((axis for axis in ((0, 2) if first else (2, 0)) if array.shape[axis] in (1, 3)), None)
        array = np.empty(0) if place is None else array if place == 2 else np.moveaxis(array, 0, 2)
        array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.ndim not in (2, 3) or array.dtype.kind not in "buif" or not array.size:
        found = f"{type(picture).__qualname__} of shape {list(getattr(picture, 'shape', ()))}"
        raise DataError("this is no picture", found=found, fix="give a PIL image, or [H, W], [H, W, 3] or [3, H, W]")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1) or array.dtype.kind in "ui":
        found, fix = f"{array.dtype} from {low:g} to {high:g}", "take normalization out of the data set's transform"
        raise DataError("pixels have to be uint8, or fractions from 0 to 1", found=found, fix=fix)
    return np.rint(array.astype(np.float64) * 255).astype(np.uint8)
