"""How well each class is told from the others -> ROC and precision-recall curves, with the points that costs imply."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator

from ursa.core.statistics import Estimate
from ursa.errors import DataError
from ursa.plots.figure import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    PURPLE,
    RED,
    RULE,
    SKY,
    WIDTH,
    Figure,
    dress,
    fit,
    place,
    write,
)
from ursa.plots.grid import MARGIN

F64 = npt.NDArray[np.float64]

COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)  # classes beyond the sixth are gray
LINES = ("-", "--", "-.", ":")  # beside the colors, for eyes and printers that do not tell them apart
NAMED = 12  # classes in the legend: those with points, then the worst


class Point(Protocol):
    """As `ursa.diagnose.operating_points.OperatingPoint`, of which figures know nothing."""

    @property
    def recall(self) -> Estimate: ...
    @property
    def precision(self) -> Estimate: ...
    @property
    def false_alarms(self) -> Estimate: ...


class Curves(Protocol):
    """As `ursa.diagnose.operating_points.ClassCurves`."""

    @property
    def name(self) -> str: ...
    @property
    def recall(self) -> F64: ...
    @property
    def false_alarms(self) -> F64: ...
    @property
    def precision(self) -> F64: ...
    @property
    def auc(self) -> Estimate: ...
    @property
    def average_precision(self) -> Estimate: ...
    @property
    def point(self) -> Point | None: ...


def roc(curves: Sequence[Curves]) -> Figure:
    """Recall against false alarms, a curve a class with the area under it; dots where the costs put the threshold."""
    known = _known(curves)
    areas = [each.auc for each in known]
    figure, axes, drawn = _frame("ROC curves", known, areas, "area under the curve", "false alarms among the others")
    axes.plot((0, 1), (0, 1), color=RULE, lw=1.2, zorder=1)
    for one, style in drawn:
        axes.plot([0, *one.false_alarms], [0, *one.recall], **style)
        if one.point is not None:
            _dot(axes, one.point.false_alarms.value, one.point.recall.value, style["color"])
    return figure


def precision_recall(curves: Sequence[Curves]) -> Figure:
    """Precision against recall, a curve a class with its average precision; dots where the costs put the threshold."""
    known = _known(curves)
    areas = [each.average_precision for each in known]
    figure, axes, drawn = _frame("Precision and recall", known, areas, "average precision", "recall", "precision")
    for one, style in drawn:
        axes.plot(one.recall, one.precision, drawstyle="steps-pre", **style)
        if one.point is not None:
            _dot(axes, one.point.recall.value, one.point.precision.value, style["color"])
    return figure


def _known(curves: Sequence[Curves]) -> list[Curves]:
    """Those with pictures. Raises DataError where there are none."""
    known = [each for each in curves if each.auc.value == each.auc.value]
    if not known:
        raise DataError(
            "there is no class with pictures of it and of others", fix="judge on labeled pictures of several"
        )
    return sorted(known, key=lambda each: (each.point is None, each.auc.value))


def _frame(
    title: str, known: list[Curves], areas: list[Estimate], area: str, across: str, up: str = "recall"
) -> tuple[Figure, Axes, list[tuple[Curves, dict[str, Any]]]]:
    """The figure with its axes and legend, and each class with how it is drawn, the least important first."""
    left, top, side = 0.72, 0.62, WIDTH - 0.72 - 0.3
    shown = known[:NAMED]
    figure = Figure(WIDTH, top + side + 0.58 + 0.2 * (len(shown) + (len(known) > NAMED)) + MARGIN)
    write(figure, MARGIN, MARGIN - 0.02, title, size=11, weight="bold")
    dots = "; dots: where the costs put the threshold" if any(each.point is not None for each in known) else ""
    note = f"one class against the others{dots}"
    write(figure, MARGIN, MARGIN + 0.24, fit(note, WIDTH - 2 * MARGIN, 8.5), size=8.5, color=MUTED)
    axes = place(figure, left, top, side, side)
    axes.set_axis_on()
    dress(axes, across, up)
    axes.set(xlim=(0, 1), ylim=(0, 1.005))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(0.25))
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    drawn: list[tuple[Curves, dict[str, Any]]] = []
    row = top + side + 0.58
    for number, (one, estimate) in enumerate(zip(known, areas, strict=True)):
        color = COLORS[number] if number < len(COLORS) else MUTED
        style: dict[str, Any] = {"color": color, "ls": LINES[number % len(LINES)], "lw": 1.6, "zorder": 3}
        if number >= len(COLORS):
            style |= {"lw": 0.9, "zorder": 2}
        drawn.insert(0, (one, style))
        if number < NAMED:
            key = place(figure, left, row + 0.07, 0.3, 0.02)
            key.plot((0, 1), (0, 0), color=color, ls=style["ls"], lw=style["lw"], clip_on=False)
            said = f"  {area} {100 * estimate.value:.1f} % ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"
            room = WIDTH - left - 0.4 - MARGIN
            write(figure, left + 0.4, row, fit(f"{one.name}{said}", room, 8.5), size=8.5)
            row += 0.2
    if len(known) > NAMED:
        write(figure, left + 0.4, row, f"and {len(known) - NAMED} more classes that are told apart better", size=8.5)
    return figure, axes, drawn


def _dot(axes: Axes, across: float, up: float, color: str) -> None:
    axes.plot([across], [up], "o", color=color, mec="white", mew=1.2, ms=8, zorder=5, clip_on=False)
