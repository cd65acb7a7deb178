"""(seed, purpose, epoch, row) -> uniform numbers, for many rows at once: a picture's do not depend on its batch."""

import numpy as np
import numpy.typing as npt

from ursa.core import seeds

F64 = npt.NDArray[np.float64]

_STEP = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, odd: what SplitMix64 counts by


def uniforms(seed: int, purpose: str, epoch: int, rows: npt.ArrayLike, count: int) -> F64:
    """rows [N] whole numbers from 0 -> [N, count] numbers in [0, 1).

    Counter-based: number j of a row is SplitMix64's mix (Steele, Lea and Flood 2014) of seed, row and j. So any row can
    be drawn alone, at a fraction of what a generator for each would cost.
    """
    first, second = (np.uint64(seeds.number(seed, purpose, epoch, half)) for half in (0, 1))
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is meant
        stream = _mix(np.asarray(rows, np.uint64) * _STEP + first)[:, None]
        words = _mix(_mix(stream + np.arange(count, dtype=np.uint64) * _STEP) ^ second)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53  # 53 bits: as many as a double holds


def _mix(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's finaliser: a bijection of 64-bit words in which each bit depends on all."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
