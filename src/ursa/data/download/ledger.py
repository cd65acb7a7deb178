"""downloads.jsonl: what became of each URL, one line an outcome, so that nothing is fetched twice.

A line is appended when its picture is on disk under its name, never before. So a kill leaves at worst pictures without
a line, which are fetched again into the same place, and half a line at the end, which is not read.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from ursa.data import json_lines
from ursa.data.json_lines import Appender
from ursa.workspace import Workspace


@dataclass(frozen=True)
class Fetched:
    """What became of one URL for one class: a file, or a problem that will not go away."""

    url: str
    label: str
    file: str | None = None  # "teddy/0123456789abcdef.jpg", from the folder
    problem: str | None = None
    limit: int | None = None  # bytes that were allowed when it was too large


class Ledger:
    """The outcomes so far, by URL and class; a context that keeps the file open for more."""

    def __init__(self, space: Workspace) -> None:
        path = space.root / "downloads.jsonl"
        self.parts = space.root / "parts"  # where pictures are written until they are whole
        outcomes = [outcome for told in json_lines.read(path) if (outcome := _outcome(told)) is not None]
        self.known = {(outcome.url, outcome.label): outcome for outcome in outcomes}
        self._file = Appender(path, fix="free some space, or name another folder; what is there is kept")

    def __enter__(self) -> "Ledger":
        self._file.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, value, trace)

    def add(self, outcome: Fetched) -> None:
        """Remember an outcome; it is with the system when this returns."""
        self._file.add({name: value for name, value in asdict(outcome).items() if value is not None})
        self.known[outcome.url, outcome.label] = outcome


def _outcome(told: Mapping[str, Any]) -> Fetched | None:
    if not {"url", "label"} <= set(told) <= set(Fetched.__annotations__):  # torn, or not ours
        return None
    outcome = Fetched(**told)
    texts = (outcome.url, outcome.label, outcome.file or "", outcome.problem or "")
    whole = all(isinstance(text, str) for text in texts) and isinstance(outcome.limit, int | None)
    return outcome if whole and _inside(outcome) else None


def _inside(outcome: Fetched) -> bool:
    """Whether its file lies where one of this class would: the line may have come with somebody's folder."""
    folder, slash, name = (outcome.file or "").rpartition("/")
    return outcome.file is None or (folder == outcome.label and bool(slash) and name not in ("", ".", ".."))
