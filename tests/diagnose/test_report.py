"""Reports are one file each, hold what was found, and let nothing of a file's name through as markup."""

import re

import numpy as np
import pytest

from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.data.sources.folder_source import from_folder
from ursa.diagnose import charts, report
from ursa.diagnose.judged import Judged

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
