"""Numbers -> small SVG charts that need no script and no library, in the page's own colors."""

import html
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ursa.core.text import escaped
from ursa.diagnose.calibration import Reliability

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 260, 62, 20, 12, 48
DOTS = 30  # points of a line up to which each has a dot; more are a worm
POINTS = 400  # of a line; more cannot be told apart at this width

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line of a chart: points from left to right, and where each may as well lie."""

    name: str
    points: Sequence[Point]
    ends: Sequence[Point] = field(default=())  # low and high of each point's interval; or none
    dashed: bool = False  # of what has not been measured


def line_chart(label: str, lines: Sequence[Line], across: str, *, share: bool = False, doubling: bool = False) -> str:
    """Lines over one axis, whose name is `across`; "" for fewer than two places on it.

    label: what a screen reader says; share: numbers are shares, shown in percent; doubling: each doubling takes the
    same width.
    """
    lines = [_thinned(line) for line in lines if line.points]
    places = [x for line in lines for x, _ in line.points]
    if len(set(places)) < 2:
        return ""
    values = [y for line in lines for y in [*(y for _, y in line.points), *itertools.chain(*line.ends)]]
    ticks = _ticks(min(values), max(values), share)
    frame = _Frame(min(places), max(places), ticks[0], ticks[-1], doubling)
    drawn = [frame.grid(ticks, share), frame.numbers(places), _axis_name(across)]
    for number, line in enumerate(lines):
        drawn += _drawn(line, number, frame)
    legend = "".join(f'<span class="key{i}">{text(line.name)}</span>' for i, line in enumerate(lines))
    legend = f'<p class="legend">{legend}</p>' if len(lines) > 1 else ""
    return (
        f'{legend}<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(label)}">'
        f"{''.join(drawn)}</svg>"
    )


def reliability_chart(measured: Reliability) -> str:
    """How sure a model was, and how often it was right; on the diagonal both are the same."""
    accuracy = measured.accuracy
    points = list(zip(measured.confidence.tolist(), [each.value for each in accuracy], strict=True))
    low = min(x for x, _ in points)
    frame = _Frame(min(low, 0.75), 1.0, 0.0, 1.0, False)
    low = frame.left
    ideal = " ".join(f"{x:.1f},{y:.1f}" for x, y in (frame.place(low, low), frame.place(1, 1)))
    drawn = [frame.grid([0, 0.25, 0.5, 0.75, 1], True), f'<polyline class="ideal" points="{ideal}" />']
    for share in _ticks(low, 1.0, True):
        if low - 1e-9 <= share <= 1:
            x, _ = frame.place(share, 0)
            drawn.append(f'<text x="{x:.1f}" y="{HEIGHT - 26}" text-anchor="middle">{_label(share, True)}</text>')
    drawn.append(_axis_name("how sure the model was"))
    ends = [(each.low, each.high) for each in accuracy]
    drawn += [_whisker(x, *each, frame, 0) for (x, _), each in zip(points, ends, strict=True)]
    drawn += [_dot(point, 0, frame) for point in points]
    words = "; ".join(f"{100 * sure:.0f} % sure: {100 * right:.0f} % right" for sure, right in points)
    label = text(f"How sure the model was and how often it was right. {words}")
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'


def text(words: object) -> str:
    """Text from outside, for a page: no markup, and what would be invisible or turn the line around as its code."""
    return html.escape(escaped(words))


def prose(words: object) -> str:
    """As `text`, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text(words))


@dataclass(frozen=True)
class _Frame:
    """Numbers -> places in the SVG."""

    left: float
    right: float
    low: float
    high: float
    doubling: bool

    def place(self, x: float, y: float) -> Point:
        scale = math.log if self.doubling else float
        across = (scale(x) - scale(self.left)) / (scale(self.right) - scale(self.left))
        up = (y - self.low) / (self.high - self.low)
        return LEFT + (WIDTH - LEFT - RIGHT) * across, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * up

    def grid(self, ticks: Sequence[float], share: bool) -> str:
        drawn = []
        for value in ticks:
            y = self.place(self.left, value)[1]
            drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" />')
            drawn.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_label(value, share)}</text>')
        return "".join(drawn)

    def numbers(self, places: Sequence[float]) -> str:
        """Of the axis across: round ones, or, where each doubling takes the same width, of places that there are."""
        if self.doubling:
            shown = _apart(sorted({round(x) for x in places}), self)
        else:
            shown = [x for x in _ticks(self.left, self.right, False, 7) if self.left <= x <= self.right + 1e-9]
            if all(float(x).is_integer() for x in places):
                shown = [x for x in shown if float(x).is_integer()]
        return "".join(
            f'<text x="{self.place(x, self.low)[0]:.1f}" y="{HEIGHT - 26}" text-anchor="middle">{x:,.4g}</text>'
            if x < 1000
            else f'<text x="{self.place(x, self.low)[0]:.1f}" y="{HEIGHT - 26}" text-anchor="middle">{x:,.0f}</text>'
            for x in shown
        )


