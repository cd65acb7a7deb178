"""Filters and activations -> figures: small squares in rows, so that many can be compared."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps

from ursa.core.decoding.image import Pixels
from ursa.errors import DataError
from ursa.plots.figure import MUTED, WIDTH, Figure, fit, write
from ursa.plots.grid import MARGIN, draw

F32 = npt.NDArray[np.float32]

MOST_FILTERS = 256
CHANNELS = 8  # of a layer that are shown, those that respond most
SQUARE = 24  # pixels at least of a filter or a map in the mosaic, so that its edges stay sharp
GAP = 2  # pixels between them


def filters(kernels: F32, title: str = "") -> Figure:
    """[F, C, k, k] -> a square each: colors where C is 3, else the mean of the channels in gray; middle gray is 0.

    Each filter is drawn by its own largest weight. Raises DataError for no kernels, and for more than a figure holds.
    """
    if kernels.ndim != 4 or not len(kernels) >= 1:
        raise DataError("filters come as [F, C, k, k]", found=f"an array {list(kernels.shape)}")
    shown = kernels[:MOST_FILTERS]
    shown = shown if shown.shape[1] == 3 else shown.mean(1, keepdims=True)
    largest = np.abs(shown).max((1, 2, 3), keepdims=True)
    gray = 0.5 + 0.5 * shown / np.where(largest > 0, largest, 1)
    squares = np.rint(255 * gray).astype(np.uint8).transpose(0, 2, 3, 1)
    if squares.shape[3] == 1:
        squares = np.repeat(squares, 3, 3)
    across = _across(len(squares))
    picture = mosaic(squares, across)
    figure_width = WIDTH - 2 * MARGIN
    high = figure_width * picture.shape[0] / picture.shape[1]
    figure = Figure(WIDTH, MARGIN + 0.28 + high + 0.3 + MARGIN)
    write(figure, MARGIN, MARGIN, fit(title or "Filters of the first layer", figure_width, 10, bold=True), size=10)
    draw(figure, picture, MARGIN, MARGIN + 0.28, figure_width, high)
    size, channels = kernels.shape[2:], kernels.shape[1]
    of = f"{len(shown)} of {len(kernels):,}" if len(shown) < len(kernels) else f"{len(kernels)}"
    means = {1: "bright: more", 3: "in the colors that they respond to"}.get(channels, f"mean of {channels} channels")
    note = f"{of} filters of {size[0]} × {size[1]} pixels, {means}; middle gray is 0"
    write(figure, MARGIN, MARGIN + 0.36 + high, fit(note, figure_width, 8.5), size=8.5, color=MUTED)
    return figure


def activations(picture: Pixels | None, maps: Sequence[F32], names: Sequence[str]) -> Figure:
    """The picture, then a row a layer: maps [C, h, w] of the channels that respond most, and the layer's name.

    Each channel is drawn from nothing (violet) to the largest response of its layer (yellow).
    """
    if not maps or len(maps) != len(names):
        raise DataError("each layer has maps and a name", found=f"{len(maps)} maps, {len(names)} names")
    room = WIDTH - 2 * MARGIN
    rows = [_strongest(one) for one in maps]
    heights = [room * row.shape[0] / row.shape[1] for row in rows]
    top = MARGIN + (0 if picture is None else 1.35)
    figure = Figure(WIDTH, top + sum(heights) + 0.36 * len(rows) + MARGIN)
    if picture is not None:
        draw(figure, picture, MARGIN, MARGIN, 1.25 * picture.shape[1] / picture.shape[0], 1.25)
    for row, height, one, name in zip(rows, heights, maps, names, strict=True):
        facts = f"{one.shape[1]} × {one.shape[2]} positions, {min(CHANNELS, len(one))} of {len(one):,} channels"
        write(figure, MARGIN, top, fit(f"{name}: {facts}", room, 8.5), size=8.5)
        draw(figure, row, MARGIN, top + 0.2, room, height)
        top += 0.36 + height
    return figure


def mosaic(squares: Pixels, across: int) -> Pixels:
    """[N, h, w, 3] -> one picture with `across` of them in a row, on white, each enlarged by whole pixels."""
    count, high, wide = squares.shape[:3]
    scale = max(1, math.ceil(SQUARE / max(high, wide)))
    squares = squares.repeat(scale, 1).repeat(scale, 2)
    high, wide, down = high * scale, wide * scale, math.ceil(count / across)
    whole = np.full((down * (high + GAP) - GAP, across * (wide + GAP) - GAP, 3), 255, np.uint8)
    for number, square in enumerate(squares):
        top, left = number // across * (high + GAP), number % across * (wide + GAP)
        whole[top : top + high, left : left + wide] = square
    return whole


def _across(count: int) -> int:
    """Squares in a row: full rows where the number can be divided so."""
    near = math.sqrt(count * 1.5)
    return min(
        range(1, min(count, 24) + 1), key=lambda each: (abs(each - near) > near / 2, count % each > 0, abs(each - near))
    )


def _strongest(maps: F32) -> Pixels:
    """[C, h, w] -> the CHANNELS with the largest mean response, side by side."""
    positive = np.clip(np.nan_to_num(maps), 0, None)
    order = np.argsort(-positive.mean((1, 2)), kind="stable")[:CHANNELS]
    chosen = positive[order]
    largest = float(chosen.max()) or 1.0
    colors: Any = colormaps["plasma"]
    return mosaic(np.rint(colors(chosen / largest)[..., :3] * 255).astype(np.uint8), CHANNELS)
