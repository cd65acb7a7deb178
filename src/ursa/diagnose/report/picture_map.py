"""Embeddings [N, D] -> a map: every picture a point, like ones side by side, mistakes and findings marked.

The two directions in which the embeddings differ most (principal components). They hold a part of all differences only,
so the page says how much; what lies apart here is apart, what lies together need not be alike.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core.text import escaped
from ursa.core.threads import blas_threads
from ursa.data.catalog import Catalog
from ursa.diagnose.charts import text
from ursa.diagnose.report.html_page import Section
from ursa.embed.store import Embeddings

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

MOST = 2000  # points; more cannot be told apart, and each needs its tiny picture
COLORED = 10  # classes with a color of their own; of more, only mistakes have one
RINGS = 80  # around the most pressing pictures; more hide what they mark
WRONG = "mistake or finding"
WIDTH, HEIGHT, EDGE = 640, 460, 14
STEPS = 12  # of the power iteration: the two components are then exact to what can be drawn


@dataclass(frozen=True)
class PictureMap:
    """Points of pictures."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]  # "" where there is none
    places: npt.NDArray[np.int64]  # [N, 2] in the drawing
    marks: Mapping[str, str]  # id -> why it is marked, in words; the most pressing first
    share: float  # of the variance that the two directions hold


def picture_map(catalog: Catalog, embeddings: Embeddings, marks: Mapping[str, str]) -> PictureMap | None:
    """marks: why a picture is suspect, by id. None for fewer than three pictures."""
    known = dict(catalog.rows.select("id", "sha256").rows())
    rows = [row for row, id in enumerate(embeddings.ids) if id in known]
    if len(rows) < 3:
        return None

    def order(row: int) -> tuple[bool, str]:
        id = embeddings.ids[row]
        content = known[id] if known[id] is not None else id
        return id not in marks, hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()

    vectors = embeddings.vectors
    if len(rows) > MOST:
        rows = sorted(sorted(rows, key=order)[:MOST])
    with blas_threads(0):
        points, share = principal_plane(vectors[rows])
    ids = tuple(embeddings.ids[row] for row in rows)
    labels = dict(zip(catalog.ids, map(_words, catalog.rows["label"].to_list()), strict=True))
    there = set(ids)
    marked = {id: words for id, words in marks.items() if id in there}
    return PictureMap(ids, tuple(labels[id] for id in ids), _placed(points), marked, share)


def principal_plane(vectors: F32) -> tuple[F64, float]:
    """vectors [N, D] -> [N, 2] along the two directions of most variance, and their share of it.

    By orthogonal iteration; each direction's sign is such that its largest weight is positive, so that a map does not
    turn over when a picture is added.
    """
    centered = np.asarray(vectors, np.float64) - vectors.mean(0, dtype=np.float64)
    total = float((centered**2).sum())
    if total <= 0:
        return np.zeros((len(vectors), 2)), 1.0
    width = min(8, centered.shape[1])
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((centered.shape[1], width)))[0]
    for _ in range(STEPS):
        basis = np.linalg.qr(centered.T @ (centered @ basis))[0]
    seen = centered @ basis
    _, turn = np.linalg.eigh(seen.T @ seen)
    axes = basis @ turn[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    points = centered @ axes
    if points.shape[1] < 2:
        points = np.concatenate([points, np.zeros((len(points), 1))], 1)
    return points, float((points**2).sum() / total)


def map_section(drawn: PictureMap | None) -> Section:
    """The map as SVG; the page's script shows the pictures on it, by pointer and by keyboard."""
    if drawn is None:
        return Section("map", "Map of the pictures", "")
    names = sorted(set(drawn.labels))
    by_class = len(names) <= COLORED
    groups = drawn.labels if by_class else tuple(WRONG if id in drawn.marks else "" for id in drawn.ids)
    color = {name: number for number, name in enumerate(names)} if by_class else {WRONG: 1}
    layers = [_dots(drawn, [n for n, name in enumerate(groups) if name not in color], "other")]
    layers += [
        _dots(drawn, [n for n, group in enumerate(groups) if group == name], f"class{number}")
        for name, number in color.items()
    ]
    place = dict(zip(drawn.ids, drawn.places.tolist(), strict=True))
    ringed = list(drawn.marks)[:RINGS]
    rings = "".join('<circle class="suspect" cx="{}" cy="{}" r="6" />'.format(*place[id]) for id in ringed)
    words = (
        "<p>Every picture is a point; pictures that look alike to the backbone lie side by side. "
        f"{_about_rings(len(drawn.marks))} "
        f'<span class="soft">Two principal components, {100 * drawn.share:.0f} % of the variance.</span> '
        '<span class="js soft">Point at it, or move with the arrow keys; N goes to the next ring.</span></p>'
    )
    label = f"Map of {len(drawn.ids):,} pictures, {len(drawn.marks):,} of them marked"
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(layers)}{rings}'
        '<circle id="map-cursor" r="9" hidden /></svg>'
    )
    body = (
        f'{_legend(color, by_class, bool(drawn.marks))}<div id="map-place" tabindex="0" role="group" '
        f'aria-label="{label}. Arrow keys move from picture to picture.">{svg}<div id="map-tip" hidden><span></span>'
        '<p></p></div></div><p id="map-said" class="unseen" aria-live="polite"></p>'
    )
    return Section("map", "Map of the pictures", words + body, f"{len(drawn.ids):,}")


