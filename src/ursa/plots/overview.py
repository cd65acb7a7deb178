"""Catalog -> figures of all of it: how many pictures a class has, how large they are, how they look on average."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ursa.core.prepare import Preparation
from ursa.core.progress import Progress, silent
from ursa.data.catalog import Catalog
from ursa.errors import DataError
from ursa.plots import means as average
from ursa.plots.figure import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    RULE,
    SKY,
    WIDTH,
    Figure,
    dress,
    fit,
    lettering,
    place,
    width_of,
    write,
)
from ursa.plots.grid import MARGIN, grid
from ursa.plots.reading import NO_CLASS, NO_LABEL, UNUSABLE, Tile, scanned

MOST = 30  # classes that are drawn one by one
SPLITS = {"train": BLUE, "train-dev": SKY, "valid": ORANGE, "test": GREEN}
ASPECTS = ((1, 1), (3, 4), (4, 3), (9, 16), (16, 9))
APART = 0.38  # inches between two lines of aspects, whose names would overlap below that
KEY_ENTRY, KEY_LINE = 0.36, 0.2  # inches of an entry beside its words, of a line
MEAN = Preparation(112)  # a mean picture shows nothing finer


def class_counts(catalog: Catalog, *, progress: Progress = silent) -> Figure:
    """Bars of the pictures a class, the most first; by split where there are splits, with those that cannot be read.

    A picture of several classes counts in each. Files that no scan has looked at yet are read. Raises DataError for an
    empty catalog and for a regression.
    """
    catalog = _some(catalog, progress)
    table = counted(catalog)
    parts = [name for name in (*SPLITS, "") if any(name in row for row in table.values())]
    colors = {**SPLITS, "": BLUE if parts == [""] else PURPLE, UNUSABLE: GRAY}
    kinds = [*parts, *([UNUSABLE] if any(UNUSABLE in row for row in table.values()) else [])]
    names, hidden = list(table)[:MOST], list(table)[MOST:]
    step, text = 0.25, 9.0
    label = min(1.7, max(width_of(name, text) for name in names) + 0.02)
    number = max(width_of(_total(table[name]), text) for name in names) + 0.08
    totals = {kind: sum(row.get(kind, 0) for row in table.values()) for kind in kinds}
    called = {"": "no split given" if len(parts) > 1 else "readable"}
    entries = [(f"{called.get(kind, kind)} ({totals[kind]:,})", colors[kind]) for kind in kinds]
    lines = _key_lines(entries) if len(kinds) > 1 else []
    top = MARGIN + 0.32 + KEY_LINE * len(lines) + (0.06 if lines else 0)
    figure = Figure(WIDTH, top + step * len(names) + (0.28 if hidden else 0) + MARGIN)
    classes = len(table.keys() - {NO_LABEL, NO_CLASS})
    write(
        figure,
        MARGIN,
        MARGIN - 0.02,
        f"{_some_of(len(catalog.readable()), 'picture')}, {_some_of(classes, 'class', 'classes')}",
        size=11,
        weight="bold",
    )
    for number_, line in enumerate(lines):
        _key(figure, MARGIN + 0.3 + KEY_LINE * number_, line)
    room = WIDTH - 2 * MARGIN - label - 0.1 - number
    most = max(sum(table[name].values()) for name in names)
    axes = place(figure, MARGIN + label + 0.1, top, room, step * len(names))
    axes.set(xlim=(0, most), ylim=(len(names), 0))
    for row, name in enumerate(names):
        left = 0
        for kind in kinds:
            count = table[name].get(kind, 0)
            if count:
                axes.add_patch(
                    Rectangle((left, row + 0.18), count, 0.64, fc=colors[kind], ec=PAPER, lw=0.5, label=kind)
                )
            left += count
        inches = most / room
        style = lettering(text, MUTED if name in (NO_LABEL, NO_CLASS) else INK, va="center_baseline")
        axes.text(-0.1 * inches, row + 0.5, fit(name, label, text), ha="right", **style)
        axes.text(left + 0.06 * inches, row + 0.5, _total(table[name]), **lettering(text, MUTED, va="center_baseline"))
    if hidden:
        left_out = [readable(table[name]) for name in hidden]
        said = f"and {len(hidden):,} more with {_range(min(left_out), max(left_out))}{' each' * (len(hidden) > 1)}"
        write(figure, MARGIN, top + step * len(names) + 0.08, said, size=text, color=MUTED)
    return figure


def sizes(catalog: Catalog, *, size: int = 224, progress: Progress = silent) -> Figure:
    """Width against height of the pictures that can be read, and a histogram of their megapixels.

    size: pixels of the model's view, whose limits are drawn; smaller pictures are enlarged. Raises DataError where no
    picture can be read.
    """
    catalog = _some(catalog, progress)
    rows = sound(catalog)
    same = rows.group_by("width", "height").len().sort("width", "height")
    width, height, count = (same[name].to_numpy() for name in ("width", "height", "len"))
    figure, side = Figure(WIDTH, 7.1), WIDTH - 0.75 - MARGIN
    small = int(count[np.maximum(width, height) < size].sum())
    what = {0: "None is", 1: "1 is"}.get(small, f"{small:,} are")
    said = (
        f"{what} smaller than the model's view of {size} px, and enlarged"
        if small
        else f"{what} smaller than the model's view of {size} px"
    )
    write(figure, MARGIN, MARGIN - 0.02, f"Sizes of {_some_of(len(rows), 'picture')}", size=11, weight="bold")
    write(figure, MARGIN, MARGIN + 0.24, fit(said, WIDTH - 2 * MARGIN), color=MUTED)
    axes = place(figure, 0.75, 0.72, side, side)
    low, high = _apart(min(width.min(), height.min(), size) / 1.25, max(width.max(), height.max(), size) * 1.25)
    _logarithmic(axes, (low, high), (low, high), "width, px", "height, px")
    for across, down in _aspects(side / float(np.log10(high / low))):
        _aspect(axes, across / down, f"{across}:{down}", low, high)
    axes.add_patch(Rectangle((low, low), size - low, size - low, fc=RED, alpha=0.1, lw=0))
    axes.plot([low, size, size], [size, size, low], color=RED, lw=1, ls=(0, (4, 2)))
    name = {"bbox": {"fc": PAPER, "lw": 0, "pad": 0.5}, "va": "bottom"}
    axes.text(low * 1.03, size * 1.02, f"model, {size} px", **lettering(8, "#a34700", **name))
    area = np.clip(6 * np.sqrt(count), 8, 160)
    axes.scatter(width, height, s=area, color=BLUE, alpha=0.45, lw=0, zorder=3, label="pictures")
    below = place(figure, 0.75, 0.72 + side + 0.75, side, 7.1 - 0.72 - side - 0.75 - 0.55)
    mega = rows["width"].to_numpy() * rows["height"].to_numpy() / 1e6
    _histogram(below, mega, "megapixels")
    return figure


def mean_pictures(
    catalog: Catalog,
    per_class: bool = True,
    *,
    preparation: Preparation = MEAN,
    progress: Progress = silent,
) -> Figure:
    """The mean of what a model sees, for each class (the 30 with the most pictures) or for all pictures together.

    A mean that shows more than a gray cloud tells of something all its pictures share: a background, a frame, a pose,
    which a model may learn instead of the class. Raises DataError where no picture can be read.
    """
    tiles, note = mean_tiles(catalog, per_class, preparation=preparation, progress=progress)
    return grid(tiles, None, note)


def mean_tiles(
    catalog: Catalog, per_class: bool = True, *, preparation: Preparation = MEAN, progress: Progress = silent
) -> tuple[list[Tile], str]:
    """What `mean_pictures` draws: tiles, whose `id` is the class, and the line under them."""
    if not len(catalog):
        raise _is_empty()
    rows = catalog.rows.filter(pl.col("problem").is_null()).select("path", "label")
    if per_class and catalog.task != "regression" and rows["label"].is_not_null().any():
        rows = _one_each(rows).drop_nulls("label")
        found = rows["label"].value_counts().sort(["count", "label"], descending=[True, False])
        names = sorted(found["label"].head(MOST).to_list())
        rows = rows.filter(pl.col("label").is_in(names))
        hidden = len(found) - len(names)
    else:
        names, hidden = ["all pictures"], 0
        rows = rows.with_columns(label=pl.lit(names[0]))
    classes = [names.index(label) for label in rows["label"]]
    files = [catalog.root / path for path in rows["path"]]
    mean, counts = average.means(files, classes, len(names), preparation, progress)
    if not counts.any():
        raise DataError("no picture can be read", found=f"{len(catalog)} files", fix="`ursa check` says why")
    tiles = [
        Tile((picture + 0.5).astype(np.uint8), f"{name} ({number:,})", None, name)
        if number
        else Tile(None, name, UNUSABLE, name)
        for name, picture, number in zip(names, mean, counts.tolist(), strict=True)
    ]
    return tiles, f"and {hidden:,} more class{'es' * (hidden != 1)}" if hidden else ""


def counted(catalog: Catalog) -> dict[str, dict[str, int]]:
    """A scanned catalog -> pictures by class, the most first, and by split ("" where none is given) or UNUSABLE."""
    if catalog.task == "regression":
        raise DataError(
            "numbers have no classes to count", found="a regression", fix="plots.sizes and plots.show_batch show it"
        )
    kind = pl.when(pl.col("problem").is_not_null()).then(pl.lit(UNUSABLE)).otherwise(pl.col("split").fill_null(""))
    rows = _one_each(catalog.rows.select("label", kind=kind))
    table: dict[str, dict[str, int]] = {}
    for name, of, count in rows.group_by(pl.col("label").fill_null(NO_LABEL), "kind").len().iter_rows():
        table.setdefault(name, {})[of] = count
    order = sorted(table, key=lambda name: (name in (NO_LABEL, NO_CLASS), -sum(table[name].values()), name))
    return {name: table[name] for name in order}


def sound(catalog: Catalog) -> pl.DataFrame:
    """The rows of a scanned catalog whose pictures can be read. Raises DataError where there are none."""
    rows = catalog.rows.filter(pl.col("problem").is_null() & pl.col("width").is_not_null())
    if rows.is_empty():
        raise DataError("no picture can be read", found=f"{len(catalog)} files", fix="`ursa check` says why")
    return rows


def _one_each(rows: pl.DataFrame) -> pl.DataFrame:
    """A row for each label of a picture, NO_CLASS where it has been given none of them."""
    if not isinstance(rows.schema["label"], pl.List):
        return rows
    label = pl.when(pl.col("label").list.len() == 0).then(pl.lit([NO_CLASS])).otherwise("label")
    return rows.with_columns(label=label).explode("label")


def _some(catalog: Catalog, progress: Progress) -> Catalog:
    if not len(catalog):
        raise _is_empty()
    return scanned(catalog, progress)


def _is_empty() -> DataError:
    return DataError("there are no pictures to show", found="an empty catalog", fix="name a folder with pictures in it")


def readable(row: Mapping[str, int]) -> int:
    """Of a class in `counted`, the pictures that can be read."""
    return sum(count for kind, count in row.items() if kind != UNUSABLE)


def _total(row: dict[str, int]) -> str:
    return f"{readable(row):,}"


def _range(low: int, high: int) -> str:
    return _some_of(low, "picture") if low == high else f"{low:,} to {high:,} pictures"


def _some_of(count: int, one: str, more: str = "") -> str:
    """ "1 picture", "2 pictures"."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def _key_lines(entries: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The entries of a key in as many lines as the width asks for."""
    lines: list[list[tuple[str, str]]] = []
    room = 0.0
    for entry in entries:
        room -= KEY_ENTRY + width_of(entry[0], 8.5)
        if room < 0 or not lines:
            lines.append([])
            room = WIDTH - 2 * MARGIN - width_of(entry[0], 8.5) - KEY_ENTRY
        lines[-1].append(entry)
    return lines


