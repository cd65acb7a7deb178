"""bundle + picture -> probabilities. No torch: starts in well under a second."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa import sandbox, seals
from ursa.core.bundles import bundle
from ursa.core.bundles.bundle import Bundle
from ursa.core.bundles.onnx_rules import require_plain
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import stacks
from ursa.core.statistics import softmax
from ursa.serve import trial
from ursa.serve.session import Session


@dataclass(frozen=True)
class Prediction:
    """What the model says of one picture."""

    label: str  # the most probable class; with costs in the bundle the cheapest one (`core/decisions.py`)
    probability: float  # of that class
    probabilities: dict[str, float]  # by class, in the model's order
    unsure: bool | None = None  # below the bundle's threshold; None where it has none

    def to_json(self) -> dict[str, Any]:
        """{"label", "probability", "probabilities"}, and "unsure" where the bundle has a threshold."""
        known = {"label": self.label, "probability": self.probability, "probabilities": self.probabilities}
        return known if self.unsure is None else {**known, "unsure": self.unsure}


class Predictor:
    """A bundle, ready to predict: `Predictor("bears.ursa")("picture.jpg").label`. Safe to call from several threads."""

    def __init__(self, source: str | Path | Bundle, *, trusted: bool = False) -> None:
        """A bundle or its path. Raises BundleError when it is damaged, incomplete, too new, or not harmless.

        trusted: leave out the trial in another process; for a bundle that this program made itself. One that this user
        exported on this machine is known by its seal (`ursa.seals`), and not tried either.
        """
        self.bundle = source if isinstance(source, Bundle) else bundle.read(source)
        self.labels, self._decisions = self.bundle.labels, self.bundle.decisions
        model, size = self.bundle.parts["model.onnx"], self.bundle.preparation.size
        require_plain(model)
        if not (trusted or _is_ours(self.bundle)):
            trial.require_works(model, size, len(self.labels))
        self._session = Session(model, size, len(self.labels))

    def close(self) -> None:
        """End what is running; whoever waits for it gets a BundleError."""
        self._session.close()

    def __call__(self, picture: str | Path | bytes | Pixels) -> Prediction:
        """A file, a file's bytes, or pixels [h, w, 3] uint8 -> Prediction. Raises DataError for no readable picture."""
        return self.predictions([self.view(picture)])[0]

    def predictions(self, views: Iterable[Pixels]) -> list[Prediction]:
        """Views [size, size, 3] -> predictions, in the same order."""
        names, decisions, rows = self.labels.names, self._decisions, self.probabilities(views)
        chosen, unsure = decisions.chosen(rows, names).tolist(), decisions.unsure(rows).tolist()
        return [
            Prediction(
                names[best],
                float(row[best]),
                {name: float(p) for name, p in zip(names, row, strict=True)},
                None if decisions.abstain is None else doubt,
            )
            for row, best, doubt in zip(rows, chosen, unsure, strict=True)
        ]

    def view(self, picture: str | Path | bytes | Pixels, seconds: float = sandbox.LIMITS.seconds) -> Pixels:
        """What the model sees of a picture: [size, size, 3] uint8. seconds: of computing, to decode it."""
        return sandbox.view(picture, self.bundle.preparation, seconds)

    def probabilities(self, views: Iterable[Pixels]) -> npt.NDArray[np.float32]:
        """Views [N, size, size, 3] uint8 -> [N, K]. Raises BundleError for a model that fails on them."""
        rows = [self._session(pictures) for pictures in stacks(views, self._session.batch)]
        if not rows:
            return np.empty((0, len(self.labels)), np.float32)
        return softmax(np.concatenate(rows) / np.float32(self.bundle.temperature))


def _is_ours(bundle: Bundle) -> bool:
    """Whether this user exported the model: the seal is of the model's hash, which `bundle.read` has checked."""
    seal, digest = bundle.document.get("seal"), bundle.document.get("parts", {}).get("model.onnx")
    if not isinstance(seal, str) or not isinstance(digest, str):
        return False
    return hmac.compare_digest(seal.encode(), seals.seal("model.onnx", digest.encode()).encode())
