"""Table of files and labels -> Catalog. Decodes nothing; says which files are not there."""

import contextlib
import os
import posixpath
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Any

import polars as pl

from ursa.core.files import kind
from ursa.core.threads import chunks
from ursa.data.catalog import Catalog
from ursa.data.sources import frames
from ursa.data.sources.folder_source import modified
from ursa.data.sources.name_patterns import split_of, unknown_split
from ursa.data.sources.target_columns import targets
from ursa.data.sources.walk import inside
from ursa.errors import DataError, did_you_mean

# The names by which columns are found, whatever their case and with " " or "-" for "_". The first line in which one is
# there decides; two of one line are one too many, and have to be told apart by the caller.
COLUMNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "file": (
        ("file",),
        ("filename", "file_name", "filepath", "file_path", "path", "image_path", "image_file", "image_name", "fname"),
        ("image", "img", "picture", "photo", "pic"),
        ("id", "image_id", "name"),
    ),
    "label": (
        ("label",),
        ("labels", "class", "classes", "class_name", "category", "categories", "target", "targets"),
        ("tag", "tags", "species", "breed", "y"),
    ),
    "split": (("split",), ("set", "subset", "part", "partition", "is_valid", "is_val", "is_test")),
    "group": (("group",), ("group_id", "patient", "patient_id", "subject", "subject_id", "individual")),
    "time": (("time",), ("date", "datetime", "timestamp", "taken", "date_taken")),
}
TIMES = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y:%m:%d %H:%M:%S", "%Y/%m/%d", "%d.%m.%Y")
MISSING = "missing: there is no such file"
ADDRESS = "missing: it is an address, not a file"
URL = r"^[A-Za-z][A-Za-z0-9+.-]+://"
BLOCK = 1000  # files a task of a thread: asking for one is far quicker than handing it over
SEARCHED = 100_000  # files that are searched for where the first of the table may be


def from_table(
    table: Any,
    *,
    root: str | Path | None = None,
    file: str | None = None,
    label: str | Sequence[str] | None = None,
    split: str | None = None,
    group: str | None = None,
    time: str | None = None,
    separator: str | None = None,
    task: str | None = None,
) -> Catalog:
    """A path (CSV, TSV, Parquet) or a data frame of pandas or polars, one row a picture, in the order of its rows.

    file, label, split, group, time: names of columns, found by COLUMNS when not given; "" for none of them. Several
    label columns are several numbers, or classes where they hold only 0 and 1.
    root: what paths are relative to; the folder of the table, for data frames the current one.
    separator: between the labels in a cell, such as "|".
    task: "single-label", "multi-label" or "regression", where `ursa.data.sources.target_columns` would guess otherwise.

    Labels stay as they are written; where there is none, the picture is unlabelled. A file that is not there keeps its
    row, with that as its problem. A file that is listed again is a row again, with the id "path#2".
    Raises DataError for columns that cannot be found, unknown splits, and when none of the files is there.
    """
    frame, untyped = frames.read(table)
    is_file = isinstance(table, str | Path)
    place = Path(root) if root is not None else Path(table).parent if is_file else Path()
    if frame.is_empty():
        raise DataError("the table has no rows", found=f"the columns {', '.join(frame.columns)}")
    with frames.refusing("the table cannot be used"):
        given = {"file": file, "split": split, "group": group, "time": time}
        found = {part: _column(frame, part, name) for part, name in given.items()}
        wanted = _labels(frame, label, found)
        if found["file"] is None:
            raise _not_found("file", frame)
        for part, name in found.items():
            _is_plain(frame, name, part)
        paths = _paths(frame[found["file"]], place)
        columns: dict[str, Any] = {
            "id": _ids(paths),
            "path": paths,
            "split": None if found["split"] is None else _splits(frame[found["split"]]),
            "group": None if found["group"] is None else _text(frame[found["group"]]),
            "time": None if found["time"] is None else _times(frame[found["time"]]),
            **_stats(paths, place),
        }
        catalog = Catalog.of(place, {name: values for name, values in columns.items() if values is not None})
        if not wanted:
            return catalog
        return catalog.with_columns(label=targets(frame, wanted, separator=separator, task=task, untyped=untyped))


def _column(frame: pl.DataFrame, part: str, name: str | None) -> str | None:
    """The column that was named, or else the one that is called like this part; None where there is none."""
    if name:
        if name not in frame.columns:
            fix = did_you_mean(name, frame.columns)
            raise DataError(f"the table has no column {name!r}", found=_listed(frame), fix=fix)
        return name
    if name == "":
        return None
    for names in COLUMNS[part]:
        there = [column for column in frame.columns if _plain(column) in names]
        if len(there) > 1:
            raise DataError(
                f"several columns could be the {part}", found=", ".join(there), fix=f'say which: {part}="{there[0]}"'
            )
        if there:
            return there[0]
    return None


