"""Labels as programs hold them (indices, text, lists, tensors) -> labels as the catalog keeps them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ursa.errors import DataError, did_you_mean

Target = str | list[str] | float | list[float] | None


@dataclass(frozen=True)
class Naming:
    """What the indices 0, 1, 2 ... are called; by their digits where nobody says."""

    names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, names: Sequence[Any] | None) -> "Naming":
        """From a list of names; of several words for a class (ImageNet) the first."""
        if names is None:
            return cls()
        each = tuple(str(name[0]) if isinstance(name, tuple | list) else str(name) for name in names)
        if len(set(each)) < len(each):
            twice = next(name for name in each if each.count(name) > 1)
            raise DataError("two classes have the same name", found=repr(twice), fix="give each its own")
        return cls(each)

    def label(self, given: Any, *, one_hot: bool | None = None) -> Target:
        """One picture's label. An index or text is a class, a fraction a number, a list several of them, None none.

        An array [K] holds 0 and 1 for each class when `hot`, otherwise numbers; None: by its type and its length.
        Raises DataError for a class that has no name.
        """
        value = in_numpy(given)
        if isinstance(value, np.ndarray):
            return self.label(value.item()) if value.ndim == 0 else self._array(value, one_hot)
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, str | bytes):
            return self._text(value.decode() if isinstance(value, bytes) else value)
        if isinstance(value, int):  # True and False are 1 and 0
            return self.name(int(value))
        if isinstance(value, float):
            if self.names is not None and value.is_integer():
                return self.name(int(value))
            return None if math.isnan(value) else value
        if isinstance(value, list | tuple | set):
            each = [self.label(item) for item in (sorted(value) if isinstance(value, set) else value)]
            return [item for item in each if isinstance(item, str | float)]  # type: ignore[return-value]
        raise DataError(
            "a label is of no kind that is known",
            found=f"{type(value).__module__}.{type(value).__qualname__}",
            fix="labels are indices, text, numbers, or lists of these",
        )

    def name(self, index: int) -> str:
        """What an index is called. Raises DataError where it has no name."""
        if self.names is None:
            return str(index)
        if 0 <= index < len(self.names):
            return self.names[index]
        found = f"{len(self.names)} names: {', '.join(self.names[:5])}{', ...' if len(self.names) > 5 else ''}"
        raise DataError(
            f"the label {index} has no name", found=found, fix="name every class; None where there is no label"
        )

    def _text(self, text: str | None) -> str | None:
        if text and not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise DataError("a label is not Unicode", found=ascii(text[:80]), fix="write it in letters")
        if text and self.names is not None and text not in self.names:
            raise DataError(f"the label {text!r} is not in names", fix=did_you_mean(text, self.names))
        return text or None

    def _array(self, values: Any, one_hot: bool | None) -> Target:
        if values.ndim != 1:
            raise DataError("a label is a single value or a list of them", found=f"shape {values.shape}")
        if values.dtype.kind in "USOT":
            return self.label(values.tolist())
        if values.shape == (1,) and not one_hot:
            return self.label(values[0])
        if one_hot is None:
            one_hot = values.dtype.kind in "biu" or (self.names is not None and len(values) == len(self.names))
        if not one_hot:
            return None if np.isnan(values).any() else [float(value) for value in values]
        if self.names is not None and len(values) != len(self.names):
            found = f"{len(values)} values and {len(self.names)} names"
            raise DataError("labels and names differ in number", found=found, fix="one name for each column")
        if not np.isin(values, (0, 1)).all():
            raise DataError("labels of several classes are 0 or 1", found=values[~np.isin(values, (0, 1))][0])
        return [self.name(int(index)) for index in np.flatnonzero(values)]


def in_numpy(value: Any) -> Any:
    """A tensor as an array, wherever it lies; anything else as it is."""
    if not hasattr(value, "detach"):
        return value
    try:
        return value.detach().cpu().numpy()
    except TypeError:  # bfloat16, which numpy has not
        return value.detach().cpu().float().numpy()
