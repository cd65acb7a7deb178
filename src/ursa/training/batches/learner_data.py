"""What a learner was given -> its training part, its validation part, and how inputs and targets are read.

(x, y), ((x, y), (x_valid, y_valid)), a torch data set, or (train, valid) of those. Several inputs are a tuple of
arrays, several targets a dict of them. Pictures in folders come from the workflow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from ursa.core import seeds
from ursa.errors import DataError
from ursa.training.batches.batch import mapped
from ursa.training.batches.batch import tensors as flat
from ursa.training.batches.inputs import Inputs, tensors
from ursa.training.batches.splits import ArraySplit, DatasetSplit, Split
from ursa.training.tasks.targets import Targets


@dataclass(frozen=True)
class LearnerData:
    """The data of a learner."""

    train: Split
    valid: Split
    inputs: Inputs | None  # None: they come as the network wants them
    targets: Targets


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
    """Raises DataError where inputs and targets differ in number, a part is empty, or what is there cannot be learned.

    valid: share that is put aside where no validation part is given, drawn by the seed, of each class as far as there
    are classes. names: of the classes. standardise, device: see `inputs.Inputs`, `parts.ArrayPart`. like: arrays
    are read as these were, instead of by what is measured on the training part.
    """
    if _is_dataset(data) or (_is_pair(data) and all(map(_is_dataset, data))):
        return _of_datasets(data, names, valid, seed, device, workers)
    if not _is_pair(data):
        raise DataError(
            "a learner takes pairs of inputs and targets",
            found=f"{len(data)} things" if isinstance(data, tuple | list) else type(data).__name__,
            fix="give (x, y), ((x, y), (x_valid, y_valid)), or torch data sets (train, valid)",
        )
    both = _is_pair(data[0]) and _is_pair(data[1])
    x, y = data[0] if both else data
    learn = tensors(x, "the training part")
    targets = Targets.measured(y, names) if like is None else like.targets
    answers = targets.of(y, "the training part")
    _check_lengths(learn, answers, "the training part")
    if both:
        aside = tensors(data[1][0], "the validation part"), targets.of(data[1][1], "the validation part")
        _check_lengths(*aside, "the validation part")
    else:
        put_aside = _drawn(answers, len(learn[0]), valid, seed)
        aside = _taken(learn, put_aside), _taken(answers, put_aside)
        learn, answers = _taken(learn, ~put_aside), _taken(answers, ~put_aside)
    inputs = like.inputs if like is not None and like.inputs else Inputs.measured(learn, standardize=standardize)
    return LearnerData(
        ArraySplit(inputs.of(learn, "the training part"), answers).to(device),
        ArraySplit(inputs.of(aside[0], "the validation part"), aside[1]).to(device),
        inputs,
        targets,
    )


def read_split(data: Any, read_data: LearnerData, device: str) -> Split:
    """Other data, (x, y) or a data set, read as the learner's own."""
    if _is_dataset(data):
        _check_not_empty(len(data), "the data set")
        return DatasetSplit(data, device)
    if not _is_pair(data):
        raise DataError("give a pair of inputs and targets, (x, y)", found=type(data).__name__)
    part = "the given part"
    x, y = tensors(data[0], part), read_data.targets.of(data[1], part)
    _check_lengths(x, y, part)
    return ArraySplit(x if read_data.inputs is None else read_data.inputs.of(x, part), y).to(device)


def _of_datasets(
    data: Any, names: Sequence[str] | None, valid: float, seed: int, device: str, workers: int
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
    first = next(learn.in_order(min(64, len(learn)))).targets
    targets = _targets_of(first, names or getattr(train, "classes", None))
    return LearnerData(learn, DatasetSplit(check, device), None, targets)


def _targets_of(targets: Any, names: Sequence[Any] | None) -> Targets:
    """From some targets of a data set: there may be classes beyond those that were seen."""
    if isinstance(targets, Mapping):
        return Targets("several", parts={str(name): _targets_of(part, None) for name, part in targets.items()})
    if not isinstance(targets, Tensor):
        return Targets("own")
    measured = Targets.measured(targets) if not targets.numel() or targets.min() >= 0 else Targets("own")
    if targets.is_floating_point() and measured.task != "multi-label":
        return Targets("regression")
    return Targets(measured.task, tuple(map(str, names or ())))


def _is_pair(data: Any) -> bool:
    return isinstance(data, tuple) and len(data) == 2


def _is_dataset(data: Any) -> bool:
    if isinstance(data, Dataset):
        return True
    plain = isinstance(data, tuple | list | str | Mapping | np.ndarray | Tensor)
    return not plain and hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "__array__")


def _check_lengths(inputs: tuple[Tensor, ...], targets: Any, part: str) -> None:
    counts = [len(x) for x in inputs], [len(y) for y in flat(targets)]
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
    order = seeds.generator(seed, "valid").permutation(count)
    classes = np.zeros(count, np.int64)
    if isinstance(targets, Tensor) and targets.dtype == torch.int64 and targets.ndim == 1:
        classes = targets.numpy()
    sorted_by_class = order[np.argsort(classes[order], kind="stable")]
    aside = np.zeros(count, np.bool_)
    # Every 1/share-th of the classes one after the other: each class gives its share, to within one example.
    places = np.floor((np.arange(max(1, round(share * count))) + 0.5) * count / max(1, round(share * count)))
    aside[sorted_by_class[places.astype(np.int64).clip(max=count - 1)]] = True
    if aside.all():
        aside[sorted_by_class[0]] = False
    return aside


def _taken(tree: Any, rows: npt.NDArray[np.bool_]) -> Any:
    chosen = torch.from_numpy(np.flatnonzero(rows))
    return mapped(tree, lambda x: x.index_select(0, chosen))
