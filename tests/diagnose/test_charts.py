"""Charts: round axes that hold every point, lines through their numbers, a matrix that adds up."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ursa.diagnose import charts

NUMBERS = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)


def svg_of(section: str) -> ET.Element:
    """The picture; attributes without quotes are HTML, which a parser of XML does not take."""
    text = re.search(r"<svg.*</svg>", section)[0]
    return ET.fromstring(re.sub(r"=([^\s'\">]+)(?=[\s>])", r"='\1'", text))


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
    ("low", "high", "ticks"),
    [
        (0.648, 0.676, [0.64, 0.65, 0.66, 0.67, 0.68]),
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (3, 3, [3, 3.1]),
        (0, 0, [0, 0.25]),
        (0, 6e-254, [0, 0.25]),
        (-2, 7, [-2.5, 0, 2.5, 5, 7.5]),
    ],
)
def test_golden_ticks(low, high, ticks):
    assert charts._round_ticks(low, high) == pytest.approx(ticks)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, 50.0), min_size=2, max_size=12))
def test_the_line_rises_where_the_numbers_do_and_stays_inside(values):
    rows = [{"epoch": epoch, "valid_loss": value} for epoch, value in enumerate(values)]
    root = svg_of(charts.curves("Loss", rows, ("valid_loss",)))
    (line,) = root.iter("polyline")
    points = np.array([[float(x) for x in pair.split(",")] for pair in line.attrib["points"].split()])
    assert len(points) == len(values) and (np.diff(points[:, 0]) > 0).all()
    assert (points >= 0).all() and (points <= [charts.WIDTH, charts.HEIGHT - charts.BOTTOM + 0.1]).all()
    rising, drawn = np.diff(values), -np.diff(points[:, 1])  # up is less in SVG
    assert all(down * up >= -1e-6 for down, up in zip(rising, drawn, strict=True))


def test_each_line_has_its_key_and_rows_may_lack_one():
    rows = [
        {"epoch": 0, "valid_loss": 1.0},
        {"epoch": 1, "valid_loss": 0.8, "train_loss": 0.9},
        {"epoch": 2, "valid_loss": 0.7, "train_loss": 0.6},
    ]
    page = charts.curves("Loss by epoch", rows, ("train_loss", "valid_loss"))
    assert "<span class=key0>training</span><span class=key1>validation</span>" in page
    lines = [line.attrib["points"].count(",") for line in svg_of(page).iter("polyline")]
    assert lines == [2, 3]
    assert "class=key0" not in charts.curves("Loss", rows, ("valid_loss",))  # one line needs none
    assert charts.curves("Nothing", rows, ("accuracy",)) == ""


def test_accuracy_is_labelled_in_percent_and_a_loss_is_not():
    rows = [{"epoch": 0, "accuracy": 0.5, "valid_loss": 2.0}, {"epoch": 1, "accuracy": 0.75, "valid_loss": 1.0}]
    assert ">50 %<" in charts.curves("a", rows, ("accuracy",))
    assert "%" not in "".join(text.text for text in svg_of(charts.curves("l", rows, ("valid_loss",))).iter("text"))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6).flatmap(lambda k: hnp.arrays(np.int64, (k, k), elements=st.integers(0, 99))))
def test_the_matrix_holds_every_count_once_hits_on_the_diagonal_and_shares_of_rows(counts):
    page = charts.matrix(counts, [f"c{number}" for number in range(len(counts))])
    cells = re.findall(r"<td class=(hit|miss) style='--s:([\d.]+)'>(\d*)</td>", page)
    assert [int(number or 0) for _, _, number in cells] == counts.ravel().tolist()
    assert [kind for kind, _, _ in cells] == ["hit" if a == b else "miss" for a, b in np.ndindex(counts.shape)]
    shares = np.array([float(share) for _, share, _ in cells]).reshape(counts.shape)
    assert shares.sum(1) == pytest.approx((counts.sum(1) > 0).astype(float), abs=0.01)
