"""A network's outputs -> answers in the words of the labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ursa.training.tasks.targets import Targets

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Predictions:
    """What a network says of N examples."""

    labels: list[Any] = field(default_factory=list)  # a class each; a list of them where there may be several
    probabilities: F32 | None = None  # [N, K] of the classes
    numbers: F32 | None = None  # [N] or [N, M]: of a regression, or the bare outputs where the task is the user's own
    parts: Mapping[str, "Predictions"] = field(default_factory=dict)  # of several outputs, by their names

    def __len__(self) -> int:
        return next(len(each) for each in (self.probabilities, self.numbers, *self.parts.values()) if each is not None)


def to_predictions(outputs: Any, targets: Targets) -> Predictions:
    """outputs [N, ...], or a dict of them -> Answers. Classes without names are called by their numbers."""
    if targets.task == "several" and isinstance(outputs, Mapping):
        return Predictions(parts={name: to_predictions(outputs[name], part) for name, part in targets.parts.items()})
    if not isinstance(outputs, Tensor):
        each = outputs.items() if isinstance(outputs, Mapping) else enumerate(outputs)
        return Predictions(parts={str(name): to_predictions(part, Targets("own")) for name, part in each})
    outputs = outputs.detach().float().cpu()
    if targets.task == "single-label" and outputs.ndim == 2 and outputs.shape[1] > 1:
        names = _names(targets, outputs.shape[1])
        return Predictions([names[i] for i in outputs.argmax(1).tolist()], outputs.softmax(1).numpy())
    if targets.task == "single-label" and outputs.ndim == 2:  # one output: how likely the second of two classes is
        names, likely = _names(targets, 2), outputs[:, 0].sigmoid().numpy()
        return Predictions([names[p > 0.5] for p in likely.tolist()], np.stack([1 - likely, likely], axis=1))
    if targets.task == "multi-label" and outputs.ndim == 2:
        names, there = _names(targets, outputs.shape[1]), (outputs > 0).tolist()
        labels = [[name for name, has in zip(names, row, strict=True) if has] for row in there]
        return Predictions(labels, outputs.sigmoid().numpy())
    return Predictions(numbers=(outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs).numpy())


def _names(targets: Targets, count: int) -> list[str]:
    """Of all outputs: a network may have more of them than there are classes."""
    return [*targets.names[:count], *map(str, range(len(targets.names), count))]
