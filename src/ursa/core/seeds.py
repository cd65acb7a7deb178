"""Randomness as a function: (seed, purpose, epoch) -> generator. Nothing is drawn from a hidden stream."""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, *step: int) -> np.random.Generator:
    """The generator for one purpose at one step; the same arguments give the same numbers, in any order of calls."""
    return np.random.default_rng(_words(seed, purpose, step))


def number(seed: int, purpose: str, *step: int) -> int:
    """A 63-bit seed for libraries that take one, such as torch."""
    words = _words(seed, purpose, step)
    return (words[0] << 32 | words[1]) >> 1


def _words(seed: int, purpose: str, step: tuple[int, ...]) -> list[int]:
    key = (int(seed), purpose, tuple(int(number) for number in step))  # so that numpy's integers are the same seeds
    digest = hashlib.sha256(repr(key).encode()).digest()
    return [int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4)]
