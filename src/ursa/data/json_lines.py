"""A file of JSON documents, one a line, only ever appended to. A torn last line, as a kill leaves it, is not read."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ursa import workspace
from ursa.errors import DataError


def read(path: Path) -> list[dict[str, Any]]:
    """The documents so far, the oldest first; what cannot be read is an empty one; nothing where there is no file."""
    return [workspace.object_of(line) for line in (workspace.read(path) or b"").splitlines()]


class Appender:
    """The file, open for more, as a context. Raises DataError, with `fix`, for what cannot be written."""

    def __init__(self, path: Path, *, fix: str, lasting: bool = False) -> None:
        """lasting: whether a line is on disk when `add` returns; else it is with the system, which a kill survives."""
        self.path, self.fix, self.lasting = path, fix, lasting

    def __enter__(self) -> "Appender":
        self._file = workspace.appended(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()  # tries once more to write what it could not
        except OSError as problem:
            if value is None:
                raise self._cannot_write(problem) from problem

    def add(self, document: Mapping[str, Any]) -> None:
        """One more line, in one write, so that lines of several processes never mix."""
        try:
            self._file.write(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
            self._file.flush()
            if self.lasting:
                os.fsync(self._file.fileno())
        except OSError as problem:
            raise self._cannot_write(problem) from problem

    def _cannot_write(self, problem: OSError) -> DataError:
        return DataError(f"cannot write {self.path}", found=problem.strerror, fix=self.fix)
