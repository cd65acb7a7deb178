"""A few answers tell how many labels are wrong, and which to take for wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from ursa.clean.wrong_labels import label_answers
from ursa.clean.wrong_labels.label_answers import FEWEST, estimate, which_to_ask
from ursa.errors import DataError


def drawn(count=3000, bent=(-1.5, 1.2), seed=0):
    """margins [N], and which labels are wrong: a logistic function of them, as no probability says."""
    draw = np.random.default_rng(seed)
    margins = draw.normal(-3, 3, count)
    return margins, draw.random(count) < 1 / (1 + np.exp(-(bent[0] + bent[1] * margins)))


def answered(margins, wrong, count=60):
    return {int(row): bool(wrong[row]) for row in which_to_ask(margins, count)}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 300), st.integers(1, 90), st.integers(0, 1000))
def test_questions_are_spread_evenly_over_the_top_of_the_list(count, asked, seed):
    margins = np.random.default_rng(seed).normal(-1, 2, count)
    rows = which_to_ask(margins, asked)
    assert len(set(rows.tolist())) == len(rows) == min(count, asked)
    ranks = np.argsort(np.argsort(-margins, kind="stable"))[rows]
    assert (np.diff(ranks) > 0).all()
    if len(rows) > 2:
        assert np.ptp(np.diff(ranks)) <= 1
    doubtful = (margins > 0).sum()
    if len(rows) and asked <= doubtful and 2 * doubtful <= count:
        assert ranks.max() < 2 * doubtful
        assert ranks.mean() == pytest.approx(doubtful, abs=1)  # half of them where the given label is preferred


@pytest.mark.parametrize("bent", [(-1.5, 1.2), (0.5, 0.7), (-3.0, 2.0)])
def test_sixty_answers_give_the_count_and_a_cut_near_the_best(bent):
    counts, scores, held = [], [], []
    for seed in range(8):
        margins, wrong = drawn(bent=bent, seed=seed)
        found = estimate(margins, answered(margins, wrong))
        hits = wrong[np.argsort(-margins)].cumsum()
        best = (2 * hits / (np.arange(1, len(hits) + 1) + wrong.sum())).max()
        counts.append(found.count.value / wrong.sum())
        held.append(found.count.low <= wrong.sum() <= found.count.high)
        scores.append(2 * wrong[found.rows()].sum() / (found.cut + wrong.sum()) / best)
    assert np.mean(counts) == pytest.approx(1, abs=0.1)
    assert np.mean(scores) > 0.97
    assert sum(held) >= 7


def test_what_was_answered_is_certain_and_what_is_left_is_the_rest():
    margins, wrong = drawn()
    answers = answered(margins, wrong)
    found = estimate(margins, answers)
    assert all(found.wrong[row] == said for row, said in answers.items())
    assert found.left == pytest.approx(found.count.value - sum(answers.values()))
    everything = estimate(margins, dict(enumerate(wrong.tolist())))
    assert (everything.count.low, everything.count.high) == (wrong.sum(), wrong.sum())
    assert (everything.count.value, everything.left, set(everything.rows())) == (
        wrong.sum(),
        0,
        set(np.flatnonzero(wrong)),
    )


def test_where_no_answer_finds_a_wrong_label_none_is_taken_for_wrong():
    margins, _ = drawn()
    found = estimate(margins, answered(margins, np.zeros(len(margins), bool)))
    assert found.cut == 0
    assert found.count.value < 0.005 * len(margins)
    asked = 2 * (margins > 0).sum()  # the upper part of the list; nothing in 60 may still be 1 in 17 (Wilson)
    assert found.count.high == pytest.approx(0.06 * asked, rel=0.1)


def test_a_single_wrong_label_low_in_the_list_does_not_turn_the_list_round():
    margins = np.linspace(4, -8, 1000)
    answers = dict.fromkeys(range(0, 640, 10), False) | {630: True}
    found = estimate(margins, answers)
    assert (np.diff(np.delete(found.wrong, [*answers])) <= 0).all()
    assert found.count.value < 30


def test_answers_that_are_all_alike_are_no_crash():
    margins = np.linspace(-5, 5, 40)
    found = estimate(margins, dict.fromkeys(range(15, 40), True))
    assert np.isfinite(found.wrong).all()
    assert found.cut >= 25
    assert np.isfinite(estimate(np.zeros(30), dict.fromkeys(range(25), False)).wrong).all()


def test_the_fit_is_logistic_regression(monkeypatch):
    monkeypatch.setattr(label_answers, "RIDGE", 1e-9)
    margins, wrong = drawn(400)
    found = estimate(margins, dict(enumerate(wrong[:200].tolist())))
    peer = LogisticRegression(C=1e9, tol=1e-8).fit(margins[:200, None], wrong[:200])
    assert found.wrong[200:] == pytest.approx(peer.predict_proba(margins[200:, None])[:, 1], abs=1e-4)


def test_the_order_of_answers_does_not_matter():
    margins, wrong = drawn()
    answers = answered(margins, wrong)
    turned = dict(reversed(answers.items()))
    assert np.array_equal(estimate(margins, answers).wrong, estimate(margins, turned).wrong)


def test_too_few_answers_and_answers_about_no_picture_are_refused():
    margins, wrong = drawn(100)
    with pytest.raises(DataError, match="too few answers"):
        estimate(margins, answered(margins, wrong, FEWEST - 1))
    with pytest.raises(DataError, match="no picture"):
        estimate(margins, dict.fromkeys(range(90, 120), True))
    with pytest.raises(DataError, match="at least one"):
        which_to_ask(margins, 0)
    assert estimate(margins[:5], dict.fromkeys(range(5), False)).count.value == 0  # all of them were answered
    assert estimate(margins[:0], {}).cut == 0
