"""A network's outputs for a few examples, and targets -> targets of the shape that losses take, or a readable error."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ursa.errors import TrainingError


def shaped(targets: Any, outputs: Any) -> Any:
    """Targets [N] become [N, 1] where the network gives [N, 1], which is how most people write a regression."""
    if isinstance(targets, Mapping) and isinstance(outputs, Mapping):
        return {name: shaped(y, outputs.get(name)) for name, y in targets.items()}
    column = isinstance(outputs, Tensor) and outputs.ndim == 2 and outputs.shape[1] == 1
    return targets[:, None] if column and isinstance(targets, Tensor) and targets.ndim == 1 else targets


def check_range(targets: Any, outputs: Any, where: str = "") -> None:
    """Raises TrainingError for a class that the network has no output for."""
    if isinstance(targets, Mapping) and isinstance(outputs, Mapping):
        for name in targets.keys() & outputs.keys():
            check_range(targets[name], outputs[name], f"{name}: ")
    if not isinstance(targets, Tensor) or targets.is_floating_point() or not isinstance(outputs, Tensor):
        return
    if targets.ndim != 1 or outputs.ndim != 2 or not len(targets):
        return
    highest, count = int(targets.max()), outputs.shape[1]
    if highest >= max(2, count):  # one output can tell two classes apart
        raise TrainingError(
            f"{where}a label is out of range",
            found=f"class {highest}, but the network has {count} outputs: 0 to {count - 1}",
            fix=f"a network with {highest + 1} outputs"
            + ("; for a regression, targets that are floats: y.astype('float32')" if count == 1 else ""),
        )
