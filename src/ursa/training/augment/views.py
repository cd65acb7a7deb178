"""Pictures -> random views, a batch at a time on the training device: where everything that augments comes together.

What is drawn for a picture depends on (seed, epoch, row) alone, not on its batch. Geometric changes become one
homography and one interpolation (`geometry`), changes of light one map of colours (`color_jitter`); the rest follows
(`trivial_augment`, `patches`). `mixing` then joins pictures of a batch.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ursa.core.prepare import Preparation
from ursa.core.threads import cores
from ursa.recipe import AugmentSettings
from ursa.training.augment import color_jitter, geometry, patches, trivial_augment
from ursa.training.augment.random_numbers import F64, uniforms

CHUNK = 8  # pictures at a time on a CPU: what is computed of them stays in the cache
_GEOMETRY, _COLOR, _ERASE, _TRIVIAL = slice(0, 12), slice(12, 23), slice(23, 28), slice(28, 32)
_DRAWS = 32


def draws(seed: int, epoch: int, rows: npt.ArrayLike) -> F64:
    """rows [N] of the training pictures -> [N, 32] uniform numbers, which `augmented` takes."""
    return uniforms(seed, "augment", epoch, rows, _DRAWS)


def augmented(
    pictures: Tensor, sizes: Tensor | npt.ArrayLike, preparation: Preparation, augment: AugmentSettings, draw: F64
) -> Tensor:
    """pictures [N, P, P, 3] uint8, each in the top left corner of its square; sizes [N, 2] their heights and widths;
    draw from `draws` -> views [N, S, S, 3] uint8 (channel by channel in memory).

    With every setting off a view is `Preparation.view` of its picture, but for bilinear instead of antialiased
    interpolation; exactly, where the picture already has the size of the view. A picture's square should be about
    S / zoom wide, so that no part of it is magnified. What lies in it beyond the picture does not matter.
    """
    sizes = np.asarray(sizes.cpu() if isinstance(sizes, Tensor) else sizes, np.float64).reshape(-1, 2)
    place = geometry.drawn(sizes, preparation, augment, draw[:, _GEOMETRY])
    factors = color_jitter.drawn(augment, draw[:, _COLOR])
    change = trivial_augment.drawn(augment.trivial_augment, draw[:, _TRIVIAL])
    if augment.trivial_augment > 0:
        place = place.then(trivial_augment.matrices(change, preparation.size))
        factors = trivial_augment.factors(change, factors)
    colors = color_jitter.composed(factors)
    views = torch.empty(len(pictures), 3, preparation.size, preparation.size, dtype=torch.uint8, device=pictures.device)

    def work(some: slice) -> None:
        part = geometry.render(pictures[some], place.rows(some), preparation.size)
        part = trivial_augment.apply(color_jitter.apply(part, colors.rows(some)), change.rows(some))
        views[some] = patches.erased(part, augment.random_erasing, draw[some, _ERASE]).round_()

    _spread(work, len(pictures), pictures.device.type)
    return views.permute(0, 2, 3, 1)


def _spread(work: Callable[[slice], None], count: int, device: str) -> None:
    """work(part) for parts of `count` pictures: all at once on an accelerator, CHUNK by CHUNK on all cores of a CPU.

    Threads with a chunk each, since torch's own would wait for each other in each of thirty short operations: on a
    machine whose cores have other work too, such as decoding, that was two to four times as slow (measured).
    """
    if device != "cpu":
        work(slice(None))
        return
    parts = [slice(first, first + CHUNK) for first in range(0, count, CHUNK)]
    threads = torch.get_num_threads()
    if cores() == 1 or len(parts) < 2:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(cores(), "augment", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(work, parts))  # raises what was raised in a thread
    torch.set_num_threads(threads)  # for threads made from now on; this one kept its number
