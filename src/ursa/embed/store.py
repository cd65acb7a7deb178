"""Content-addressed embeddings on disk: sha256 of the picture's bytes -> vector. Append-only, memory-mapped.

A store is a folder of segments, each a structured `.npy` file (`key` 32 bytes, `vector` D float32) that is sealed (see
`ursa.seals`), written whole under another name and renamed into place. So a kill in mid-write loses at most the segment
being written, and two processes never touch each other's: at worst both compute the same vector, which is then there
twice. A segment without this user's seal counts as absent.
"""

import contextlib
import io
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ursa import workspace
from ursa.data import segments
from ursa.errors import DataError

F32 = npt.NDArray[np.float32]

SEGMENT_BYTES = 32 << 20  # written at the latest when this much is waiting
SEGMENT_SECONDS = 10.0  # ... or when the oldest has waited this long: what a kill can cost
LEAST = 16  # vectors of a segment: on a full disk ever fewer are written at a time, down to these


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
            with contextlib.suppress(*segments.DAMAGE):  # as if it were not there
                content = segments.mapped(path)
                if workspace.sealed(path, content, self._name(path)):
                    self._index(segments.array(content))

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
        """Write what is waiting, as one segment if there is room; on a disk that fills up as much as fits.

        Raises DataError when something could not be written; it still waits then, so nothing is lost.
        """
        self._since = time.monotonic()
        at_once = len(self._waiting)
        while self._waiting:
            try:
                self._write({key: self._waiting[key] for key in [*self._waiting][:at_once]})
            except DataError as problem:
                at_once //= 2
                if at_once < LEAST:
                    kept = f"{problem.fix} ({len(self._places):,} embeddings)" if self._places else problem.fix
                    raise DataError(problem.what, found=problem.found, fix=kept) from problem

    def _write(self, some: dict[bytes, F32]) -> None:
        width = len(next(iter(some.values())))
        segment = np.empty(len(some), dtype=[("key", "V32"), ("vector", "<f4", (width,))])
        segment["key"] = np.frombuffer(b"".join(some), dtype="V32")
        segment["vector"] = np.stack([*some.values()])
        buffer = io.BytesIO()
        np.save(buffer, segment, allow_pickle=False)
        path = self.folder / f"{uuid.uuid4().hex}.npy"
        workspace.write_sealed(path, buffer.getbuffer(), self._name(path))
        self._waiting = {key: vector for key, vector in self._waiting.items() if key not in some}
        self._index(segments.array(segments.mapped(path)))

    def _name(self, path: Path) -> str:
        """What a segment is sealed as: in the folder of another backbone it counts for nothing."""
        return f"{self.folder.name}/{path.name}"

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
        if self._places and next(iter(self._places.values()))[0]["vector"].shape[1] != segment["vector"].shape[1]:
            raise ValueError("vectors of another length than those before")
        raw = np.ascontiguousarray(segment["key"]).tobytes()
        for row in range(len(segment)):
            self._places.setdefault(raw[32 * row : 32 * row + 32], (segment, row))
