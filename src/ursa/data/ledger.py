"""downloads.jsonl: what became of each URL, one line an outcome, so that nothing is fetched twice.

A line is appended when its picture is on disk under its name, never before. So a kill leaves at worst pictures without
a line, which are fetched again into the same place, and half a line at the end, which is not read.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from ursa.errors import DataError
from ursa.workspace import Workspace


@dataclass(frozen=True)
class Outcome:
    """What became of one URL for one class: a file, or a problem that will not go away."""

    url: str
    label: str
    file: str | None = None  # "teddy/0123456789abcdef.jpg", from the folder
    problem: str | None = None
    limit: int | None = None  # bytes that were allowed when it was too large


class Ledger:
    """The outcomes so far, by URL and class; a context that keeps the file open for more."""

    def __init__(self, space: Workspace) -> None:
        self._path = space.root / "downloads.jsonl"
        self.known = {(outcome.url, outcome.label): outcome for outcome in _outcomes(self._path)}

    def __enter__(self) -> "Ledger":
        try:
            self._file = self._path.open("ab")
            if self._file.tell() and self._path.read_bytes()[-1:] != b"\n":
                self._file.write(b"\n")  # the last line is torn: ours begins after it
        except OSError as problem:
            raise _cannot_write(self._path, problem) from problem
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, outcome: Outcome) -> None:
        """Remember an outcome; it is with the system when this returns."""
        told = {name: value for name, value in asdict(outcome).items() if value is not None}
        try:
            self._file.write(json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
            self._file.flush()
        except OSError as problem:
            raise _cannot_write(self._path, problem) from problem
        self.known[outcome.url, outcome.label] = outcome


def _outcomes(path: Path) -> list[Outcome]:
    """The lines that can be read."""
    found = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise DataError(f"cannot read {path}", found=problem.strerror, fix="check who may read it") from problem
    for line in lines:
        outcome = _outcome(line)
        if outcome is not None:
            found.append(outcome)
    return found


def _outcome(line: bytes) -> Outcome | None:
    try:
        told = json.loads(line)
        outcome = Outcome(**told)
    except (ValueError, TypeError):  # torn, or not ours
        return None
    texts = (outcome.url, outcome.label, outcome.file or "", outcome.problem or "")
    whole = all(isinstance(text, str) for text in texts) and isinstance(outcome.limit, int | None)
    return outcome if whole else None


def _cannot_write(path: Path, problem: OSError) -> DataError:
    return DataError(
        f"cannot write {path}",
        found=problem.strerror,
        fix="free some space, or name another folder; what is there is kept",
    )
