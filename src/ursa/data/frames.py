"""A table, as a file or a data frame of pandas or polars -> a polars frame. Whole, or not at all."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ursa.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SEPARATORS = (",", ";", "\t", "|")
ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
CELL = 10_000_000  # characters; a quote that is never closed makes the rest of the file one cell


def read(table: Any) -> tuple[pl.DataFrame, bool]:
    """A path (CSV, TSV, Parquet) or a data frame -> (frame, whether all of it is text because a text file it was).

    Cells of a text file come as they are written, an empty one as null. Raises DataError for what is no table, for rows
    that are longer or shorter than the first, and for names that occur twice.
    """
    if isinstance(table, str | Path):
        return _from_file(Path(table))
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    if isinstance(table, pl.DataFrame):
        return table, False
    if hasattr(table, "columns") and hasattr(table, "reset_index"):
        return _from_pandas(table), False
    raise DataError(
        "this is no table",
        found=f"{type(table).__module__}.{type(table).__qualname__}",
        fix="give a path (CSV, TSV, Parquet) or a data frame of pandas or polars",
    )


def _from_file(path: Path) -> tuple[pl.DataFrame, bool]:
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table", fix="name a file, or use from_folder")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as problem:
        raise DataError(f"cannot read the table {path}", found=problem.strerror, fix="check who may read it") from None
    if data.startswith(b"PAR1"):
        try:
            return pl.read_parquet(io.BytesIO(data)), False
        except pl.exceptions.PolarsError as problem:
            raise DataError(f"{path} is a damaged Parquet file", found=problem, fix="write it again") from None
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise DataError(f"{path} is no text", found="an Excel file or an archive", fix="save the table as CSV")
    return _from_text(_decoded(data, path), path), True


def _missing(path: Path) -> DataError:
    near = path.parent if path.parent.is_dir() else Path()
    names = sorted(entry.name for entry in near.iterdir() if entry.is_file() and not entry.name.startswith("."))
    fix = did_you_mean(path.name, names) if names else "check the path"
    return DataError(f"there is no file {path}", found=f"{len(names)} files in {near.resolve()}", fix=fix)


def _decoded(data: bytes, path: Path) -> str:
    """UTF-8 or UTF-16; what is neither is taken for cp1252, as Windows writes it in the west."""
    encoding = next((name for mark, name in ENCODINGS if data.startswith(mark)), "utf-8")
    text = _text(data, encoding) or _text(data, "cp1252")
    if text is None or "\0" in text:
        raise DataError(f"{path} is no text", found="bytes that no text has", fix="save the table as CSV, in UTF-8")
    if not text.strip():
        raise DataError(f"the table {path} is empty", fix="its first line names the columns: file,label")
    return text


def _text(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _from_text(text: str, path: Path) -> pl.DataFrame:
    """Text -> a frame of text, an empty cell null. Lines without anything in them are left out."""
    first = next(line for line in io.StringIO(text, newline=None) if line.strip())
    separator = max(SEPARATORS, key=lambda mark: len(next(csv.reader([first], delimiter=mark))))
    spaced = separator != "\t" and first.count(separator) == first.count(f"{separator} ") > 0  # "file, label"
    csv.field_size_limit(CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=spaced, strict=True)
    rows = _rows(reader, path)
    names = [name.strip() or f"column {number}" for number, name in enumerate(next(rows), 1)]
    _no_name_twice(names, str(path))
    frame = pl.DataFrame(list(rows), schema=dict.fromkeys(names, pl.String), orient="row")
    if frame.is_empty():
        raise DataError(f"the table {path} has no rows", found=f"the columns {', '.join(names)}", fix=_HEADER)
    return frame.with_columns(pl.all().replace("", None))


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
        raise DataError(
            f"line {reader.line_num} of {path} cannot be read",
            found=problem,
            fix='a quote opens and closes a whole cell, one inside is doubled: "the ""big"" cat"',
        ) from None


def _no_name_twice(names: list[Any], where: str) -> None:
    twice = [str(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"columns of {where} have the same name", found=", ".join(twice), fix="rename one of them")


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
