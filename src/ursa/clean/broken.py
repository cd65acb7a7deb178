"""Files that cannot be used, each with its reason. catalog -> findings. Reads, never writes."""

import polars as pl

from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings


def broken(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """One finding a file that the scan could not read."""
    rows = catalog.where(pl.col("problem").is_not_null()).rows.select("id", "problem")
    return [
        Finding(
            kind="broken-file",
            where=(id,),
            score=1.0,
            evidence=f"{problem[0].upper()}{problem[1:]}.",
            advice="It is left out. Fetch the picture again, or remove the file.",
        )
        for id, problem in rows.iter_rows()
    ]
