"""The mistakes to tag, as a CSV file that a spreadsheet opens: written beside a report, filled in by hand, read again.

A file from outside: its size, its columns and each cell are judged before anything is believed. Names that a
spreadsheet would take for a formula are written with an apostrophe before them, which is taken off again.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ursa.core import files
from ursa.core.text import delimiter_of, escaped, spreadsheet_cell, text_of_cell
from ursa.diagnose.error_causes import WRONG_LABEL
from ursa.diagnose.mistake_sample import MistakeSample
from ursa.errors import DataError, did_you_mean

COLUMNS = ("picture", "label", "predicted", "probability", "tags", "mistakes", "pictures")
NEEDED = ("picture", "tags", "mistakes", "pictures")
MOST_BYTES, MOST_ROWS, MOST_TAGS, LONGEST = 4_000_000, 10_000, 20, 80  # characters of a tag
ANSWERS = {"wrong label", "mislabeled", "mislabelled", "label wrong", "label error"}  # other words for WRONG_LABEL


@dataclass(frozen=True)
class TagSheet:
    """What stands in a sheet."""

    tags: Mapping[str, tuple[str, ...]]  # by picture id, those that were tagged, in the sheet's order
    untagged: tuple[str, ...]
    mistakes: int  # in all, from which the sheet is a sample
    pictures: int  # judged


def sheet_text(sample: MistakeSample, tags: Mapping[str, tuple[str, ...]]) -> str:
    """The file; tags: those that are known already, by picture id."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # with both ends of line, so that either in a name is quoted
    writer.writerow(COLUMNS)
    for each in sample.sample:
        words = [each.id, each.given, each.predicted]
        known = "; ".join(tags.get(each.id, ()))
        numbers = [sample.mistakes, sample.pictures]
        writer.writerow([*map(spreadsheet_cell, words), f"{each.probability:.4f}", spreadsheet_cell(known), *numbers])
    return buffer.getvalue()


def read_sheet(path: Path) -> TagSheet:
    """Raises DataError for a file that is no such sheet, and says what is wrong with it."""
    try:
        data = files.read_bytes(path, MOST_BYTES)
    except OSError as problem:
        fix = "ursa check FOLDER writes one; or name yours: --tags FILE.csv"
        raise DataError(f"there are no tags in {path}", found=problem.strerror, fix=fix) from problem
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")  # as a spreadsheet on Windows writes it
    rows = _rows(text, path)
    tags: dict[str, tuple[str, ...]] = {}
    untagged: list[str] = []
    totals: set[tuple[int, int]] = set()
    for number, row in enumerate(rows, 2):
        id = text_of_cell(row["picture"])
        if not id.strip():
            continue
        if id in tags or id in untagged:
            raise DataError(f"{path} holds a picture twice", found=f"{id!r} in line {number}", fix="delete one of them")
        totals.add((_count(row["mistakes"], path, number), _count(row["pictures"], path, number)))
        words = _tags(row["tags"], path, number)
        if words:
            tags[id] = words
        else:
            untagged.append(id)
    return TagSheet(tags, tuple(untagged), *_total(totals, len(tags) + len(untagged), path))


def _rows(text: str, path: Path) -> list[dict[str, str]]:
    first = text.partition("\n")[0]
    separator = delimiter_of(first)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        found = [row for row, _ in zip(reader, range(MOST_ROWS + 1), strict=False)]
    except csv.Error as problem:
        raise DataError(f"{path} is not a CSV file", found=problem, fix="save it as CSV, with commas") from problem
    for name in NEEDED:
        if name not in head:
            near = did_you_mean(name, head) if head else ""
            fix = "the file beside the report has all columns; " + (near or f"they are {', '.join(COLUMNS)}")
            shown = ", ".join(map(repr, head[:8])) or "an empty file"
            raise DataError(f"{path} has no column {name!r}", found=shown, fix=fix)
    if len(found) > MOST_ROWS:
        raise DataError(f"{path} has more than {MOST_ROWS:,} rows", fix="keep those of the sheet beside the report")
    return [dict(zip(head, [*row, *[""] * len(head)], strict=False)) for row in found if any(map(str.strip, row))]


def _tags(cell: str, path: Path, line: int) -> tuple[str, ...]:
    """Split by semicolons, lower case, each once."""
    words = [" ".join(word.split()).lower() for word in text_of_cell(cell.strip()).replace("|", ";").split(";")]
    words = [WRONG_LABEL if word in ANSWERS else word for word in dict.fromkeys(words) if word]
    if len(words) > MOST_TAGS or any(len(word) > LONGEST for word in words):
        raise DataError(
            f"{path} has too long a cell of tags",
            found=f"{escaped(cell[:60])!r} in line {line}",
            fix=f"at most {MOST_TAGS} tags of {LONGEST} letters, split by semicolons",
        )
    return tuple(dict.fromkeys(words))


def _count(cell: str, path: Path, line: int) -> int:
    words = cell.strip().replace(",", "").removesuffix(".0")
    if not (words.isascii() and words.isdigit() and len(words) <= 12):
        fix = "leave the columns mistakes and pictures as they were"
        raise DataError(f"{path}: not a number of pictures", found=f"{escaped(cell[:40])!r} in line {line}", fix=fix)
    return int(words)


def _total(totals: set[tuple[int, int]], rows: int, path: Path) -> tuple[int, int]:
    if not totals:
        raise DataError(f"{path} holds no mistakes", fix="there is nothing to tag where nothing is predicted wrongly")
    if len(totals) > 1:
        found = "; ".join(f"{a:,} mistakes of {b:,} pictures" for a, b in sorted(totals)[:3])
        raise DataError(f"{path} is put together from several sheets", found=found, fix="read each by itself")
    mistakes, pictures = next(iter(totals))
    if not rows <= mistakes <= pictures:
        found = f"{rows:,} rows, {mistakes:,} mistakes, {pictures:,} pictures"
        raise DataError(f"{path}: these numbers cannot be", found=found, fix="leave them as they were written")
    return mistakes, pictures
