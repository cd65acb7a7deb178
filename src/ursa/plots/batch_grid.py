"""Pictures -> figures: a batch, one with its facts, one with its class probabilities, a patch with its numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.patches import Ellipse, Rectangle

from ursa import sandbox
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.errors import DataError
from ursa.plots.as_pictures import as_picture, as_pictures
from ursa.plots.figure import (
    BLUE,
    GREEN,
    MUTED,
    PAPER,
    POINTS,
    RED,
    RULE,
    WIDTH,
    Figure,
    fit,
    ink_on,
    lettering,
    place,
    tints_on,
    width_of,
    write,
)
from ursa.plots.grid import MARGIN, draw, extent_of, grid
from ursa.plots.reading import NO_CLASS, Opened, Tile, file_tile, opened, sample, shrunk, words_of

MOST = 64  # pictures in one figure
TOP = 5  # classes in the bars of probabilities
RING = 0.24  # inches: the circle around a patch that is too small to be seen in its picture


def show_batch(
    pictures: Any,
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    count: int | None = None,
    names: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    preparation: Preparation | None = None,
    seed: int = 0,
) -> Figure:
    """Pictures side by side, with their titles.

    pictures: an array or tensor [N, H, W, 3] or [N, 3, H, W], uint8 or float (normalized, if `mean` and `std` are
    given); a list of single ones or of files; a batch of training (`.pictures`, `.targets`, `.ids`), whose classes are
    called by `names`; or a catalog, of which `count` (12) are drawn by the seed as evenly from the classes as they
    allow, and shown as a model sees them if a preparation is given. Raises DataError for what is no pictures, and for a
    setting that has no meaning for them.
    """
    if count is not None and count < 1:
        raise DataError(
            "a figure has at least one picture", found=f"count={count}", fix="leave it out for all there is"
        )
    _require_read(pictures, names=names, mean=mean, std=std)
    if isinstance(pictures, Catalog):
        tiles = sample(pictures, 12 if count is None else min(count, MOST), seed, preparation)
        of = len(pictures)
    else:
        most = MOST if count is None else min(count, MOST)
        files = _files(pictures)
        tiles = [file_tile(Path(one), preparation) for one in files[:most]]
        tiles = tiles or _tiles(pictures, names, mean, std, preparation)
        of, tiles = len(files) or len(tiles), tiles[:most]
    if not tiles:
        raise DataError("there are no pictures to show", found=_empty(pictures), fix="give at least one")
    if titles is not None:
        if len(titles) not in (len(tiles), of):
            raise DataError("each picture needs a title", found=f"{len(titles)} titles for {of} pictures")
        tiles = [Tile(tile.pixels, str(title), tile.problem) for tile, title in zip(tiles, titles, strict=False)]
    note = f"{len(tiles)} of {of:,} pictures" if len(tiles) < of else ""
    return grid(tiles, columns, note)


def show(picture: Any, prediction: Any = None, *, title: str | None = None, truth: str | None = None) -> Figure:
    """One picture, upright: a file with its facts, or pixels in any form that `show_batch` takes.

    With a prediction (of `ursa.load(...)`, or {class: probability}) its probabilities stand beside the picture, and
    `truth`, the right class, says whether it is right. Raises DataError when the file cannot be opened, and for a truth
    without a prediction; a file that is no picture is shown as the reason why.
    """
    if truth is not None and prediction is None:
        raise DataError(
            "a right class is compared with a prediction", found="no prediction", fix="give title=... instead"
        )
    at = Path(picture) if isinstance(picture, str | Path) else None
    found = opened(at) if at else None
    if prediction is not None:
        if found and found.pixels is None:
            raise DataError(f"{at} cannot be shown with a prediction", found=found.words())
        pixels = found.pixels if found else picture
        probabilities = getattr(prediction, "probabilities", prediction)
        return with_probabilities(pixels, probabilities, truth=truth, title=title or (at.name if at else None))
    pixels = found.pixels if found else as_picture(picture)
    facts = found.words() if found else f"{pixels.shape[1]} × {pixels.shape[0]} px"  # type: ignore[union-attr]
    tile = Tile(
        pixels, title if title is not None else (at.name if at else ""), found.facts["problem"] if found else None
    )
    return grid([tile], 1, facts)


def with_probabilities(
    picture: Any,
    probabilities: Mapping[str, float] | Sequence[float] | npt.NDArray[Any],
    names: Sequence[str] | None = None,
    *,
    truth: str | None = None,
    title: str | None = None,
) -> Figure:
    """A picture beside bars of its most probable classes, five at most and the right one, which is marked.

    probabilities: {class: probability}, or [K] in the order of `names`. Raises DataError for what is no probabilities.
    """
    if names is not None and isinstance(probabilities, Mapping):
        raise DataError("the probabilities have names already", found="names", fix="leave names out")
    pixels = as_picture(picture)
    ranked = _ranked(probabilities, names)
    if truth is not None and truth not in dict(ranked):
        raise DataError(
            "the right class is not one of the classes", found=truth, fix=f"one of {', '.join(list(dict(ranked))[:8])}"
        )
    rows = ranked[:TOP]
    if truth is not None and truth not in dict(rows):
        rows = [*rows[: TOP - 1], (truth, dict(ranked)[truth])]
    side, step = 2.0, 0.38
    width, height = extent_of(pixels, side, side)
    top = MARGIN + (0.26 if title else 0)
    figure = Figure(WIDTH, top + max(height, step * len(rows)) + MARGIN)
    if title:
        write(figure, MARGIN, MARGIN - 0.03, fit(title, WIDTH - 2 * MARGIN, 10, bold=True), size=10, weight="bold")
    draw(figure, pixels, MARGIN, top, width, height)
    left = MARGIN + width + 0.2
    room, text = WIDTH - left - MARGIN, 9.0
    bars = place(figure, left, top, room, step * len(rows))
    bars.set(xlim=(0, room), ylim=(step * len(rows), 0))
    for place_, (name, share) in enumerate(rows):
        mark, color = _mark(name, truth, ranked[0][0])
        percent = f"{100 * share:.1f} %"
        free = room - width_of(percent, text) - width_of(mark, text) - 0.08
        weight = "bold" if place_ == 0 else "normal"
        bars.text(
            0,
            place_ * step + 0.02,
            mark + fit(name, free, text, bold=place_ == 0),
            **lettering(text, va="top", weight=weight),
        )
        bars.text(room, place_ * step + 0.02, percent, **lettering(text, MUTED, va="top", ha="right"))
        for length, shade in ((1.0, RULE), (min(share, 1.0), color)):
            bars.add_patch(Rectangle((0, place_ * step + 0.2), room * length, 0.07, color=shade, lw=0))
    return figure


def patch(picture: Any, top: int, left: int, size: int = 10) -> Figure:
    """A small part of a picture, `size` x `size` pixels from (top, left) on, with the numbers in each pixel.

    Gray pixels hold one number, colored ones three: red, green, blue from top to bottom. The whole picture stands
    above, the patch framed in it. picture: a file or pixels. Raises DataError for a patch outside the picture.
    """
    pixels = _pixels_of(picture)
    height, width = pixels.shape[:2]
    part = part_of(pixels, top, left, size)
    rows, columns = part.shape[:2]
    gray = bool((part == part[..., :1]).all())
    cell = (WIDTH - 2 * MARGIN) / max(rows, columns)
    wide, high = extent_of(pixels, WIDTH - 2 * MARGIN, 1.8)
    under = MARGIN + high + 0.36
    figure = Figure(WIDTH, under + cell * rows + MARGIN)
    above = draw(figure, shrunk(pixels, 1000), MARGIN, MARGIN, wide, high, (0, width, height, 0))
    above.add_patch(Rectangle((left, top), columns, rows, fill=False, ec=PAPER, lw=2.4))
    above.add_patch(Rectangle((left, top), columns, rows, fill=False, ec=RED, lw=1.2))
    if max(columns * wide / width, rows * high / height) < RING / 2:  # inches: too small to be found
        center, across = (left + columns / 2, top + rows / 2), (RING * width / wide, RING * height / high)
        for color, line in ((PAPER, 2.8), (RED, 1.4)):
            above.add_patch(Ellipse(center, *across, fill=False, ec=color, lw=line, label="ring"))
        above.set(xlim=(0, width), ylim=(height, 0))
    meaning = "0 black, 255 white" if gray else "red, green, blue, each 0 to 255"
    said = f"rows {top} to {top + rows - 1}, columns {left} to {left + columns - 1}: {meaning}"
    write(figure, MARGIN, MARGIN + high + 0.1, fit(said, WIDTH - 2 * MARGIN, 8.5), size=8.5, color=MUTED)
    axes = draw(figure, part, MARGIN, under, cell * columns, cell * rows)
    axes.set_label("patch")
    letters = cell * POINTS * (0.34 if gray else 0.24)
    for row in range(rows):
        for column in range(columns):
            _numbers(axes, row, column, part[row, column], gray, min(letters, 14))
    return figure


def part_of(pixels: Pixels, top: int, left: int, size: int) -> Pixels:
    """The patch [<= size, <= size, 3] of pixels [h, w, 3]. Raises DataError where none of it lies in the picture."""
    height, width = pixels.shape[:2]
    if not (1 <= size <= 16 and 0 <= top < height and 0 <= left < width):
        raise DataError(
            "a patch lies inside its picture and is 1 to 16 pixels wide",
            found=f"top {top}, left {left}, size {size}, in {width} x {height} pixels",
            fix=f"top: 0 to {height - 1}, left: 0 to {width - 1}",
        )
    return pixels[top : top + size, left : left + size]


def _tiles(
    source: Any,
    names: Sequence[str] | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    preparation: Preparation | None,
) -> list[Tile]:
    """Whatever holds pictures, but a catalog -> tiles."""
    if hasattr(source, "pictures"):
        if preparation is not None:
            fix = "leave the preparation out; it is for files, pixels and catalogs"
            raise DataError("the pictures of a batch are prepared already", found="a preparation", fix=fix)
        pictures = as_pictures(source.pictures, mean, std)
        targets, ids = getattr(source, "targets", None), getattr(source, "ids", None)
        titles = [""] * len(pictures)
        if targets is not None:
            titles = [_target(target, names) for target in targets.tolist()]
        elif ids is not None:
            titles = [str(id) for id in ids]
        return [Tile(pixels, title) for pixels, title in zip(pictures, titles, strict=True)]
    pictures = as_pictures(source, mean, std)
    return [Tile(pixels if preparation is None else sandbox.view(pixels, preparation)) for pixels in pictures]


def _files(source: Any) -> Sequence[str | Path]:
    """The source, where it is a list of files; else nothing."""
    listed = isinstance(source, list | tuple) and bool(source) and all(isinstance(one, str | Path) for one in source)
    return source if listed else ()


def _require_read(source: Any, **given: Any) -> None:
    """Raises DataError for a setting that has no meaning for such a source: `names` are of a batch's targets."""
    batch = hasattr(source, "pictures")
    files = isinstance(source, Catalog) or bool(_files(source))
    for name, value in given.items():
        if value is not None and (files or (name == "names" and not batch)):
            what = "files" if files else "pictures without targets"
            fix = "give titles=..." if name == "names" else "it undoes a normalization of arrays and tensors"
            raise DataError(f"{name} has no meaning for {what}", found=f"{name}={value!r}"[:80], fix=fix)


