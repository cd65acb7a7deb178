"""A CSV file of decisions -> what is wanted, row by row: columns picture, decision, label, why."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ursa.clean.decisions.decision import LONGEST_TEXT
from ursa.core import files
from ursa.core.text import delimiter_of, escaped
from ursa.errors import DataError, did_you_mean

LARGEST = 64 << 20  # bytes of the file

COLUMNS = {
    "picture": ("picture", "file", "filename", "file_name", "path", "image", "id"),
    "decision": ("decision", "action"),
    "label": ("label", "class", "new_label"),
    "why": ("why", "reason", "comment"),
}
WORDS = {  # as people write them -> a kind of decision
    "delete": "delete",
    "remove": "delete",
    "label": "label",
    "relabel": "label",
    "new-class": "new-label",
    "new-label": "new-label",
    "keep": "keep",
    "ok": "keep",
    "not-sure": "not-sure",
    "unsure": "not-sure",
    "undo": "undo",
}


@dataclass(frozen=True)
class WantedDecision:
    """A decision that is asked for, before the picture was looked for."""

    picture: str
    kind: str  # of decision.KINDS
    label: str | None = None
    why: str | None = None
    where: str = ""  # "line 7 of fixes.csv"
    drawn_from: int = 0  # see `decision.Decision`


def decision_table(file: str | Path) -> list[WantedDecision]:
    """Every row of a CSV or TSV file. Without a column `decision` each row with a label sets that label.

    Raises DataError, naming the line, for what cannot be read as a decision; nothing is decided then.
    """
    path = Path(file)
    lines = _text(path).splitlines(keepends=True)
    try:
        reader = csv.DictReader(lines, delimiter=delimiter_of(lines[0] if lines else ""), strict=True)
        columns = _columns(list(reader.fieldnames or ()), path)
        wanted = [_wanted(row, columns, f"line {reader.line_num} of {path.name}") for row in _rows(reader)]
    except csv.Error as problem:
        raise DataError(f"{path} is not a table of decisions", found=problem, fix="save it as CSV (UTF-8)") from problem
    if not wanted:
        raise DataError(f"{path} holds no decision", found="no row", fix="picture,decision,label,why")
    return wanted


def kind_word(word: str, where: str = "") -> str:
    """The kind of a decision, as people write it. Raises DataError for another word."""
    plain = "-".join(word.strip().lower().replace("_", " ").split())
    if plain not in WORDS:
        at = f"{where}: " if where else ""
        raise DataError(f"{at}there is no such decision", found=repr(word[:100]), fix=did_you_mean(plain, WORDS))
    return WORDS[plain]


def _rows(reader: "csv.DictReader[str]") -> Iterator[Mapping[str, str]]:
    for row in reader:
        if None in row or None in row.values():
            raise DataError(f"line {reader.line_num} has more or fewer fields than the head", fix="quote its commas")
        if any(value.strip() for value in row.values()):
            yield row


def _wanted(row: Mapping[str, str], columns: Mapping[str, str], where: str) -> WantedDecision:
    said = {name: row[column].strip() for name, column in columns.items()}
    picture, label, why = said["picture"], said.get("label") or None, said.get("why") or None
    if not picture:
        raise DataError(f"{where} names no picture", fix="leave out the line, or name one")
    kind = kind_word(said["decision"], where) if said.get("decision") else "label" if label else ""
    if not kind:
        raise DataError(f"{where} decides nothing of {picture}", fix="delete, label, keep, not-sure or undo")
    if kind in ("label", "new-label") and label is None:
        raise DataError(f"{where} sets no label", found=picture, fix="name a class in the column `label`")
    if kind not in ("label", "new-label") and "decision" in columns:
        label = None  # of a table with the labels of all its pictures
    if why is not None and len(why) > LONGEST_TEXT:
        raise DataError(f"{where} gives too long a reason", found=f"{len(why):,} characters", fix=f"{LONGEST_TEXT:,}")
    return WantedDecision(picture, kind, label, why, where)


def _columns(names: list[str], path: Path) -> dict[str, str]:
    plain = {name.strip().lower(): name for name in reversed(names)}
    found = {what: next((plain[name] for name in known if name in plain), None) for what, known in COLUMNS.items()}
    if found["picture"] is None or (found["decision"] is None and found["label"] is None):
        raise DataError(
            f"{path} is not a table of decisions",
            found=f"columns {escaped(', '.join(names)[:200]) or 'none'}",
            fix="columns picture, decision (delete, label, keep, not-sure, undo), label, why",
        )
    return {what: name for what, name in found.items() if name is not None}


def _text(path: Path) -> str:
    try:
        data = files.read_bytes(path, LARGEST)
    except OSError as problem:
        raise DataError(f"cannot read {path}", found=problem.strerror, fix="name a CSV file") from problem
    try:
        return io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="").read()
    except UnicodeDecodeError as problem:
        raise DataError(f"{path} is not a text in UTF-8", found=problem.reason, fix="save it as CSV (UTF-8)") from None
