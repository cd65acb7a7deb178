"""Nodes and edges -> places on a page: rows from top to bottom, long edges beside the boxes, never through them.

In the manner of Sugiyama et al. 1981: rows by longest path, bends where an edge passes a row, order in a row by the
mean place of the neighbours, places by weighted least squares with the order kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 26  # px between neighbours in a row
STIFF = {True: 100.0, False: 1.0}  # how hard a box, and how hard a bend, is to push aside
SWEEPS = 12


@dataclass(frozen=True)
class Layout:
    """Where everything lies: middles in px from the left; rows count from 0 at the top."""

    rows: tuple[int, ...]  # of each box
    places: tuple[float, ...]  # of each box
    bends: dict[tuple[int, int], tuple[float, ...]]  # edge -> where it passes each row between its ends
    width: float


def layout(widths: Sequence[float], sources: Sequence[Sequence[int]]) -> Layout:
    """Boxes, each with its width and its sources (numbers of earlier boxes) -> their places."""
    rows: list[int] = []
    for mine in sources:
        rows.append(max((rows[source] + 1 for source in mine), default=0))
    items, above, chains = _with_bends(rows, sources)
    below: list[list[int]] = [[] for _ in items]
    for number, mine in enumerate(above):
        for source in mine:
            below[source].append(number)
    sizes = [*widths, *([8.0] * (len(items) - len(widths)))]
    grid: list[list[int]] = [[] for _ in range(max(rows, default=0) + 1)]
    for number, row in enumerate(items):
        grid[row].append(number)
    place = [0.0] * len(items)
    for row_items in grid:  # boxes first, their bends to the right of them
        _settle(row_items, dict.fromkeys(row_items, 0.0), sizes, len(widths), place)
    for sweep in range(SWEEPS):
        near = above if sweep % 2 == 0 else below
        for row_items in grid if sweep % 2 == 0 else reversed(grid):
            wanted = {number: _mean(number, near, place, len(widths)) for number in row_items}
            if sweep < SWEEPS // 2:
                row_items.sort(key=lambda number: wanted[number] + (0.0 if number < len(widths) else 1.0))
            _settle(row_items, wanted, sizes, len(widths), place)
    left = min((x - size / 2 for x, size in zip(place, sizes, strict=True)), default=0.0)
    right = max((x + size / 2 for x, size in zip(place, sizes, strict=True)), default=0.0)
    moved = [x - left for x in place]
    bends = {edge: tuple(moved[number] for number in chain) for edge, chain in chains.items()}
    return Layout(tuple(rows), tuple(moved[: len(widths)]), bends, right - left)


def _with_bends(
    rows: Sequence[int], sources: Sequence[Sequence[int]]
) -> tuple[list[int], list[list[int]], dict[tuple[int, int], list[int]]]:
    """Row of each box and bend, what each hangs on, and the bends of each edge."""
    items = list(rows)
    above: list[list[int]] = [[] for _ in rows]
    chains: dict[tuple[int, int], list[int]] = {}
    for number, mine in enumerate(sources):
        for source in mine:
            last, chain = source, []
            for row in range(rows[source] + 1, rows[number]):
                items.append(row)
                above.append([last])
                last = len(items) - 1
                chain.append(last)
            above[number].append(last)
            chains[source, number] = chain
    return items, above, chains


def _mean(number: int, near: Sequence[Sequence[int]], place: Sequence[float], boxes: int) -> float:
    """The mean place of the neighbours, boxes before bends; where it is if there are none."""
    weights = [(place[other], STIFF[other < boxes]) for other in near[number]]
    return sum(x * w for x, w in weights) / sum(w for _, w in weights) if weights else place[number]


def _settle(
    row: Sequence[int], wanted: dict[int, float], sizes: Sequence[float], boxes: int, place: list[float]
) -> None:
    """As near as possible to where each wants to be, in this order and apart: isotonic regression by pooling."""
    offsets, end = [], 0.0
    for number in row:
        offsets.append(end + sizes[number] / 2)
        end += sizes[number] + GAP
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for number, offset in zip(row, offsets, strict=True):
        mean, weight, members = wanted[number] - offset, STIFF[number < boxes], 1
        while pools and pools[-1][0] >= mean:
            other, its, more = pools.pop()
            mean, weight, members = (mean * weight + other * its) / (weight + its), weight + its, members + more
        pools.append((mean, weight, members))
    shifts = [mean for mean, _, members in pools for _ in range(members)]
    for number, offset, shift in zip(row, offsets, shifts, strict=True):
        place[number] = offset + shift
