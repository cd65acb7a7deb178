"""bundle + picture -> probabilities. No torch: starts in well under a second."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa import sandbox
from ursa.core import bundle
from ursa.core.bundle import Bundle
from ursa.core.image import Pixels
from ursa.core.metrics import softmax
from ursa.core.prepare import stacks
from ursa.errors import BundleError, DataError

BATCH = 8  # pictures a run: activations stay in the cache


@dataclass(frozen=True)
class Prediction:
    """What the model says of one picture."""

    label: str  # the most probable class
    probability: float
    probabilities: dict[str, float]  # by class, in the model's order

    def to_json(self) -> dict[str, Any]:
        """{"label", "probability", "probabilities"}."""
        return {"label": self.label, "probability": self.probability, "probabilities": self.probabilities}


def load(path: str | Path) -> "Predictor":
    """The model in a bundle. Raises BundleError when it is damaged, incomplete or too new."""
    return Predictor(path)


class Predictor:
    """A bundle, ready to predict: `Predictor("bears.ursa")("picture.jpg").label`. Safe to call from several threads."""

    def __init__(self, source: str | Path | Bundle) -> None:
        """A bundle or its path. Raises BundleError when it is damaged, incomplete or too new."""
        import onnxruntime

        self.bundle = source if isinstance(source, Bundle) else bundle.read(source)
        self.labels = self.bundle.labels
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # its warnings are about graph optimisation: nothing a user could act on
        try:
            self._session = onnxruntime.InferenceSession(
                self.bundle.parts["model.onnx"], options, providers=["CPUExecutionProvider"]
            )
        except Exception as problem:  # onnxruntime's own exceptions have no public base
            raise BundleError("onnxruntime cannot load the model", found=problem, fix="export it again") from problem
        self._require_shapes()

    def _require_shapes(self) -> None:
        size = self.bundle.preparation.size
        wanted = ("pictures", "tensor(uint8)", [size, size, 3]), [len(self.labels)]
        (first, *more), (answer, *_) = self._session.get_inputs(), self._session.get_outputs()
        found = (first.name, first.type, first.shape[1:]), answer.shape[1:]
        if found != wanted or more:
            raise BundleError("model and manifest do not fit", found=f"{found}, wanted {wanted}", fix="export it again")

    def __call__(self, picture: str | Path | bytes | Pixels) -> Prediction:
        """A file, a file's bytes, or pixels [h, w, 3] uint8 -> Prediction. Raises DataError for no readable picture."""
        return self.predictions([self.view(picture)])[0]

    def predictions(self, views: Iterable[Pixels]) -> list[Prediction]:
        """Views [size, size, 3] -> predictions, in the same order."""
        names = self.labels.names
        return [
            Prediction(names[best], float(row[best]), {name: float(p) for name, p in zip(names, row, strict=True)})
            for row in self.probabilities(views)
            for best in [int(row.argmax())]
        ]

    def view(self, picture: str | Path | bytes | Pixels) -> Pixels:
        """What the model sees of a picture: [size, size, 3] uint8."""
        preparation = self.bundle.preparation
        if isinstance(picture, np.ndarray):
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or 0 in picture.shape:
                raise DataError(
                    "pixels have to be an array [height, width, 3] of uint8",
                    found=f"{list(picture.shape)} of {picture.dtype}",
                    fix="for a file, pass its path",
                )
            return preparation.view(picture)
        data = picture if isinstance(picture, bytes) else _bytes_of(Path(picture))
        return sandbox.view(data, preparation)

    def probabilities(self, views: Iterable[Pixels]) -> npt.NDArray[np.float32]:
        """Views [N, size, size, 3] uint8 -> [N, K]."""
        rows = [self._session.run(None, {"pictures": pictures})[0] for pictures in stacks(views, BATCH)]
        if not rows:
            return np.empty((0, len(self.labels)), np.float32)
        return softmax(np.concatenate(rows) / np.float32(self.bundle.temperature))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise DataError(f"cannot open {path}", found=problem.strerror, fix="check the path") from problem