def _is_plain(frame: pl.DataFrame, name: str | None, part: str) -> None:
    """Raises DataError for a column of pictures, records or lists, where text or numbers are needed."""
    dtype = pl.Null() if name is None else frame.schema[name]
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        raise DataError(
            f"the column {name!r} cannot be the {part}",
            found=f"it holds {str(dtype)[:80]}",
            fix="name a column of text; pictures that lie in the table itself are read by Catalog.from_dataset",
        )


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _labels(frame: pl.DataFrame, label: str | Sequence[str] | None, found: dict[str, str | None]) -> list[str]:
    """The label columns; none where the pictures are unlabelled. Raises DataError where that cannot be told."""
    if label is not None and not isinstance(label, str):
        return [name for name in (_column(frame, "label", each) for each in label) if name is not None]
    name = _column(frame, "label", label)
    if name is not None:
        return [name]
    others = set(frame.columns) - set(found.values())
    if label == "" or not others:
        return []
    raise _not_found("label", frame)


def _not_found(part: str, frame: pl.DataFrame) -> DataError:
    first = frame.columns[0]
    if "." in first and Path(first).suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif"):
        fix = "the first line looks like a picture already: put one before it that names the columns: file,label"
    else:
        none = ', or label="" where there are none' if part == "label" else ""
        fix = f'name the column: {part}="{frame.columns[-1 if part == "label" else 0]}"{none}'
    return DataError(f"the table has no column that is known to be the {part}", found=_listed(frame), fix=fix)


def _listed(frame: pl.DataFrame) -> str:
    more = f", and {len(frame.columns) - 12} more" if len(frame.columns) > 12 else ""
    return f"the columns {', '.join(map(repr, frame.columns[:12]))}{more}"


def _paths(column: pl.Series, root: Path) -> pl.Series:
    """Paths with "/", relative to the root where they are below it."""
    text = column.cast(pl.String).alias("path")
    empty = (text.is_null() | (text == "")).arg_true()
    if len(empty):
        raise DataError(
            f"row {empty[0] + 1} names no file", found=f"an empty cell in {column.name!r}", fix="fill it in"
        )
    urls = text.str.contains(URL)
    if urls.all():
        raise DataError("the table names addresses, not files", found=text[0], fix="fetch them first: ursa download")
    above = f"{Path(os.path.abspath(root)).as_posix().rstrip('/')}/"  # noqa: PTH100  absolute() keeps ".."
    back = text.str.contains("\\", literal=True) & pl.Series(_elsewhere(text, root))
    slashed = pl.select(pl.when(back).then(text.str.replace_all("\\", "/", literal=True)).otherwise(text)).to_series()
    odd = (
        slashed.str.contains(r"(^|/)\.{0,2}/|/\.{0,2}$") & ~urls
    )  # "./a", "a//b", "a/../b"; and "/a", which stays as it is
    if odd.any():
        mended = [posixpath.normpath(path) if it else path for path, it in zip(slashed, odd, strict=True)]
        slashed = pl.Series(mended)
    return slashed.str.strip_prefix(above).alias("path")


def _elsewhere(paths: pl.Series, root: Path) -> list[bool]:
    """[N] whether a path with "\\" is no file as it stands: there are systems where names may hold one."""
    return ["\\" in path and (os.sep == "\\" or not os.path.exists(root / path)) for path in paths]  # noqa: PTH110


def _ids(paths: pl.Series) -> pl.Series:
    """The paths, the second of the same as "path#2"."""
    number = pl.col("path").cum_count().over("path")
    again = pl.when(number > 1).then(pl.format("{}#{}", "path", number)).otherwise("path")
    return paths.to_frame().select(again.alias("id")).to_series()


def _stats(paths: pl.Series, root: Path) -> dict[str, list[Any]]:
    """Size and time of each file, and the problem where there is none. Raises DataError when no file is there."""
    files = [os.path.join(root, path) for path in paths]  # noqa: PTH118  pathlib takes ten times as long
    blocks = [files[start : start + BLOCK] for start in range(0, len(files), BLOCK)]
    found = [row for done in chunks(blocks, _stat_block) for block in done for row in block]
    if all(problem == MISSING for _, _, problem in found):
        raise _none_there(paths, root)
    columns = {name: [row[i] for row in found] for i, name in enumerate(("bytes", "modified", "problem"))}
    for row in paths.str.contains(URL).arg_true():
        columns["problem"][row] = ADDRESS if columns["problem"][row] == MISSING else columns["problem"][row]
    return columns