def map_data(drawn: PictureMap | None, columns: int, tiny: int) -> dict[str, Any] | None:
    """What the page's script needs: places, names, why a picture is marked, and where it is on the sheet."""
    if drawn is None:
        return None
    labels = sorted(set(drawn.labels))
    return {
        "ids": [escaped(id) for id in drawn.ids],
        "labels": [escaped(label) for label in labels],
        "label": [labels.index(label) for label in drawn.labels],
        "places": drawn.places.ravel().tolist(),
        "marks": {row: escaped(drawn.marks[id]) for row, id in enumerate(drawn.ids) if id in drawn.marks},
        "columns": columns,
        "tiny": tiny,
        "rows": -(-len(drawn.ids) // columns),
    }


def _placed(points: F64) -> npt.NDArray[np.int64]:
    """Both axes on one scale, filling the drawing; single far points do not squeeze all others."""
    low, high = np.quantile(points, 0.005, axis=0), np.quantile(points, 0.995, axis=0)
    room = np.array([WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE])
    scale = float((room / np.maximum(high - low, 1e-12)).min())
    middle = (points - (low + high) / 2) * scale * [1, -1] + np.array([WIDTH, HEIGHT]) / 2
    return np.clip(middle, EDGE, np.array([WIDTH, HEIGHT]) - EDGE).round().astype(np.int64)


def _dots(drawn: PictureMap, rows: Sequence[int], name: str) -> str:
    """Round ends of lines without length: a tenth of the bytes of circles."""
    if not rows:
        return ""
    way = "".join(f"M{x} {y}h0" for x, y in drawn.places[list(rows)].tolist())
    return f'<path class="dots {name}" d="{way}" />'


def _about_rings(marked: int) -> str:
    if not marked:
        return ""
    if marked <= RINGS:
        return f"Those in a ring, {marked:,}, are mistakes or findings."
    return f"The {RINGS} surest of {marked:,} mistakes and findings are in a ring."


def _legend(color: Mapping[str, int], by_class: bool, marked: bool) -> str:
    names = [f'<span class="dot class{number}">{text(name or "no label")}</span>' for name, number in color.items()]
    names += ['<span class="dot other">predicted rightly</span>'] * (not by_class)
    names += [f'<span class="dot ring">{WRONG if by_class else "the surest"}</span>'] * marked
    return f'<p class="legend">{"".join(names)}</p>'


def _words(label: Any) -> str:
    if label is None:
        return ""
    if isinstance(label, str):
        return label
    return ""  # several, or numbers: no colors of their own
