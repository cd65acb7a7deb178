"""A backbone at work: loaded when first needed, in the precision that is fastest on this machine."""

import contextlib
import copy
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ursa import workspace
from ursa.core.image import Pixels
from ursa.core.threads import chunks
from ursa.embed import pipeline
from ursa.embed.backbone import Backbone, Description
from ursa.embed.pipeline import Chunk, Known
from ursa.embed.store import F32
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from ursa.embed.extractor import Extractor

BATCH = 4  # pictures that a core takes at a time: what it computes of them stays in its cache (docs/decisions.md)
BATCH_ACCELERATOR = 64


@dataclass(frozen=True)
class Engine:
    """views [N, S, S, 3] -> vectors [N, D]. Loads nothing before it has to compute."""

    backbone: Backbone
    space: Workspace
    precision_wanted: str = "auto"  # "fp32", "bf16", or "auto": measured once for a backbone and machine, remembered
    device: str = "cpu"

    @cached_property
    def about(self) -> Description:
        """Fingerprint and picture size."""
        return self.backbone.describe(self.space, lambda: self._loaded)

    @cached_property
    def precision(self) -> str:
        """The precision it computes in: "fp32" or "bf16"."""
        if self.precision_wanted != "auto":
            return self.precision_wanted
        if self.device != "cpu":
            return "fp32"
        key = f"{self.about.fingerprint} {machine()}"
        return str(workspace.remember(self.space.precisions, key, self._fastest))

    @property
    def key(self) -> str:
        """Under which its embeddings are stored."""
        return self.about.key(self.precision)

    def embedded(self, files: Sequence[Path], known: Known) -> Iterator[Chunk]:
        """Facts and vectors of these files, in their order: see `ursa.embed.pipeline`."""
        preparation = self.about.preparation
        if self.device != "cpu":
            yield from pipeline.ahead(files, preparation, self._forward, known, batch=BATCH_ACCELERATOR)
            return
        with one_thread() as begin:
            yield from pipeline.on_cores(files, preparation, self._forward, known, batch=BATCH, begin=begin)

    def __call__(self, views: Pixels) -> F32:
        """views [N, S, S, 3] uint8 -> [N, D] float32."""
        if self.device != "cpu":
            return np.concatenate([self._forward(some) for some in _parts(views, BATCH_ACCELERATOR)])
        with one_thread() as begin:
            rows = [row for some in chunks(_parts(views, BATCH), self._forward, begin=begin) for row in some]
        return np.concatenate(rows)

    def _forward(self, views: Pixels) -> F32:
        import torch

        with torch.inference_mode():
            return np.asarray(self._ready(torch.from_numpy(views).to(self.device)).cpu().numpy())

    @cached_property
    def _loaded(self) -> "Extractor":
        return self.backbone.load()

    @property
    def _ready(self) -> "Extractor":
        with self._lock:  # several cores may be the first to ask
            return self._made

    @cached_property
    def _made(self) -> "Extractor":
        return self._loaded.in_precision(dtype_of(self.precision)).to(self.device)

    @cached_property
    def _lock(self) -> threading.Lock:
        return threading.Lock()

    def _fastest(self) -> str:
        import torch

        draw = torch.Generator().manual_seed(0)
        shape = (1, self.about.size, self.about.size, 3)
        with one_thread():
            return fastest_precision(self._loaded, torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw))


def fastest_precision(extractor: "Extractor", views: "Tensor") -> str:
    """The faster of "fp32" and "bf16" on these views [N, S, S, 3]; bf16 must be a tenth faster to be chosen.

    bf16 is 1.2 to 3 times as fast on CPUs with AMX or AVX512-BF16, slower on others and for some small networks; the
    probe's accuracy moved by less than 0.2 points on each shared set (docs/benchmarks.md).
    """
    import torch

    seconds = {}
    for name in ("fp32", "bf16"):
        trial = copy.deepcopy(extractor).in_precision(dtype_of(name))
        with torch.inference_mode():
            trial(views)
            start = time.perf_counter()
            trial(views)
            seconds[name] = time.perf_counter() - start
    return "bf16" if seconds["bf16"] < 0.9 * seconds["fp32"] else "fp32"


def _parts(views: Pixels, size: int) -> Iterator[Pixels]:
    return (views[first : first + size] for first in range(0, len(views), size))


@contextlib.contextmanager
def one_thread() -> Iterator[Callable[[], None]]:
    """Inside, torch computes on the thread that calls it; other threads have to begin with what this yields."""
    import torch

    def begin() -> None:
        torch.set_num_threads(1)  # OpenMP keeps the number for each thread

    before = torch.get_num_threads()
    begin()
    try:
        yield begin
    finally:
        torch.set_num_threads(before)


def dtype_of(precision: str) -> Any:
    """The torch.dtype of "fp32" or "bf16"."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


def machine() -> str:
    """What a choice made by timing holds for."""
    try:
        info = Path("/proc/cpuinfo").read_text()
        model = next(line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{sys.platform} {model}"
