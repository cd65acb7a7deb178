"""A backbone at work: loaded when first needed, in the precision that is fastest on this machine."""

import copy
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ursa import workspace
from ursa.core.image import Pixels
from ursa.embed.backbone import Backbone, Description
from ursa.embed.store import F32
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from ursa.embed.extractor import Extractor

BATCH = 8  # pictures a forward pass on a CPU: activations stay in the cache; 32 took 1.4 to 2 times as long (measured)
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

    @property
    def set_threads(self) -> Callable[[int], None] | None:
        """Sets how many threads a forward pass uses; None where it does not run on the CPU."""
        return _set_threads if self.device == "cpu" else None

    @property
    def batch(self) -> int:
        """Pictures a forward pass."""
        return BATCH if self.device == "cpu" else BATCH_ACCELERATOR

    def __call__(self, views: Pixels) -> F32:
        """views [N, S, S, 3] uint8 -> [N, D] float32."""
        import torch

        with torch.inference_mode():
            return np.asarray(self._ready(torch.from_numpy(views).to(self.device)).cpu().numpy())

    @cached_property
    def _loaded(self) -> "Extractor":
        return self.backbone.load()

    @cached_property
    def _ready(self) -> "Extractor":
        return self._loaded.in_precision(dtype_of(self.precision)).to(self.device)

    def _fastest(self) -> str:
        import torch

        draw = torch.Generator().manual_seed(0)
        shape = (BATCH, self.about.size, self.about.size, 3)
        return fastest_precision(self._loaded, torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw))


def fastest_precision(extractor: "Extractor", views: "Tensor") -> str:
    """The faster of "fp32" and "bf16" on these views [N, S, S, 3]; bf16 must be a tenth faster to be chosen.

    bf16 is 1.2 to 2 times as fast on CPUs with AMX or AVX512-BF16, slower on others and for some small networks; the
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


def _set_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


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
