"""Near duplicates: crops, other sizes, mirror images of one picture. catalog, embeddings -> findings. Opens no file."""

import polars as pl

from ursa.clean.duplicates import different, most_held_out
from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.similar_embeddings import near_duplicate_groups
from ursa.embed.store import Embeddings


def near_duplicates(catalog: Catalog, embeddings: Embeddings | None = None) -> list[Finding]:
    """One finding a group: under two classes first, then across splits that were given, then the rest."""
    copies = near_duplicate_groups(catalog, embeddings)
    best: dict[int, float] = {}
    for group, score in zip(copies.groups[copies.pairs[:, 0]].tolist(), copies.scores.tolist(), strict=True):
        best[group] = min(score, best.get(group, 1.0))
    found = []
    for rows in copies.members():
        members = catalog.rows.select("id", "label", "split", "width", "height", "bytes").gather(rows).sort("id")
        found.append(_finding(members, best[int(copies.groups[rows[0]])], catalog.task))
    return sorted(found, key=lambda finding: (-finding.score, finding.where))


def _finding(members: pl.DataFrame, agreement: float, task: str) -> Finding:
    where = tuple(members["id"])
    labels = different(members["label"].to_list())
    splits = sorted(set(members["split"].drop_nulls()))
    same = f"{'Two' if len(where) == 2 else len(where)} pictures look like versions of one"
    numbers = {"agreement": round(agreement, 3)}
    if len(labels) > 1 and task != "regression":
        return Finding(
            kind="near-copy-two-classes",
            where=where,
            score=0.9 * agreement,
            evidence=f"{same}, but have different labels: {' and '.join(labels)}.",
            advice="Look at them: if they are copies, at most one label can be right.",
            numbers=numbers,
        )
    if len(splits) > 1:
        held_out = most_held_out(splits)
        keep = suggested_keeper(members.filter(pl.col("split") == held_out))
        return Finding(
            kind="near-leak",
            where=where,
            score=0.8 * agreement,
            evidence=f"{same}, and are in {' and in '.join(splits)}.",
            advice=f"Keep one in {held_out}, or move all into one split: a model must not be tested on what it was "
            "trained on.",
            numbers={**numbers, "keep": keep},
        )
    keep = suggested_keeper(members)
    return Finding(
        kind="near-duplicate",
        where=where,
        score=0.4 * agreement,
        evidence=f"{same}: cropped, resized, mirrored or re-encoded{f'; label {labels[0]}' * (len(labels) == 1)}.",
        advice=f"Keep {keep}, the largest, or all: every split keeps them together.",
        numbers={**numbers, "keep": keep},
    )


def suggested_keeper(members: pl.DataFrame) -> str:
    """The id of the version with the most pixels; of equal ones the largest file, as the least compressed; then the
    shortest name."""
    pixels = pl.col("width") * pl.col("height")
    order = [pixels.fill_null(0), pl.col("bytes").fill_null(0), -pl.col("id").str.len_chars().cast(pl.Int64)]
    return str(members.sort("id").sort(order, descending=True, maintain_order=True)["id"][0])
