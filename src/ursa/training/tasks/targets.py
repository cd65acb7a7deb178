"""Targets as people hold them -> tensors that losses take, and back to labels of the same type.

classes [N] (indices or text) are "single-label", 0 and 1 [N, K] or lists of text "multi-label", floats "regression", a
dict of these "several": one for each output of the network, where examples may lack some (-1, None or NaN).
Regression targets are learned with mean 0 and standard deviation 1 (`target_scaling`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ursa.core.labels import Labels
from ursa.core.tasks import task_of
from ursa.data.sources.class_names import in_numpy
from ursa.errors import DataError
from ursa.training.tasks.losses import MISSING
from ursa.training.tasks.target_scaling import TargetScaling

Array = npt.NDArray[Any]

MANY = 1000  # classes, from which on there should be more examples than classes
_EITHER = (
    "for a regression, give floats: y.astype('float32'); for classes, count them from 0: "
    "np.unique(y, return_inverse=True)[1]"
)


@dataclass(frozen=True)
class Targets:
    """What is learned, as measured on the training part."""

    task: str  # "single-label", "multi-label", "regression", "several", or "own" for what only the user's loss knows
    names: tuple[str, ...] = ()  # of the classes
    text: bool = False  # whether classes are given as text
    dtype: str | None = None  # of the labels that are predicted, as in "int64"; None: they are predicted by name
    parts: Mapping[str, "Targets"] = field(default_factory=dict)  # by the names of several outputs
    missing: bool = False  # whether training examples lack some
    scaling: TargetScaling | None = None  # of a regression; None: the network gives the numbers as they are

    @classmethod
    def measured(cls, y: Any, names: Sequence[str] | None = None, *, standardize: bool = True) -> "Targets":
        """From the training part. standardize: numbers. Raises DataError for targets of no kind that is known, and for
        whole numbers that are neither plain classes nor plain numbers."""
        if isinstance(y, Mapping):
            parts = {str(name): _single(part, None, name, standardize) for name, part in y.items()}
            return cls("several", parts=parts)
        return _single(y, names, None, standardize)

    def labels(self, count: int) -> Array:
        """[count] what each output of a classifier predicts, in the type of the targets."""
        if self.dtype == "bool" and count == 2:
            return np.array([False, True])
        if self.dtype is not None and self.dtype != "bool":
            return np.arange(count).astype(self.dtype)
        return np.array([*self.names[:count], *map(str, range(len(self.names), count))])

    def undo(self, outputs: Any) -> Any:
        """Outputs as the network gives them -> regressions in the targets' units, everything else as it is."""
        if self.task == "several" and isinstance(outputs, Mapping):
            return {name: self.parts[name].undo(y) if name in self.parts else y for name, y in outputs.items()}
        return outputs if self.scaling is None else self.scaling.undo(outputs)

    def as_given(self) -> "Targets":
        """The same, for a network that gives numbers in the targets' units."""
        return replace(self, scaling=None, parts={name: part.as_given() for name, part in self.parts.items()})

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
        plain = {"task": self.task, "names": list(self.names), "text": self.text, "dtype": self.dtype}
        scaling = None if self.scaling is None else asdict(self.scaling)
        return {**plain, "missing": self.missing, "parts": parts, "scaling": scaling}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Targets":
        """What `to_json` gave."""
        parts = {name: cls.from_json(part) for name, part in document["parts"].items()}
        names, scaling = tuple(document["names"]), document["scaling"]
        scaled = None if scaling is None else TargetScaling(tuple(scaling["mean"]), tuple(scaling["std"]))
        return cls(document["task"], names, document["text"], document["dtype"], parts, document["missing"], scaled)

    def _tensor(self, y: Any, part: str) -> Tensor:
        if self.task == "single-label":
            return torch.from_numpy(self._classes(y, part))
        if self.task == "multi-label" and self.text:
            return torch.from_numpy(Labels(self.names).one_hot([list(each) for each in y]))
        array = _array(y)
        if self.task == "own":
            return torch.from_numpy(np.ascontiguousarray(array))
        if array.dtype.kind not in "biuf":
            raise DataError(f"the targets of {part} are not numbers", found=array.dtype)
        if self.task == "multi-label" and array.shape[1:] != (len(self.names),):
            found = f"{list(array.shape)}, for {len(self.names)} labels"
            raise DataError(f"the targets of {part} have another shape than those of training", found=found)
        if array.dtype.kind == "f" and not self.missing and not np.isfinite(array).all():
            raise _missing_in(part, "NaN or infinity")
        return torch.from_numpy(np.ascontiguousarray(array, np.float32))

    def _classes(self, y: Any, part: str) -> npt.NDArray[np.int64]:
        labels = _array(y).reshape(-1)
        classes = self._of_text(labels, part) if self.text else self._of_numbers(labels, part)
        if MISSING in classes and not self.missing:
            raise _missing_in(part, MISSING)
        return classes

    def _of_text(self, labels: Array, part: str) -> npt.NDArray[np.int64]:
        """None and NaN are missing; what is text is a name, "-1" too."""
        known = {name: index for index, name in enumerate(self.names)}
        words = [None if _is_missing(label) else str(label) for label in labels.tolist()]
        unknown = sorted({word for word in words if word is not None and word not in known})
        if unknown:
            raise _not_in_training(part, unknown)
        return np.array([MISSING if word is None else known[word] for word in words], np.int64)

    def _of_numbers(self, labels: Array, part: str) -> npt.NDArray[np.int64]:
        if labels.dtype.kind == "f":
            labels = np.where(np.isnan(labels), MISSING, labels)
            broken = labels[~np.isfinite(labels) | (labels != np.floor(labels))]
            if len(broken):
                fix = "whole numbers, as those of training; for a regression, train with floats"
                raise DataError(f"the targets of {part} are not classes", found=f"{broken[0]:g}", fix=fix)
        classes = labels.astype(np.int64)
        unknown = [str(index) for index in np.unique(classes) if index != MISSING and not 0 <= index < len(self.names)]
        if unknown:
            raise _not_in_training(part, unknown)
        return classes


