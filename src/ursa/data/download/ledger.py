"""downloads.jsonl: what became of each URL, one line an outcome, so that nothing is fetched twice.

A line is appended when its picture is on disk under its name, never before. So a kill leaves at worst pictures without
a line, which are fetched again into the same place, and half a line at the end, which is not read.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from ursa import workspace
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
        self.parts = space.root / "parts"  # where pictures are written until they are whole
        self.known = {(outcome.url, outcome.label): outcome for outcome in _outcomes(self._path)}

    def __enter__(self) -> "Ledger":
        self._file = workspace.appended(self._path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()  # tries once more to write what it could not
        except OSError as problem:
            if value is None:
                raise _cannot_write(self._path, problem) from problem

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
    lines = (workspace.read(path) or b"").splitlines()
    return [outcome for line in lines if (outcome := _outcome(line)) is not None]


def _outcome(line: bytes) -> Outcome | None:
    told = workspace.object_of(line)
    if not {"url", "label"} <= set(told) <= set(Outcome.__annotations__):  # torn, or not ours
        return None
    outcome = Outcome(**told)
    texts = (outcome.url, outcome.label, outcome.file or "", outcome.problem or "")
    whole = all(isinstance(text, str) for text in texts) and isinstance(outcome.limit, int | None)
    return outcome if whole and _inside(outcome) else None


def _inside(outcome: Outcome) -> bool:
    """Whether its file lies where one of this class would: the line may have come with somebody's folder."""
    folder, slash, name = (outcome.file or "").rpartition("/")
    return outcome.file is None or (folder == outcome.label and bool(slash) and name not in ("", ".", ".."))


def _cannot_write(path: Path, problem: OSError) -> DataError:
    return DataError(
        f"cannot write {path}",
        found=problem.strerror,
        fix="free some space, or name another folder; what is there is kept",
    )
