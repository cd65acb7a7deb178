"""Numbers that were predicted, and the true ones -> residuals: where a regression is off, and which way."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from ursa.errors import DataError
from ursa.plots.accuracy_by_size import BELOW, LEFT, TOP
from ursa.plots.figure import BLUE, MUTED, ORANGE, RULE, WIDTH, Figure, TickNumbers, dress, fit, place, write
from ursa.plots.grid import MARGIN

HEIGHT = 2.6  # inches
PARTS = 10  # of the predictions, by size: the middle residual of each says whether errors go one way there
FEW = 5  # points of a part, below which nothing is said


def residuals(predicted: npt.ArrayLike, true: npt.ArrayLike, name: str = "") -> Figure:
    """predicted [N], true [N] -> true minus predicted against predicted, with the middle of each tenth.

    A cloud around zero is what is wanted; a bend is what the model has not learned, a funnel says where it is unsure.
    Raises DataError for arrays that do not fit together, and for numbers that are none.
    """
    ahead, given = (np.asarray(values, np.float64).squeeze() for values in (predicted, true))
    if ahead.shape != given.shape or ahead.ndim != 1 or len(ahead) < 2:
        found = f"{list(ahead.shape)} and {list(given.shape)}"
        raise DataError(
            "residuals are of as many predictions as true numbers, one each", found=found, fix="pass [N], [N]"
        )
    if not (np.isfinite(ahead).all() and np.isfinite(given).all()):
        raise DataError("residuals are of numbers", found="NaN or infinite ones", fix="leave those examples out")
    off = given - ahead
    figure = Figure(WIDTH, TOP + HEIGHT + BELOW)
    write(
        figure, MARGIN, MARGIN - 0.02, fit(f"Residuals{f' of {name}' if name else ''}", 4.5, 11), size=11, weight="bold"
    )
    write(figure, MARGIN, MARGIN + 0.24, fit(_words(off, given), WIDTH - 2 * MARGIN, 8.5), size=8.5, color=MUTED)
    axes = place(figure, LEFT, TOP, WIDTH - LEFT - MARGIN, HEIGHT)
    axes.set_axis_on()
    dress(axes, "predicted", "true - predicted")
    axes.axhline(0, color=RULE, lw=1.5, zorder=1)
    axes.plot(ahead, off, "o", color=BLUE, ms=3, alpha=0.5, mew=0, zorder=2, rasterized=len(off) > 5000)
    middles = _middles(ahead, off)
    if len(middles) > 1:
        axes.plot(*np.transpose(middles), color=ORANGE, lw=1.8, marker="o", ms=4, zorder=3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(TickNumbers(4))
    return figure


def _words(off: npt.NDArray[Any], given: npt.NDArray[Any]) -> str:
    spread = float(((given - given.mean()) ** 2).sum())
    explained = f"R2 {1 - float((off**2).sum()) / spread:.3g}, " if spread else ""
    return f"{explained}mean absolute error {np.abs(off).mean():.3g}, mean error {off.mean():+.3g}"


def _middles(ahead: npt.NDArray[Any], off: npt.NDArray[Any]) -> Sequence[tuple[float, float]]:
    """Of each tenth of the predictions, from small to large: the middle prediction and the middle residual."""
    parts = np.array_split(np.argsort(ahead, kind="stable"), PARTS)
    return [(float(np.median(ahead[rows])), float(np.median(off[rows]))) for rows in parts if len(rows) >= FEW]
