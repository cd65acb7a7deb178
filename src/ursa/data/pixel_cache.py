"""A cache of decoded pictures: sha256 and side -> pixels, memory-mapped, bounded. What is in it is never decoded again.

A segment is a pair of files that are written whole: `<name>.npy`, the pixels of many pictures one after the other, and
`<name>.index.npy`, where each of them lies; the index comes last, so a kill in mid-write leaves a segment that nobody
reads. The index is sealed (see `ursa.seals`) and holds a hash of each picture's pixels: others are not believed.
Reading is a slice of the mapped file: the system's page cache keeps what fits into memory and drops the rest.

Nothing is thrown out during a run: an epoch visits every picture once, and of all pictures in turn the least recently
used one is just the next to be needed. When the cache is full, the rest is decoded as before. Segments of earlier runs
make way, the longest unused first.
"""

import contextlib
import hashlib
import io
import os
import threading
import uuid
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ursa import workspace
from ursa.core.decoding.image import Pixels
from ursa.data import segments

SEGMENT_BYTES = 64 << 20  # of pixels that wait in memory before they are written
INDEX = np.dtype([("key", "V32"), ("offset", "<i8"), ("height", "<i4"), ("width", "<i4"), ("hash", "V16")])

Place = tuple[Pixels, int, int, int, bytes]  # pixels of a segment, offset, height, width, hash


class PixelCache:
    """Pictures by the sha256 of their files' bytes. Use it as a context; threads may share it.

    folder: of one way to reduce pictures (their pixels depend on it); most: bytes on disk.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most = folder, most
        self._places: dict[bytes, Place] = {}
        self._seen: set[bytes] = set()  # pictures whose pixels were found to be those that were written
        self._waiting: dict[bytes, Pixels] = {}
        self._lock = threading.Lock()
        self._bytes = self._unwritten = 0  # on disk and waiting; waiting
        for index in sorted(folder.glob("*.index.npy"), key=_modified, reverse=True):
            self._open(index)

    def __enter__(self) -> "PixelCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()
        self._places = {}

    def __len__(self) -> int:
        return len(self._places) + len(self._waiting)

    def get(self, sha256: str) -> Pixels | None:
        """[h, w, 3], not to be written to; None for a picture that is not there."""
        key = bytes.fromhex(sha256)
        place = self._places.get(key)
        if place is None:
            return self._waiting.get(key)
        pixels, offset, height, width, digest = place
        picture = pixels[offset : offset + height * width * 3]
        if key not in self._seen:
            if _hash(picture) != digest:
                self._places.pop(key, None)
                return None
            self._seen.add(key)
        return picture.reshape(height, width, 3)

    def put(self, sha256: str, pixels: Pixels) -> None:
        """Keep [h, w, 3], if there is room; for good at the next flush. Raises DataError when it cannot be written."""
        key = bytes.fromhex(sha256)
        with self._lock:
            if key in self._places or key in self._waiting or self._bytes + pixels.nbytes > self.most:
                return
            self._waiting[key] = pixels
            self._bytes += pixels.nbytes
            self._unwritten += pixels.nbytes
            if self._unwritten >= SEGMENT_BYTES:
                self._write()

    def flush(self) -> None:
        """Write what is waiting."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        sizes = [pixels.nbytes for pixels in self._waiting.values()]
        index = np.empty(len(sizes), INDEX)
        index["key"] = np.frombuffer(b"".join(self._waiting), "V32")
        index["offset"] = np.cumsum([0, *sizes[:-1]])
        index["height"], index["width"] = np.array([pixels.shape[:2] for pixels in self._waiting.values()]).T
        rows = [np.ascontiguousarray(pixels).reshape(-1) for pixels in self._waiting.values()]
        index["hash"] = np.frombuffer(b"".join(map(_hash, rows)), "V16")
        path = self.folder / f"{uuid.uuid4().hex}.npy"
        with workspace.writing(path) as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (sum(sizes),)})
            for row in rows:
                file.write(row.data)
        buffer = io.BytesIO()
        np.save(buffer, index, allow_pickle=False)
        workspace.write_sealed(_index_of(path), buffer.getbuffer(), self._name(_index_of(path)))
        self._places |= _read(path, index)
        self._waiting, self._unwritten = {}, 0

    def _open(self, index: Path) -> None:
        """Take up a segment; one that no longer fits is removed, a damaged one too."""
        path = index.with_name(index.name.replace(".index", ""))
        try:
            data = workspace.read_sealed(index, self._name(index))
            if data is None:
                raise ValueError("not ours")
            rows = np.load(io.BytesIO(data), allow_pickle=False)
            if rows.dtype != INDEX or self._bytes + (size := path.stat().st_size) > self.most:
                raise ValueError("another layout, or no room")
            self._places |= _read(path, rows)
        except segments.DAMAGE:
            for file in (index, path, index.with_name(f"{index.name}.seal")):
                with contextlib.suppress(OSError):
                    file.unlink()
            return
        self._bytes += size
        with contextlib.suppress(OSError):  # another process has removed it meanwhile
            os.utime(index)

    def _name(self, index: Path) -> str:
        """What an index is sealed as."""
        return f"{self.folder.name}/{index.name}"


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _hash(row: Pixels) -> bytes:
    return hashlib.blake2b(row.data, digest_size=16).digest()


def _index_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.index.npy")


def _read(path: Path, index: npt.NDArray[np.void]) -> dict[bytes, Place]:
    pixels = segments.array(segments.mapped(path))
    ends = index["offset"] + 3 * index["height"].astype(np.int64) * index["width"]
    if pixels.dtype != np.uint8 or pixels.ndim != 1 or len(index) == 0 or ends.max() > len(pixels) or ends.min() < 0:
        raise ValueError("not a segment of pixels")
    keys = np.ascontiguousarray(index["key"]).tobytes()
    hashes = [bytes(digest) for digest in index["hash"].tolist()]
    places = zip(index["offset"].tolist(), index["height"].tolist(), index["width"].tolist(), hashes, strict=True)
    return {keys[32 * row : 32 * row + 32]: (pixels, *place) for row, place in enumerate(places)}
