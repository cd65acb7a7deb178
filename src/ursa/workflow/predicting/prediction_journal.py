"""Predictions as they come <-> OUT.partial, JSON lines, from which the same command goes on after a kill.

The first line says of which model they are. Half a line at the end, as a kill leaves it, is cut off and predicted anew.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ursa import workspace
from ursa.errors import DataError
from ursa.file_lock import file_lock
from ursa.serve.prediction import AnyPrediction, from_json, most_probable
from ursa.workflow.predicting.listing import Listed

ENDING = ".partial"
LONGEST = 64 << 20  # bytes of a line: 100,000 classes have names of up to 600 bytes each
DIGITS = 7  # significant ones, as many as float32 has


class PredictionJournal:
    """The answers so far, on disk; in memory is where each stands."""

    def __init__(self, file: IO[bytes], path: Path, option: str) -> None:
        self._file, self._path, self._option = file, path, option
        self._at: dict[str, tuple[int, Any]] = {}  # by picture: where its line begins, and the stamp of its file

    def knows(self, one: Listed) -> bool:
        """Whether this picture was predicted, and its file is the same since."""
        known = self._at.get(one.name)
        return known is not None and one.stamp is not None and known[1] == list(one.stamp)

    def add(self, rows: Iterable[tuple[Listed, AnyPrediction | DataError]], top: int | None) -> None:
        """Append them; in the file when this returns. Raises DataError where they cannot be written."""
        try:
            for one, answer in rows:
                self._at[one.name] = (self._file.tell(), one.stamp and list(one.stamp))
                self._file.write(_line({"picture": one.name, "stamp": one.stamp, **answer_document(answer, top)}))
            self._file.flush()
        except OSError as problem:
            raise workspace.cannot_write(self._path, problem, self._option) from problem

    def rows(self, listing: Sequence[Listed]) -> Iterator[tuple[Listed, AnyPrediction | str]]:
        """Of each picture in the listing that has one its answer, or the problem with it; in the listing's order."""
        for one in listing:
            if one.name in self._at:
                self._file.seek(self._at[one.name][0])
                told = json.loads(self._file.readline())
                yield one, told["problem"] if "problem" in told else from_json(told)

    def read(self, header: Mapping[str, Any], again: str) -> None:
        """What an earlier run left; a new file gets its first line. Raises DataError for another model's answers."""
        first = self._file.readline(LONGEST)
        if not first.endswith(b"\n"):  # new, or killed at once
            self._file.truncate(0)
            self._file.seek(0)
            self._file.write(_line(header))
            self._file.flush()
            return
        if _parsed(first) != header:
            fix = f"finish it with what it was begun with, name another file, or delete it: {again}"
            raise DataError(f"{self._path} holds answers of another model, or to other options", fix=fix)
        while True:
            at = self._file.tell()
            told = _parsed(line) if (line := self._file.readline(LONGEST)).endswith(b"\n") else None
            if told is None or not _is_row(told):
                break
            self._at[told["picture"]] = (at, told.get("stamp"))
        self._file.truncate(at)
        self._file.seek(at)


@contextmanager
def opened_journal(out: Path, header: Mapping[str, Any], option: str) -> Iterator[PredictionJournal]:
    """The journal of an output file: that of an interrupted run with the same model and options, or a new one.

    It is removed when the block ends well. option: by which the user names `out`. Raises DataError where it cannot be
    written, for a link in its place, and where another process writes it.
    """
    path = out.with_name(out.name + ENDING)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise workspace.cannot_write(out, problem, option) from problem
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is not a file", fix=f"remove it, or name {option}")

    def refusal() -> DataError:
        return DataError(f"another process is writing {out}", fix=f"wait for it, or name {option}")

    with file_lock(path, wait=False, refusal=refusal):
        file = path.open("r+b" if path.exists() else "w+b")
        try:
            journal = PredictionJournal(file, path, option)
            try:
                journal.read(header, f"rm {path}")
            except OSError as problem:
                raise workspace.cannot_write(path, problem, option) from problem
            yield journal
            path.unlink(missing_ok=True)
        finally:
            with contextlib.suppress(OSError):  # what could not be written was said when it could not
                file.close()


def answer_document(answer: AnyPrediction | DataError, top: int | None) -> dict[str, Any]:
    """As JSON has it, with as many digits as the numbers have, and only the `top` most probable classes."""
    if isinstance(answer, DataError):
        return {"problem": answer.what}
    told = answer.to_json()
    for key in ("probabilities", "values"):
        if key in told:
            numbers = told[key]
            if key == "probabilities" and top is not None:
                numbers = most_probable(numbers, top)
            told[key] = {name: _short(value) for name, value in numbers.items()}
    return {**told, "probability": _short(told["probability"])} if "probability" in told else told


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _is_row(told: Mapping[str, Any]) -> bool:
    if not isinstance(told.get("picture"), str):
        return False
    if "problem" in told:
        return isinstance(told["problem"], str)
    try:
        from_json(told)
    except ValueError:
        return False
    return True
