"""Tiles in rows: in order, beside each other, inside the page; what cannot be read stands as its reason."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.errors import DataError
from ursa.plots.figure import DPI, WIDTH, Figure
from ursa.plots.grid import GAP, MARGIN, NARROWEST, _columns, draw, extent_of, grid
from ursa.plots.reading import Tile


def tile(width=40, height=30, title="", problem=None, value=128):
    pixels = None if problem else np.full((height, width, 3), value, np.uint8)
    return Tile(pixels, title, problem)


def boxes(figure):
    """Inches from the upper left corner: (left, top, width, height) of each tile in order."""
    high = figure.get_size_inches()[1]
    found = [axes.get_window_extent() for axes in figure.axes]
    return [(b.x0 / DPI, high - b.y1 / DPI, b.width / DPI, b.height / DPI) for b in found]


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0.5, 5), st.floats(0.5, 5))
def test_a_picture_lies_in_its_box_with_its_shape_kept_unless_it_is_nearly_a_line(width, height, wide, high):
    across, down = extent_of(np.empty((height, width, 0)), wide, high)
    assert 0 < across <= wide + 1e-9 and 0 < down <= high + 1e-9
    assert math.isclose(across, wide) or math.isclose(down, high)  # as large as it may be
    ratio = width / height
    assert across / down == pytest.approx(min(max(ratio, NARROWEST), 1 / NARROWEST))


@pytest.mark.parametrize(
    ("count", "columns"),
    [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (6, 3), (7, 3), (9, 3), (10, 4), (32, 4), (33, 6), (64, 6)],
)
def test_as_many_columns_as_a_phone_can_show(count, columns):
    assert _columns(count) == columns


SHAPES = st.tuples(st.integers(5, 60), st.integers(5, 60))


@settings(max_examples=12)
@given(st.lists(SHAPES, min_size=1, max_size=10), st.none() | st.integers(1, 6), st.booleans(), st.booleans())
def test_tiles_stand_in_order_apart_and_on_the_page(shapes, columns, titled, noted):
    figure = grid([tile(*shape, title="t" * titled) for shape in shapes], columns, "a note" * noted)
    wide, high = figure.get_size_inches()
    assert wide == pytest.approx(WIDTH)
    found = boxes(figure)
    assert len(found) == len(shapes)
    for left, top, width, height in found:
        assert left >= MARGIN - 1e-6 and left + width <= wide - MARGIN + 1e-6
        assert top >= MARGIN - 1e-6 and top + height <= high - MARGIN + 1e-6
    for (a, b, c, d), (e, f, g, h) in itertools.combinations(found, 2):
        assert a + c <= e + 1e-6 or e + g <= a + 1e-6 or b + d <= f + 1e-6 or f + h <= b + 1e-6
    order = [(round(top, 4), round(left, 4)) for left, top, *_ in found]
    assert order == sorted(order)  # row by row, from the left


def test_a_row_is_as_high_as_its_highest_picture_and_pictures_of_a_column_are_as_wide():
    wide, tall = tile(60, 20), tile(20, 60)
    found = boxes(grid([wide, wide, tall, wide], 2))
    cell = (WIDTH - 2 * MARGIN - GAP) / 2
    assert found[0][2:] == (pytest.approx(cell), pytest.approx(cell / 3))
    assert found[2][3] == pytest.approx(1.2 * cell)  # no higher than that
    assert found[2][1] == pytest.approx(found[0][1] + cell / 3 + GAP)


def test_a_title_stands_above_its_picture_and_takes_no_room_where_nobody_has_one(legible):
    figure = grid([tile(title="a"), tile(), tile(title="c"), tile(title="d")], 2)
    assert set(legible(figure)) == {"a", "c", "d"}
    found, high = boxes(figure), figure.get_size_inches()[1]
    for text, number in zip(figure.texts, (0, 2, 3), strict=True):
        left, top = text.get_position()[0] * WIDTH, (1 - text.get_position()[1]) * high
        assert left == pytest.approx(found[number][0])
        assert top < found[number][1] < top + 0.3
    assert found[0][1] == found[1][1]  # a picture without a title stands beside the others
    assert grid([tile()] * 4, 2).get_size_inches()[1] < high


@pytest.mark.parametrize("columns", [1, 2, 4, 6, 20])
def test_long_titles_end_where_their_picture_does(columns, legible):
    figure = grid([tile(title=f"a class with a name that goes on and on {n}") for n in range(columns)], columns)
    legible(figure)
    for text, (left, _, width, _) in zip(figure.texts, boxes(figure), strict=True):
        box = text.get_window_extent()
        assert box.x1 / DPI <= left + width + 0.02 or text.get_text() == "…"


@pytest.mark.parametrize("columns", [1, 3, 6])
def test_what_cannot_be_read_stands_as_its_reason_in_its_place(columns, legible):
    reason = "not a picture: HTML, as a server sends it instead of the picture that was asked for and did not exist"
    figure = grid([tile(40, 40), tile(problem=reason, title="b"), *[tile(40, 40)] * 4], columns)
    legible(figure)
    broken = figure.axes[1]
    (text,) = broken.texts
    box, place = text.get_window_extent(), broken.get_window_extent()
    assert place.x0 <= box.x0 and box.x1 <= place.x1 and place.y0 <= box.y0 and box.y1 <= place.y1
    said = text.get_text()
    assert said.split()[0] == "not" and not broken.images
    assert columns > 1 or said.split() == reason.split()  # whole where there is room
    assert columns == 6 or "…" not in said  # lines end between words


def test_a_tile_without_pixels_and_reason_says_that_it_cannot_be_read():
    (axes,) = grid([Tile(None)]).axes
    assert axes.texts[0].get_text() == "cannot be read"


def test_a_figure_of_broken_files_alone_has_a_height():
    figure = grid([tile(problem="truncated")] * 4)
    assert 1 < figure.get_size_inches()[1] < 6


def test_a_note_is_the_lowest_text_and_is_shortened(legible):
    note = "12 of 1,234 pictures, " * 20
    figure = grid([tile(title="a"), tile(title="b")], 2, note)
    last = legible(figure)[-1]
    assert last.startswith("12 of") and "…" in last


@pytest.mark.parametrize("columns", [0, -1, 21])
def test_columns_are_1_to_20(columns):
    with pytest.raises(DataError, match="1 to 20 columns") as problem:
        grid([tile()], columns)
    assert problem.value.found == str(columns)


def test_more_columns_than_tiles_do_not_make_tiles_smaller():
    assert boxes(grid([tile()] * 2, 20)) == boxes(grid([tile()] * 2, 2))


def test_pixels_are_shown_as_they_are_and_large_pictures_smaller():
    pixels = np.random.default_rng(0).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    image = draw(Figure(), pixels, 0, 0, 1, 1).images[0]
    np.testing.assert_array_equal(image.get_array(), pixels)
    assert image.get_interpolation() == "nearest"  # few pixels are seen as squares
    large = draw(Figure(), np.zeros((900, 3000, 3), np.uint8), 0, 0, 2, 0.6).images[0]
    assert large.get_array().shape == (240, 800, 3)  # twice the dots that it covers
    assert large.get_interpolation() == "auto"


def test_the_pixels_of_a_tile_are_not_changed_by_drawing():
    one = tile(100, 80, value=7)
    before = one.pixels.copy()
    grid([one], 1).png()
    np.testing.assert_array_equal(one.pixels, before)
