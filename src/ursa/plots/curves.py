"""Schedules and histories of training -> figures of learning rate, losses and metrics. Reads numbers, never trains."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ursa.errors import DataError
from ursa.plots.figure import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    RED,
    RULE,
    SKY,
    WIDTH,
    Figure,
    TickNumbers,
    dress,
    fit,
    lettering,
    place,
    width_of,
    write,
)
from ursa.plots.grid import MARGIN

F64 = npt.NDArray[np.float64]

COLORS = (BLUE, ORANGE, GREEN, RED, SKY, MUTED)
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)))  # from the seventh line, and from the thirteenth on
ENTRY, LINE = 0.34, 0.175  # inches of a legend: an entry beside its words, the height of a row
LEFT, PANEL, GAP, FOOT = 0.72, 1.75, 0.36, 0.52  # inches: room for numbers, height of a panel, between panels, below
POINTS = 1500  # of a line; more cannot be told apart
_TITLE: dict[str, Any] = {"size": 11, "weight": "bold"}
_DOTTED: dict[str, Any] = {"lw": 1.4, "marker": "o", "ms": 3.5, "clip_on": False}
_DOTS = 30  # epochs up to which each has a dot; of more they make a worm
NOT_METRICS = ("epoch", "train_loss", "valid_loss", "seconds")


class HistoryLike(Protocol):
    """What happened in a run."""

    @property
    def steps(self) -> Sequence[Mapping[str, float]]:
        """{"step", "epoch", "loss", "lr"} each, maybe "momentum"."""

    @property
    def epochs(self) -> Sequence[Mapping[str, float]]:
        """{"epoch", "train_loss", "valid_loss", ..., "seconds"} each; the first may be from before the first step."""


def schedule(schedule: Callable[[float], float] | Mapping[str, Callable[[float], float]], steps: int = 200) -> Figure:
    """A schedule, or several by name, over the run: the factor on max_lr (or a momentum) at each step."""
    several = schedule if isinstance(schedule, Mapping) else {"": schedule}
    if not several or steps < 2:
        raise DataError("there is no schedule to draw", found=f"{len(several)} schedules, {steps} steps")
    top = MARGIN + 0.24 + LINE * max(1, _legend_rows([name for name in several if name]))
    figure = Figure(WIDTH, top + PANEL + FOOT)
    words = "Schedule" if len(several) == 1 else "Schedules"
    write(figure, MARGIN, MARGIN - 0.02, words, **_TITLE)
    axes = _panel(figure, top, "factor")
    done = np.linspace(0, 1, steps)
    for number, (name, of) in enumerate(several.items()):
        factors = [of(float(share)) for share in done]
        axes.plot(100 * done, factors, lw=1.6, label=name, **_style(number))
    axes.set(xlim=(0, 100))
    if any(several):
        _legend(axes)
    _across(axes, "progress of the run, %")
    return figure


def history(history: HistoryLike) -> Figure:
    """Losses, metrics and learning rate of a run, one above the other over its epochs.

    Steps' losses are drawn light, and dark smoothed over about 2 % of the run; the validation loss and the
    metrics stand where their epoch ended. Raises DataError for a run that has not begun.
    """
    if not history.steps and not history.epochs:
        raise DataError("there is nothing to draw", found="a history without steps", fix="train first")
    metrics = _metrics(history.epochs)
    settings = [name for name in ("lr", "momentum") if any(name in step for step in history.steps)]
    panels = [("loss", 1.35), *((", ".join(names), 1.0) for names in metrics), *((name, 0.6) for name in settings)]
    top, heights = MARGIN + 0.62, [PANEL * share for _, share in panels]
    legends = [0, *(_legend_rows(names) for names in metrics), *(0 for _ in settings)]
    gaps = [max(GAP, LINE * rows + 0.1) if place_ else 0.0 for place_, rows in enumerate(legends)]
    figure = Figure(WIDTH, top + sum(heights) + sum(gaps) + FOOT)
    write(figure, MARGIN, MARGIN - 0.02, _title(history), **_TITLE)
    write(figure, MARGIN, MARGIN + 0.24, _outcome(history), color=MUTED)
    axes, places = [], _places(history.steps)
    for (name, _), height, gap in zip(panels, heights, gaps, strict=True):
        known = name in ("loss", *settings) or len(name) <= 16
        top += gap
        axes.append(_panel(figure, top, name if known else "metrics", height))
        top += height
    _losses(axes[0], history, places)
    for panel, names in zip(axes[1:], metrics, strict=False):
        _lines(panel, history.epochs, names)
    for panel, name in zip(axes[1 + len(metrics) :], settings, strict=True):
        kept = _thin(len(places))
        values = _column(history.steps, name)
        panel.plot(places[kept], values[kept], color=BLUE, lw=1.4)
        _from_nothing(panel, values)
        panel.yaxis.set_major_locator(MaxNLocator(3))
    last = max([float(epoch["epoch"]) for epoch in history.epochs] + [float(place_) for place_ in places[-1:]])
    last = last or 1.0  # evaluated, not yet trained
    for panel in axes:
        panel.set(xlim=(0, last))
        panel.tick_params(labelbottom=panel is axes[-1])
    axes[-1].xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10], integer=last >= 2))
    _across(axes[-1], "epochs")
    return figure


def smooth(values: Sequence[float] | F64, over: float) -> F64:
    """[N] -> [N]: exponential mean over about `over` values, unbiased from the first on (Kingma and Ba 2015).

    Values that are not finite are left out.
    """
    kept = 1 - 1 / max(1.0, over)
    mean, weight = 0.0, 0.0
    out = np.empty(len(values))
    for i, value in enumerate(map(float, values)):
        if math.isfinite(value):
            mean, weight = kept * mean + (1 - kept) * value, kept * weight + (1 - kept)
        out[i] = mean / weight if weight else math.nan
    return out


def _losses(axes: Axes, history: HistoryLike, places: F64) -> None:
    """By step light, smoothed, and by epoch."""
    raw = _column(history.steps, "loss")
    soft = smooth(raw, len(raw) / 40)
    kept = _thin(len(raw))
    axes.plot(places[kept], raw[kept], color=SKY, lw=0.7, alpha=0.6)
    axes.plot(places[kept], soft[kept], color=BLUE, lw=1.6, label="training")
    valid = [epoch for epoch in history.epochs if "valid_loss" in epoch]
    heights = _column(valid, "valid_loss")
    if valid:
        axes.plot(_column(valid, "epoch"), heights, color=ORANGE, label="validation", **_dotted(len(valid)))
        _legend(axes)
    finite = raw[np.isfinite(raw)]
    usual = np.quantile(finite, (0.02, 0.98)) if len(finite) else finite  # single wild steps would squeeze all else
    shown = np.concatenate([soft, heights, usual])
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        return
    low, high = float(shown.min()), float(shown.max())
    if 0 < 50 * low < high:
        axes.set(yscale="log", ylim=(low / 1.3, high * 1.3))
    else:
        flat = 0.005 * max(abs(low), abs(high)) or 0.01  # a loss that stands still is drawn as one
        margin = max(0.08 * (high - low), flat - (high - low) / 2)
        axes.set_ylim(0 if 0 <= low < margin else low - margin, high + margin)


def _dotted(count: int) -> dict[str, Any]:
    """How the line of a metric is drawn that was measured `count` times."""
    return _DOTTED if count <= _DOTS else {"lw": 1.4, "clip_on": False}


def _from_nothing(axes: Axes, values: F64) -> None:
    """What does not change is shown against zero: its own last digits are no axis."""
    known = values[np.isfinite(values)]
    if len(known) and known.min() > 0 and known.max() - known.min() <= 1e-6 * known.max():
        axes.set_ylim(0, 1.25 * float(known.max()))


def _lines(axes: Axes, epochs: Sequence[Mapping[str, float]], names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        rows = [epoch for epoch in epochs if name in epoch]
        axes.plot(_column(rows, "epoch"), _column(rows, name), label=name, **_dotted(len(rows)), **_style(number))
    axes.margins(y=0.12)
    if len(names) > 1:
        _legend(axes)


def _metrics(epochs: Sequence[Mapping[str, float]]) -> list[list[str]]:
    """Metrics by panel: all that stay between 0 and 1 together, the others each by itself."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch if name not in NOT_METRICS))
    values = {name: [epoch[name] for epoch in epochs if math.isfinite(epoch.get(name, math.nan))] for name in names}
    shares = [name for name in names if values[name] and all(0 <= value <= 1 for value in values[name])]
    return [*([shares] if shares else []), *([name] for name in names if name not in shares)]


