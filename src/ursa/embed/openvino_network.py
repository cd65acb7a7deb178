"""An extractor compiled by OpenVINO: the same embeddings on a CPU at 1.3 to 2 times torch's pictures a second.

Optional: `pip install "ursa-learn[fast]"`. A network counts as converted only where its embeddings are as near to
torch's in float32 as torch's own in that precision; whatever stands in the way is one error with its reason.
"""

import importlib.util
import sys
import threading
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from ursa.core.decoding.image import Pixels
from ursa.core.signal_stack import own_signal_stack
from ursa.core.threads import cores
from ursa.embed.store import F32
from ursa.errors import TrainingError, first_line

if TYPE_CHECKING:
    from ursa.embed.extractor import Extractor

HINTS = {"fp32": "f32", "bf16": "bf16"}  # left to itself OpenVINO takes bf16 or f16 wherever the CPU has them
NEAR = {"fp32": 1e-4, "bf16": 1e-3}  # largest 1 - cosine to torch in float32; torch's own bf16: up to 3e-4 (measured)


def installed() -> bool:
    """Whether OpenVINO can be imported. Does not import it."""
    return importlib.util.find_spec("openvino") is not None


class OpenVINONetwork:
    """views [n <= batch, S, S, 3] uint8 -> vectors [n, D] float32. May be called by several threads at once."""

    def __init__(self, extractor: "Extractor", precision: str, batch: int) -> None:
        """extractor: in float32 on the CPU; it is only read. precision: "fp32" or "bf16".

        Takes 0.5 to 2 s. Raises TrainingError where it cannot be converted, and where what comes out differs by more
        than NEAR from what torch computes in float32.
        """
        if not installed():
            raise unusable("it is not installed")
        self.batch, self.size = batch, extractor.size
        try:
            with own_signal_stack():
                self._compiled = _compiled(extractor, precision, batch)
            self._of_thread = threading.local()
            self._require_near(extractor, NEAR[precision])
        except TrainingError:
            raise
        except Exception as problem:  # converting raises nearly every kind of error that there is
            raise unusable(reason(problem)) from problem

    def __call__(self, views: Pixels) -> F32:
        """Fewer views than a batch are filled up, so that a picture's vector does not depend on its neighbors' number.

        Raises RuntimeError where OpenVINO fails.
        """
        request: Any = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._compiled.create_infer_request()
        count = len(views)
        if count < self.batch:
            views = np.concatenate([views, np.zeros((self.batch - count, *views.shape[1:]), np.uint8)])
        vectors: F32 = request.infer({0: np.ascontiguousarray(views)})[0][:count].copy()
        return vectors

    def _require_near(self, extractor: "Extractor", limit: float) -> None:
        import torch

        views = _trial(self.batch, self.size)
        with torch.inference_mode():
            of_torch = extractor(torch.from_numpy(views)).numpy()
        ours = self(views)
        norms = np.linalg.norm(of_torch, axis=1) * np.linalg.norm(ours, axis=1)
        apart = float((1 - (of_torch * ours).sum(1) / np.maximum(norms, 1e-30)).max())
        if not apart <= limit:  # true for NaN too
            raise unusable(f"embeddings with a cosine of {1 - apart:.5f} to torch's, not {1 - limit:.4f}")


def unusable(found: str) -> TrainingError:
    """The one error of this runtime."""
    return TrainingError(
        f"OpenVINO{_version()} cannot run this backbone",
        found=found,
        fix="--runtime torch" if installed() else 'install it: pip install "ursa-learn[fast]", or --runtime torch',
    )


def _version() -> str:
    try:
        return f" {version('openvino')}"
    except PackageNotFoundError:  # built from source, or not there at all
        return ""


def reason(problem: BaseException) -> str:
    """Kind and first line of an error from below."""
    kind, line = type(problem).__name__, first_line(problem)
    return kind if line == kind else f"{kind}: {line}"


def _compiled(extractor: "Extractor", precision: str, batch: int) -> Any:
    import torch

    _refuse_telemetry()
    import openvino

    shape = (batch, extractor.size, extractor.size, 3)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of tracing: it holds for one shape, which is the one that we use
        blank = torch.zeros(shape, dtype=torch.uint8)
        traced: Any = torch.jit.trace(extractor, blank, check_trace=False, strict=False)
        model = openvino.convert_model(traced, input=[openvino.PartialShape(list(shape))])
    threads = cores()
    how = {"INFERENCE_PRECISION_HINT": HINTS[precision], "NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads}
    return openvino.Core().compile_model(model, "CPU", how)


def _refuse_telemetry() -> None:
    """OpenVINO's converter tells its makers when it is used, unless the package for that is missing. So it is missing.

    Nobody who checks their pictures has agreed to that.
    """
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


def _trial(count: int, size: int) -> Pixels:
    """Pictures of noise at several scales, the same each time: [count, size, size, 3]."""
    random = np.random.default_rng(0)
    rows = []
    for i in range(count):
        coarse = random.integers(0, 256, (size >> min(5, 2 * i) or 1, size >> min(5, 2 * i) or 1, 3), dtype=np.uint8)
        repeats = -(-size // len(coarse))
        rows.append(coarse.repeat(repeats, 0).repeat(repeats, 1)[:size, :size])
    return np.stack(rows)
