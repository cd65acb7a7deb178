"""The matrix adds up, with 3 and with 100 classes; recall, precision and F1 stand beside every class."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import precision_recall_fscore_support

from ursa.core import statistics
from ursa.diagnose.report.class_scores import SHOWN, class_section
from ursa.diagnose.report.confusion_part import CONFUSED, WHOLE, confusion_section, matrix

COUNTS = st.integers(1, 6).flatmap(lambda k: hnp.arrays(np.int64, (k, k), elements=st.integers(0, 99)))


def names(count):
    return [f"class {number:03}" for number in range(count)]


def cells_of(html):
    return re.findall(r'<td class="(hit|miss)" style="--s:([\d.]+)">(\d*)</td>', html)


@settings(max_examples=40, deadline=None)
@given(COUNTS)
def test_the_matrix_holds_every_count_once_hits_on_the_diagonal_and_shares_of_rows(counts):
    cells = cells_of(matrix(counts, names(len(counts))))
    assert [int(number or 0) for _, _, number in cells] == counts.ravel().tolist()
    assert [kind for kind, _, _ in cells] == ["hit" if a == b else "miss" for a, b in np.ndindex(counts.shape)]
    shares = np.array([float(share) for _, share, _ in cells]).reshape(counts.shape)
    assert shares.sum(1) == pytest.approx((counts.sum(1) > 0).astype(float), abs=0.01)


@settings(max_examples=60, deadline=None)
@given(COUNTS)
def test_scores_are_those_of_scikit_learn_and_lie_in_their_intervals(counts):
    assume(counts.any())
    given_, predicted = (np.repeat(axis, counts.ravel()) for axis in np.indices(counts.shape).reshape(2, -1))
    found = statistics.per_class(counts, names(len(counts)))
    wanted = precision_recall_fscore_support(given_, predicted, labels=range(len(counts)), zero_division=np.nan)
    for score, precision, recall, f1 in zip(found.values(), *wanted[:3], strict=True):
        for metric, value in ((score["precision"], precision), (score["recall"], recall), (score["f1"], f1)):
            if metric["value"] is not None:
                assert metric["value"] == pytest.approx(value) and metric["low"] <= metric["value"] <= metric["high"]


def test_the_interval_of_f1_covers_it():
    draw, covered = np.random.default_rng(0), 0
    truth = np.array([[0.30, 0.05], [0.10, 0.55]])
    for _ in range(400):
        counts = draw.multinomial(120, truth.ravel()).reshape(2, 2)
        f1 = statistics.per_class(counts, ["a", "b"])["a"]["f1"]
        covered += f1["low"] <= 2 * 0.30 / (0.35 + 0.40) <= f1["high"]
    assert 0.92 <= covered / 400 <= 0.98


def test_bars_are_recall_with_its_interval_not_counts():
    section = class_section(np.array([[9, 1], [2, 8]]), ["cat", "dog"], {"cat": 12, "dog": 10})
    recall = statistics.proportion(9, 10, "")
    low, wide = 100 * recall.low, 100 * (recall.high - recall.low)
    assert f'class="range" style="left:{low:.1f}%;width:{wide:.1f}%"' in section.html
    assert 'class="at" style="left:90.0%"' in section.html and '<td class="number">12</td>' in section.html


def test_of_100_classes_the_weakest_stand_first_and_the_others_are_folded_away():
    counts = np.diag(np.arange(100)) + np.eye(100, k=1, dtype=int) * 50 + np.eye(100, dtype=int)
    html = class_section(counts, names(100), dict.fromkeys(names(100), 50)).html
    first, _, rest = html.partition("<details>")
    shown = re.findall(r"class (\d{3})", first)
    assert len(shown) == SHOWN and shown == sorted(shown) and "class 099" in rest
    assert html.count('<th scope="row">') == 100


@pytest.mark.parametrize("classes", [3, WHOLE, WHOLE + 1, 100])
def test_the_matrix_stays_readable_and_its_rows_add_up(classes):
    draw = np.random.default_rng(classes)
    counts = np.diag(draw.integers(5, 20, classes)) + draw.integers(0, 2, (classes, classes))
    counts[-1, -2] = 60
    section = confusion_section(counts, names(classes))
    cells = [int(number or 0) for _, _, number in cells_of(section.html)]
    if classes <= WHOLE:
        assert cells == counts.ravel().tolist()
    else:
        table = np.array(cells).reshape(CONFUSED, CONFUSED + 1)
        chosen = [int(name) for name in re.findall(r'<th scope="row">class (\d{3})', section.html)]
        assert table.sum(1).tolist() == counts[chosen].sum(1).tolist() and {classes - 1, classes - 2} <= set(chosen)
    assert f"<b>class {classes - 1:03}</b> is predicted as <b>class {classes - 2:03}</b> 60 times" in section.html


def test_without_a_mistake_that_is_said():
    assert "No picture is predicted as another class." in confusion_section(np.eye(3, dtype=int), names(3)).html
    assert confusion_section(np.zeros((2, 2), int), names(2)).html == ""
