"""A learning-rate range test -> its figure: the loss at each learning rate, where to train, and where it diverges."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from ursa.plots.figure import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    PAPER,
    RED,
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

EDGE, TOP, HIGH, BELOW = 0.42, 0.9, 2.5, 0.62  # inches: beside the numbers, above, of the axes, below them
DARK_RED = "#a34700"  # for words: the colour of areas is too light to read


class Tried(Protocol):
    """A short run up to a rate."""

    @property
    def lr(self) -> float: ...
    @property
    def loss(self) -> float: ...


class RangeTest(Protocol):
    """What `training.lr_finder.find` gives: S rates, R repeats."""

    @property
    def lrs(self) -> F64: ...  # [S]
    @property
    def losses(self) -> F64: ...  # [R, S]
    @property
    def smoothed(self) -> F64: ...  # [R, S]
    @property
    def suggestion(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def diverged_at(self) -> float | None: ...
    @property
    def trials(self) -> Sequence[Tried]: ...


def lr_find(found: RangeTest) -> Figure:
    """The smoothed losses of all repeats (thin) and their median (thick) against the rate, on a logarithmic axis.

    The suggestion is a line, its spread over the repeats a band; rates at which the loss diverges are shaded; where the
    suggestion was confirmed, dots show what the trials came to.
    """
    figure = Figure(WIDTH, TOP + HIGH + BELOW)
    wide = WIDTH - 2 * MARGIN
    write(figure, MARGIN, MARGIN - 0.02, f"Learning rate {found.suggestion:.2g}", size=11, weight="bold")
    for number, line in enumerate(_said(found)):
        write(figure, MARGIN, MARGIN + 0.24 + 0.18 * number, fit(line, wide, 8.5), size=8.5, color=MUTED)
    limits, ticks = _limits(found), MaxNLocator(5)
    numbers = TickNumbers(3)
    left = EDGE + max(width_of(text, 8.5) for text in numbers.format_ticks(ticks.tick_values(*limits)))
    axes = place(figure, left, TOP, WIDTH - left - MARGIN, HIGH)
    axes.set_axis_on()
    dress(axes, "learning rate", "loss")
    axes.set(xscale="log", xlim=(found.lrs[0], found.lrs[-1]), ylim=limits)
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(ticks)
    axes.yaxis.set_major_formatter(numbers)
    shown = found.lrs <= (math.inf if found.diverged_at is None else found.diverged_at)
    axes.plot(found.lrs[shown], found.smoothed[:, shown].T, color=SKY, lw=0.9, zorder=2)
    axes.plot(found.lrs[shown], np.median(found.smoothed, 0)[shown], color=BLUE, lw=2.2, zorder=3)
    axes.axvspan(found.low, found.high, color=GREEN, alpha=0.18, lw=0, zorder=1)
    axes.axvline(found.suggestion, color=GREEN, lw=1.5, zorder=4)
    if found.diverged_at is not None:
        axes.axvspan(found.diverged_at, found.lrs[-1], color=RED, alpha=0.12, lw=0, zorder=0)
        style = lettering(8, DARK_RED, va="bottom", ha="right", transform=axes.transAxes)
        axes.text(1, 1.02, "diverges", **style)  # above, where nothing else is
    trials = [(trial.lr, trial.loss) for trial in found.trials if math.isfinite(trial.loss)]
    axes.plot(*zip(*trials, strict=True) if trials else ((), ()), "o", ms=5, color=INK, mec=PAPER, zorder=5)
    return figure


def _said(found: RangeTest) -> list[str]:
    repeats, runs = len(found.smoothed), len(found.trials)
    spread = f"{found.low:.2g} to {found.high:.2g}"
    lines = [f"{spread}; thin: {repeats} repeats, thick: their median" if repeats > 1 else f"{spread}; one repeat"]
    if runs:
        diverged = sum(not math.isfinite(trial.loss) for trial in found.trials)
        missing = f"; {diverged} diverged" if diverged else ""
        lines.append(f"dots: held-out loss after {runs} short run{'s' * (runs != 1)} with that max_lr{missing}")
    return lines


def _limits(found: RangeTest) -> tuple[float, float]:
    """Of the losses to show: the start, the fall, the trials, and some of the rise."""
    start = found.smoothed[:, found.lrs <= found.suggestion]
    trials = [trial.loss for trial in found.trials if math.isfinite(trial.loss)]
    low, top = min(found.smoothed.min(), *trials, math.inf), float(start.max())
    high = max(top, min(float(found.smoothed.max()), top + 0.35 * (top - low)), *trials)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 0.1
    return float(low - room), float(high + room)
