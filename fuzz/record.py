"""What a child is running, in memory that its parent sees: after a crash the culprit is there, and no case was copied
to a disk for it. The last few cases stay readable, because a damaged heap often ends a process only later."""

import mmap
import struct
from pathlib import Path

DATA = 8 << 20  # bytes of the ring in which cases lie
ENTRIES = 256  # cases that are remembered
_HEAD = struct.Struct("<QQ")  # cases begun; bytes written into the ring so far
_ENTRY = struct.Struct("<QQ")  # where in all that was written, length
_START = _HEAD.size + ENTRIES * _ENTRY.size


class Record:
    """A file in memory, mapped by both sides."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if create:
            with path.open("wb") as file:
                file.truncate(_START + DATA)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _START + DATA)
        self._begun = self._written = 0

    def begin(self, data: bytes) -> None:
        """This case runs now. One larger than the ring is not kept."""
        size, offset = len(data), self._written % DATA
        if offset + size > DATA:
            self._written += DATA - offset
            offset = 0
        if size <= DATA:
            self._map[_START + offset : _START + offset + size] = data
        entry = _HEAD.size + self._begun % ENTRIES * _ENTRY.size
        self._map[entry : entry + _ENTRY.size] = _ENTRY.pack(self._written, size if size <= DATA else 0)
        self._written += size if size <= DATA else 0
        self._begun += 1
        self._map[: _HEAD.size] = _HEAD.pack(self._begun, self._written)

    def begun(self) -> int:
        """How many cases were begun."""
        return int(_HEAD.unpack(self._map[: _HEAD.size])[0])

    def recent(self) -> list[bytes]:
        """The last cases that are still whole, the newest (the one that runs) first."""
        begun, written = _HEAD.unpack(self._map[: _HEAD.size])
        found = []
        for number in range(begun - 1, max(-1, begun - 1 - ENTRIES), -1):
            entry = _HEAD.size + number % ENTRIES * _ENTRY.size
            start, size = _ENTRY.unpack(self._map[entry : entry + _ENTRY.size])
            if start + DATA < written:
                break
            place = _START + start % DATA
            found.append(self._map[place : place + size])
        return found

    def close(self) -> None:
        """Give the memory back."""
        self._map.close()