def _title(history: HistoryLike) -> str:
    epochs, steps = max([0, *(int(epoch["epoch"]) for epoch in history.epochs)]), len(history.steps)
    return f"{epochs:,} epoch{'s' * (epochs != 1)}, {steps:,} step{'s' * (steps != 1)}"


def _outcome(history: HistoryLike) -> str:
    """The last epoch's numbers in a line, as many as there is room for."""
    last = history.epochs[-1] if history.epochs else {}
    called = {"train_loss": "training loss", "valid_loss": "validation loss"}
    said = ""
    for name in last:
        more = f"{said or 'at the end'}{',' if said else ':'} {called.get(name, name)} {last[name]:.4g}"
        if name not in ("epoch", "seconds") and width_of(more) <= WIDTH - 2 * MARGIN:
            said = more
    return said or "no epoch was completed"


def _places(steps: Sequence[Mapping[str, float]]) -> F64:
    """Steps -> epochs that are done after each, with fractions."""
    if not steps:
        return np.zeros(0)
    epochs = _column(steps, "epoch")
    per_epoch = int(np.unique(epochs, return_counts=True)[1].max())
    return _column(steps, "step") / per_epoch


def _thin(count: int) -> npt.NDArray[np.int64]:
    """Rows that are drawn: all of few, else evenly spaced ones, the last too."""
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(np.int64))


