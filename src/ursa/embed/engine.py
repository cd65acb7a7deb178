"""A backbone at work: loaded when first needed, in the precision that is fast on this machine."""

import contextlib
import functools
import platform
import sys
import threading
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ursa.core.decoding.image import Pixels
from ursa.core.threads import chunks
from ursa.embed import pipeline
from ursa.embed.backbone import Backbone, Description
from ursa.embed.openvino_network import OpenVINONetwork
from ursa.embed.pipeline import Chunk, Known
from ursa.embed.pretrained.without_weights import WITHOUT_WEIGHTS
from ursa.embed.runtime import Runtime
from ursa.embed.store import F32
from ursa.errors import TrainingError
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.embed.extractor import Extractor

BATCH = 4  # pictures that a core takes at a time: what it computes of them stays in its cache (docs/decisions.md)
BATCH_ACCELERATOR = 64
NATIVE_BF16 = {"avx512_bf16", "amx_bf16"}  # flags of CPUs that multiply bf16 numbers themselves


@dataclass(frozen=True)
class Engine:
    """views [N, S, S, 3] -> vectors [N, D]. Loads nothing before it has to compute."""

    backbone: Backbone
    space: Workspace
    precision_wanted: str = "auto"  # "fp32", "bf16", or "auto": see `fast_precision`
    device: str = "cpu"
    runtime: Runtime = field(default_factory=Runtime, compare=False)  # of large passes on a CPU
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False, compare=False)

    @cached_property
    def about(self) -> Description:
        """Fingerprint and picture size."""
        return self.backbone.describe(self.space, lambda: self._loaded)

    @cached_property
    def precision(self) -> str:
        """The precision it computes in: "fp32" or "bf16"."""
        if self.precision_wanted != "auto":
            return self.precision_wanted
        return fast_precision(self.backbone.name, flags()) if self.device == "cpu" else "fp32"

    @property
    def key(self) -> str:
        """Under which its embeddings are stored."""
        return self.about.key(self.precision)

    def described(self) -> dict[str, str | None]:
        """backbone, precision; runtime: of the last large pass; problem: why it was not the faster one."""
        runtime = self.runtime
        used = {"runtime": runtime.used, "problem": runtime.problem}
        return {"backbone": self.backbone.name, "precision": self.precision, **used}

    def runtime_for(self, count: int) -> str:
        """What takes so many new pictures forward: "torch" or "openvino"."""
        return "torch" if self.device != "cpu" else self.runtime.chosen(self._heavy(count))

    def embedded(self, files: Sequence[Path], known: Known) -> Iterator[Chunk]:
        """Facts and vectors of these files, in their order: see `ursa.embed.pipeline`."""
        preparation = self.about.preparation
        if self.device != "cpu":
            yield from pipeline.ahead(files, preparation, self._forward, known, batch=BATCH_ACCELERATOR)
            return
        with one_thread() as begin:
            forward = self.runtime.forward(self._heavy(len(files)), self._forward, lambda: self._compiled)
            yield from pipeline.on_cores(files, preparation, forward, known, batch=BATCH, begin=begin)

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
            vectors = np.asarray(self._ready(torch.from_numpy(views).to(self.device)).cpu().numpy())
        if not np.isfinite(vectors).all():
            raise self._unusable("embeddings that are not finite (NaN or infinite)")
        return vectors

    def _heavy(self, count: int) -> int:
        """Of so many pictures those of which the network is the larger part of the work, not decoding."""
        return 0 if self.backbone.name in WITHOUT_WEIGHTS else count

    @cached_property
    def _loaded(self) -> "Extractor":
        return self.backbone.load()

    @property
    def _ready(self) -> "Extractor":
        with self._lock:  # several threads may be the first to ask; a cached_property has no lock of its own
            return self._made

    @cached_property
    def _made(self) -> "Extractor":
        made = self._loaded.in_precision(dtype_of(self.precision)).to(self.device)
        self._try(made)
        return made

    @cached_property
    def _compiled(self) -> OpenVINONetwork:
        self._ready  # noqa: B018  # refuses damaged weights
        return OpenVINONetwork(self.backbone.load(), self.precision, BATCH)

    def _try(self, made: "Extractor") -> None:
        """Raises TrainingError for a network that cannot tell noise from stripes: its weights are damaged."""
        import torch

        noise = torch.randint(0, 256, (made.size, made.size, 3), generator=torch.Generator().manual_seed(0))
        stripes = (torch.arange(made.size) // 8 % 2 * 255)[:, None, None].expand(made.size, made.size, 3)
        with torch.inference_mode():
            one, other = made(torch.stack([noise, stripes]).to(torch.uint8).to(self.device)).cpu()
        if not (one.isfinite().all() and other.isfinite().all()):
            raise self._unusable("embeddings that are not finite (NaN or infinite)")
        if torch.equal(one, other):
            raise self._unusable("the same embedding of noise and of stripes")

    def _unusable(self, found: str) -> TrainingError:
        weights = self.backbone.weights
        return TrainingError(
            f"the weights of {self.backbone.name}{f' in {weights}' if weights else ''} are of no use",
            found=found,
            fix="fetch or save the file anew: --weights FILE"
            if weights
            else "remove the hub's copy and fetch it again, or try --precision fp32",
        )


def fast_precision(backbone: str, cpu: Set[str]) -> str:
    """The precision to compute in on a CPU with these flags: "fp32" or "bf16".

    A rule, and no race between the two: embeddings, and all that is learned from them, are the same whenever and
    wherever this backbone is used on such a machine. With AVX512-BF16 or AMX bf16 is 1.3 to 2.3 times as fast for 15 of
    16 networks (`mobilenetv3_small`: 0.9), and the probe's accuracy moves by less than 0.2 points (docs/decisions.md);
    on other CPUs it is slower. `pixels` and `small_cnn` take no longer than decoding does, and stay exact.
    """
    return "bf16" if backbone not in WITHOUT_WEIGHTS and cpu & NATIVE_BF16 else "fp32"


@functools.cache
def flags() -> frozenset[str]:
    """What the CPU says that it can do; nothing where the system does not tell (it does on Linux)."""
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    return frozenset(
        next((line.split(":", 1)[1] for line in info.splitlines() if line.startswith("flags")), "").split()
    )


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
    """What a timing holds for."""
    try:
        info = Path("/proc/cpuinfo").read_text()
        model = next(line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{sys.platform} {model}"