def _target(target: Any, names: Sequence[str] | None) -> str:
    """A class number, a share of each class, or numbers -> words."""
    called = list(getattr(names, "names", names) or ())
    if isinstance(target, int):
        if called and not 0 <= target < len(called):
            raise DataError(
                "a target has no name", found=f"class {target}, {len(called)} names", fix="name all classes"
            )
        return str(called[target]) if called else f"class {target}"
    if isinstance(target, list) and called and len(target) == len(called):
        has = [(name, share) for name, share in zip(called, target, strict=True) if share > 0.005]
        if all(share > 0.995 for _, share in has):
            return ", ".join(name for name, _ in has) or NO_CLASS
        return ", ".join(f"{name} {100 * share:.0f} %" for name, share in sorted(has, key=lambda one: -one[1]))
    return words_of([float(one) for one in target] if isinstance(target, list) else float(target))


def _ranked(probabilities: Any, names: Sequence[str] | None) -> list[tuple[str, float]]:
    """-> (class, probability), the most probable first."""
    if isinstance(probabilities, Mapping):
        called, shares = list(probabilities), np.array(list(probabilities.values()), np.float64)
    else:
        shares = np.asarray(probabilities.tolist() if hasattr(probabilities, "tolist") else probabilities, np.float64)
        given = getattr(names, "names", names)
        called = [f"class {place_}" for place_ in range(shares.size)] if given is None else list(given)
    if len(set(called)) < len(called):
        twice = next(name for name in called if called.count(name) > 1)
        raise DataError("two classes have one name", found=str(twice), fix="give each class a name of its own")
    sound = shares.ndim == 1 and len(shares) == len(called) > 0 and bool(((shares >= 0) & (shares <= 1.001)).all())
    if not sound:
        raise DataError(
            "probabilities are one number from 0 to 1 for each class",
            found=f"{len(called)} classes, {shares.size} numbers: {', '.join(f'{s:.4g}' for s in shares.flat[:5])}",
            fix="apply a softmax first, and give the names of all classes",
        )
    order = np.argsort(-shares, kind="stable")
    return [(str(called[place_]), float(shares[place_])) for place_ in order]


