"""Labels as people hold them -> tensors that losses take, and back to the words of the labels.

classes [N] (indices or text) are "single-label", 0 and 1 [N, K] or lists of text "multi-label", floats "regression", a
dict of these "several": one for each output of the network, where examples may lack some (-1, None or NaN).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ursa.core.labels import Labels
from ursa.data.sources.class_names import in_numpy
from ursa.errors import DataError
from ursa.training.tasks.losses import MISSING

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Targets:
    """What is learned."""

    task: str  # "single-label", "multi-label", "regression", "several", or "own" for what only the user's loss knows
    names: tuple[str, ...] = ()  # of the classes
    text: bool = False  # whether classes are given as text
    parts: Mapping[str, "Targets"] = field(default_factory=dict)  # by the names of several outputs
    missing: bool = False  # whether training examples lack some

    @classmethod
    def measured(cls, y: Any, names: Sequence[str] | None = None) -> "Targets":
        """From the training part. Raises DataError for labels that are of no kind that is known."""
        if isinstance(y, Mapping):
            return cls("several", parts={str(name): _single(part, None, name) for name, part in y.items()})
        return _single(y, names, None)

    def of(self, y: Any, part: str) -> Any:
        """[N, ...] -> a tensor, or a dict of them. Raises DataError for classes that the training part lacks."""
        if self.task != "several":
            return self._tensor(y, part)
        if not isinstance(y, Mapping) or set(map(str, y)) != set(self.parts):
            found = ", ".join(map(str, y)) if isinstance(y, Mapping) else type(y).__name__
            raise DataError(f"the targets of {part} are not those of training", found=found, fix=", ".join(self.parts))
        return {str(name): self.parts[str(name)]._tensor(each, f"{name} of {part}") for name, each in y.items()}

    def to_json(self) -> dict[str, Any]:
        """For a saved learner."""
        parts = {name: part.to_json() for name, part in self.parts.items()}
        plain = {"task": self.task, "names": list(self.names), "text": self.text, "missing": self.missing}
        return {**plain, "parts": parts}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Targets":
        """What `to_json` gave."""
        parts = {name: cls.from_json(part) for name, part in document["parts"].items()}
        return cls(document["task"], tuple(document["names"]), document["text"], parts, document["missing"])

    def _tensor(self, y: Any, part: str) -> Tensor:
        if self.task == "single-label":
            return torch.from_numpy(self._classes(y, part))
        if self.task == "multi-label" and self.text:
            return torch.from_numpy(Labels(self.names).one_hot([list(each) for each in y]))
        array = _array(y)
        if self.task == "own":
            return torch.from_numpy(np.ascontiguousarray(array))
        if array.dtype.kind not in "biuf":
            raise DataError(f"the targets of {part} are no numbers", found=array.dtype)
        if self.task == "multi-label" and array.shape[1:] != (len(self.names),):
            found = f"{list(array.shape)}, for {len(self.names)} labels"
            raise DataError(f"the targets of {part} have another shape than those of training", found=found)
        return torch.from_numpy(np.ascontiguousarray(array, np.float32))

    def _classes(self, y: Any, part: str) -> npt.NDArray[np.int64]:
        if self.text:
            words = [str(MISSING) if _is_missing(label) else str(label) for label in _array(y).reshape(-1).tolist()]
            known = {name: index for index, name in enumerate(self.names)} | {str(MISSING): MISSING}
            unknown = sorted({word for word in words if word not in known})
            if unknown:
                raise _not_in_training(part, unknown)
            return np.array([known[word] for word in words], np.int64)
        array = _array(y).reshape(-1)
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), MISSING, array)
        classes = array.astype(np.int64)
        unknown = [str(index) for index in np.unique(classes) if index != MISSING and not 0 <= index < len(self.names)]
        if unknown:
            raise _not_in_training(part, unknown)
        if MISSING in classes and not self.missing:
            raise DataError(f"some targets of {part} are missing", found=MISSING, fix="leave those examples out")
        return classes


def _single(y: Any, names: Sequence[str] | None, output: Any) -> Targets:
    """One output's; output: its name among several, None where there is one."""
    if isinstance(y, list | tuple) and y and all(isinstance(each, list | tuple | set) for each in y):
        words = [word for each in y for word in each]
        if words and all(isinstance(word, str) for word in words):
            return Targets("multi-label", tuple(names or Labels.of(words).names), text=True)
    array = _array(y)
    if array.dtype.kind in "OUST":
        words = [str(label) for label in array.reshape(-1).tolist() if not _is_missing(label)]
        gaps = len(words) < array.size
        _no_gaps(gaps, output)
        return Targets("single-label", tuple(names or Labels.of(words).names), text=True, missing=gaps)
    if array.dtype.kind not in "biuf":
        raise DataError("the targets are of no kind that is known", found=array.dtype, fix="classes, text or numbers")
    if array.ndim > 1 and array.shape[1] > 1 and _is_hot(array):
        return Targets("multi-label", _names(names, array.shape[1]), missing=_gaps(array, output))
    if array.dtype.kind == "f":
        return Targets("regression", missing=_gaps(array, output))
    if array.ndim == 1 or array.shape[1:] == (1,):
        if array.min(initial=0) < MISSING:
            raise DataError("a class has to be 0 or more", found=int(array.min()))
        gaps = bool((array == MISSING).any())
        _no_gaps(gaps, output)
        highest = int(array.max(initial=-1))
        return Targets("single-label", _names(names, highest + 1, at_least=True), missing=gaps)
    return Targets("own")


def _names(names: Sequence[str] | None, count: int, *, at_least: bool = False) -> tuple[str, ...]:
    if names is None:
        return tuple(map(str, range(count)))
    if len(names) < count or (len(names) > count and not at_least):
        found = f"{len(names)} names and {count} classes"
        raise DataError("names and classes differ in number", found=found, fix="name every class, in order")
    return tuple(map(str, names))


def _gaps(array: Array, output: Any) -> bool:
    """Whether some are NaN; only one of several outputs may lack targets."""
    bad = array.dtype.kind == "f" and not np.isfinite(array).all()
    _no_gaps(bool(bad), output)
    return bool(bad)


def _no_gaps(gaps: bool, output: Any) -> None:
    if gaps and output is None:
        fix = "leave those examples out; only one of several outputs may lack some"
        raise DataError("some targets are missing", found="NaN, None or -1", fix=fix)


def _is_hot(array: Array) -> bool:
    known = array[~np.isnan(array)] if array.dtype.kind == "f" else array
    return bool(np.isin(known, (0, 1)).all())


def _is_missing(label: Any) -> bool:
    return label is None or label == MISSING or (isinstance(label, float) and np.isnan(label))


def _array(y: Any) -> Array:
    try:
        return np.atleast_1d(np.asarray(in_numpy(y)))
    except ValueError as problem:
        raise DataError("the targets are not one array", found=problem, fix="give each example one of them") from None


def _not_in_training(part: str, unknown: list[str]) -> DataError:
    listed = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    fix = "put examples of it into the training part, or name all classes: names=[...]"
    return DataError(f"{part} has a class that the training part lacks", found=listed, fix=fix)
