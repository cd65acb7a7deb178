"""Margins, the cut before any answer, and the findings: on drawn probabilities of which the truth is known."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.clean.wrong_labels.label_audit import audit_labels
from ursa.clean.wrong_labels.label_margins import LabelMargins, mean_probabilities
from ursa.clean.wrong_labels.nearest_pictures import nearest_of_class
from ursa.clean.wrong_labels.suspected import CLEARLY, best_count, random_noise, suspects
from ursa.core.statistics import softmax
from ursa.errors import DataError


def judged(count=1500, classes=4, sharp=6.0, seed=0):
    """Calibrated probabilities [N, K], and true classes [N] that were drawn from them."""
    draw = np.random.default_rng(seed)
    p = softmax((sharp * draw.normal(size=(count, classes))).astype(np.float32))
    return p, (p.cumsum(1) > draw.random((count, 1))).argmax(1)


def noisy(labels, share, classes=4, seed=1):
    """Labels of which a share is any other class, and which."""
    draw, labels = np.random.default_rng(seed), labels.copy()
    rows = draw.permutation(len(labels))[: round(share * len(labels))]
    before = labels.copy()
    labels[rows] = (labels[rows] + draw.integers(1, classes, len(rows))) % classes
    return labels, labels != before


def learned_from(p, labels):
    """What a head says whose temperature is the best for these labels: the more are wrong, the less it is sure."""
    rows, logs = np.arange(len(labels)), np.log(np.maximum(p, 1e-12))
    each = [softmax(logs * np.float32(inverse)) for inverse in np.geomspace(0.03, 1, 40)]
    return max(each, key=lambda some: np.log(some[rows, labels]).sum())


def f1(rows, wrong):
    return 2 * wrong[rows].sum() / (len(rows) + wrong.sum())


def test_the_margin_is_the_log_of_how_much_likelier_another_class_is():
    found = LabelMargins.of(np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32), np.array([1, 2]))
    assert found.margins == pytest.approx([np.log(0.7 / 0.2), np.log(0.3 / 0.6)], rel=1e-6)
    assert found.likely.tolist() == [0, 1]
    assert found.given_probability == pytest.approx([0.2, 0.6])
    assert found.likely_probability == pytest.approx([0.7, 0.3])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 7))
def test_margins_know_no_order_of_rows_or_classes(seed, classes):
    p, labels = judged(40, classes, seed=seed)
    draw, found = np.random.default_rng(seed), LabelMargins.of(p, labels)
    assert np.array_equal(found.margins > 0, p.argmax(1) != labels)
    rows, names = draw.permutation(40), draw.permutation(classes)
    assert np.array_equal(LabelMargins.of(p[rows], labels[rows]).margins, found.margins[rows])
    renamed = LabelMargins.of(p[:, names], names.argsort()[labels])
    assert np.array_equal(renamed.margins, found.margins)
    assert np.array_equal(names[renamed.likely], found.likely)


def test_margins_of_more_rows_than_one_block_and_of_impossible_classes(monkeypatch):
    from ursa.clean.wrong_labels import label_margins

    p, labels = judged(50)
    whole = LabelMargins.of(p, labels)
    monkeypatch.setattr(label_margins, "BLOCK", 12)
    assert np.array_equal(LabelMargins.of(p, labels).margins, whole.margins)
    assert np.isfinite(LabelMargins.of(np.array([[1.0, 0.0]], np.float32), np.array([1])).margins).all()


@pytest.mark.parametrize(
    ("p", "labels"), [(np.ones((3, 1)), [0, 0, 0]), (np.ones((3, 2)), [0, 1]), (np.ones((2, 2)), [0, 2])]
)
def test_what_is_no_probability_of_these_labels_is_refused(p, labels):
    with pytest.raises(DataError, match="one label a row"):
        LabelMargins.of(p.astype(np.float32), np.array(labels))


def test_repeats_are_averaged_in_the_logarithm():
    one, other = judged(20, seed=1)[0], judged(20, seed=2)[0]
    mean = mean_probabilities([one, other])
    want = np.sqrt(one.astype(float) * other)
    assert mean == pytest.approx(want / want.sum(1, keepdims=True), abs=1e-6)
    assert mean_probabilities([one]) == pytest.approx(one, abs=1e-6)
    assert one.sum(1) == pytest.approx(np.ones(20))  # what was given is not changed


@pytest.mark.parametrize("sharp", [4.0, 12.0])  # right out of sample: 85 and 94 %
def test_where_all_labels_are_right_few_are_suspected(sharp):
    p, labels = judged(sharp=sharp)
    assert len(suspects(p, labels)) <= 0.02 * len(labels)
    assert random_noise(p, labels).gain < CLEARLY


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.4])
def test_labels_that_are_wrong_at_random_are_found_and_counted(share):
    clean, truth = judged(4000, sharp=12.0)
    labels, wrong = noisy(truth, share)
    p = learned_from(clean, labels)
    assert random_noise(p, labels).share == pytest.approx(share, abs=0.02)
    margins = LabelMargins.of(p, labels)
    hits = wrong[margins.ranked()].cumsum()
    best = (2 * hits / (np.arange(1, len(hits) + 1) + wrong.sum())).max()
    assert f1(suspects(p, labels), wrong) > 0.95 * best


def test_no_answer_is_lost_where_both_classes_are_nearly_as_likely():
    """40 % of two classes: hardly a margin reaches ln 2."""
    clean, truth = judged(classes=2, sharp=12.0)
    labels, wrong = noisy(truth, 0.4, classes=2)
    p = learned_from(clean, labels)
    assert f1(np.flatnonzero(LabelMargins.of(p, labels).margins > np.log(2)), wrong) < 0.4
    assert f1(suspects(p, labels), wrong) > 0.9


def test_wrong_labels_that_follow_the_pictures_lower_the_cut_too():
    """Only hard pictures are wrong, so nothing looks random; but the surest labels are less sure, too."""
    clean, truth = judged(sharp=6.0)
    hard = np.argsort(clean.max(1))[: len(truth) // 4]
    labels = truth.copy()
    labels[hard] = (truth[hard] + 1) % 4
    assert len(suspects(clean, truth)) < 0.01 * len(truth)
    assert len(suspects(learned_from(clean, labels), labels)) > 0.04 * len(truth)


def test_the_order_of_pictures_does_not_matter():
    clean, truth = judged(sharp=8.0)
    labels, _ = noisy(truth, 0.1)
    p, rows = learned_from(clean, labels), np.random.default_rng(3).permutation(len(truth))
    assert set(rows[suspects(p[rows], labels[rows])].tolist()) == set(suspects(p, labels).tolist())


def test_a_rare_class_is_not_skipped():
    clean, truth = judged(2000, 3, sharp=12.0)
    rare = np.flatnonzero(truth == 2)
    keep = np.concatenate([np.flatnonzero(truth != 2), rare[:8]])
    p, labels = clean[keep], truth[keep].copy()
    sure = np.flatnonzero((labels == 0) & (p[:, 0] > 0.9))[:3]
    labels[sure] = 2
    assert set(sure.tolist()) <= set(suspects(p, labels).tolist())


def test_nothing_to_judge():
    assert len(suspects(np.zeros((0, 2), np.float32), np.zeros(0, np.int64))) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=9))
def test_the_cut_has_the_best_expected_f1(chances):
    chances = np.sort(np.array(chances))[::-1]
    total = chances.sum()
    expected = [0.0] + [2 * chances[:k].sum() / (k + total) for k in range(1, len(chances) + 1)]
    assert best_count(chances) == (int(np.argmax(expected)) if total >= 0.5 else 0)


def test_the_nearest_of_a_class_are_as_by_hand_and_never_copies():
    draw = np.random.default_rng(0)
    vectors, of_class = draw.normal(size=(30, 5)).astype(np.float32), np.arange(30) % 3
    groups = np.arange(30)
    groups[3] = 0  # of class 0, as row 0
    rows, classes = np.array([0, 0, 7]), np.array([0, 1, 2])
    found = nearest_of_class(vectors, of_class, groups, rows, classes)
    unit = (vectors - vectors.mean(0)) / vectors.std(0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for row, k, near in zip(rows, classes, found, strict=True):
        others = [i for i in range(30) if of_class[i] == k and groups[i] != groups[row]]
        assert near.tolist() == sorted(others, key=lambda i: -(unit[i] @ unit[row]))[:3]
    (alone,) = nearest_of_class(vectors, of_class + (np.arange(30) == 4) * 9, groups, np.array([4]), np.array([10]))
    assert alone.tolist() == []  # no other of its class
    assert nearest_of_class(vectors, of_class, groups, rows[:0], classes[:0]) == []


@pytest.fixture(scope="module")
def planted():
    """ids, labels with two wrong ones, probabilities, vectors, groups; a class c with a single picture."""
    draw, truth = np.random.default_rng(0), np.append(np.repeat([0, 1], 40), 2)
    vectors = (np.eye(3)[truth] * 4 + draw.normal(size=(81, 3))).astype(np.float32)
    p = np.full((81, 3), 0.01, np.float32)
    p[np.arange(81), truth] = 0.98
    p[80] = [0.9, 0.09, 0.01]  # nobody has learned c
    labels = truth.copy()
    labels[[5, 50]] = [1, 0]
    vectors[60] = vectors[5] + 0.01  # the nearest of its class
    p[50] = [0.1, 0.89, 0.01]
    p[60] = [0.5, 0.49, 0.01]  # hard, no more
    return [f"{row}.jpg" for row in range(81)], labels, p, vectors, np.arange(81)


def test_findings_say_which_label_why_and_what_to_compare_with(planted):
    ids, labels, p, vectors, groups = planted
    audit = audit_labels(ids, ["a", "b", "c"], labels, [p, p], vectors, groups)
    found = audit.findings
    assert [(f.kind, f.where) for f in found] == [
        ("labels-not-judged", ("80.jpg",)),
        ("wrong-label", ("5.jpg",)),
        ("wrong-label", ("50.jpg",)),
    ]
    first = found[1]
    assert first.evidence == "Labelled b; the probe, which had not seen it, says a (98 %; b 1 %)."
    assert (first.numbers["given"], first.numbers["likely"]) == ("b", "a")
    assert first.numbers["probability"] == pytest.approx(0.98, abs=1e-3)
    places = {kind: [int(id.partition(".")[0]) for id in near] for kind, near in first.numbers["nearest"].items()}
    assert len(places["given"]) == len(places["likely"]) == 3
    assert not {5, 50, 60} & {*places["given"], *places["likely"]}  # doubtful ones show nothing
    assert (labels[places["given"]] == 1).all()
    assert (labels[places["likely"]] == 0).all()
    assert all(0.5 < one.score <= 1 for one in found[1:])
    assert all(one.score >= other.score for one, other in itertools.pairwise(found[1:]))
    assert json.loads(json.dumps([one.to_json() for one in found]))[1]["numbers"]["nearest"]["given"]
    assert [label.id for label in audit.doubtful] == ["5.jpg", "50.jpg", "60.jpg"]
    assert str(audit).startswith("About 2 labels may be wrong; for 1 more the probe prefers another class.")


def test_classes_of_copies_alone_are_named_together_and_one_class_has_nothing_to_compare(planted):
    ids, labels, p, vectors, groups = planted
    copies = groups.copy()
    copies[labels == 1] = 0
    (unknown, *_) = audit_labels(ids, ["a", "b", "c"], labels, [p], vectors, copies).findings
    assert unknown.numbers["classes"] == ["b", "c"]
    assert len(unknown.where) == 41
    alone = audit_labels(ids[:9], ["a"], np.zeros(9, np.int64), [np.ones((9, 1), np.float32)], vectors[:9], groups[:9])
    assert (alone.doubtful, alone.findings, str(alone)) == ((), (), "")