def _single(y: Any, names: Sequence[str] | None, output: Any, standardize: bool) -> Targets:
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
    dtype = None if names is not None else str(array.dtype)
    task = task_of(array)
    if task == "multi-label":
        dtype = None if names is not None else "int64"
        return Targets("multi-label", _names(names, array.shape[1]), dtype=dtype, missing=_gaps(array, output))
    if task == "regression":
        scaling = TargetScaling.measured(array) if standardize else None
        return Targets("regression", missing=_gaps(array, output), scaling=scaling)
    if task == "single-label":
        gaps = bool((array == MISSING).any())
        _check_classes(array, names)
        _no_gaps(gaps, output)
        highest = int(array.max()) if array.size else -1
        known = _names(names, highest + 1, at_least=True)
        return Targets("single-label", known, dtype=dtype, missing=gaps)
    return Targets("own")


def _check_classes(array: Array, names: Sequence[str] | None) -> None:
    """Raises DataError for whole numbers that are hardly classes: below 0, or more of them than examples."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < MISSING:
        raise DataError("a class has to be 0 or more", found=low, fix=_EITHER)
    if names is None and high >= max(MANY, array.size):
        found = f"{array.size:,} whole numbers up to {high:,}, so {high + 1:,} classes"
        raise DataError("the targets may be classes or numbers to predict", found=found, fix=_EITHER)


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


def _is_missing(label: Any) -> bool:
    return label is None or label == MISSING or (isinstance(label, float) and np.isnan(label))


def _array(y: Any) -> Array:
    try:
        return np.atleast_1d(np.asarray(in_numpy(y)))
    except ValueError as problem:
        raise DataError("the targets are not one array", found=problem, fix="give each example one of them") from None


def _missing_in(part: str, found: Any) -> DataError:
    return DataError(f"some targets of {part} are missing", found=found, fix="leave those examples out")


def _not_in_training(part: str, unknown: list[str]) -> DataError:
    listed = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    fix = "put examples of it into the training part, or name all classes: names=[...]"
    return DataError(f"{part} has a class that the training part lacks", found=listed, fix=fix)
