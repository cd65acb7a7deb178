"""review_thumbnails.bin: small copies of pictures by the hash of their bytes, in one file that is only appended to.

One file, since a workspace is looked through for links at every command, and 50,000 files would take a while each time.
Each record carries the seal of this user: a page must not show what somebody packed into a workspace.
"""

import contextlib
import errno
import os
import struct
import threading
from pathlib import Path

from ursa import seals, workspace
from ursa.core import files
from ursa.errors import DataError
from ursa.file_lock import file_lock

LARGEST = 4 << 30  # bytes; half a million thumbnails
MOST = 1 << 20  # bytes of one

_MAGIC = b"UTH1"
_HEAD = struct.Struct("<4s32s16sI")  # magic, sha256, seal, bytes that follow


class ThumbnailPack:
    """Safe to use from several threads, and beside other processes that do the same."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None  # why the last one could not be kept
        self._places: dict[str, tuple[int, int]] = {}
        self._end, self._inode = 0, 0
        self._lock = threading.Lock()
        with self._lock:
            self._catch_up()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._places

    def get(self, sha256: str) -> bytes | None:
        """The small copy, None where there is none that this user made."""
        with self._lock:
            place = self._places.get(sha256)
            if place is None:
                return None
            try:
                with files.opened(self.path, follow=False) as (descriptor, _):
                    os.lseek(descriptor, place[0], os.SEEK_SET)
                    record = files.read(descriptor, _HEAD.size + place[1])
            except (OSError, DataError):
                record = b""
            image = record[_HEAD.size :]
            if record[: _HEAD.size] == _head(sha256, image) and len(image) == place[1]:
                return image
            del self._places[sha256]  # made again
            return None

    def put(self, sha256: str, image: bytes) -> None:
        """Keep a small copy, where there is room; a page works without, and makes it again the next time."""
        with self._lock:
            try:
                self._append(sha256, _head(sha256, image) + image)
                self.problem = None
            except (OSError, DataError) as problem:
                self.problem = problem.what if isinstance(problem, DataError) else str(problem.strerror)

    def _append(self, sha256: str, record: bytes) -> None:
        lock = self.path.with_name(f"{self.path.name}.lock")
        with file_lock(lock) as alone, workspace.appended(self.path, lines=False) as file:
            number = file.fileno()
            self._catch_up()
            before = os.fstat(number).st_size
            if alone and before > self._end:  # a kill left half a record
                os.ftruncate(number, self._end)
                before = self._end
            if sha256 in self._places or before + len(record) > LARGEST:
                return
            try:
                if os.write(number, record) != len(record):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                if alone:
                    with contextlib.suppress(OSError):
                        os.ftruncate(number, before)
                raise
            self._catch_up()

    def _catch_up(self) -> None:
        """Take in what was appended, by whomever."""
        with contextlib.suppress(OSError, DataError), files.opened(self.path, follow=False) as (descriptor, about):
            if about.st_ino != self._inode or about.st_size < self._end:  # another file: it was cleared meanwhile
                self._places, self._end, self._inode = {}, 0, about.st_ino
            while self._end + _HEAD.size <= about.st_size:
                os.lseek(descriptor, self._end, os.SEEK_SET)
                magic, key, _, length = _HEAD.unpack(os.read(descriptor, _HEAD.size))
                if magic != _MAGIC or length > MOST or self._end + _HEAD.size + length > about.st_size:
                    break
                self._places[key.hex()] = (self._end, length)
                self._end += _HEAD.size + length


def _head(sha256: str, image: bytes) -> bytes:
    key = bytes.fromhex(sha256)
    return _HEAD.pack(_MAGIC, key, bytes.fromhex(seals.seal("review_thumbnails.bin", key + image)[:32]), len(image))
