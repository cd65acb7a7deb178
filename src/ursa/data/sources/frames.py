"""A table, as a file or a data frame of pandas or polars -> a polars frame. Whole, or not at all."""

import codecs
import contextlib
import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ursa.core import files
from ursa.core.decoding.kinds import ARCHIVES, sniff
from ursa.core.text import escaped
from ursa.core.threads import batched
from ursa.data.sources import parquet
from ursa.data.sources.walk import names_in
from ursa.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SEPARATORS = (",", ";", "\t", "|")
ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
CELL = 10_000_000  # characters; a quote that is never closed makes the rest of the file one cell
MAX_BYTES = 250_000_000  # of a table; one of 125 MB has three million rows and took 1.8 GB on the way to its catalog
PIECE = 1 << 20  # bytes that are decoded at a time to see whether they are text
CELLS = 1_000_000  # that are Python's objects at a time, of several times their size
SHOWN = 200  # characters of a message of polars


def read(table: Any) -> tuple[pl.DataFrame, bool]:
    """A path (CSV, TSV, Parquet) or a data frame -> (frame, whether all of it is text because a text file it was).

    Cells of a text file come as they are written, an empty one as null. Raises DataError for what is no table, for rows
    that are longer or shorter than the first, and for names that occur twice.
    """
    if isinstance(table, str | Path):
        return _from_file(Path(table))
    if isinstance(table, pl.LazyFrame):
        with refusing("the table cannot be read", OSError):
            table = table.collect()
    if isinstance(table, pl.DataFrame):
        return table, False
    if hasattr(table, "columns") and hasattr(table, "reset_index"):
        with refusing("the data frame cannot be read", TypeError, ValueError, OverflowError):
            return _from_pandas(table), False
    raise DataError(
        "this is no table",
        found=f"{type(table).__module__}.{type(table).__qualname__}",
        fix="give a path (CSV, TSV, Parquet) or a data frame of pandas or polars",
    )


_POLARS: tuple[type[BaseException], ...] = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


@contextlib.contextmanager
def refusing(what: str, *more: type[Exception]) -> Iterator[None]:
    """What polars raises, its panics (which are no Exception) too, as a DataError that says `what`."""
    try:
        yield
    except (*_POLARS, *more) as problem:
        said = escaped(str(problem).strip().partition("\n")[0])[:SHOWN]
        raise DataError(what, found=said or type(problem).__name__, fix="write plain text and numbers") from None


def _from_file(path: Path) -> tuple[pl.DataFrame, bool]:
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table", fix="name a file, or use from_folder")
    try:
        data = files.read_bytes(path, MAX_BYTES)
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as problem:
        raise DataError(f"cannot read the table {path}", found=problem.strerror, fix="check who may read it") from None
    except MemoryError:
        raise DataError(f"cannot read the table {path}", found="it does not fit into memory") from None
    if data.startswith(b"PAR1"):
        return parquet.read(data, path), False
    if (kind := sniff(data[:512])) in (*ARCHIVES, "an HTML page") or data.startswith(_OLD_OFFICE):
        raise _no_table(data, kind, path)
    return _from_text(data, _encoding(data, path), path), True


_OLD_OFFICE = b"\xd0\xcf\x11\xe0"


def _missing(path: Path) -> DataError:
    near = path.parent if path.parent.is_dir() else Path()
    names = [name for name in names_in(near) if (near / name).is_file()]
    fix = did_you_mean(path.name, names) if names else "check the path"
    return DataError(f"there is no file {path}", found=f"{len(names)} files in {near.resolve()}", fix=fix)


def _no_table(data: bytes, kind: str, path: Path) -> DataError:
    """What a file is that is no table, and how to make one of it."""
    if data.startswith(_OLD_OFFICE) or b"xl/workbook" in data[-65_536:] or b"opendocument.spreadsheet" in data[:512]:
        return DataError(f"{path} is no text", found="a spreadsheet", fix="save the table as CSV")
    if kind in ARCHIVES:
        fix = "unpack it, and name the folder or the table that comes out"
        return DataError(f"{path} is neither a table nor a folder", found=kind, fix=fix)
    found = "bytes that no text has" if kind == "unknown bytes" else kind
    return DataError(f"{path} is no table", found=found, fix="save the table as CSV, in UTF-8")


def _encoding(data: bytes, path: Path) -> str:
    """UTF-8 or UTF-16; what is neither is taken for cp1252, as Windows writes it in the west."""
    marked = next((name for mark, name in ENCODINGS if data.startswith(mark)), "utf-8")
    encoding = next((name for name in (marked, "cp1252") if _is_text(data, name)), None)
    if encoding is None:
        raise _no_table(data, sniff(data[:512]), path)
    return encoding


