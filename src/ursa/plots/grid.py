"""Tiles -> a figure of rows and columns; and the one place where pixels are put into a figure."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ursa.core.decoding.image import Pixels
from ursa.errors import DataError
from ursa.plots.figure import DPI, INK, MUTED, POINTS, RULE, WIDTH, Figure, fit, lettering, place, width_of, write
from ursa.plots.reading import Tile, shrunk

MARGIN, GAP = 0.15, 0.1  # inches
NARROWEST = 1 / 12  # of a side by the other as it is drawn: a line of one pixel stays visible


def grid(tiles: Sequence[Tile], columns: int | None = None, note: str = "", width: float = WIDTH) -> Figure:
    """Tiles in rows, each row as high as its highest picture; a line of text under them."""
    if columns is not None and not 1 <= columns <= 20:
        raise DataError("a figure has 1 to 20 columns", found=columns, fix="give another number, or none")
    across = min(columns or _columns(len(tiles)), len(tiles))
    cell = (width - 2 * MARGIN - GAP * (across - 1)) / across
    text = 10.0 if across < 3 else 8.5 if across < 5 else 7.5
    head = text / POINTS * 1.55 if any(tile.title for tile in tiles) else 0.0
    rows = [tiles[start : start + across] for start in range(0, len(tiles), across)]
    heights = [max(extent_of(tile.pixels, cell, cell * 1.2)[1] for tile in row) for row in rows]
    foot = 0.24 if note else 0.0
    figure = Figure(width, 2 * MARGIN + sum(heights) + len(rows) * head + (len(rows) - 1) * GAP + foot)
    top = MARGIN
    for row, height in zip(rows, heights, strict=True):
        for place_, tile in enumerate(row):
            left = MARGIN + place_ * (cell + GAP)
            write(figure, left, top, fit(tile.title, cell, text), size=text) if tile.title else None
            if tile.pixels is None:
                _reason(figure, tile, left, top + head, cell, height)
            else:
                wide, high = extent_of(tile.pixels, cell, height)
                draw(figure, tile.pixels, left, top + head, wide, high)
        top += head + height + GAP
    if note:
        write(figure, MARGIN, top - GAP + 0.08, fit(note, width - 2 * MARGIN, 8.5), size=8.5, color=MUTED)
    return figure


def draw(
    figure: Figure, pixels: Pixels, left: float, top: float, width: float, height: float, extent: Any = None
) -> Axes:
    """Axes that hold a picture, in inches."""
    axes = place(figure, left, top, width, height)
    drawn = shrunk(pixels, round(2 * DPI * max(width, height, 0.5)))
    axes.imshow(drawn, aspect="auto", extent=extent, interpolation="auto" if max(drawn.shape[:2]) > 48 else "nearest")
    return axes


def extent_of(pixels: Pixels | None, width: float, height: float) -> tuple[float, float]:
    """Inches (wide, high) that a picture takes inside a box, its shape kept unless it is nearly a line."""
    if pixels is None:
        return width, min(height, width * 0.75)
    ratio = min(max(pixels.shape[1] / pixels.shape[0], NARROWEST), 1 / NARROWEST)
    return (width, width / ratio) if width / ratio <= height else (height * ratio, height)


def _reason(figure: Figure, tile: Tile, left: float, top: float, width: float, height: float) -> None:
    """The place of a picture that cannot be read, with the reason, broken into lines."""
    axes = place(figure, left, top, width, height)
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fc="#f3f4f6", ec=RULE, lw=0.8))
    lines: list[str] = []
    line = ""
    for word in (tile.problem or "cannot be read").split():
        if line and width_of(f"{line} {word}", 8) > width - 0.2:
            lines, line = [*lines, line], word
        else:
            line = f"{line} {word}".strip()
    text = "\n".join(fit(one, width - 0.16, 8) for one in [*lines, line][: max(1, int(height / 0.15) - 1)])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, **lettering(8, INK, ha="center", va="center"))


def _columns(count: int) -> int:
    """As many as a phone can show, and no half-empty figure."""
    if count <= 9:
        return 3 if count == 3 else math.ceil(math.sqrt(count))
    return 4 if count <= 32 else 6
