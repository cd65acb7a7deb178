"""Content-addressed embeddings on disk: sha256 of the picture's bytes -> vector. Append-only, memory-mapped.

A store is a folder of segments, each a structured `.npy` file (`key` 32 bytes, `vector` D float32) that is written
whole under another name and renamed into place. So a kill in mid-write loses at most the segment being written, and
two processes never touch each other's: at worst both compute the same vector, which is then there twice.
"""

import contextlib
import io
import time
import tokenize
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ursa import workspace
from ursa.errors import DataError

F32 = npt.NDArray[np.float32]

# What numpy raises for a file that is damaged, or is none of ours.
DAMAGE = (ValueError, EOFError, TypeError, SyntaxError, tokenize.TokenError)

SEGMENT_BYTES = 32 << 20  # written at the latest when this much is waiting
SEGMENT_SECONDS = 10.0  # ... or when the oldest has waited this long: what a kill can cost


@dataclass(frozen=True)
class Embeddings:
    """Vectors with the ids of their pictures; nothing is matched by position across files."""

    ids: tuple[str, ...]
    vectors: F32  # [N, D]
    fingerprint: str  # of backbone, weights, preparation and precision


class Store:
    """The embeddings of one fingerprint. Use it as a context: what was added is on disk when it closes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[bytes, tuple[npt.NDArray[np.void], int]] = {}
        self._waiting: dict[bytes, F32] = {}
        self._since = time.monotonic()
        for path in sorted(folder.glob("*.npy")):
            with contextlib.suppress(*DAMAGE):  # as if it were not there
                self._index(np.lib.format.open_memmap(path, mode="r"))

    def __contains__(self, sha256: str) -> bool:
        key = bytes.fromhex(sha256)
        return key in self._places or key in self._waiting

    def __len__(self) -> int:
        return len(self._places) + len(self._waiting)

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def add(self, keys: Sequence[str], vectors: F32) -> None:
        """keys [N] sha256 as hexadecimal text, vectors [N, D]. Kept in memory until the next flush."""
        for key, vector in zip(keys, vectors, strict=True):
            self._waiting[bytes.fromhex(key)] = np.array(vector, np.float32)  # a copy: the batch may be used again
        waiting = len(self._waiting) * vectors.shape[1] * 4
        if waiting > SEGMENT_BYTES or time.monotonic() - self._since > SEGMENT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting as one segment. Raises DataError when it cannot be written; then nothing is lost."""
        self._since = time.monotonic()
        if not self._waiting:
            return
        width = len(next(iter(self._waiting.values())))
        segment = np.empty(len(self._waiting), dtype=[("key", "V32"), ("vector", "<f4", (width,))])
        segment["key"] = np.frombuffer(b"".join(self._waiting), dtype="V32")
        segment["vector"] = np.stack(list(self._waiting.values()))
        buffer = io.BytesIO()
        np.save(buffer, segment, allow_pickle=False)
        path = self.folder / f"{uuid.uuid4().hex}.npy"
        with workspace.writing(path) as file:
            file.write(buffer.getbuffer())
        self._waiting = {}
        self._index(np.lib.format.open_memmap(path, mode="r"))

    def vectors(self, keys: Sequence[str]) -> F32:
        """keys [N] -> [N, D]. Raises DataError for a key that is not in the store."""
        self.flush()
        places = [self._places.get(bytes.fromhex(key)) for key in keys]
        missing = sum(place is None for place in places)
        if missing:
            raise DataError(
                f"{missing} of {len(keys)} pictures have no embedding", fix="run `ursa check` on the folder"
            )
        found = [place for place in places if place is not None]
        width = found[0][0]["vector"].shape[1] if found else 0
        out = np.empty((len(found), width), np.float32)
        by_segment: dict[int, list[int]] = {}
        for i, (segment, _) in enumerate(found):
            by_segment.setdefault(id(segment), []).append(i)
        for members in by_segment.values():
            out[members] = found[members[0]][0]["vector"][[found[i][1] for i in members]]
        return out

    def _index(self, segment: npt.NDArray[np.void]) -> None:
        kinds = dict(segment.dtype.fields or {})
        if set(kinds) != {"key", "vector"} or segment.ndim != 1 or segment["vector"].ndim != 2:
            raise ValueError("not a segment of embeddings")
        if kinds["key"][0] != np.dtype("V32") or segment["vector"].dtype != np.dtype("<f4"):
            raise ValueError("a segment of something else")
        raw = np.ascontiguousarray(segment["key"]).tobytes()
        for row in range(len(segment)):
            self._places.setdefault(raw[32 * row : 32 * row + 32], (segment, row))