def _mark(name: str, truth: str | None, said: str) -> tuple[str, str]:
    """A sign before a class and the color of its bar: signs too, since not everybody tells the colors apart."""
    if truth is None:
        return "", BLUE
    if name == truth:
        return "✓ ", GREEN
    return ("✗ ", RED) if name == said else ("", "#8c959f")


def _numbers(axes: Any, row: int, column: int, color: npt.NDArray[np.uint8], gray: bool, size: float) -> None:
    ink = ink_on(color.tolist())
    if gray:
        axes.text(column, row, str(color[0]), **lettering(size, ink, ha="center", va="center"))
        return
    for place_, (value, tint) in enumerate(zip(color.tolist(), tints_on(color.tolist()), strict=True)):
        axes.text(column, row + (place_ - 1) * 0.29, str(value), **lettering(size, tint, ha="center", va="center"))


def _pixels_of(picture: Any) -> Pixels:
    if not isinstance(picture, str | Path):
        return as_picture(picture)
    found: Opened = opened(Path(picture))
    if found.pixels is None:
        raise DataError(f"{picture} cannot be read", found=found.words(), fix="name another picture")
    return found.pixels


def _empty(source: Any) -> str:
    return "an empty catalog" if isinstance(source, Catalog) else f"{type(source).__name__} of length 0"
