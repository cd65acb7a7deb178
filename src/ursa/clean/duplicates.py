"""Pictures that occur twice. catalog -> findings, a group of identical files each. Reads, never writes."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings

HELD_OUT = ("test", "valid", "train-dev", "train")


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


def most_held_out(splits: Iterable[str | None]) -> str | None:
    """Of splits that share a picture the one to keep it in: figures on test stay comparable, training has more."""
    there = set(splits)
    return next((split for split in HELD_OUT if split in there), None)


def _groups(catalog: Catalog) -> list[tuple[list[str], list[Any], list[str | None]]]:
    """ids, labels, splits: of the pictures whose bytes occur more than once."""
    same = catalog.readable().rows.sort("id").group_by("sha256", maintain_order=True)
    lists = same.agg(pl.col("id"), pl.col("label"), pl.col("split"))
    return lists.filter(pl.col("id").list.len() > 1).select("id", "label", "split").rows()


def _finding(ids: list[str], labels: list[str], split_of: list[str | None]) -> Finding:
    where, splits = tuple(ids), sorted({split for split in split_of if split is not None})
    if len(labels) > 1:
        return Finding(
            kind="same-picture-two-classes",
            where=where,
            score=1.0,
            evidence=f"Identical files have different labels: {' and '.join(labels)}.",
            advice="At most one label can be right: keep that file, remove the others.",
        )
    if len(splits) > 1:
        held_out = most_held_out(splits)
        keep = min((id for id, split in zip(ids, split_of, strict=True) if split == held_out), key=_short)
        return Finding(
            kind="leak",
            where=where,
            score=0.9,
            evidence=f"Identical files are in {' and in '.join(splits)}.",
            advice=f"Keep it in {held_out} alone: a model must not be tested on what it was trained on.",
            numbers={"keep": keep},
        )
    return Finding(
        kind="exact-duplicate",
        where=where,
        score=0.5,
        evidence=f"{len(ids)} identical files{f', all labelled {labels[0]}' if labels else ''}.",
        advice="Keep one: `ursa decide FOLDER --duplicates`. Until then every split keeps the copies together.",
        numbers={"keep": min(ids, key=_short)},
    )


def _short(id: str) -> tuple[int, str]:
    return len(id), id
