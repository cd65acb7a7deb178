"""A file -> what was saved in it: a bundle is a predictor, which needs no torch; a learner is a learner."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ursa.errors import DataError, TrainingError

if TYPE_CHECKING:
    from torch import nn

    from ursa.learner.learner import Learner
    from ursa.serve.predictor import Predictor


def load(
    path: str | Path,
    data: Any = None,
    *,
    model: "nn.Module | None" = None,
    allow: str | None = None,
    loss: "str | Callable[[Any, Any], Any] | None" = None,
    optimizer: Any = None,
    metrics: Sequence[Any] | None = None,
    device: str | None = None,
    precision: str | None = None,
    progress: bool | None = None,
) -> "Predictor | Learner":
    """A bundle (`ursa train`, `learner.export`) -> Predictor; what `learner.save` wrote -> Learner.

    A learner predicts, evaluates what it is given, and exports. data: to train it further, read as what it learned
    from. A custom network is given as `model`, or by the import path of its class that you `allow`
    ("package.module:Class"); a loss, an optimizer and metrics of your own are given again. Raises BundleError or
    TrainingError for a file that is damaged or holds neither, DataError where there is none.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"there is no file {path}", fix="check the path")
    given = {"data": data, "model": model, "allow": allow, "loss": loss, "optimizer": optimizer, "metrics": metrics}
    given |= {"device": device, "precision": precision, "progress": progress}
    if path.is_dir() or not _is_safetensors(path):
        named = [name for name, value in given.items() if value is not None]
        if named:
            fix = "a bundle is loaded by its path alone; what learner.save wrote can be trained further"
            raise TrainingError("these arguments are for a saved learner", found=", ".join(named), fix=fix)
        from ursa.serve.predictor import Predictor

        return Predictor(path)
    from ursa.learner.learner import Learner

    return Learner.from_file(path, **given)


def _is_safetensors(path: Path) -> bool:
    """Whether it begins as safetensors do: the length of a header, and the header."""
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{"
