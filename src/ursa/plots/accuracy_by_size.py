"""A learning curve and its forecast -> their figure: accuracy by the number of pictures learned from."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from ursa.core.statistics import Estimate
from ursa.plots.figure import BLUE, MUTED, ORANGE, SKY, WIDTH, Figure, dress, fit, place, write
from ursa.plots.grid import MARGIN

LEFT, TOP, HIGH, BELOW = 0.72, 0.72, 2.4, 0.58  # inches: beside and above the axes, their height, below them


class Measured(Protocol):
    """What `diagnose` measures at S sizes."""

    @property
    def sizes(self) -> npt.NDArray[np.float64]: ...  # [S] pictures
    @property
    def draws(self) -> int: ...
    def accuracy(self) -> Sequence[Estimate]: ...  # [S]


class Ahead(Protocol):
    """What it forecasts."""

    @property
    def times(self) -> float: ...
    @property
    def accuracy(self) -> Estimate: ...


def learning_curve(curve: Measured, forecasts: Sequence[Ahead] = ()) -> Figure:
    """Accuracy with its 95 % intervals at each size, on a logarithmic axis; forecasts in orange, if any."""
    figure = Figure(WIDTH, TOP + HIGH + BELOW)
    write(figure, MARGIN, MARGIN - 0.02, "Accuracy by the number of pictures", size=11, weight="bold")
    words = f"mean of {curve.draws} draws, held-out pictures; bars: 95 % intervals"
    words += "; orange: forecast" if forecasts else ""
    write(figure, MARGIN, MARGIN + 0.24, fit(words, WIDTH - 2 * MARGIN, 8.5), size=8.5, color=MUTED)
    axes = place(figure, LEFT, TOP, WIDTH - LEFT - MARGIN, HIGH)
    axes.set_axis_on()
    dress(axes, "pictures learned from", "accuracy")
    measured, ahead = curve.accuracy(), [each.accuracy for each in forecasts]
    sizes = [float(size) for size in curve.sizes]
    more = [sizes[-1] * each.times for each in forecasts]
    draw_intervals(axes, sizes, measured, SKY)
    axes.plot(sizes, [each.value for each in measured], "-o", color=BLUE, lw=1.6, ms=4)
    if ahead:
        draw_intervals(axes, more, ahead, ORANGE)
        path = [measured[-1].value, *(each.value for each in ahead)]
        axes.plot([sizes[-1], *more], path, "--", color=ORANGE, lw=1.4)
        axes.plot(more, path[1:], "o", color=ORANGE, ms=4)
    ends = [end for each in (*measured, *ahead) for end in (each.low, each.high)]
    axes.set(xscale="log", xlim=(0.85 * sizes[0], 1.2 * max([*sizes, *more])), ylim=(min(ends) - 0.02, 1.0))
    axes.set_xticks([*sizes[::2], *more])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    return figure


def draw_intervals(axes: Axes, places: Sequence[float], estimates: Sequence[Estimate], color: str) -> None:
    """A vertical bar for the 95 % interval of each estimate."""
    axes.vlines(places, [each.low for each in estimates], [each.high for each in estimates], color=color, lw=2.5)
