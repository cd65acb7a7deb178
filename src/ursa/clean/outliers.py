"""Pictures unlike the others of every class. catalog, embeddings -> findings. Opens no file, no torch.

A picture's score is its distance to the nearest few per cent of the set (Ramaswamy, Rastogi and Shim 2000), copies of
it left out: so neither copies hide each other, nor do a handful of foreign pictures of one kind. What is far is told by
the distances of this set, so that one of wide classes has no more outliers. `benchmarks/poor_pictures.py`.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa.clean.poor_pictures import ADVICE, BLANK, levels_facts, usual_end
from ursa.clean.set_or_pictures import set_or_pictures
from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.similar_embeddings import near_duplicate_groups
from ursa.embed.store import Embeddings

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

FEWEST = 40  # different pictures, below which nothing is said
NEAREST, SHARE = 10, 0.03  # neighbors, of the set; more foreign pictures of one kind than that hide each other
SEEN = 2048  # pictures that distances are taken to: 50,000 in seconds
SPREADS = 2.5  # standard deviations of the logarithm of the distance, as the upper quartile tells it
LIKE_IT = 3  # neighbors that are named
BLOCK = 32 << 20  # bytes of distances held at a time


def outliers(catalog: Catalog, embeddings: Embeddings | None = None) -> list[Finding]:
    """A finding a picture that is far from all classes, the farthest first; labels do not count."""
    if embeddings is None or not len(embeddings.ids):
        return []
    place = {id: row for row, id in enumerate(embeddings.ids)}
    pictures = catalog.where(pl.col("id").is_in(list(place)))
    ids, groups = pictures.ids, near_duplicate_groups(catalog, embeddings).of(pictures)
    if len(np.unique(groups)) < FEWEST:
        return []
    far, nearest = distances(embeddings.vectors[[place[id] for id in ids]], groups)
    logs = np.log(np.maximum(far, 1e-6))
    limit = usual_end(logs, 1, SPREADS)
    rows = np.flatnonzero(logs > limit)
    rows = rows[~_blank(pictures.rows["thumbnail"].gather(rows))]
    rows = rows[np.argsort(-far[rows], kind="stable")]
    numbers = [
        {"distance": round(float(far[row] / np.median(far)), 3), "nearest": [ids[i] for i in nearest[row].tolist()]}
        for row in rows.tolist()
    ]
    evidence = "It is unlike the pictures of every class: something else, a drawing among photos, or a rare view."
    scores = np.clip(0.3 + logs[rows] - limit, 0, 1).tolist()
    named = [ids[row] for row in rows.tolist()]
    return set_or_pictures("outlier", named, [evidence] * len(rows), scores, ADVICE, numbers, total=len(ids))


def _blank(thumbnails: pl.Series) -> npt.NDArray[np.bool_]:
    """[N] whether `poor_pictures` names a picture for what it is: unlike all others, too."""
    known = thumbnails.is_not_null().to_numpy()
    blank = np.zeros(len(thumbnails), bool)
    if known.any():
        blank[known] = levels_facts(thumbnails.drop_nulls())["spread"] < BLANK
    return blank


def distances(vectors: F32, groups: I64) -> tuple[F64, I64]:
    """vectors [N, D], groups [N] of copies -> [N] distance to the nearest few per cent, [N, LIKE_IT] rows nearest.

    One picture a group stands for it, and none is a neighbor of its own group.
    """
    points = directions(vectors)
    first = np.unique(groups, return_index=True)[1]
    seen = first[np.linspace(0, len(first) - 1, min(len(first), SEEN)).round().astype(np.int64)]
    others, lengths = points[seen], np.square(points[seen]).sum(1)
    count = min(max(NEAREST, round(SHARE * len(seen))), len(seen) - 1)
    far, nearest = np.empty(len(points)), np.empty((len(points), LIKE_IT), np.int64)
    step = max(1, BLOCK // (4 * len(seen)))
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        squares = np.square(points[rows]).sum(1)[:, None] + lengths - 2 * points[rows] @ others.T
        squares[groups[rows][:, None] == groups[seen]] = np.inf
        near = np.argpartition(squares, count - 1, axis=1)[:, :count]
        around = np.take_along_axis(squares, near, axis=1)
        far[rows] = np.sqrt(np.maximum(around.max(1), 0))
        order = np.argsort(around, axis=1, kind="stable")[:, :LIKE_IT]
        nearest[rows] = seen[np.take_along_axis(near, order, axis=1)]
    return far, nearest


def directions(vectors: F32) -> F32:
    """vectors [N, D] -> [N, D], each half of length 1: mean and maximum over a picture's places, of most backbones.

    Length says how rich in detail a picture is, and the maxima are ten times the means: area under precision-recall of
    foreign pictures (2 %) .39 so, .31 with the whole of length 1, .19 as it is, standardized (docs/decisions.md).
    """
    half = max(1, vectors.shape[1] // 2)
    found = vectors.astype(np.float32)  # a copy
    for part in (found[:, :half], found[:, half:]):
        part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9)
    return np.asarray(found - found.mean(0), np.float32)