def _column(rows: Sequence[Mapping[str, float]], name: str) -> F64:
    return np.array([float(row.get(name, math.nan)) for row in rows])


def _panel(figure: Figure, top: float, name: str, height: float = PANEL) -> Axes:
    """Axes with their name on the left, two quiet lines instead of a box, and a light grid across."""
    axes = place(figure, LEFT, top, WIDTH - LEFT - MARGIN, height)
    axes.set_axis_on()
    dress(axes, up=fit(name, height))
    axes.yaxis.set_label_coords(-0.55 / (WIDTH - LEFT - MARGIN), 0.5)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(TickNumbers(4))
    axes.grid(axis="y", color=RULE, lw=0.5, alpha=0.7)
    axes.set_axisbelow(True)
    return axes


def _across(axes: Axes, name: str) -> None:
    axes.set_xlabel(name, **lettering(9, MUTED))


def _style(number: int) -> dict[str, Any]:
    """How a line among several is drawn: another color, and where there are none left another dash."""
    return {"color": COLORS[number % len(COLORS)], "ls": DASHES[number // len(COLORS) % len(DASHES)]}


def _legend_columns(names: Sequence[str]) -> int:
    """How many entries of a legend stand side by side."""
    widest = max((ENTRY + width_of(name, 8.5) for name in names), default=0.0)
    return max(1, min(3, len(names), int((WIDTH - LEFT - MARGIN) / widest) if widest else 1))


def _legend_rows(names: Sequence[str]) -> int:
    return math.ceil(len(names) / _legend_columns(names)) if len(names) > 1 else 0


def _legend(axes: Axes) -> None:
    """The legend, in as few lines as it takes, above the panel."""
    labels = axes.get_legend_handles_labels()[1]
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.97),
        ncols=_legend_columns(labels),
        frameon=False,
        borderaxespad=0.1,
        handlelength=1.2,
        columnspacing=1.2,
        labelcolor=MUTED,
        prop={"size": 8.5, "family": "DejaVu Sans"},
    )