def _is_text(data: bytes, encoding: str) -> bool:
    """Whether all of it is text, without NUL; in pieces, as letters take up to four times the room of their bytes."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), PIECE):
            if "\0" in decoder.decode(data[start : start + PIECE]):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """How long a cell may be is a setting of the whole process: other readers of it rely on theirs."""
    before = csv.field_size_limit(max(CELL, csv.field_size_limit()))
    try:
        yield
    finally:
        csv.field_size_limit(before)


@_long_cells()
def _from_text(data: bytes, encoding: str, path: Path) -> pl.DataFrame:
    """Text -> a frame of text, an empty cell null. Lines without anything in them are left out."""
    first = _first_line(data, encoding, path)
    separator = max(SEPARATORS, key=first.count)
    with contextlib.suppress(csv.Error):  # which is told with its line further down
        separator = max(SEPARATORS, key=lambda mark: len(next(csv.reader([first], delimiter=mark))))
    spaced = separator != "\t" and first.count(separator) == first.count(f"{separator} ") > 0  # "file, label"
    lines = io.TextIOWrapper(io.BytesIO(data), encoding, newline="")
    rows = _rows(csv.reader(lines, delimiter=separator, skipinitialspace=spaced, strict=True), path)
    names = [name.strip() or f"column {number}" for number, name in enumerate(next(rows), 1)]
    if len(names) > parquet.COLUMNS:
        found = f"{len(names):,}, the limit is {parquet.COLUMNS:,}"
        raise DataError(f"the table {path} has too many columns", found=found, fix="leave out what is not needed")
    _no_name_twice(names, str(path))
    schema = dict.fromkeys(names, pl.String)
    parts = [pl.DataFrame(some, schema, orient="row") for some in batched(rows, max(1, CELLS // len(names)))]
    if not parts:
        found = f"the columns {', '.join(name[:40] for name in names[:12])}"
        raise DataError(f"the table {path} has no rows", found=found, fix=_HEADER)
    return pl.concat(parts).with_columns(pl.all().replace("", None))


def _first_line(data: bytes, encoding: str, path: Path) -> str:
    """The first line with anything in it."""
    lines = io.TextIOWrapper(io.BytesIO(data), encoding, newline=None)
    while line := lines.readline(CELL):
        if line.strip():
            return line
    raise DataError(f"the table {path} is empty", fix="its first line names the columns: file,label")


_HEADER = "the first line names the columns, each further one is a picture"


def _rows(reader: Any, path: Path) -> Iterator[list[str]]:
    """The rows, all as long as the first."""
    width = 0
    try:
        for row in reader:
            if not row:
                continue
            width = width or len(row)
            if len(row) != width:
                raise DataError(
                    f"line {reader.line_num} of {path} has another number of cells than the first",
                    found=f"{len(row)} instead of {width}: {' | '.join(cell[:40] for cell in row[:8])}",
                    fix='put cells that hold the separator into quotes: a.jpg,"cat,dog"',
                )
            yield row
    except csv.Error as problem:
        long = f"a cell has at most {CELL:,} characters; " if "field larger" in str(problem) else ""
        raise DataError(
            f"line {reader.line_num} of {path} cannot be read",
            found=problem,
            fix=f'{long}a quote opens and closes a whole cell, one inside is doubled: "the ""big"" cat"',
        ) from None


def _no_name_twice(names: list[Any], where: str) -> None:
    twice = [str(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        found = ", ".join(name[:40] for name in twice[:8])
        raise DataError(f"columns of {where} have the same name", found=found, fix="rename one of them")


def _from_pandas(table: Any) -> pl.DataFrame:
    """A pandas frame -> polars, without pyarrow; an index with a name is a column."""
    if any(name is not None for name in table.index.names):
        table = table.reset_index()
    names = [str(name) for name in table.columns]
    _no_name_twice(names, "the data frame")
    return pl.DataFrame([_column(name, table.iloc[:, i]) for i, name in enumerate(names)])


def _column(name: str, column: Any) -> pl.Series:
    if column.dtype.kind == "f":
        numbers: npt.NDArray[np.floating[Any]] = column.to_numpy(dtype="float64", na_value=float("nan"))
        return _whole(pl.Series(name, numbers).fill_nan(None))
    missing = column.isna().to_list()  # of a cell that holds a list too, unlike pandas.isna
    values = [None if gone else _plain(value) for gone, value in zip(missing, column.to_list(), strict=True)]
    return pl.Series(name, values, strict=False)


def _whole(numbers: pl.Series) -> pl.Series:
    """pandas turns whole numbers with gaps into fractions: these are turned back."""
    gaps, whole = numbers.null_count(), numbers.drop_nulls()
    if numbers.dtype == pl.Float64 and gaps and len(whole) and bool((whole % 1 == 0).all()):
        return numbers.cast(pl.Int64)
    return numbers


def _plain(value: Any) -> Any:
    """Arrays, tuples and paths in cells as lists and text."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple | set) else value