def _key(figure: Figure, top: float, entries: Sequence[tuple[str, str]]) -> None:
    """What the colors say, in a line."""
    left = MARGIN
    for words, color in entries:
        axes = place(figure, left, top + 0.02, 0.11, 0.11)
        axes.add_patch(Rectangle((0, 0), 1, 1, fc=color, lw=0))
        write(figure, left + 0.16, top, words, size=8.5, color=MUTED)
        left += KEY_ENTRY + width_of(words, 8.5)


def _logarithmic(axes: Axes, x: tuple[float, float], y: tuple[float, float], across: str, up: str) -> None:
    """Axes with lengths in pixels on both sides."""
    axes.set_axis_on()
    axes.set(xscale="log", yscale="log", xlim=x, ylim=y)
    for axis, limits in ((axes.xaxis, x), (axes.yaxis, y)):
        axis.set_major_locator(FixedLocator(_round_numbers(*limits)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    dress(axes, across, up)


def _aspects(inches: float) -> list[tuple[int, int]]:
    """The shapes whose lines can be told apart where a factor of 10 is so many inches."""
    if inches * abs(float(np.log10(3 / 4))) >= APART:
        return list(ASPECTS)
    wide = [(across, down) for across, down in ASPECTS if {across, down} != {3, 4}]
    return wide if inches * abs(float(np.log10(9 / 16))) >= APART else [(1, 1)]


def _aspect(axes: Axes, ratio: float, name: str, low: float, high: float) -> None:
    """The line of all sizes of one shape, named at its upper end."""
    end = min(high, high * ratio)  # width at the upper or right edge
    halo = {"bbox": {"fc": PAPER, "lw": 0, "pad": 1.5}}
    axes.plot([low, high], [low / ratio, high / ratio], color=RULE, lw=0.8, zorder=1)
    if ratio == 1:
        axes.text(high / 1.03, high / 1.03, name, **lettering(8, MUTED, ha="right", va="top", **halo))
    elif ratio < 1:
        axes.text(end, high / 1.03, name, **lettering(8, MUTED, ha="center", va="top", **halo))
    else:
        axes.text(high / 1.03, high / ratio, name, **lettering(8, MUTED, ha="right", va="center", **halo))


def _histogram(axes: Axes, values: "np.ndarray[tuple[int], np.dtype[np.float64]]", name: str) -> None:
    low, high = _apart(values.min() / 1.1, values.max() * 1.1)
    edges = np.geomspace(low, high, 25)
    counts, _ = np.histogram(values, edges)
    axes.set_axis_on()
    axes.set(xscale="log", xlim=(low, high), ylim=(0, counts.max() * 1.08))
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=BLUE, ec=PAPER, lw=0.5)
    axes.xaxis.set_major_locator(FixedLocator(_round_numbers(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axes.yaxis.set_major_locator(FixedLocator(sorted({0, int(counts.max())})))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    dress(axes, name, "pictures")


def _apart(low: float, high: float) -> tuple[float, float]:
    """The limits, moved apart where they are closer than a factor of 4."""
    middle = float(np.sqrt(low * high))
    return min(low, middle / 2), max(high, middle * 2)


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, ... between two limits, a handful at most. A factor of 4 holds one at least.

    None stands at the very end, where its text would leave the page.
    """
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    every = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    end = high / (high / low) ** 0.02
    inside = [value for value in every if low <= value <= end]
    if len(inside) > 7:
        inside = [value for value in inside if f"{value:e}"[0] == "1"]
    return inside
