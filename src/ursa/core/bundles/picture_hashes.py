"""Which pictures a model learned from and was judged on: sha256 by part -> short hashes in bundle.json, and back.

Of each picture the first 8 bytes of the sha256 of its file: 11 characters in the bundle, 1.1 MB for 100,000 pictures.
Two sets of a million different files have one hash in common in 18 million such pairs of sets. A hash of a file's bytes
tells something only to somebody who has that file: that it was used.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LENGTH = 8  # bytes
PARTS = ("train", "valid", "train-dev", "test")  # what was learned from counts as that, wherever else it lies


@dataclass(frozen=True)
class PictureHashes:
    """The pictures of each part of a run."""

    parts: Mapping[str, npt.NDArray[np.uint64]]  # of each part sorted, each once

    @classmethod
    def of(cls, parts: Mapping[str, Iterable[str | None]]) -> "PictureHashes":
        """sha256 in hexadecimal by part, None for a file that could not be read; empty parts are left out."""
        found = {name: _short(key for key in keys if key is not None) for name, keys in parts.items()}
        return cls({name: np.unique(keys) for name, keys in found.items() if len(keys)})

    def part_of(self, keys: Sequence[str | None]) -> list[str | None]:
        """sha256 of N pictures -> the part that each lies in, None for one that the run did not have."""
        short, found = _short(key or "0" * 2 * LENGTH for key in keys), np.full(len(keys), None, object)
        for name in sorted(self.parts, key=PARTS.index, reverse=True):
            found[np.isin(short, self.parts[name])] = name
        return [part if key else None for part, key in zip(found, keys, strict=True)]

    def to_json(self) -> dict[str, str]:
        """By part the hashes one after the other, big-endian, in base64."""
        return {name: base64.b64encode(keys.astype(">u8").tobytes()).decode() for name, keys in self.parts.items()}

    @classmethod
    def from_json(cls, document: Any) -> "PictureHashes":
        """What `to_json` gave. Raises ValueError for anything else."""
        if not isinstance(document, dict):
            raise ValueError("pictures is no object")
        return cls({name: _part(name, text) for name, text in document.items()})


def _part(name: str, text: Any) -> npt.NDArray[np.uint64]:
    if name not in PARTS or not isinstance(text, str):
        raise ValueError(f"pictures.{name[:60]} is no part")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"pictures.{name} is not base64") from None
    if not data or len(data) % LENGTH:
        raise ValueError(f"pictures.{name} is not made of hashes of {LENGTH} bytes")
    keys = np.frombuffer(data, ">u8").astype(np.uint64)
    if not (keys[:-1] < keys[1:]).all():
        raise ValueError(f"pictures.{name} is not sorted")
    return keys


def _short(keys: Iterable[str]) -> npt.NDArray[np.uint64]:
    return np.array([int(key[: 2 * LENGTH], 16) for key in keys], np.uint64)
