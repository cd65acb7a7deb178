"""Numbers -> small SVG and HTML charts that need no script and no library."""

import html
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ursa.core.text import escaped

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 240, 64, 32

NAMES = {"train_loss": "training", "valid_loss": "validation", "accuracy": "accuracy"}


def curves(title: str, rows: Sequence[Mapping[str, float]], keys: Sequence[str]) -> str:
    """One line a key over `epoch`; empty for fewer than two rows. Rows may lack a key."""
    lines = {key: [(row["epoch"], row[key]) for row in rows if key in row] for key in keys}
    lines = {key: points for key, points in lines.items() if points}
    values = [value for points in lines.values() for _, value in points]
    if len(rows) < 2 or not values:
        return ""
    ticks, last = _round_ticks(min(values), max(values)), max(row["epoch"] for row in rows)
    low, high = ticks[0], ticks[-1]

    def place(epoch: float, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - 12) * epoch / last
        return x, (HEIGHT - BOTTOM) - (HEIGHT - BOTTOM - 14) * (value - low) / (high - low)

    drawn = []
    for value in ticks:
        _, y = place(0, value)
        drawn.append(f"<line class=grid x1={LEFT} x2={WIDTH - 12} y1={y:.1f} y2={y:.1f} />")
        drawn.append(f"<text x={LEFT - 8} y={y + 4:.1f} text-anchor=end>{_label(value, keys)}</text>")
    for epoch in range(0, int(last) + 1, max(1, int(last) // 10)):
        x, _ = place(epoch, low)
        drawn.append(f"<text x={x:.1f} y={HEIGHT - 8} text-anchor=middle>{epoch}</text>")
    for number, points in enumerate(lines.values()):
        spots = [place(*point) for point in points]
        drawn.append(f"<polyline class=line{number} points='{' '.join(f'{x:.1f},{y:.1f}' for x, y in spots)}' />")
        drawn += [f"<circle class=line{number} cx={x:.1f} cy={y:.1f} r=3.5 />" for x, y in spots]
    legend = "".join(f"<span class=key{i}>{text(NAMES.get(key, key))}</span>" for i, key in enumerate(lines))
    legend = f"<p class=legend>{legend}</p>" if len(lines) > 1 else ""
    svg = f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{text(title)}'>{''.join(drawn)}</svg>"
    return f"<section><h2>{text(title)}</h2>{legend}{svg}</section>"


def matrix(counts: npt.NDArray[np.int64], names: Sequence[str]) -> str:
    """confusion [K, K] -> a table: rows the label, columns the predicted class, shaded by the share of the row."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    head = "".join(f"<th scope=col><span>{text(name)}</span></th>" for name in names)
    body = []
    for i, name in enumerate(names):
        cells = "".join(
            f"<td class={'hit' if i == j else 'miss'} style='--s:{share[i, j]:.3f}'>{counts[i, j] or ''}</td>"
            for j in range(len(names))
        )
        body.append(f"<tr><th scope=row>{text(name)}</th>{cells}</tr>")
    corner = "<th class=corner>label \\ predicted</th>"
    return f"<div class=scroll><table class=matrix><tr>{corner}{head}</tr>{''.join(body)}</table></div>"


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


def _label(value: float, keys: Sequence[str]) -> str:
    return f"{100 * value:.4g} %" if tuple(keys) == ("accuracy",) else f"{value:.4g}"


def text(words: object) -> str:
    """Text from outside, for a page: no markup, and what would be invisible or turn the line around as its code."""
    return html.escape(escaped(words))