def _stat_block(files: list[str]) -> list[tuple[int | None, int | None, str | None]]:
    return [_stat(file) for file in files]


def _stat(file: str) -> tuple[int | None, int | None, str | None]:
    try:
        stat = os.stat(file)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a name that no file can have
        return None, None, MISSING
    except OSError:  # what else is wrong with it is said by the scan
        return None, None, None
    if not S_ISREG(stat.st_mode):  # never opened: there are devices to which that alone does something
        return None, None, f"cannot be opened: {kind(stat.st_mode)}"
    return stat.st_size, modified(stat), None


def _none_there(paths: pl.Series, root: Path) -> DataError:
    """None of the files is there: where the first one may be."""
    first = str(paths[0])
    found = f"{root.resolve()} has no {first}"
    fix = "name the folder that the paths start from: root=..."
    for seen, place in enumerate(_below(root)):
        if place.endswith(f"/{first}") or place == first:
            above = (root / place.removesuffix(first)).as_posix()
            fix = f'it is in another folder: root="{above}"'
        elif posixpath.splitext(posixpath.basename(place))[0] == posixpath.basename(first):
            fix = f"write the names in full: there is a file {place}"
        elif posixpath.basename(place) == posixpath.basename(first):
            fix = f"there is a file {place}: write paths from {root} on, or name another root"
        if seen >= SEARCHED or not fix.endswith("root=..."):
            break
    return DataError(f"none of the {len(paths):,} files of the table is there", found=found, fix=fix)


def _below(root: Path) -> Iterator[str]:
    """The files below, relative to the root, nearest first; what cannot be opened is left out."""
    todo = deque([(root, "")])
    while todo:
        folder, prefix = todo.popleft()
        with contextlib.suppress(OSError):
            within = inside(folder, prefix)
            yield from (file.name for file in within.files)
            todo.extend((Path(each.path), each.name) for each in within.folders if not each.is_link)
            yield ""  # so that folders count too, for the one who searches


def _splits(column: pl.Series) -> pl.Series:
    """Words as Ursa calls the splits; yes and no in a column like "is_valid"."""
    text = _text(column)
    words = text.drop_nulls().unique().sort().to_list()
    name = _plain(column.name)
    known: dict[str, str | None] = {word: split_of(word) for word in words}
    if name.startswith("is_") and (yes := split_of(name.removeprefix("is_"))):
        no = "valid" if yes == "train" else "train"
        meant = {"true": yes, "1": yes, "yes": yes, "false": no, "0": no, "no": no}
        known = {word: meant.get(word.lower().removesuffix(".0")) for word in words}
    for word, meaning in known.items():
        if meaning is None:
            raise unknown_split(word, f"the column {column.name!r}")
    return text.replace_strict(known, default=None, return_dtype=pl.String) if known else text


def _text(column: pl.Series) -> pl.Series:
    text = column.cast(pl.String)
    return text.replace({"": None, "NaN": None} if column.dtype.is_float() else {"": None})


def _times(column: pl.Series) -> pl.Series:
    """Dates and times, without their zone (as UTC, where they name one). Raises DataError for what is neither."""
    if column.dtype.is_temporal() and column.dtype != pl.Time and column.dtype != pl.Duration:
        dated = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if _zoned(column) else column
        return dated.cast(pl.Datetime("us"))
    text = _text(column).str.strip_chars()
    plain = text.str.replace(r"^(\d{4}-\d\d-\d\d)T", "$1 ")
    zoned = plain.str.contains(r":\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$")
    if zoned.any() and (zoned | text.is_null()).all():
        utc = plain.str.replace("Z$", "+00:00").str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", time_unit="us", strict=False)
        if utc.null_count() == text.null_count():
            return utc.dt.replace_time_zone(None)
    best = plain
    for form in TIMES:
        times = plain.str.to_datetime(form, time_unit="us", strict=False)
        if times.null_count() == text.null_count():
            return times
        left = text.filter(times.is_null() & text.is_not_null())
        best = left if len(left) < len(best) else best
    raise DataError(
        f"the column {column.name!r} holds no dates",
        found=repr(best.drop_nulls()[0]),
        fix='write them like 2024-05-31 or 2024-05-31 12:30:00, all in the same way; time="" leaves the column out',
    )


def _zoned(column: pl.Series) -> bool:
    return isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None
