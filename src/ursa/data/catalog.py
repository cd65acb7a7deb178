"""Catalog: an immutable table of pictures, one row each. Whatever changes it returns a new one."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa import workspace
from ursa.core.labels import Labels
from ursa.core.tasks import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from ursa.errors import DataError

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "id": pl.String,  # the path relative to the root, with "/": stable for as long as the file stays where it is
    "path": pl.String,  # relative to the root
    "label": pl.String,  # or another of TASKS; null when unlabelled
    "split": pl.String,  # "train", "train-dev", "valid", "test" or null
    "group": pl.String,  # pictures of one group never straddle a split
    "time": pl.Datetime("us"),  # when it was taken, for splits by time
    "bytes": pl.Int64,  # of the file
    "modified": pl.Int64,  # nanoseconds; with `bytes` it says whether a scan is still true
    "sha256": pl.String,  # of the file's bytes; null before a scan, and where the file could not be read
    "format": pl.String,
    "width": pl.Int64,  # pixels, upright
    "height": pl.Int64,
    "frames": pl.Int64,  # 1 unless it is an animation or has several pages; the first is what is seen
    "phash": pl.UInt64,  # difference hash (see data/scan.py)
    "thumbnail": pl.Binary,  # 32 x 32 gray levels, row by row: by which near-duplicates are found
    "blur": pl.Float64,  # of the view: 1.4 where the sharpest edges are a pixel wide, 4 at most (see data/blur.py)
    "problem": pl.String,  # why the picture cannot be used; null when it can
}
SCHEMA = pl.Schema(_COLUMNS)

# What is learned is told by the type of `label`.
TASKS: dict[pl.DataType, str] = {
    pl.String(): SINGLE_LABEL,  # one class a picture
    pl.List(pl.String): MULTI_LABEL,  # any number of them, none too
    pl.Float64(): REGRESSION,  # a number
    pl.List(pl.Float64): REGRESSION,  # several numbers, as many for each picture
}


@dataclass(frozen=True)
class Catalog:
    """Pictures below `root`, with labels, splits, and what a scan found."""

    root: Path
    rows: pl.DataFrame

    if TYPE_CHECKING:  # sources know the catalog, so they are put here from above: `data/sources/constructors.py`
        from_folder: ClassVar[Callable[..., "Catalog"]]
        from_table: ClassVar[Callable[..., "Catalog"]]
        from_arrays: ClassVar[Callable[..., "Catalog"]]
        from_dataset: ClassVar[Callable[..., "Catalog"]]

    @classmethod
    def of(cls, root: Path, columns: Mapping[str, Sequence[Any]]) -> "Catalog":
        """A catalog from columns; those not given are null. Raises DataError for an id that occurs twice."""
        known = {name: pl.Series(name, values, dtype=_kind(name, values)) for name, values in columns.items()}
        size = len(next(iter(known.values()), pl.Series()))
        nulls = {name: pl.Series(name, [None] * size, dtype=kind) for name, kind in SCHEMA.items()}
        rows = pl.DataFrame({**nulls, **known}).select(SCHEMA.names())
        twice = rows.filter(pl.col("id").is_duplicated())
        if len(twice):
            raise DataError("a picture id must occur once", found=f"{twice['id'][0]!r} occurs again")
        return cls(Path(root), rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> list[str]:
        """Ids, in the order of the rows."""
        return self.rows["id"].to_list()

    @property
    def task(self) -> str:
        """ "single-label", "multi-label" or "regression": told by the type of the labels."""
        return TASKS[self.rows.schema["label"]]

    @property
    def labels(self) -> Labels:
        """The classes, sorted by name, whatever part of the data they occur in; none for a regression."""
        return Labels.of([] if self.task == "regression" else _each(self.rows["label"]).to_list())

    def files(self) -> list[Path]:
        """The files, in the order of the rows."""
        return [self.root / path for path in self.rows["path"]]

    def file(self, id: str) -> Path:
        """The file of one picture. Raises DataError for an id that is not in the catalog."""
        row = self.rows["id"].index_of(id)
        if row is None:
            raise DataError(
                "no picture of this catalog has this id", found=repr(id), fix="its `ids` are those there are"
            )
        return self.root / str(self.rows["path"][row])

    def targets(self, labels: Labels | None = None) -> npt.NDArray[np.int64]:
        """[N] class indices. Every row must have a label, a single one: raises DataError for another task."""
        if self.task != "single-label":
            raise DataError(
                "this needs one class a picture",
                found=f"labels for {self.task}",
                fix="name a column that holds one class a picture: --label COLUMN",
            )
        return (labels or self.labels).encode(self.rows["label"].to_list())

    def one_hot(self, labels: Labels | None = None) -> npt.NDArray[np.float32]:
        """[N, K] 1 where a picture has a class, 0 where not, for one label a picture or several."""
        return (labels or self.labels).one_hot(
            [[label] if isinstance(label, str) else label for label in self.rows["label"]]
        )

    def numbers(self) -> npt.NDArray[np.float32]:
        """[N, M] the numbers of a regression."""
        return np.array([np.atleast_1d(numbers) for numbers in self.rows["label"]], np.float32)

    def duplicate_groups(self) -> npt.NDArray[np.int64]:
        """[N] group numbers: equal for pictures with the same bytes or of the same given group, also in a chain."""
        rows = self.rows.select("group", "sha256", first="id")
        while True:
            before = rows["first"]
            for key in ("group", "sha256"):
                least = pl.col("first").min().over(key)
                rows = rows.with_columns(first=pl.when(pl.col(key).is_null()).then("first").otherwise(least))
            if rows["first"].equals(before):
                return before.rank("dense").cast(pl.Int64).to_numpy() - 1

    def counts(self) -> dict[str, int]:
        """Usable pictures a class, in the order of the classes (0 where all are broken)."""
        if self.task == "regression":
            return {}
        found = dict(_each(self.usable().rows["label"]).value_counts().iter_rows())
        return {name: found.get(name, 0) for name in self.labels.names}

    def usable(self) -> "Catalog":
        """The pictures that a scan could read and that have a label."""
        return self.where(pl.col("problem").is_null() & pl.col("label").is_not_null())

    def readable(self) -> "Catalog":
        """The pictures that a scan could read, labelled or not."""
        return self.where(pl.col("problem").is_null())

    def labeled(self) -> "Catalog":
        """The pictures that have a label."""
        return self.where(pl.col("label").is_not_null())

    def where(self, condition: pl.Expr) -> "Catalog":
        """The rows for which a polars expression holds."""
        return replace(self, rows=self.rows.filter(condition))

    def of_split(self, *splits: str) -> "Catalog":
        """The rows of these splits."""
        return self.where(pl.col("split").is_in(splits))

    def without(self, ids: Iterable[str]) -> "Catalog":
        """All rows but these."""
        return self.where(~pl.col("id").is_in(list(ids)))

    def with_columns(self, **columns: pl.Series | pl.Expr) -> "Catalog":
        """A catalog with these columns replaced."""
        rows = self.rows.with_columns(**columns).select(SCHEMA.names())
        label = rows.schema["label"] if _is_label(rows) else SCHEMA["label"]
        return replace(self, rows=rows.cast(pl.Schema({**SCHEMA, "label": label})))

    def write(self, path: Path) -> None:
        """Write the table as Parquet, in one piece."""
        with workspace.writing(path) as file:
            file.write(self.to_parquet())

    def to_parquet(self) -> bytes:
        """The table as the bytes of a Parquet file."""
        buffer = io.BytesIO()
        self.rows.write_parquet(buffer)
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path, root: Path) -> "Catalog":
        """A catalog that `write` wrote. Raises DataError for anything else."""
        try:
            data = path.read_bytes()
        except OSError as problem:
            raise DataError(f"cannot read the catalog {path}", found=problem, fix="delete it and check again") from None
        return cls.from_parquet(data, path, root)

    @classmethod
    def from_parquet(cls, data: bytes, path: Path, root: Path) -> "Catalog":
        """A catalog that `to_parquet` gave. Raises DataError, naming the path, for anything else."""
        try:
            rows = pl.read_parquet(io.BytesIO(data))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as problem:
            raise DataError(f"cannot read the catalog {path}", found=problem, fix="delete it and check again") from None
        if rows.drop("label", strict=False).schema != _UNLABELLED or not _is_label(rows):
            raise DataError(f"{path} is not a catalog of this Ursa", found=rows.schema, fix="delete it and check again")
        if rows["id"].null_count() or rows["path"].null_count() or rows["id"].is_duplicated().any():
            raise DataError(
                f"{path} is not a catalog of this Ursa",
                found="pictures without an id or a path, or with the same id",
                fix="delete it and check again",
            )
        return cls(root, rows)


_UNLABELLED = pl.Schema({name: kind for name, kind in SCHEMA.items() if name != "label"})


def _is_label(rows: pl.DataFrame) -> bool:
    return rows.schema.get("label") in TASKS


def _kind(name: str, values: Sequence[Any]) -> Any:
    """The type of a column: as in SCHEMA, but for labels, which tell theirs by their values."""
    first = next((value for value in values if value is not None), None) if name == "label" else None
    if first is None or isinstance(first, str):
        return SCHEMA[name]
    if isinstance(first, int | float | np.number):
        return pl.Float64
    texts = any(isinstance(item, str) for value in values if value is not None for item in value)
    empty = all(not len(value) for value in values if value is not None)
    return pl.List(pl.String) if texts or empty else pl.List(pl.Float64)


def _each(labels: pl.Series) -> pl.Series:
    """The labels one by one, several of a picture too."""
    single = labels.explode() if isinstance(labels.dtype, pl.List) else labels
    return single.drop_nulls()