def _drawn(line: Line, number: int, frame: _Frame) -> list[str]:
    spots = [frame.place(*point) for point in line.points]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    dashes = " dashed" if line.dashed else ""
    drawn = []
    if line.ends and line.dashed:
        drawn += [_whisker(x, *ends, frame, number) for (x, _), ends in zip(line.points, line.ends, strict=True)]
    elif line.ends:
        above = [frame.place(x, high) for (x, _), (_, high) in zip(line.points, line.ends, strict=True)]
        below = [frame.place(x, low) for (x, _), (low, _) in zip(line.points, line.ends, strict=True)]
        around = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*above, *reversed(below)])
        drawn.append(f'<polygon class="band{number}" points="{around}" />')
    drawn.append(f'<polyline class="line{number}{dashes}" points="{way}" />')
    if len(spots) <= DOTS:
        drawn += [_dot(point, number, frame) for point in line.points]
    return drawn


def _dot(point: Point, number: int, frame: _Frame) -> str:
    x, y = frame.place(*point)
    return f'<circle class="line{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5" />'


def _whisker(x: float, low: float, high: float, frame: _Frame, number: int) -> str:
    (at, lower), (_, upper) = frame.place(x, low), frame.place(x, high)
    return f'<line class="line{number} whisker" x1="{at:.1f}" x2="{at:.1f}" y1="{lower:.1f}" y2="{upper:.1f}" />'


def _axis_name(words: str) -> str:
    middle = (LEFT + WIDTH - RIGHT) / 2
    return f'<text class="axis" x="{middle}" y="{HEIGHT - 2}" text-anchor="middle">{text(words)}</text>'


def _apart(places: Sequence[float], frame: _Frame) -> list[float]:
    """Those that have room for their number, from the right, where the newest are."""
    shown: list[float] = []
    for x in reversed(places):
        if not shown or frame.place(shown[-1], frame.low)[0] - frame.place(x, frame.low)[0] > 64:
            shown.append(x)
    return shown


def _thinned(line: Line) -> Line:
    """Finite points, at most POINTS of them, the last one too."""
    rows = [i for i, (x, y) in enumerate(line.points) if math.isfinite(x) and math.isfinite(y)]
    step = max(1, math.ceil(len(rows) / POINTS))
    rows = sorted({*rows[::step], *rows[-1:]})
    return Line(line.name, [line.points[i] for i in rows], [line.ends[i] for i in rows if line.ends], line.dashed)


def _ticks(low: float, high: float, share: bool, most: int = 5) -> list[float]:
    """Round numbers around all values. Shares stay between 0 and 1; what does not change is shown from 0 on."""
    if share and low >= 0 and high <= 1:
        if high - low <= 1e-6:
            low, high = max(0.0, low - 0.1), min(1.0, high + 0.1)
        return [tick for tick in _round_ticks(low, high, most) if -1e-9 <= tick <= 1 + 1e-9]
    if high - low <= 1e-9 * max(abs(low), abs(high)) and low:
        return _round_ticks(min(0.0, 1.25 * low), max(0.0, 1.25 * low), most)
    return _round_ticks(low, high, most)


def _round_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from at most `low` to at least `high`, evenly spaced, about `most` of them."""
    span, size = high - low, max(abs(low), abs(high))
    if span <= max(1e-9 * size, 1e-100):  # flat, as far as float64 and the labels can tell
        span = size / 10 if size > 1e-100 else 1.0
    rough = span / (most - 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(times * unit for times in (1, 2, 2.5, 5, 10) if times * unit >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _label(value: float, share: bool) -> str:
    return f"{100 * value:.4g} %" if share else f"{value:.4g}"


def loss_line(name: str, rows: Sequence[Mapping[str, float]], key: str, across: str = "epoch") -> Line:
    """A column of a history; rows may lack it."""
    return Line(name, [(row[across], row[key]) for row in rows if key in row and across in row])
