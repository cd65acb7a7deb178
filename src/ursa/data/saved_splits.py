"""splits.parquet: which pictures were drawn for validation and testing, by seed, so that they stay there.

What a later run puts aside of pictures that an earlier one learned from stays aside from then on. Which pictures a
model learned from is a matter of its run, and lies in its bundle.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from ursa import workspace
from ursa.data.catalog import Catalog
from ursa.errors import DataError

PARTS = ("test", "valid", "train-dev")  # drawn in this order; "train" is what is left
LARGEST = 256 << 20  # bytes of the file: some millions of pictures

SavedSplits = Mapping[str, str]  # sha256 -> part


def load_splits(path: Path, seed: int) -> SavedSplits:
    """What was drawn with this seed, from the file that `save_splits` wrote; nothing where there is none."""
    table = _table(path).filter(pl.col("seed") == seed)
    return dict(zip(table["sha256"], table["part"], strict=True))


def put_aside_elsewhere(path: Path) -> int:
    """How many pictures somebody else has drawn for testing, or somebody in a file that was changed since.

    Raises DataError as `load_splits`.
    """
    if workspace.read_sealed(path) is not None:
        return 0
    return int(_table(path).filter(pl.col("part") == "test")["sha256"].n_unique())


def with_drawn_test(catalog: Catalog, before: SavedSplits) -> Catalog:
    """A scanned catalog -> one whose test part is the one that was drawn before, unless one is given."""
    if (catalog.rows["split"] == "test").any():
        return catalog
    sealed = pl.col("sha256").is_in([key for key, part in before.items() if part == "test"]).fill_null(False)
    return catalog.with_columns(split=pl.when(sealed).then(pl.lit("test")).otherwise("split"))


def save_splits(path: Path, catalog: Catalog, seed: int) -> None:
    """Add the parts of a catalog's pictures to the file, in one piece; pictures that are gone stay known.

    One that is in two parts by now is in the one that comes first in PARTS.
    """
    rows = catalog.usable().rows.filter(pl.col("sha256").is_not_null() & pl.col("split").is_not_null())
    new = rows.unique("sha256", keep="first", maintain_order=True).select(
        pl.lit(seed, pl.Int64).alias("seed"), "sha256", part="split"
    )
    before = _table(path)
    aside = pl.col("part").replace_strict({part: rank for rank, part in enumerate([*PARTS, "train"])})
    both = pl.concat([before, new]).with_columns(part=pl.col("part").sort_by(aside).first().over("seed", "sha256"))
    table = both.unique(["seed", "sha256"], keep="first", maintain_order=True)
    if not table.equals(before):
        buffer = io.BytesIO()
        table.write_parquet(buffer)
        workspace.write_sealed(path, buffer.getvalue())


_DRAWN = pl.Schema({"seed": pl.Int64, "sha256": pl.String, "part": pl.String})


def _table(path: Path) -> pl.DataFrame:
    """What is drawn is decided once, so it is believed whoever decided it; but it has to be a split, and no bomb."""
    data = workspace.read(path, LARGEST)
    if data is None:
        return pl.DataFrame(schema=_DRAWN)
    try:
        table = pl.read_parquet(io.BytesIO(data), n_rows=len(data))  # more say nothing new: each names its picture
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as problem:
        raise _unreadable(path, str(problem).partition("\n")[0]) from None
    if table.schema != _DRAWN:
        raise _unreadable(path, table.schema)
    if sum(table.null_count().row(0)) or table.select("seed", "sha256").is_duplicated().any():
        raise _unreadable(path, "rows that say nothing, or that say two things of one picture")
    strange = table.filter(~pl.col("part").is_in([*PARTS, "train"]))
    if len(strange):
        raise _unreadable(path, f"a part {strange['part'][0]!r}")
    return table


def _unreadable(path: Path, found: object) -> DataError:
    return DataError(
        f"cannot read which pictures were put aside: {path}",
        found=found,
        fix="delete it to draw anew; a test part drawn before is then no longer sealed",
    )
