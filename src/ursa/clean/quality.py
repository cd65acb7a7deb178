"""Pictures of which a model sees less than one may think, by their size and shape. catalog -> findings.

Animations and pages behind the first, pictures too small to show much, too large to be worth it, and long strips. What
they show is judged in `poor_pictures.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from ursa.clean.set_or_pictures import set_or_pictures
from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings

TINY = 32  # px, shorter side: what one cell of the last map of most backbones covers (ResNet, EfficientNet: stride 32)
HUGE = 40  # megapixels: more than nearly all cameras give; a view needs a hundredth of it
ODD = 3.0  # longer side over shorter: less than a third of a square view shows the picture; photos reach 2.6

Row = Mapping[str, Any]


def quality(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """animated, tiny, huge, odd-shape: a finding a picture, the most pressing first; or one (see `set_or_pictures`).

    Where most pictures are tiny, or most are strips, that is what these data are, and no finding.
    """
    rows = catalog.where(pl.col("problem").is_null() & pl.col("width").is_not_null()).rows
    rows = rows.select("id", "format", "width", "height", "frames")
    shorter, longer = pl.min_horizontal("width", "height"), pl.max_horizontal("width", "height")
    tiny = rows.filter(shorter < TINY).sort(shorter)
    odd = rows.filter(longer > ODD * shorter).sort(longer / shorter, descending=True)
    huge = rows.filter(shorter * longer > HUGE * 1e6).sort(shorter * longer, descending=True)
    animated = rows.filter(pl.col("frames") > 1)

    def found(kind: str, some: pl.DataFrame, words: Callable[[Row], str], score: float, advice: str) -> list[Finding]:
        pictures = some.to_dicts()
        said, numbers = [words(row) for row in pictures], [_numbers(row) for row in pictures]
        return set_or_pictures(kind, some["id"].to_list(), said, [score] * len(said), advice, numbers, total=len(rows))

    return [
        *found("animated", animated, _frames, 0.3, "Save the frame that matters as a picture of its own."),
        *found("tiny", _few(tiny, rows), _small, 0.5, "Download it in a larger size, or remove it."),
        *found("odd-shape", _few(odd, rows), _shape, 0.5, "Crop it to what matters, or remove it: often a banner."),
        *found("huge", huge, _pixels, 0.2, "Resize it: it is slow to read, and a model sees no difference."),
    ]


def _few(some: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    return some if 2 * len(some) <= len(rows) else some.clear()


def _numbers(row: Row) -> dict[str, int]:
    return {name: row[name] for name in ("width", "height", "frames") if row[name] is not None}


def _frames(row: Row) -> str:
    what = "A file of {} pages" if row["format"] == "TIFF" else "An animation of {} frames"
    return f"{what.format(row['frames'])}; only the first is used."


def _small(row: Row) -> str:
    return f"It has {row['width']} x {row['height']} pixels."


def _shape(row: Row) -> str:
    width, height = row["width"], row["height"]
    times, way = (width / height, "wide as high") if width > height else (height / width, "high as wide")
    return f"It is {times:.1f} times as {way} ({width} x {height} pixels); a square view shows it as a strip."


def _pixels(row: Row) -> str:
    return f"It has {row['width'] * row['height'] / 1e6:.0f} megapixels ({row['width']} x {row['height']})."
