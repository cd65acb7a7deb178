"""pictures -> logits by onnxruntime, with no way to other files and no run that cannot be ended."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core.bundles.onnx_runtime import onnxruntime
from ursa.core.decoding.image import Pixels
from ursa.core.text import escaped
from ursa.core.threads import cores
from ursa.errors import BundleError

BATCH = 8  # pictures a run: activations stay in the cache
HEAVY = 100e6 * 224**2  # bytes of the model times pixels of a view, from which on pictures are run one by one

EXPORT_AGAIN = "export it again"
MOST_RUNS = 256  # at once; those of further threads wait


def seconds_for(model: bytes) -> float:
    """How long a model may take to be loaded, and how long for a run: more than any that is of use."""
    return 60 + len(model) / 20e6


class Session:
    """A model in onnxruntime. Safe to call from several threads.

    Runs have `batch` pictures or one: those numbers were tried when the bundle was opened (`serve/trial.py`).
    """

    def __init__(self, model: bytes, size: int, classes: int) -> None:
        """size: of the views, pixels. Raises BundleError when the model cannot be loaded or is one of other shapes."""
        self.batch = BATCH if len(model) * size**2 <= HEAVY else 1
        self._shape = (size, size, 3)
        self._classes = classes
        self._seconds = seconds_for(model)
        self._model = model
        self._session = _loaded(model, cores())
        # Loaded when runs are at once for the first time.
        self._one_thread = self._session if cores() == 1 else None
        self._require_shapes()
        self._turns = threading.BoundedSemaphore(cores())  # more runs at once only evict each other from the caches
        self._pool = ThreadPoolExecutor(MOST_RUNS, thread_name_prefix="ursa-run")
        self._lock = threading.Lock()
        self._running: list[Any] = []
        self._closed = False

    def __call__(self, pictures: Pixels) -> npt.NDArray[np.float32]:
        """pictures [N, S, S, 3] -> logits [N, K]. Raises BundleError for a run that fails, or gives no numbers."""
        at_once = self.batch if len(pictures) % self.batch == 0 else 1
        rows = [self._run(pictures[at : at + at_once]) for at in range(0, len(pictures), at_once)]
        return np.concatenate(rows)

    def close(self) -> None:
        """End what is running, with a BundleError for those who wait for it; nothing runs any more afterwards."""
        with self._lock:
            self._closed = True
            for options in self._running:
                options.terminate = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, pictures: Pixels) -> npt.NDArray[np.float32]:
        """In a thread of its own, so that the caller can be interrupted: onnxruntime does not listen to Ctrl-C."""
        with self._turns, self._begun() as options:
            future = self._pool.submit(self._fitting().run, None, {"pictures": pictures}, options)
            try:
                (found,) = future.result(self._seconds)
            except TimeoutError as problem:
                found = f"more than {self._seconds:.0f} s for {len(pictures)} pictures"
                raise BundleError("the model takes too long", found=found, fix="train a smaller model") from problem
            except Exception as problem:  # onnxruntime's own exceptions have no public base
                raise BundleError("the model fails on a picture", found=_said(problem), fix=EXPORT_AGAIN) from problem
        if (
            not isinstance(found, np.ndarray)
            or found.dtype != np.float32
            or found.shape != (len(pictures), self._classes)
        ):
            raise BundleError("the model does not answer with logits", found=_described(found), fix=EXPORT_AGAIN)
        if not np.isfinite(found).all():
            raise BundleError("the model does not answer with numbers", found="NaN or infinity", fix="train it again")
        return found

    def _fitting(self) -> Any:
        """All cores for a run that is alone, and one for each of several: they would wait for each other's threads.

        On two cores, one thread a run answers 172 SqueezeNets a second and two 158; alone they take 11 and 7 ms.
        """
        with self._lock:
            if len(self._running) == 1:
                return self._session
            if self._one_thread is None:
                self._one_thread = _loaded(self._model, 1)
            return self._one_thread

    @contextmanager
    def _begun(self) -> Iterator[Any]:
        """The options of a run. Whatever ends the block, Ctrl-C as well, ends the run."""
        options = onnxruntime().RunOptions()
        with self._lock:
            if self._closed:
                raise BundleError("the model was closed", fix="open the bundle again")
            self._running.append(options)
        try:
            yield options
        finally:
            options.terminate = True
            with self._lock:
                self._running.remove(options)

    def _require_shapes(self) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = [(each.name, each.type, each.shape[1:]) for each in inputs], [(e.type, e.shape[1:]) for e in outputs]
        wanted = [("pictures", "tensor(uint8)", list(self._shape))], [("tensor(float)", [self._classes])]
        if found != wanted:
            found_text = escaped(str(found)[:300])
            raise BundleError("model and manifest do not fit", found=f"{found_text}, wanted {wanted}", fix=EXPORT_AGAIN)


def _loaded(model: bytes, threads: int) -> Any:
    options = onnxruntime().SessionOptions()
    # Its own choice counts cores that this process may not use: with one of two, runs take twice as long.
    options.intra_op_num_threads = threads
    # Threads that wait in a loop take the core from decoders; without it a run alone takes 7.4 ms for 6.3.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # fatal: what it has to say otherwise is in its exceptions
    # Below the null device nothing can be opened: the second line behind core/onnx_file.py, which refuses such models.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    try:
        # Its fallback would print the names of a model and load it a second time.
        return onnxruntime().InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=False)
    except Exception as problem:  # onnxruntime's own exceptions have no public base
        raise BundleError("onnxruntime cannot load the model", found=_said(problem), fix=EXPORT_AGAIN) from problem


def _described(found: Any) -> str:
    return f"{found.dtype} {list(found.shape)}" if isinstance(found, np.ndarray) else type(found).__name__


def _said(problem: Exception) -> str:
    """The names in a model are a stranger's."""
    return escaped(str(problem)[:500]) or type(problem).__name__
