"""Catalog -> scanned catalog, without a backbone: every file is read once, on all cores, and nothing is kept of it
but its facts.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from ursa.core import threads
from ursa.core.prepare import Preparation, Resize, resize
from ursa.core.progress import Progress, silent
from ursa.data import scan
from ursa.data.catalog import SCHEMA, Catalog

GROUP = 8  # files that a thread reads together: what is small is then done for all of them at once
CHUNK = 16  # groups between two reports

_FACTS = pl.Schema({name: SCHEMA[name] for name in scan.FACTS})


def scanned(
    catalog: Catalog, progress: Progress = silent, *, preparation: Preparation | None = None, by: Resize = resize
) -> Catalog:
    """The catalog with the facts of every file that no scan has read yet.

    Hash and thumbnail are made from the view of `preparation`, by default that of `ursa check`, so that they agree with
    it. When this is interrupted, nothing of it is kept.
    """
    preparation = preparation or Preparation()
    todo = np.flatnonzero(scan.unscanned(catalog).to_numpy())
    if not len(todo):
        return catalog
    files = catalog.rows["path"].gather(todo)
    found = [catalog.rows.select(scan.FACTS).with_row_index("row").filter(~pl.col("row").is_in(todo))]
    done = 0
    groups = threads.batched((catalog.root / file for file in files), GROUP)
    for some in threads.chunks(groups, lambda group: _facts(group, preparation, by), size=CHUNK, ahead=1):
        facts = [fact for group in some for fact in group]
        rows = pl.Series("row", todo[done : done + len(facts)], pl.UInt32)
        found.append(_frame(facts).insert_column(0, rows))
        done += len(facts)
        progress("scan", done, len(todo))
    table = pl.concat(found[1:] if len(todo) == len(catalog) else found, rechunk=False)
    table = table if len(todo) == len(catalog) else table.sort("row")
    return catalog.with_columns(**{name: table[name] for name in scan.FACTS})


def _facts(files: list[Path], preparation: Preparation, by: Resize) -> list[scan.FileInfo]:
    return scan.with_hashes(*scan.read_files(files, preparation, by), preparation, by)


def _frame(facts: Iterable[scan.FileInfo]) -> pl.DataFrame:
    """A tenth of what the same facts take as objects."""
    rows = [tuple(getattr(fact, name) for name in scan.FACTS) for fact in facts]
    return pl.DataFrame(rows, schema=_FACTS, orient="row")
