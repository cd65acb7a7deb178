"""legible(figure): every text of a figure lies on the page and on no other text; -> the texts, from the top down."""

import itertools
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def legible() -> Callable[..., list[str]]:
    return _legible


def _legible(figure, slack: float = 1.0) -> list[str]:
    """slack: pixels, 200 an inch, by which the boxes of two texts may touch."""
    figure.draw_without_rendering()
    renderer, page = figure.canvas.get_renderer(), figure.bbox
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in _texts(figure) if text.get_text().strip()]
    for words, box in boxes:
        inside = (
            box.x0 >= page.x0 - slack and box.x1 <= page.x1 + slack and box.y0 >= -slack and box.y1 <= page.y1 + slack
        )
        assert inside, f"{words!r} leaves the page: {box.extents} of {page.extents}"
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= slack or down <= slack, f"{one!r} lies on {other!r}"
    return [words for words, _ in sorted(boxes, key=lambda one: -one[1].y1)]


def _texts(figure):
    yield from figure.texts
    for axes in figure.axes:
        yield from axes.texts
        if axes.axison:
            yield from (axes.xaxis.label, axes.yaxis.label)
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                ticks = axis.get_major_ticks()
                yield from (t.label1 for t in ticks if t.label1.get_visible() and low <= t.get_loc() <= high)
        if axes.get_legend() is not None:
            yield from axes.get_legend().get_texts()
