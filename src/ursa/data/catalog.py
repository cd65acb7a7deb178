"""Catalog: an immutable table of pictures, one row each. Whatever changes it returns a new one."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa import workspace
from ursa.core.labels import Labels
from ursa.errors import DataError

SCHEMA = pl.Schema(
    {
        "id": pl.String,  # the path relative to the root, with "/": stable for as long as the file stays where it is
        "path": pl.String,  # relative to the root
        "label": pl.String,  # null when unlabelled
        "split": pl.String,  # "train", "valid", "test" or null
        "group": pl.String,  # pictures of one group never straddle a split
        "bytes": pl.Int64,  # of the file
        "modified": pl.Int64,  # nanoseconds; with `bytes` it says whether a scan is still true
        "sha256": pl.String,  # of the file's bytes; null before a scan, and where the file could not be read
        "format": pl.String,
        "width": pl.Int64,  # pixels, upright
        "height": pl.Int64,
        "phash": pl.UInt64,  # difference hash (see data/scan.py)
        "problem": pl.String,  # why the picture cannot be used; null when it can
    }
)


@dataclass(frozen=True)
class Catalog:
    """Pictures below `root`, with labels, splits, and what a scan found."""

    root: Path
    rows: pl.DataFrame

    @classmethod
    def of(cls, root: Path, columns: dict[str, list[object]]) -> "Catalog":
        """A catalog from columns; those not given are null. Raises DataError for an id that occurs twice."""
        known = {name: pl.Series(name, values, dtype=SCHEMA[name]) for name, values in columns.items()}
        size = len(next(iter(known.values()), pl.Series()))
        nulls = {name: pl.Series(name, [None] * size, dtype=kind) for name, kind in SCHEMA.items()}
        rows = pl.DataFrame({**nulls, **known}).select(SCHEMA.names())
        twice = rows.filter(pl.col("id").is_duplicated())
        if len(twice):
            raise DataError("a picture id must occur once", found=f"{twice['id'][0]!r} occurs again")
        return cls(Path(root), rows)

    @classmethod
    def from_folder(cls, folder: str | Path) -> "Catalog":
        """The pictures of a folder: see `ursa.data.sources.from_folder`."""
        from ursa.data.sources import from_folder

        return from_folder(folder)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> list[str]:
        """Ids, in the order of the rows."""
        return self.rows["id"].to_list()

    @property
    def labels(self) -> Labels:
        """The classes, sorted by name, whatever part of the data they occur in."""
        return Labels.of(self.rows["label"].drop_nulls().to_list())

    def files(self) -> list[Path]:
        """The files, in the order of the rows."""
        return [self.root / path for path in self.rows["path"]]

    def targets(self, labels: Labels | None = None) -> npt.NDArray[np.int64]:
        """[N] class indices. Every row must have a label."""
        return (labels or self.labels).encode(self.rows["label"].to_list())

    def copies(self) -> npt.NDArray[np.int64]:
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
        found = dict(self.usable().rows.group_by("label").len().iter_rows())
        return {name: found.get(name, 0) for name in self.labels.names}

    def usable(self) -> "Catalog":
        """The pictures that a scan could read and that have a label."""
        return self.where(pl.col("problem").is_null() & pl.col("label").is_not_null())

    def labelled(self) -> "Catalog":
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
        rows = self.rows.with_columns(**columns).select(SCHEMA.names()).cast(SCHEMA)
        return replace(self, rows=rows)

    def write(self, path: Path) -> None:
        """Write the table as Parquet, in one piece."""
        with workspace.writing(path) as file:
            self.rows.write_parquet(file)

    @classmethod
    def read(cls, path: Path, root: Path) -> "Catalog":
        """A catalog that `write` wrote. Raises DataError for anything else."""
        try:
            rows = pl.read_parquet(io.BytesIO(path.read_bytes()))
        except (OSError, pl.exceptions.PolarsError) as problem:
            raise DataError(f"cannot read the catalog {path}", found=problem, fix="delete it and check again") from None
        if rows.schema != SCHEMA:
            raise DataError(f"{path} is not a catalog of this Ursa", found=rows.schema, fix="delete it and check again")
        return cls(root, rows)
