"""bundle + picture -> what its model says. No torch: starts in well under a second."""

import hmac
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ursa import sandbox, seals
from ursa.core.bundles import bundle
from ursa.core.bundles.bundle import Bundle
from ursa.core.bundles.onnx_rules import require_plain
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import stacks
from ursa.core.tasks import REGRESSION, SINGLE_LABEL
from ursa.errors import BundleError
from ursa.serve import trial
from ursa.serve.prediction import AnyPrediction, Prediction, activated, answers
from ursa.serve.session import Session


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

    @property
    def task(self) -> str:
        """ "single-label", "multi-label" or "regression"."""
        return self.bundle.task

    def require_single_label(self, what: str) -> None:
        """Raises BundleError where it does not answer with one class a picture, which `what` needs."""
        if self.task != SINGLE_LABEL:
            found, fix = f"a {self.task} model", "ursa predict and ursa serve take it; measure it with Learner.evaluate"
            raise BundleError(f"{what} needs a model that knows one class a picture", found=found, fix=fix)

    def __call__(self, picture: str | Path | bytes | Pixels) -> AnyPrediction:
        """A file, a file's bytes, or pixels [h, w, 3] uint8 -> Prediction. Raises DataError for no readable picture."""
        return self.predictions([self.view(picture)])[0]

    def predictions(self, views: Iterable[Pixels]) -> list[AnyPrediction]:
        """Views [size, size, 3] -> what the model says of each, in the same order."""
        return answers(self.outputs(views), self.task, self.labels.names, self._decisions)

    def classified(self, views: Iterable[Pixels]) -> list[Prediction]:
        """`predictions` of a model that knows one class a picture. Raises BundleError for any other."""
        self.require_single_label("this")
        return [one for one in self.predictions(views) if isinstance(one, Prediction)]

    def view(self, picture: str | Path | bytes | Pixels, seconds: float = sandbox.LIMITS.seconds) -> Pixels:
        """What the model sees of a picture: [size, size, 3] uint8. seconds: of computing, to decode it."""
        return sandbox.view(picture, self.bundle.preparation, seconds)

    def probabilities(self, views: Iterable[Pixels]) -> npt.NDArray[np.float32]:
        """Views [N, size, size, 3] uint8 -> [N, K]. Raises BundleError as `outputs` does, and for a regression."""
        if self.task == REGRESSION:
            raise BundleError("a regression gives numbers, not probabilities", fix="Predictor.outputs")
        return self.outputs(views)

    def outputs(self, views: Iterable[Pixels]) -> npt.NDArray[np.float32]:
        """Views [N, size, size, 3] uint8 -> [N, K] probabilities, of a regression numbers in their own units.

        Raises BundleError for a model that fails on them.
        """
        rows = [self._session(pictures) for pictures in stacks(views, self._session.batch)]
        if not rows:
            return np.empty((0, len(self.labels)), np.float32)
        return activated(np.concatenate(rows), self.task, self.bundle.temperature)


def _is_ours(bundle: Bundle) -> bool:
    """Whether this user exported the model: the seal is of the model's hash, which `bundle.read` has checked."""
    seal, digest = bundle.document.get("seal"), bundle.document.get("parts", {}).get("model.onnx")
    if not isinstance(seal, str) or not isinstance(digest, str):
        return False
    return hmac.compare_digest(seal.encode(), seals.seal("model.onnx", digest.encode()).encode())
