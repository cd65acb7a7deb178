"""The resize of `core/prepare.py` again, by torch: faster, in one call that leaves the interpreter's lock to others.

Four threads then decode and resize about 3 times as many pictures (`benchmarks/pipeline.py`). The two agree to 2 gray
levels, 0.002 on average: both follow Pillow's definition of bilinear with antialiasing, with weights of 16 and 22 bits.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ursa.core import prepare
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import Resize

if TYPE_CHECKING:
    import torch


@cache
def fastest() -> Resize:
    """`by_torch` where torch has a kernel for bytes (x86 with AVX2), else Pillow's."""
    import torch

    fast = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    return by_torch if fast else prepare.resize


def by_torch(pixels: Pixels, width: int, height: int, out: Pixels | None = None) -> Pixels:
    """pixels [h, w, 3] uint8 -> [height, width, 3] uint8, written to `out`.

    The result is written where numpy wants it, a third faster than converting torch's own layout. It has to be
    contiguous: torch 2.15 writes past the rows of a part of a larger array.
    """
    import torch

    sized = np.empty((height, width, 3), np.uint8) if out is None else out
    source = pixels if pixels.flags.writeable else pixels.copy()
    torch.ops.aten._upsample_bilinear2d_aa.out(
        _channels_first(source), [height, width], False, None, None, out=_channels_first(sized)
    )
    return sized


def _channels_first(pixels: Pixels) -> "torch.Tensor":
    """[h, w, 3] -> [1, 3, h, w] over the same memory."""
    import torch

    return torch.from_numpy(pixels.transpose(2, 0, 1)[None])
