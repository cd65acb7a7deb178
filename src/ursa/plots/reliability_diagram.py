"""How sure a model was, how often it was right -> the reliability diagram."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ursa.core.statistics import Estimate
from ursa.plots.accuracy_by_size import BELOW, LEFT, TOP, draw_intervals
from ursa.plots.figure import BLUE, MUTED, RULE, SKY, WIDTH, Figure, dress, fit, place, write
from ursa.plots.grid import MARGIN


class Bins(Protocol):
    """What `diagnose.calibration` measures in B bins."""

    @property
    def confidence(self) -> npt.NDArray[np.float64]: ...  # [B]
    @property
    def accuracy(self) -> Sequence[Estimate]: ...  # [B]
    @property
    def error(self) -> float: ...
    @property
    def floor(self) -> float: ...


def reliability(measured: Bins) -> Figure:
    """Share that is right against the mean probability, bin by bin with 95 % intervals: a diagonal, if calibrated."""
    side = WIDTH - LEFT - 0.32  # inches: half of "100 %" stands to the right of the axes
    figure = Figure(WIDTH, TOP + side + BELOW)
    write(figure, MARGIN, MARGIN - 0.02, "Reliability", size=11, weight="bold")
    words = f"calibration error {100 * measured.error:.1f} %, by chance alone {100 * measured.floor:.1f} %"
    write(figure, MARGIN, MARGIN + 0.24, fit(words, WIDTH - 2 * MARGIN, 8.5), size=8.5, color=MUTED)
    axes = place(figure, LEFT, TOP, side, side)
    axes.set_axis_on()
    dress(axes, "probability of the likeliest class", "share that is right")
    low = max(0.0, min([*measured.confidence.tolist(), *(each.low for each in measured.accuracy)]) - 0.02)
    axes.plot((low, 1), (low, 1), color=RULE, lw=1.5, zorder=1)
    draw_intervals(axes, measured.confidence.tolist(), measured.accuracy, SKY)
    axes.plot(
        measured.confidence,
        [each.value for each in measured.accuracy],
        "o",
        color=BLUE,
        ms=4.5,
        zorder=3,
        clip_on=False,
    )
    axes.set(xlim=(low, 1), ylim=(low, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    return figure
