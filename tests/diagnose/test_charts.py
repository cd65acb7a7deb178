"""Charts: round axes that hold every point, lines through their numbers, percent where shares are."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.diagnose import charts
from ursa.diagnose.calibration import reliability
from ursa.diagnose.charts import Line, line_chart

NUMBERS = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)


def svg_of(section: str) -> ET.Element:
    return ET.fromstring(re.search(r"<svg.*</svg>", section, re.DOTALL)[0])


def labels(section: str) -> list[str]:
    return [text.text for text in svg_of(section).iter("text")]


def of(*values, name="loss"):
    return Line(name, list(enumerate(values)))


@settings(max_examples=200, deadline=None)
@given(NUMBERS, NUMBERS)
def test_ticks_are_round_evenly_spaced_few_and_around_all_values(one, other):
    low, high = sorted((one, other))
    ticks = charts._round_ticks(low, high)
    steps = np.diff(ticks)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert ticks[0] <= low + slack and ticks[-1] >= high - slack and 2 <= len(ticks) <= 7
    assert steps == pytest.approx(steps[0], rel=1e-3) and steps[0] > 0
    digits = f"{steps[0]:.3e}".partition("e")[0]
    assert float(digits) in (1, 2, 2.5, 5, 10)


@pytest.mark.parametrize(
    ("low", "high", "share", "ticks"),
    [
        (0.648, 0.676, True, [0.64, 0.65, 0.66, 0.67, 0.68]),
        (0, 1, True, [0, 0.25, 0.5, 0.75, 1]),
        (0.97, 0.97, True, [0.85, 0.9, 0.95, 1]),  # a share never passes all
        (0.001, 0.001, False, [0, 0.0005, 0.001, 0.0015]),  # a constant rate, from 0 on
        (0, 0, False, [0, 0.25]),
        (-2, 7, False, [-2.5, 0, 2.5, 5, 7.5]),
    ],
)
def test_golden_ticks(low, high, share, ticks):
    assert charts._ticks(low, high, share) == pytest.approx(ticks)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, 50.0), min_size=2, max_size=12))
def test_the_line_rises_where_the_numbers_do_and_stays_inside(values):
    root = svg_of(line_chart("Loss", [of(*values)], "epoch"))
    (line,) = root.iter("polyline")
    points = np.array([[float(x) for x in pair.split(",")] for pair in line.attrib["points"].split()])
    assert len(points) == len(values) and (np.diff(points[:, 0]) > 0).all()
    assert (points >= 0).all() and (points <= [charts.WIDTH, charts.HEIGHT - charts.BOTTOM + 0.1]).all()
    rising, drawn = np.diff(values), -np.diff(points[:, 1])  # up is less in SVG
    assert all(down * up >= -1e-6 for down, up in zip(rising, drawn, strict=True))


def test_each_line_has_its_key_one_alone_needs_none_and_rows_may_lack_a_number():
    rows = [{"epoch": 0, "valid_loss": 1.0}, {"epoch": 1, "valid_loss": 0.8, "train_loss": 0.9}]
    rows.append({"epoch": 2, "valid_loss": 0.7, "train_loss": math.nan})
    lines = [
        charts.loss_line(name, rows, f"{key}_loss") for name, key in (("training", "train"), ("validation", "valid"))
    ]
    page = line_chart("Loss", lines, "epoch")
    assert '<span class="key0">training</span><span class="key1">validation</span>' in page
    assert [line.attrib["points"].count(",") for line in svg_of(page).iter("polyline")] == [1, 3]
    assert "key0" not in line_chart("Loss", lines[1:], "epoch")
    assert line_chart("Nothing", [], "epoch") == "" == line_chart("One", [of(1.0)], "epoch")


def test_200_epochs_are_a_line_without_dots():
    few, many = (line_chart("Loss", [of(*np.linspace(2, 1, count))], "epoch") for count in (20, 200))
    assert (few.count("<circle"), many.count("<circle")) == (20, 0)
    assert labels(many)[-1] == "epoch" and "150" in labels(many)
    assert len(line_chart("Steps", [of(*np.linspace(2, 1, 50_000))], "step")) < 20_000


def test_shares_are_percent_and_a_loss_is_not():
    assert {"80 %", "100 %"} <= set(labels(line_chart("a", [of(0.5, 1.0)], "epoch", share=True)))
    assert "%" not in "".join(labels(line_chart("l", [of(2.0, 1.0)], "epoch")))


def test_where_doubling_counts_each_takes_the_same_width():
    line = Line("measured", [(n, 0.5) for n in (100, 200, 400, 800)], [(0.4, 0.6)] * 4)
    page = line_chart(
        "a",
        [line, Line("forecast", [(800, 0.5), (1600, 0.7)], [(0.5, 0.5), (0.6, 0.8)], True)],
        "n",
        share=True,
        doubling=True,
    )
    first, second = svg_of(page).iter("polyline")
    across = [float(pair.split(",")[0]) for pair in first.attrib["points"].split()]
    assert np.diff(across) == pytest.approx(np.diff(across)[0], abs=0.11)
    assert "dashed" in second.attrib["class"] and page.count("<polygon") == 1 and page.count("whisker") == 2
    assert "1,600" in labels(page)


def test_reliability_draws_each_bin_with_its_interval():
    draw = np.random.default_rng(0)
    sure = draw.uniform(0.5, 1, 300)
    measured = reliability(np.stack([sure, 1 - sure], 1), (draw.random(300) > sure).astype(np.int64))
    root = svg_of(charts.reliability_chart(measured))
    dots = list(root.iter("circle"))
    assert len(dots) == len(measured.accuracy) == 15
    assert all(0 <= float(dot.attrib["cy"]) <= charts.HEIGHT for dot in dots)


def test_text_in_backticks_is_code_and_nothing_else_is_markup():
    assert charts.prose("run `ursa check <b>` & see") == "run <code>ursa check &lt;b&gt;</code> &amp; see"
