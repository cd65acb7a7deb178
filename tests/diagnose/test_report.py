"""Reports are one file each, hold what was found, and let nothing of a file's name through as markup."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.data.sources.folder_source import from_folder
from ursa.diagnose import charts, report
from ursa.diagnose.abstain import thresholds_for
from ursa.diagnose.calibration import reliability
from ursa.diagnose.judged import Judged
from ursa.diagnose.more_data.more_pictures import MorePictures, more_pictures

NASTY = "<script>alert(1)</script>&\"'"


@pytest.fixture
def catalog(tmp_path, picture_folder):
    return from_folder(picture_folder(tmp_path / "pets", {"cat": 3, "dog": 2}))


def judged(catalog, after):
    return Judged(catalog, Labels(("cat", "dog")), np.eye(2, dtype=np.float32)[catalog.targets()], after, "held out")


def test_a_check_page_is_self_contained_and_says_what_was_found(catalog):
    finding = Finding("exact-duplicate", ("cat/cat_000.jpg", "cat/cat_002.jpg"), 0.5, "Twice there.", "Keep one.")
    counts = np.array([[3, 0], [1, 1]])
    page = report.check_page(catalog, catalog.labels, [finding], statistics.proportion(4, 5, "probe"), counts)
    assert not re.search(r"(src|href)=(?!\"data:)", page)
    assert "url(" not in page
    assert "80.0 %" in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert "<b>dog</b> predicted as <b>cat</b>: 1" in page


def test_the_verdict_on_the_training_stands_on_the_page_of_train(catalog):
    said = judged(catalog, np.eye(2, dtype=np.float32)[catalog.targets()])
    training = Finding("lr-too-high", (), 0.9, "The loss rose to <100>.", "A tenth.")
    page = report.train_page([], Finding("probe-kept", (), 1.0, "Kept.", "Use it."), said, training=training)
    assert "Learning rate too high" in page
    assert "The loss rose to &lt;100&gt;." in page


def test_names_are_escaped_everywhere(catalog):
    finding = Finding(NASTY, (NASTY,), 0.5, NASTY, NASTY)
    labels = Labels((NASTY, "dog"))
    page = report.check_page(catalog, labels, [finding], statistics.proportion(1, 2, NASTY), np.array([[1, 2], [3, 4]]))
    assert "<script" not in page
    assert "alert(1)" in page


def test_what_is_invisible_or_turns_a_line_around_is_seen_as_its_code(catalog):
    name = "a\x1b[2J\x9b\u202e\ud800\n"
    finding = Finding(name, (name,), 0.5, name, name)
    counts = np.array([[1, 2], [0, 1]])
    accuracy = statistics.proportion(2, 4, name)
    page = report.check_page(catalog, Labels((name, "dog")), [finding], accuracy, counts)
    page.encode()  # a lone surrogate could not be written
    assert not {"\x1b", "\x9b", "\u202e"} & set(page)
    assert "a\\x1b[2J\\x9b\\u202e\\ud800\\x0a" in page


def test_a_training_page_shows_the_worst_mistakes_first(catalog):
    after = np.array([[0.9, 0.1], [0.4, 0.6], [0.05, 0.95], [0.2, 0.8], [0.3, 0.7]], np.float32)
    said = judged(catalog, after)
    assert [id for id, *_ in said.top_losses(9)] == ["cat/cat_002.jpg", "cat/cat_001.png"]
    assert said.accuracy.value == pytest.approx(3 / 5)
    assert said.probe.value == 1.0
    verdict = Finding("fine-tuning-kept", (), 0.9, "It won.", "Use it.")
    epochs = [{"epoch": 0, "accuracy": 0.5, "valid_loss": 1.0}, {"epoch": 1, "accuracy": 0.6, "valid_loss": 0.9}]
    page = report.train_page(epochs, verdict, said)
    assert page.index("cat/cat_002.jpg") < page.index("cat/cat_001.png")
    assert page.count("<polyline") == 2


def test_curves_need_two_points_and_survive_flat_lines():
    flat = [{"epoch": 0, "accuracy": 1.0}, {"epoch": 1, "accuracy": 1.0}]
    assert charts.curves("x", flat[:1], ("accuracy",)) == ""
    assert "nan" not in charts.curves("x", flat, ("accuracy",))


def test_a_picture_that_has_gone_does_not_break_the_page(catalog):
    (catalog.root / "cat/cat_000.jpg").unlink()
    finding = Finding("exact-duplicate", ("cat/cat_000.jpg",), 0.5, "Twice.", "Keep one.")
    page = report.check_page(catalog, catalog.labels, [finding], statistics.proportion(1, 2, ""), np.eye(2, dtype=int))
    assert "no longer readable" in page


def page_of(catalog, findings=(), hits=4):
    counts = np.array([[hits - 2, 1], [1, 1]])
    return report.check_page(
        catalog, catalog.labels, findings, statistics.proportion(hits - 1, hits + 1, "probe"), counts
    )


@pytest.mark.parametrize(
    ("kind", "thumbs", "names"), [("near-duplicate", 2, 2), ("truncated", 0, 2), ("imbalance", 0, 0)]
)
def test_pictures_are_shown_files_named_and_of_the_data_as_a_whole_neither(catalog, kind, thumbs, names):
    ids = ("cat/cat_000.jpg", "cat/cat_002.jpg")
    page = page_of(catalog, [Finding(kind, ids, 0.5, "Evidence.", "Advice.")])
    assert (page.count("data:image/jpeg;base64,"), page.count("<code>")) == (thumbs, names)
    assert "Evidence." in page and "Advice." in page


def test_kinds_come_by_how_much_they_spoil_each_counted_and_the_rest_is_said(catalog):
    many = [
        Finding("exact-duplicate", ("cat/cat_000.jpg",), 0.5, "Twice.", "Keep one.") for _ in range(report.SHOWN + 3)
    ]
    page = page_of(catalog, [*many, Finding("leak", (), 0.9, "In both.", "Keep it in one.")])
    assert page.index("Pictures in two splits") < page.index("Exact duplicates")
    assert f"<small>{report.SHOWN + 3}</small>" in page and "and 3 more: see --json" in page
    assert page.count("Twice.") == report.SHOWN


def test_unreadable_files_are_counted_apart(catalog):
    rows = catalog.rows.with_columns(problem=pl.when(pl.col("id") == "cat/cat_000.jpg").then(pl.lit("truncated: x")))
    page = page_of(dataclasses.replace(catalog, rows=rows))
    assert "<span class=what>Pictures</span><b>4</b><small>1 file left out: cannot be read</small>" in page
    assert "<span class=what>Pictures</span><b>5</b><small>all readable</small>" in page_of(catalog)


def test_recall_stands_beside_each_class_with_its_interval(catalog):
    recall = statistics.proportion(2, 3, "")
    cells = f"<td>67 %</td><td class=soft>{100 * recall.low:.0f} to {100 * recall.high:.0f}</td>"
    assert "<tr><th>cat</th>" in page_of(catalog) and cells in page_of(catalog)


def test_without_labels_there_is_no_figure_and_without_findings_that_is_said(catalog):
    nothing = Labels(())
    accuracy = statistics.Estimate(float("nan"), 0.0, 1.0, "not probed: the pictures have no labels", share=True)
    rows = catalog.rows.with_columns(label=pl.lit(None, pl.String))
    page = report.check_page(dataclasses.replace(catalog, rows=rows), nothing, [], accuracy, np.zeros((0, 0), np.int64))
    assert "not probed: the pictures have no labels" in page and "nan" not in page
    assert "Nothing was found" in page and "<h2>Classes</h2>" not in page


@pytest.mark.parametrize("classes", [2, 20, 21])
def test_a_matrix_is_drawn_for_up_to_20_classes(catalog, classes):
    labels = Labels(tuple(f"class {number:02}" for number in range(classes)))
    counts = np.eye(classes, dtype=int) + 1
    page = report.check_page(catalog, labels, [], statistics.proportion(1, 2, ""), counts)
    assert ("table class=matrix" in page) == (classes <= 20)
    assert "predicted as" in page


def test_pages_are_well_formed(catalog):
    """Every element that is opened is closed, in order."""
    finding = Finding("exact-duplicate", ("cat/cat_000.jpg",), 0.5, "Twice.", "Keep one.")
    after = np.array([[0.9, 0.1], [0.4, 0.6], [0.05, 0.95], [0.2, 0.8], [0.3, 0.7]], np.float32)
    epochs = [{"epoch": 0, "accuracy": 0.5, "valid_loss": 1.0}, {"epoch": 1, "accuracy": 0.6, "valid_loss": 0.9}]
    pages = [page_of(catalog, [finding]), report.train_page(epochs, finding, judged(catalog, after), [finding])]

    class Checked(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):  # noqa: ARG002
            if tag not in ("meta", "img", "br"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    for page in pages:
        parser = Checked()
        parser.feed(page)
        assert not parser.open


def test_a_check_page_says_what_more_pictures_bring_and_when_to_answer(catalog, curve_of):
    labels = Labels((NASTY, "dog"))
    curve = curve_of(lambda n: 0.02 + 3 * n**-0.5)
    more = more_pictures(curve, labels, curve.right[-1, 0])
    probabilities = np.tile([[0.9, 0.1]], (400, 1)).astype(np.float32)
    given = np.zeros(400, np.int64)
    about = more, reliability(probabilities, given), thresholds_for(probabilities, given)
    page = report.check_page(
        catalog, labels, more.findings(), statistics.proportion(1, 2, ""), np.eye(2, dtype=int), *about
    )
    assert "<h2>More pictures</h2>" in page and "With twice the pictures the probe would reach about 9" in page
    assert page.count("<polyline") == 1 and "Accuracy by the number of pictures learned from" in page
    assert "<h2>When to answer</h2>" in page and "off by 10.0 % on average, more than chance alone explains" in page
    assert "100 % of pictures are answered and 0.0 % of those wrongly" in page
    assert "<script" not in page


def test_without_a_curve_a_check_page_says_why(catalog):
    page = report.check_page(
        catalog,
        catalog.labels,
        [],
        statistics.proportion(1, 2, ""),
        np.eye(2, dtype=int),
        MorePictures.refuse("there are 5"),
    )
    assert "No forecast for more pictures: there are 5." in page
    assert "<polyline" not in page and "When to answer" not in page
