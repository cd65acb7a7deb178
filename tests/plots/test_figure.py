"""What all figures share: places in inches, text that fits, colors that can be told apart, files written whole."""

import io
import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ursa.errors import DataError
from ursa.plots import figure as parts
from ursa.plots.figure import (
    DPI,
    FORMATS,
    INK,
    MISSING,
    MUTED,
    PAPER,
    POINTS,
    READABLE,
    RED,
    RULE,
    Figure,
    TickNumbers,
    contrast,
    drawable,
    dress,
    fit,
    ink_on,
    lettering,
    place,
    rgb,
    tints_on,
    width_of,
    write,
)
from ursa.plots.lr_curve import DARK_RED
from ursa.plots.overview import GRAY, PURPLE, SPLITS

BYTE = st.integers(0, 255)
COLORS = st.tuples(BYTE, BYTE, BYTE)


# --- numbers at axes -----------------------------------------------------------------------------------------------


@given(st.floats(-1e4, 1e4), st.floats(1e-4, 1e4), st.integers(2, 8), st.integers(2, 5))
def test_numbers_at_an_axis_differ_wherever_their_ticks_do_and_are_those_of_the_ticks(start, step, count, digits):
    ticks = [start + step * number for number in range(count)]
    texts = TickNumbers(digits).format_ticks(ticks)
    assert len(set(texts)) == count
    for text, tick in zip(texts, ticks, strict=True):
        assert float(text) == pytest.approx(tick, abs=step / 50)


def test_numbers_at_an_axis_are_as_short_as_they_may_be():
    assert TickNumbers(3).format_ticks([0.0, 0.5, 1.0]) == ["0", "0.5", "1"]
    assert TickNumbers(3).format_ticks([2.2999, 2.3, 2.3001]) == ["2.2999", "2.3", "2.3001"]
    assert TickNumbers(3).format_ticks([1.0, 1.0]) == ["1", "1"]  # ticks alike stay alike
    assert TickNumbers(3).format_ticks([]) == []
    assert TickNumbers(3)(1234.5) == "1.23e+03"


# --- places --------------------------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(st.floats(0, 3), st.floats(0, 3), st.floats(0.1, 2), st.floats(0.1, 2))
def test_a_place_is_measured_in_inches_from_the_upper_left_corner(left, top, width, height):
    figure = Figure(6, 8)
    box = place(figure, left, top, width, height).get_window_extent()
    assert box.x0 / DPI == pytest.approx(left, abs=1e-6)
    assert 8 - box.y1 / DPI == pytest.approx(top, abs=1e-6)
    assert (box.width / DPI, box.height / DPI) == (pytest.approx(width), pytest.approx(height))


