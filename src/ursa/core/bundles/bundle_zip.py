"""A `.ursa` zip -> the bytes of its parts. Stored entries only, as export writes them, so nothing can swell.

What is not a part of a bundle is never read, so its name and its kind do not matter.
"""

import io
import stat
import struct
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

from ursa.core import files

LARGEST_DIRECTORY = 1 << 17  # bytes of the zip's table of contents; that of a bundle has about 250
PIECE = 1 << 22  # bytes read at a time
LOCAL_HEADER = 30  # bytes before an entry's name

# What zipfile raises for damaged files beside ValueError; RuntimeError is for encrypted ones.
DAMAGES = (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, OverflowError, struct.error)


def read_zip(path: Path, limits: Mapping[str, int]) -> dict[str, bytes]:
    """The entries of these names, none larger than its limit in bytes.

    Raises ValueError with what is wrong with the zip; OSError and DataError as `files.opened` does.
    """
    with files.opened(path) as (descriptor, about), _Frugal(io.FileIO(descriptor, closefd=False)) as source:
        try:
            with zipfile.ZipFile(source) as archive:
                source.frugal = False
                entries = _wanted(archive, limits)
                _require_apart(entries.values(), about.st_size)
                return {name: _read(archive, entry) for name, entry in entries.items()}
        except (*DAMAGES, OSError) as problem:
            raise ValueError(str(problem) or type(problem).__name__) from problem


class _Frugal(io.BufferedReader):
    """A file that does not give more than a small table of contents at once: zipfile makes objects of all of it."""

    frugal = True

    def read(self, size: int | None = -1, /) -> bytes:
        if self.frugal and size is not None and size > LARGEST_DIRECTORY:
            raise ValueError("a table of contents that is far too long")
        return super().read(size)


def _wanted(archive: zipfile.ZipFile, limits: Mapping[str, int]) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.orig_filename
        if name not in limits:
            continue
        if name in found:
            raise ValueError(f"two entries are called {name}")
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise ValueError(f"{name} is {files.kind(mode)}")
        if entry.flag_bits & 0x1:
            raise ValueError(f"{name} is encrypted")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise ValueError(f"{name} is compressed, which Ursa does not do: unpack the zip and name the folder")
        if entry.file_size > limits[name]:
            raise ValueError(f"{name} has {entry.file_size:,} bytes, the limit is {limits[name]:,}")
        found[name] = entry
    return found


def _require_apart(entries: Collection[zipfile.ZipInfo], size: int) -> None:
    """No byte of the file belongs to two entries: what is read in all is less than the file."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise ValueError("entries that overlap")
        end = entry.header_offset + LOCAL_HEADER + len(entry.orig_filename.encode()) + entry.compress_size
    if end > size:
        raise ValueError("entries that reach beyond the file")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    data = bytearray()
    with archive.open(entry) as file:
        while piece := file.read(PIECE):
            data += piece
    if len(data) != entry.file_size:
        raise ValueError(f"{entry.orig_filename} is shorter than the zip says")
    return bytes(data)
