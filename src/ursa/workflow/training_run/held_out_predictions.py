"""What a run's kept model and its probe say of each picture that they did not learn from <-> predictions.parquet.

Any tool that reads Parquet can go on from there. Ursa itself believes the file only with its seal.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa import workspace
from ursa.core.labels import Labels
from ursa.data.catalog import Catalog
from ursa.workspace import Workspace

F32 = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

NAME = "predictions.parquet"
COLUMNS = ("part", "id", "sha256", "label", "kept", "probe")


@dataclass(frozen=True)
class HeldOutPredictions:
    """Pictures in rows: part ("valid", "test", "train-dev"), id, sha256, label, and by kept and probe [K] each."""

    labels: Labels  # the classes, in the order of the probabilities
    rows: pl.DataFrame

    @classmethod
    def of(cls, labels: Labels, parts: Mapping[str, tuple[Catalog, F32, F32]]) -> "HeldOutPredictions":
        """By part its pictures, and the probabilities [N, K] of the kept model and of the probe."""
        tables = [
            catalog.rows.select("id", "sha256", "label").with_columns(
                pl.lit(part).alias("part"),
                pl.Series("kept", kept.astype(np.float32), dtype=_row(len(labels))),
                pl.Series("probe", probe.astype(np.float32), dtype=_row(len(labels))),
            )
            for part, (catalog, kept, probe) in parts.items()
            if len(catalog)
        ]
        return cls(labels, pl.concat(tables).select(COLUMNS))

    def probabilities(self, model: str = "kept") -> F32:
        """[N, K] of the kept model, or of the "probe"."""
        return self.rows[model].to_numpy().reshape(len(self.rows), len(self.labels))

    def right(self) -> Bool:
        """[N] which pictures the kept model has right."""
        targets = self.labels.encode(self.rows["label"].to_list())
        return np.asarray(self.probabilities().argmax(1) == targets, dtype=bool)

    def write(self, space: Workspace, run: str) -> None:
        """Into the folder of a run, sealed. Raises DataError where it cannot be written."""
        buffer = io.BytesIO()
        self.rows.write_parquet(buffer)
        workspace.write_sealed(space.run(run) / NAME, buffer.getvalue(), f"{run}/{NAME}")

    @classmethod
    def read(cls, space: Workspace, run: str, labels: Labels) -> "HeldOutPredictions | None":
        """What `write` wrote for these classes; None for anything else, as what another user wrote."""
        data = workspace.read_sealed(space.run(run) / NAME, f"{run}/{NAME}")
        if data is None:
            return None
        try:
            rows = pl.read_parquet(io.BytesIO(data))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            return None
        schema = {name: pl.String() for name in COLUMNS[:4]} | dict.fromkeys(COLUMNS[4:], _row(len(labels)))
        known = rows.schema == pl.Schema(schema) and not sum(rows.null_count().row(0))
        return cls(labels, rows) if known and rows["label"].is_in(list(labels.names)).all() else None


def _row(classes: int) -> pl.Array:
    return pl.Array(pl.Float32, classes)
