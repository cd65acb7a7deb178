"""Classes with too few pictures to learn or to judge. catalog -> findings. Reads, never writes."""

import polars as pl

from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings

FEW = 10  # with fewer, the 95 % interval of a class's recall is wider than 50 points (Wilson 1927)


def small_classes(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """One finding a class that has fewer than FEW usable pictures."""
    return [
        Finding(
            kind="small-class",
            where=tuple(catalog.where(pl.col("label") == name).ids),
            score=1 - count / FEW,
            evidence=f"{name} has {count or 'no'} usable picture{'s' * (count > 1)}.",
            advice="Nothing certain can be said of so few: add some, twenty or more, or leave the class out.",
        )
        for name, count in catalog.counts().items()
        if count < FEW
    ]
