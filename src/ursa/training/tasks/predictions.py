"""A network's outputs -> labels of the targets' own type, probabilities, numbers in their units."""

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ursa.training.tasks.targets import Targets

F32 = npt.NDArray[np.float32]
Labels = npt.NDArray[Any] | list[list[Any]]
FEW = 6  # classes that a short text names


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network predicts for N examples."""

    labels: Labels = field(default_factory=list)  # [N] in the targets' own type; a list each where there may be several
    probabilities: F32 | None = None  # [N, K] of the classes
    numbers: F32 | None = None  # [N] or [N, M]: of a regression, or the bare outputs where the task is the user's own
    parts: Mapping[str, "Predictions"] = field(default_factory=dict)  # of several outputs, by their names
    ids: Sequence[str] = ()  # of pictures, where a folder was predicted

    def __len__(self) -> int:
        return next(len(each) for each in (self.probabilities, self.numbers, *self.parts.values()) if each is not None)

    def __repr__(self) -> str:
        return f"Predictions({len(self):,} examples; {self._short()})"

    def _repr_html_(self) -> str:
        return f"<p>{len(self):,} predictions: {html.escape(self._short())}</p>"

    def _short(self) -> str:
        if self.parts:
            return "; ".join(f"{name}: {part._short()}" for name, part in self.parts.items())
        if self.numbers is not None:
            low, high = (self.numbers.min(), self.numbers.max()) if self.numbers.size else (np.nan, np.nan)
            return f"numbers {list(self.numbers.shape)} from {low:.4g} to {high:.4g}"
        each = [label for labels in self.labels for label in (labels if isinstance(labels, list) else [labels])]
        common = [f"{label} {count:,}" for label, count in Counter(map(str, each)).most_common(FEW + 1)]
        return ", ".join([*common[:FEW], *(["..."] if len(common) > FEW else [])]) or "no label"


def to_predictions(outputs: Any, targets: Targets) -> Predictions:
    """outputs [N, ...], or a dict of them -> Predictions. Outputs beyond the known classes are called by number."""
    if targets.task == "several" and isinstance(outputs, Mapping):
        return Predictions(parts={name: to_predictions(outputs[name], part) for name, part in targets.parts.items()})
    if not isinstance(outputs, Tensor):
        each = outputs.items() if isinstance(outputs, Mapping) else enumerate(outputs)
        return Predictions(parts={str(name): to_predictions(part, Targets("own")) for name, part in each})
    outputs = targets.undo(outputs.detach().float().cpu())
    if targets.task == "single-label" and outputs.ndim == 2 and outputs.shape[1] > 1:
        return Predictions(targets.labels(outputs.shape[1])[outputs.argmax(1).numpy()], outputs.softmax(1).numpy())
    if targets.task == "single-label" and outputs.ndim == 2:  # one output: how likely the second of two classes is
        likely = outputs[:, 0].sigmoid().numpy()
        return Predictions(targets.labels(2)[(likely > 0.5).astype(int)], np.stack([1 - likely, likely], axis=1))
    if targets.task == "multi-label" and outputs.ndim == 2:
        names = targets.labels(outputs.shape[1])
        return Predictions([names[row].tolist() for row in (outputs > 0).numpy()], outputs.sigmoid().numpy())
    return Predictions(numbers=(outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs).numpy())


def with_ids(predictions: Predictions, ids: Sequence[str]) -> Predictions:
    """The same predictions, each with the id of its picture."""
    return replace(predictions, ids=tuple(ids))