def test_a_place_is_empty_paper_and_dressed_it_has_two_lines_and_its_labels():
    axes = place(Figure(), 1, 1, 2, 2)
    assert not axes.axison and axes.get_facecolor()[:3] == (1, 1, 1)
    dress(axes, "width, px", "height, px")
    assert {edge for edge, line in axes.spines.items() if line.get_visible()} == {"left", "bottom"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width, px", "height, px")


def test_text_hangs_from_where_it_is_written():
    figure = Figure(4, 3)
    write(figure, 0.5, 1.25, "Ursus", size=10)
    (text,) = figure.texts
    figure.draw_without_rendering()
    box = text.get_window_extent()
    assert box.x0 / DPI == pytest.approx(0.5, abs=0.02)
    assert 3 - box.y1 / DPI == pytest.approx(1.25, abs=0.02)


@pytest.mark.parametrize("name", ["$x$", r"$\frac{", "a_{b}^c", "100 %", r"\alpha"])
def test_dollars_and_backslashes_of_a_file_name_are_text(name):
    figure = Figure(4, 1)
    write(figure, 0.1, 0.1, name)
    assert figure.texts[0].get_text() == name
    assert not figure.texts[0].get_parse_math()
    assert figure.png()


def test_every_lettering_names_our_fonts_and_takes_a_style():
    given_ = lettering(8, RED, ha="right")
    assert (given_["fontsize"], given_["color"], given_["ha"], given_["parse_math"]) == (8, RED, "right", False)
    assert given_["family"][0] == "DejaVu Sans"


# --- text that fits ------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.text(max_size=40), st.text(max_size=40), st.floats(5, 20))
def test_widths_add_up_and_grow_with_the_size(one, other, size):
    assert width_of(one + other, size) == pytest.approx(width_of(one, size) + width_of(other, size))
    assert width_of(one, 2 * size) == pytest.approx(2 * width_of(one, size))
    assert width_of(one + other) >= width_of(one) >= 0


@given(st.text(max_size=40), st.floats(0.1, 3))
def test_a_text_that_was_shortened_is_not_shortened_again(text, inches):
    shown = fit(text, inches)
    assert fit(shown, inches) == shown
    assert len(fit(text, 2 * inches)) >= len(shown)


def test_a_text_that_fits_stays_whole_and_a_long_one_keeps_both_ends():
    assert fit("bear.jpg", width_of("bear.jpg") + 1e-6) == "bear.jpg"
    shown = fit("IMG_2024_with_a_very_long_name_final.jpg", 1.2)
    assert shown.startswith("IMG") and shown.endswith("jpg") and shown.count("…") == 1
    assert fit("anything", 0.01) == "…"
    assert fit("", 0.01) == ""


def test_bold_text_is_given_less_room():
    text = "black bears in the wood"
    exact = width_of(text, 10)
    assert fit(text, exact, 10) == text
    assert fit(text, exact, 10, bold=True) != text
    figure = Figure()
    bold = figure.text(0, 0, fit(text, exact, 10, bold=True), **lettering(10, weight="bold"))
    assert bold.get_window_extent().width / DPI <= exact


@given(st.text(max_size=30))
def test_what_no_font_has_is_a_square_and_every_letter_keeps_its_place(text):
    shown = drawable(text)
    assert len(shown) == len(text) and drawable(shown) == shown
    assert all(one in (other, MISSING) for one, other in zip(shown, text, strict=True))


def test_line_ends_and_control_characters_are_never_drawn():
    assert drawable("a\nb\tc\x07\u202e") == f"a{MISSING}b{MISSING}c{MISSING}{MISSING}"
    assert drawable("Bär … ✓ ✗ × ·") == "Bär … ✓ ✗ × ·"  # what our own figures write


def test_a_wide_letter_of_another_script_takes_a_whole_width(monkeypatch):
    assert width_of("犬", 10) == pytest.approx(10 / POINTS)
    assert width_of("\N{HALFWIDTH KATAKANA LETTER A}", 10) == pytest.approx(7 / POINTS)


# --- colors --------------------------------------------------------------------------------------------------------


@given(COLORS, COLORS)
def test_contrast_is_symmetric_and_from_1_to_21(one, other):
    assert contrast(one, other) == contrast(other, one)
    assert 1 <= contrast(one, other) <= 21 + 1e-9
    assert contrast(one, one) == 1


@pytest.mark.parametrize(
    ("one", "other", "wanted"),  # by https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio, computed by hand
    [
        ((119, 119, 119), (255, 255, 255), 4.478),
        ((0, 0, 255), (255, 255, 255), 8.592),
        ((10, 10, 10), (0, 0, 0), 1.061),
    ],
)
def test_golden_contrasts(one, other, wanted):
    assert contrast(one, other) == pytest.approx(wanted, abs=1e-3)


@given(COLORS)
def test_ink_is_the_better_of_black_and_white(color):
    black, white = (contrast(color, rgb(ink)) for ink in ("#000000", "#ffffff"))
    assert ink_on(color) == ("#000000" if black >= white else "#ffffff")


@given(COLORS)
def test_a_color_as_text_is_read_back(color):
    assert rgb("#" + bytes(color).hex()) == color


@pytest.mark.parametrize("ink", [INK, MUTED, DARK_RED])
def test_words_stand_out_on_paper(ink):
    assert contrast(rgb(ink), rgb(PAPER)) >= READABLE


def test_words_stand_out_on_the_area_that_they_name():
    area = np.array(rgb(RED)) * 0.12 + np.array(rgb(PAPER)) * 0.88
    assert contrast(rgb(DARK_RED), area.tolist()) >= READABLE


def test_numbers_in_colored_pixels_are_tinted_where_they_can_be():
    assert tints_on((0, 0, 0)) == parts.TINTS[0]
    assert tints_on((255, 255, 255)) == parts.TINTS[1]
    assert set(tints_on((255, 0, 0))) <= {"#000000", "#ffffff"}  # as colorful as the numbers


def test_the_kinds_of_a_bar_have_colors_of_their_own():
    kinds = [*SPLITS.values(), PURPLE, GRAY]
    assert len(set(kinds)) == len(kinds)
    for one, other in itertools.combinations(kinds, 2):
        assert np.abs(np.subtract(rgb(one), rgb(other))).sum() > 60
    assert RULE not in kinds


# --- files ---------------------------------------------------------------------------------------------------------


def content(figure):
    axes = place(figure, 0.5, 0.5, 1, 1)
    axes.add_patch(parts.matplotlib.patches.Rectangle((0, 0), 1, 1, color=RED))
    return figure


@pytest.mark.parametrize("ending", [*FORMATS, "PNG", "Jpg"])
def test_a_file_is_of_the_kind_that_its_name_says(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    assert content(Figure(2, 3)).save(path) == path
    data = path.read_bytes()
    if ending == "svg":
        assert ElementTree.fromstring(data).tag.endswith("svg")
    elif ending == "pdf":
        assert data.startswith(b"%PDF")
    else:
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == {"jpg": "JPEG", "jpeg": "JPEG"}.get(ending.lower(), ending.upper())
            assert picture.size == (2 * DPI, 3 * DPI)
            at = picture.convert("RGB").getpixel((DPI, DPI))
            assert np.abs(np.subtract(at, rgb(RED))).max() < 12
            corner = picture.convert("RGB").getpixel((2, 2))
            assert min(corner) > 250  # paper, not black under a missing transparency


@pytest.mark.parametrize("ending", ["png", "jpg", "pdf"])
def test_the_same_figure_is_the_same_file(tmp_path, ending):
    one, other = (content(Figure(2, 2)).save(tmp_path / f"{n}.{ending}").read_bytes() for n in "ab")
    assert one == other  # neither its date nor, in a PNG, the version of matplotlib is in it
    assert ending != "png" or b"atplotlib" not in one


def test_a_file_is_replaced_whole_and_a_refusal_leaves_it(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(DataError, match="not written as"):
        Figure(1, 1).save(tmp_path / "a.bmp")
    assert path.read_bytes() == b"old"
    Figure(1, 1).save(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [one.name for one in tmp_path.iterdir()] == ["a.png"]


def test_a_name_without_an_ending_is_told_one(tmp_path):
    with pytest.raises(DataError) as problem:
        Figure(1, 1).save(str(tmp_path / "figure"))
    assert problem.value.fix == f"name it {tmp_path / 'figure'}.png"
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        Figure(1, 1).save(tmp_path / "file" / "a.png")


def test_a_figure_says_its_size_and_how_to_keep_it():
    assert repr(Figure(5, 2.5)) == "<Figure of 5 x 2.5 inches: .save('figure.png') writes it, a notebook shows it>"
