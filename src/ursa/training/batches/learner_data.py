"""What a learner was given -> its training split, its validation split, and how inputs and targets are read.

(x, y), ((x, y), (x_valid, y_valid)), a torch data set, or (train, valid) of those. Several inputs are a tuple of
arrays, several targets a dict of them. Pictures in folders are read by `ursa.learner.picture_data`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from ursa.core import seeds, stratified
from ursa.errors import DataError
from ursa.training.batches.inputs import InputScaling, to_tensors
from ursa.training.batches.splits import ArraySplit, DatasetSplit, Split
from ursa.training.tasks.targets import Targets
from ursa.training.tensor_tree import tree_leaves, tree_map

SAMPLE = 64  # items of a data set, drawn by the seed, that tell what its targets are


class InputReader(Protocol):
    """How whatever is predicted later becomes what the network gets: as the training split was read."""

    def read(self, x: Any) -> tuple[Tensor, ...]:
        """Inputs as people hold them -> tensors [N, ...]. Raises DataError for what cannot be read so."""

    def unlabeled(self, x: Any, device: str) -> Split:
        """Inputs as people hold them -> what is to be predicted."""

    def split(self, data: Any, targets: Targets, device: str) -> Split:
        """Inputs and targets as people hold them -> what is to be evaluated."""

    def pixels(self, ready: tuple[Tensor, ...]) -> "npt.NDArray[np.uint8] | None":
        """What the network gets -> pictures [N, H, W, 3] to be shown; None where it gets none."""

    def to_json(self) -> dict[str, Any]:
        """For a saved learner; "kind" says which reader it is."""


@dataclass(frozen=True)
class LearnerData:
    """The data of a learner: two splits, and how other data are read as these were."""

    train: Split  # to learn from
    valid: Split  # to choose epochs and to evaluate
    inputs: InputReader
    targets: Targets


class _InMemory:
    """What arrays and data sets have in common: inputs that are predicted lie in memory."""

    def read(self, x: Any) -> tuple[Tensor, ...]:
        """See `InputReader`."""
        return to_tensors(x)

    def unlabeled(self, x: Any, device: str) -> Split:
        """See `InputReader`."""
        return ArraySplit(self.read(x), torch.empty(0)).to(device)

    def split(self, data: Any, targets: Targets, device: str) -> Split:
        """(x, y), read as the training split was."""
        _check_no_loader(data)
        if not _is_pair(data):
            raise DataError("give a pair of inputs and targets, (x, y)", found=type(data).__name__)
        x, y = self.read(data[0]), targets.of(data[1], "the data")
        _check_lengths(x, y, "the data")
        return ArraySplit(x, y).to(device)


@dataclass(frozen=True)
class ArrayInputs(_InMemory):
    """Arrays, scaled by what was measured on the training split."""

    scaling: InputScaling

    def read(self, x: Any) -> tuple[Tensor, ...]:
        """Raises DataError for other shapes than those that were learned from."""
        return self.scaling.of(to_tensors(x))

    def split(self, data: Any, targets: Targets, device: str) -> Split:
        """(x, y)."""
        if _is_dataset(data):
            fix = "(x, y), which are scaled as those that it learned from"
            raise DataError("this learner learned from arrays", found="a data set", fix=fix)
        return super().split(data, targets, device)

    def pixels(self, ready: tuple[Tensor, ...]) -> "npt.NDArray[np.uint8] | None":
        """The first input as pictures [N, H, W, 3] again; None where it is none."""
        return self.scaling.pixels(ready)

    def to_json(self) -> dict[str, Any]:
        """For a saved learner."""
        return {"kind": "arrays", **self.scaling.to_json()}


@dataclass(frozen=True)
class DatasetInputs(_InMemory):
    """Items come as the network wants them, so nothing is done to them."""

    def split(self, data: Any, targets: Targets, device: str) -> Split:
        """A data set, or (x, y)."""
        if not _is_dataset(data):
            return super().split(data, targets, device)
        _check_not_empty(len(data), "the data set")
        return DatasetSplit(data, device)

    def pixels(self, ready: tuple[Tensor, ...]) -> None:  # noqa: ARG002
        """What was done to the items is not known."""
        return

    def to_json(self) -> dict[str, Any]:
        """For a saved learner."""
        return {"kind": "data set"}


def is_dataset(data: Any) -> bool:
    """Whether it is read item by item: a data set, or a pair of them."""
    return _is_dataset(data) or (_is_pair(data) and all(map(_is_dataset, data)))


def has_valid(data: Any) -> bool:
    """Whether a validation split is given beside the training split."""
    return _is_pair(data) and (all(map(_is_dataset, data)) or all(map(_is_pair, data)))


def read_data(
    data: Any,
    *,
    names: Sequence[str] | None = None,
    valid: float = 0.2,
    seed: int = 0,
    standardize: bool = True,
    device: str = "cpu",
    workers: int = 0,
    like: LearnerData | None = None,
) -> LearnerData:
    """Raises DataError where inputs and targets differ in number, a split is empty, or what is there cannot be learned.

    valid: share that is put aside where no validation split is given, drawn by the seed, of each class as far as there
    are classes. names: of the classes. standardize: floats among the inputs (see `inputs.InputScaling`) and the targets
    of a regression (see `target_scaling`). like: data are read as these were, instead of by what is measured.
    """
    _check_no_loader(data)
    if is_dataset(data):
        return _of_datasets(data, names, valid, seed, standardize, device, workers, like)
    if not _is_pair(data):
        raise DataError(
            "a learner takes pairs of inputs and targets",
            found=f"{len(data)} things" if isinstance(data, tuple | list) else type(data).__name__,
            fix="give (x, y), ((x, y), (x_valid, y_valid)), torch data sets (train, valid), or a folder of pictures",
        )
    x, y = data[0] if has_valid(data) else data
    learn = to_tensors(x, "the training part")
    known = Targets.measured(y, names, standardize=standardize) if like is None else like.targets
    targets = known.of(y, "the training part")
    _check_lengths(learn, targets, "the training part")
    if has_valid(data):
        aside = to_tensors(data[1][0], "the validation part"), known.of(data[1][1], "the validation part")
        _check_lengths(*aside, "the validation part")
    else:
        put_aside = _drawn(targets, len(learn[0]), valid, seed)
        aside = _taken(learn, put_aside), _taken(targets, put_aside)
        learn, targets = _taken(learn, ~put_aside), _taken(targets, ~put_aside)
    scaling = InputScaling.measured(learn, standardize=standardize)
    if like is not None and isinstance(like.inputs, ArrayInputs):
        scaling = like.inputs.scaling
    return LearnerData(
        ArraySplit(scaling.of(learn, "the training part"), targets).to(device),
        ArraySplit(scaling.of(aside[0], "the validation part"), aside[1]).to(device),
        ArrayInputs(scaling),
        known,
    )


def _of_datasets(
    data: Any,
    names: Sequence[str] | None,
    valid: float,
    seed: int,
    standardize: bool,
    device: str,
    workers: int,
    like: LearnerData | None,
) -> LearnerData:
    if _is_dataset(data):
        _check_not_empty(len(data), "the data set")
        aside = seeds.generator(seed, "valid").permutation(len(data))
        count = min(len(data) - 1, max(1, round(valid * len(data))))
        data = Subset(data, sorted(aside[count:].tolist())), Subset(data, sorted(aside[:count].tolist()))
    train, check = data
    for part, name in ((train, "the training part"), (check, "the validation part")):
        _check_not_empty(len(part), name)
    learn = DatasetSplit(train, device, workers)
    rows = seeds.generator(seed, "sample").permutation(len(train))[:SAMPLE]
    sample = next(DatasetSplit(Subset(train, rows.tolist())).in_order(SAMPLE)).targets
    known = like.targets if like else _targets_of(sample, names or getattr(train, "classes", None), standardize)
    return LearnerData(learn, DatasetSplit(check, device), DatasetInputs(), known)


def _targets_of(targets: Any, names: Sequence[Any] | None, standardize: bool) -> Targets:
    """From some targets of a data set: there may be classes beyond those that were seen."""
    if isinstance(targets, Mapping):
        parts = {str(name): _targets_of(part, None, standardize) for name, part in targets.items()}
        return Targets("several", parts=parts)
    if not isinstance(targets, Tensor):
        return Targets("own")
    if targets.numel() and not targets.is_floating_point() and targets.min() < 0:
        return Targets("own")
    measured = Targets.measured(targets, standardize=standardize)
    if targets.is_floating_point() and measured.task != "multi-label":
        return replace(measured, task="regression", names=())
    named = tuple(map(str, names or ()))
    return replace(measured, names=named, dtype=None if named else measured.dtype)


def _is_pair(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) == 2


def _is_dataset(data: Any) -> bool:
    if isinstance(data, Dataset):
        if isinstance(data, IterableDataset) or not hasattr(data, "__len__"):
            fix = "a map-style data set, with __len__ and __getitem__"
            raise DataError("a learner takes items by their number", found=type(data).__name__, fix=fix)
        return True
    plain = isinstance(data, tuple | list | str | Mapping | np.ndarray | Tensor)
    return not plain and hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "__array__")


def _check_no_loader(data: Any) -> None:
    if any(isinstance(each, DataLoader) for each in (data if isinstance(data, tuple | list) else [data])):
        fix = 'give its data set, loader.dataset, and recipe={"batch_size": ...}, workers=...'
        raise DataError("a learner makes batches itself, so that runs can be repeated", found="a DataLoader", fix=fix)


def _check_lengths(inputs: tuple[Tensor, ...], targets: Any, part: str) -> None:
    counts = [len(x) for x in inputs], [len(y) for y in tree_leaves(targets)]
    if len({*counts[0], *counts[1]}) > 1:
        found = f"{', '.join(f'{n:,}' for n in counts[0])} inputs and {', '.join(f'{n:,}' for n in counts[1])} targets"
        raise DataError(f"inputs and targets of {part} differ in number", found=found)
    _check_not_empty(counts[0][0] if counts[0] else 0, part)


def _check_not_empty(count: int, part: str) -> None:
    if not count:
        raise DataError(f"{part} is empty", fix="give at least one example")


def _drawn(targets: Any, count: int, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """[N] True for the examples that are put aside: the share of each class, or of all where there are no classes."""
    if count < 2:
        raise DataError("one example cannot be both learned from and validated on", fix="give a validation part too")
    classes = np.zeros(count, np.int64)
    if isinstance(targets, Tensor) and targets.dtype == torch.int64 and targets.ndim == 1:
        classes = targets.numpy()
    return stratified.put_aside(classes, share, seeds.generator(seed, "valid"))


def _taken(tree: Any, rows: npt.NDArray[np.bool_]) -> Any:
    chosen = torch.from_numpy(np.flatnonzero(rows))
    return tree_map(tree, lambda x: x.index_select(0, chosen))
