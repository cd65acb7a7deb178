"""The label columns of a table -> what is learned: a class, several classes or numbers for each picture."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from ursa.core.tasks import TASKS
from ursa.errors import DataError

# What is learned, when it is not said: several columns or lists are several labels or numbers; text is a class; numbers
# with a fraction are numbers. Whole numbers are classes where there are few of them or the column's name says so.
FEW = 20
CLASSES = ("label", "class", "categor", "species", "breed", "tag")  # in the name of the column

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_WHOLE = r"^[+-]?\d+$"
_YES, _NO = ("1", "1.0", "true"), ("0", "0.0", "false")


def targets(
    frame: pl.DataFrame,
    columns: Sequence[str],
    *,
    separator: str | None = None,
    task: str | None = None,
    untyped: bool = False,
) -> pl.Series:
    """The labels in these columns, as the catalog keeps them: text, lists of text, numbers or lists of numbers.

    untyped: the frame comes from a file of text, so that text may be numbers.
    Raises DataError where the values do not fit the task, naming one that does not.
    """
    if task is not None and task not in TASKS:
        raise DataError("no such task", found=repr(task), fix=f"one of {', '.join(TASKS)}")
    for name in columns:
        _is_label(frame.schema[name], name)
    if len(columns) > 1:
        return _of_columns(frame.select(columns), task).alias("label")
    column = frame[columns[0]]
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List):
        return _of_lists(column, task).alias("label")
    if separator is not None:
        return _of_cells(column, separator, task).alias("label")
    return _of_values(column, task, untyped).alias("label")


def _is_label(dtype: Any, name: str) -> None:
    inner: Any = getattr(dtype, "inner", dtype)  # of a list
    if inner.is_nested() or inner in (pl.Binary, pl.Object):
        raise DataError(
            f"the column {name!r} cannot be the label",
            found=f"it holds {str(dtype)[:80]}",
            fix="labels are text, numbers, or lists of these",
        )


def _of_columns(frame: pl.DataFrame, task: str | None) -> pl.Series:
    """Several columns: 0 and 1 for each class, or several numbers. An empty cell among full ones is refused."""
    empty = frame.select(pl.all().is_null() | pl.all().cast(pl.String).str.to_lowercase().eq("nan"))
    some, every = empty.select(pl.any_horizontal(pl.all())).to_series(), empty.select(pl.all_horizontal(pl.all()))
    gaps = (some & ~every.to_series()).arg_true()
    if len(gaps):
        raise DataError(
            "a picture has some of its labels only",
            found=f"row {gaps[0] + 1}: {_shown(frame.row(gaps[0], named=True))}",
            fix="fill the empty cells, or empty all of that row",
        )
    text = frame.select(pl.all().cast(pl.String).str.to_lowercase())
    if task == "single-label":
        raise DataError("one class a picture has one column", found=", ".join(frame.columns), fix="name one of them")
    one_hot = task == "multi-label" or (
        task is None and all(column.drop_nulls().is_in([*_YES, *_NO]).all() for column in text)
    )
    if not one_hot:
        numbers = frame.select(_numbers(frame[name]) for name in frame.columns)
        return numbers.select(pl.when(~some).then(pl.concat_list(pl.all()))).to_series()
    for column in text:
        odd = frame[column.name].filter(~column.is_in([*_YES, *_NO]))
        if len(odd):
            raise DataError(
                f"the column {column.name!r} does not say whether a picture has this class",
                found=repr(odd[0]),
                fix="write 1 or 0, or learn numbers: task='regression'",
            )
    named = (pl.when(pl.col(name).is_in(_YES)).then(pl.lit(name)) for name in text.columns)
    return text.select(pl.when(~some).then(pl.concat_list(*named).list.drop_nulls())).to_series()


def _of_lists(column: pl.Series, task: str | None) -> pl.Series:
    """Lists in cells: of text or whole numbers several classes, of fractions several numbers; none is an empty list."""
    inner = column.dtype.inner  # type: ignore[attr-defined]
    if task == "single-label":
        raise DataError(
            "one class a picture is one text", found=f"lists in the column {column.name!r}", fix="unpack them"
        )
    if task == "regression" or (task is None and inner in (pl.Float32, pl.Float64)):
        numbers = column.cast(pl.List(pl.Float64))
        lengths = numbers.list.len().drop_nulls().unique().sort()
        bad = numbers.list.eval(pl.element().is_null() | ~pl.element().is_finite()).list.any()
        if len(lengths) > 1 or bad.any():
            found = f"{lengths[0]} and {lengths[-1]}" if len(lengths) > 1 else "an empty or infinite number"
            raise DataError(f"each picture needs as many numbers in {column.name!r}", found=found, fix="fill the gaps")
        return numbers
    return _classes(column.cast(pl.List(pl.String)))


def _of_cells(column: pl.Series, separator: str, task: str | None) -> pl.Series:
    """Cells like "cat|dog"; spaces around the separator belong to it."""
    if task not in (None, "multi-label"):
        raise DataError(
            f"a separator makes several labels, not {task}", found=repr(separator), fix="leave one of both out"
        )
    if not separator:
        raise DataError("the separator is empty", fix="name one: separator='|'")
    text = column.cast(pl.String)
    return _classes(pl.select(pl.when(text != "").then(text.str.split(separator))).to_series(), strip=True)


def _classes(lists: pl.Series, *, strip: bool = False) -> pl.Series:
    """Lists of classes without gaps, each class once, in the order in which they stand there."""
    element = pl.element().str.strip_chars() if strip else pl.element()
    kept = pl.element().filter(pl.element().is_not_null() & (pl.element() != ""))
    return lists.list.eval(element).list.eval(kept).list.unique(maintain_order=True)


def _of_values(column: pl.Series, task: str | None, untyped: bool) -> pl.Series:
    """One value a picture."""
    if task == "regression" or (task is None and _is_number(column, untyped)):
        return _numbers(column)
    text = column.cast(pl.String).replace("", None)
    if column.dtype.is_float():
        text = text.replace("NaN", None)
    return (
        text if task != "multi-label" else pl.select(pl.when(text.is_not_null()).then(pl.concat_list(text))).to_series()
    )


def _is_number(column: pl.Series, untyped: bool) -> bool:
    """Whether a column is to be learned as numbers."""
    values = column.drop_nulls()
    if values.dtype == pl.String and untyped:
        values = values.filter(values.str.to_lowercase() != "nan")
        # "007" is a name, not a number
        if not len(values) or not values.str.contains(_NUMBER).all() or values.str.contains(r"^[+-]?0\d").any():
            return False
        whole = bool(values.str.contains(_WHOLE).all())
    elif values.dtype.is_numeric():
        whole = values.dtype.is_integer()
    else:
        return False
    if not whole:
        return True
    return values.n_unique() > FEW and not any(word in column.name.lower() for word in CLASSES)


def _numbers(column: pl.Series) -> pl.Series:
    """Values as numbers, what is empty as null. Raises DataError for any that is not a finite number."""
    given = column.replace("", None) if column.dtype == pl.String else column
    if given.dtype == pl.String:
        numbers = given.str.strip_chars().str.replace(r"^(\d+),(\d+)$", "$1.$2").cast(pl.Float64, strict=False)
    else:
        numbers = given.cast(pl.Float64, strict=False)
    nan = numbers.is_nan().fill_null(False)
    numbers = numbers.fill_nan(None)
    bad = (given.is_not_null() & numbers.is_null() & ~nan) | numbers.is_infinite().fill_null(False)
    rows = bad.arg_true()
    if len(rows):
        raise DataError(
            f"the column {column.name!r} has values that are no numbers",
            found=f"row {rows[0] + 1}: {given[rows[0]]!r}",
            fix="mend them, or learn classes: task='single-label'",
        )
    return numbers


def _shown(row: dict[str, object]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in list(row.items())[:6])
