"""A network's outputs for the validation part -> what a history cannot tell: what it predicts, and if it responds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

RECTIFIERS = (nn.ReLU, nn.ReLU6)  # whose units can be zero for every example


def predicted_share(outputs: Tensor) -> float:
    """outputs [N, K] -> the share of examples that are predicted as the class that is predicted most."""
    return float(outputs.argmax(1).bincount().max()) / len(outputs)


def response(outputs: Tensor) -> float:
    """outputs [N, ...] -> how much they differ from example to example, relative to their size; 0: they are constant.

    Standard deviation over the examples, the largest of any output, over the largest absolute output.
    """
    if len(outputs) < 2 or not bool(outputs.isfinite().all()):
        return float("nan")
    flat = outputs.double().reshape(len(outputs), -1)
    size = float(flat.abs().max())
    return float(flat.std(0).max()) / size if size > 0 else 0.0


@contextmanager
def watched(model: nn.Module) -> Iterator[list[Any]]:
    """While examples are passed through the model: one set of flags a rectifier, which of its units were ever above 0.

    Units of a convolution are its channels. What is yielded is filled as examples pass.
    """
    alive: list[Any] = []
    handles = []
    for module in model.modules():
        if isinstance(module, RECTIFIERS):
            alive.append(None)
            handles.append(module.register_forward_hook(_noting(alive, len(alive) - 1)))
    try:
        yield alive
    finally:
        for handle in handles:
            handle.remove()


def dead_share(alive: list[Any]) -> float | None:
    """Of what `watched` filled: the share of units never above 0, in the layer with most; None without any."""
    shares = [1 - float(flags.double().mean()) for flags in alive if flags is not None]
    return max(shares) if shares else None


def _noting(alive: list[Any], place: int) -> Any:
    def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        above = (output.detach() > 0).transpose(0, 1).flatten(1).any(1) if output.ndim > 1 else (output > 0)
        alive[place] = above if alive[place] is None else alive[place] | above

    return note
