"""Pictures that occur twice. catalog -> findings, a group of identical files each. Reads, never writes."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings


def duplicates(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """Files with the same bytes: contradictions first, then copies in several splits, then the rest."""
    found = [_finding(ids, different(labels), splits) for ids, labels, splits in _groups(catalog)]
    return sorted(found, key=lambda finding: (-finding.score, finding.where))


def different(labels: Iterable[Any]) -> list[str]:
    """The labels that occur, as text; pictures without one add none."""
    return sorted({words(label) for label in labels if label is not None})


def words(label: Any) -> str:
    """A label as text: a class, several, a number."""
    if isinstance(label, list):
        return " + ".join(sorted(words(one) for one in label)) or "none of the classes"
    return label if isinstance(label, str) else f"{label:g}"


def _groups(catalog: Catalog) -> list[tuple[list[str], list[Any], list[str]]]:
    """ids, labels, splits: of the pictures whose bytes occur more than once."""
    same = catalog.readable().rows.sort("id").group_by("sha256", maintain_order=True)
    lists = same.agg(pl.col("id"), pl.col("label"), pl.col("split").drop_nulls().unique().sort())
    return lists.filter(pl.col("id").list.len() > 1).select("id", "label", "split").rows()


def _finding(ids: list[str], labels: list[str], splits: list[str]) -> Finding:
    where = tuple(ids)
    if len(labels) > 1:
        return Finding(
            kind="same-picture-two-classes",
            where=where,
            score=1.0,
            evidence=f"Identical files have different labels: {' and '.join(labels)}.",
            advice="At most one label can be right: keep that file, remove the others.",
        )
    if len(splits) > 1:
        return Finding(
            kind="leak",
            where=where,
            score=0.9,
            evidence=f"Identical files are in {' and in '.join(splits)}.",
            advice="Keep it in one split: a model must not be tested on what it was trained on.",
        )
    return Finding(
        kind="exact-duplicate",
        where=where,
        score=0.5,
        evidence=f"{len(ids)} identical files{f', all labelled {labels[0]}' if labels else ''}.",
        advice="Keep one. Until then every split keeps the copies together.",
        numbers={"keep": min(ids, key=lambda id: (len(id), id))},
    )
