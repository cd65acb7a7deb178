"""When to stop a review: the bound holds whenever one stops, whatever was looked at in between."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.clean.decisions.decision import Decision, decision_of, from_json
from ursa.clean.stopping import most_left as bound
from ursa.clean.stopping.most_left import RandomDraws, ReviewAnswer, draws_needed, most_left
from ursa.clean.stopping.review_answers import review_answers
from ursa.clean.stopping.when_to_stop import next_to_review, when_to_stop
from ursa.clean.wrong_labels.label_answers import FEWEST
from ursa.errors import DataError


def reviewed(wrong, order, drawn):
    """wrong [N], order [T] rows as they were looked at, drawn [T] -> the answers."""
    n = len(wrong)
    return [
        ReviewAnswer(int(row), bool(wrong[row]), n - place if random else 0)
        for place, (row, random) in enumerate(zip(order, drawn, strict=True))
    ]


def history(seed, count=60, share=0.1, asked=30):
    draw = np.random.default_rng(seed)
    wrong = draw.random(count) < share
    return wrong, reviewed(wrong, draw.permutation(count)[:asked], draw.random(asked) < 0.5)


def brute_force(answers, pool):
    """The definition, in plain numbers."""
    found = sum(answer.wrong for answer in answers)
    seen, draws = 0, []
    for answer in answers:
        if answer.drawn_from:
            draws.append((seen, answer.drawn_from, answer.wrong))
        seen += answer.wrong
    hits, total = sum(wrong for *_, wrong in draws), len(draws)
    mixture = sum((1 - bound.NONE_LEFT) / len(bound.SHARES) * t**hits * (1 - t) ** (total - hits) for t in bound.SHARES)
    mixture += bound.NONE_LEFT * (hits == 0)
    likelihood = [
        np.prod([(found + m - f) / n if x else 1 - (found + m - f) / n for f, n, x in draws]) for m in range(pool + 1)
    ]
    top = int(np.argmax(likelihood))
    return max([top] + [m for m in range(top, pool + 1) if mixture < 20 * likelihood[m]])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.5), st.integers(0, 60))
def test_the_bound_is_what_its_formula_says(seed, share, asked):
    _, answers = history(seed, share=share, asked=asked)
    draws = RandomDraws.of(answers, 60 - asked)
    assert most_left(draws) == (brute_force(answers, 60 - asked) if draws.count else 60 - asked)


def test_it_holds_at_every_look_at_once_in_95_of_100_reviews():
    """The likeliest wrong are taken out in between, more of them after a random one was wrong: all may depend on it."""
    broken = 0
    for seed in range(300):
        draw = np.random.default_rng(seed)
        margins = draw.normal(-2, 2, 400)
        wrong = draw.random(400) < 1 / (1 + np.exp(2.5 - margins))
        left, suspects, answers = set(range(400)), list(np.argsort(-margins)), []
        for _ in range(80):
            row = int(draw.choice(sorted(left)))
            answers.append(ReviewAnswer(row, bool(wrong[row]), len(left)))
            left.remove(row)
            for _ in range(3 if wrong[row] else 1):
                row = next((int(row) for row in suspects if row in left), None)
                if row is not None:
                    answers.append(ReviewAnswer(row, bool(wrong[row])))
                    left.remove(row)
        # from the last random draw of each ten, the bound of then
        looks = [k for k, answer in enumerate(answers) if answer.drawn_from][9::10]
        for k in looks:
            here = answers[: k + 1]
            true = wrong.sum() - sum(answer.wrong for answer in here)
            if most_left(RandomDraws.of(here, 400 - len(here))) < true:
                broken += 1
                break
    assert broken <= 0.05 * 300


def test_without_a_random_picture_nothing_is_bounded_and_with_all_seen_nothing_is_left():
    wrong = np.array([True] * 5 + [False] * 25)
    suspects = reviewed(wrong, range(10), [False] * 10)
    assert most_left(RandomDraws.of(suspects, 20)) == 20
    everything = reviewed(wrong, range(30), [True] * 30)
    assert most_left(RandomDraws.of(everything, 0)) == 0


def test_so_many_clean_draws_as_are_said_to_be_needed_show_it_and_one_less_does_not():
    for seed in range(6):
        _, answers = history(seed, count=2000, share=0.02, asked=60)
        pool = 2000 - len(answers)
        for target in (10, 40, 200):
            needed = draws_needed(RandomDraws.of(answers, pool), target)
            for more in {max(0, needed - 1), needed}:
                clean = [ReviewAnswer(-1, False, pool - k) for k in range(more)]
                now = most_left(RandomDraws.of([*answers, *clean], pool - more))
                assert (now <= target) == (more >= needed)


def test_random_pictures_needed_for_one_and_two_percent():
    """An eighth more than a single look that was planned takes (285, 147, 58)."""
    counts = [draws_needed(RandomDraws.of([ReviewAnswer(0, False)], 5000), most) for most in (50, 100, 250)]
    assert counts == [319, 160, 63]


def test_draws_from_before_pictures_were_added_do_not_count():
    clean = reviewed(np.zeros(1000, bool), range(300), [True] * 300)
    before = most_left(RandomDraws.of(clean, 700))
    assert before < 20
    assert RandomDraws.of(clean, 701).count == 0 and most_left(RandomDraws.of(clean, 701)) == 701
    again = [*clean, *(ReviewAnswer(-1, False, 900 - k) for k in range(300))]  # 200 were added
    assert RandomDraws.of(again, 600).count == 300 and most_left(RandomDraws.of(again, 600)) < 20


def test_pictures_that_went_away_may_have_been_the_right_ones():
    clean = reviewed(np.zeros(1000, bool), range(100), [True] * 100)
    assert most_left(RandomDraws.of(clean, 500)) == most_left(RandomDraws.of(clean, 900)) > 20
    assert most_left(RandomDraws.of(clean, 10)) == 10


def drawn_labels(seed=0, count=4000):
    draw = np.random.default_rng(seed)
    margins = draw.normal(-4, 2.5, count)
    return margins, draw.random(count) < 1 / (1 + np.exp(-(2 * margins - 1)))


def test_a_review_shows_suspects_then_random_pictures_and_says_when_to_stop():
    margins, wrong = drawn_labels()
    answers, advice = [], when_to_stop(margins, [])
    assert advice.sentence.startswith("Go on: how many") and advice.left is None and advice.most == advice.unseen
    while not advice.stop:
        shown = next_to_review(margins, answers)
        assert shown == next_to_review(margins, answers)
        answers.append(ReviewAnswer(shown.row, bool(wrong[shown.row]), shown.drawn_from))
        if len(answers) % 10 == 0:
            advice = when_to_stop(margins, answers)
    kinds = [answer.drawn_from > 0 for answer in answers]
    assert not any(kinds[:100]) and sum(kinds) > 100
    suspects = [margins[answer.row] for answer in answers if not answer.drawn_from]
    assert suspects == sorted(suspects, reverse=True)[: len(suspects)]
    left = wrong.sum() - sum(answer.wrong for answer in answers)
    assert left <= advice.most <= advice.allowed == 80
    assert len(answers) < 0.25 * len(margins)
    assert advice.sentence.startswith("You can stop: at most") and advice.to_json()["high"] == advice.most


def test_on_the_way_it_says_how_many_random_pictures_are_missing():
    margins, wrong = drawn_labels()
    suspects = np.argsort(-margins)[:700]
    answers = reviewed(wrong, suspects, [False] * 700)
    advice = when_to_stop(margins, answers)
    assert advice.proving and not advice.stop and str(advice.needed) in advice.sentence
    assert next_to_review(margins, answers).drawn_from == len(margins) - 700
    assert not next_to_review(margins, [*answers[1:], answers[0]][:699]).drawn_from  # every third is a suspect
    few = when_to_stop(margins, answers[:FEWEST])
    assert "80 are allowed" in few.sentence and few.left > 80
    assert when_to_stop(margins, reviewed(wrong, range(4000), [False] * 4000)).stop


def test_answers_of_before_labels_were_corrected_bound_but_do_not_estimate():
    margins, wrong = drawn_labels()
    answers = reviewed(wrong, np.argsort(-margins)[:60], [False] * 60)
    stale = [replace(answer, corrected=answer.wrong) for answer in answers]
    assert when_to_stop(margins, answers).left is not None
    advice = when_to_stop(margins, stale)
    assert advice.left is None and advice.found == sum(answer.wrong for answer in answers)


def test_answers_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="no share"):
        when_to_stop(np.zeros(3), [], allowed=2)
    with pytest.raises(DataError, match="other pictures"):
        when_to_stop(np.zeros(3), [ReviewAnswer(3, True)])
    with pytest.raises(DataError, match="two are about one"):
        when_to_stop(np.zeros(3), [ReviewAnswer(1, True), ReviewAnswer(1, False)])
    assert next_to_review(np.zeros(1), [ReviewAnswer(0, True)]) is None


def entry(number, kind="keep", **more):
    return Decision(f"{number:064x}", kind, f"{number}.png", given="cat", **more)


def test_answers_come_from_the_journal_in_their_order():
    hashes, labels = [f"{k:064x}" for k in (0, 1, 2, 2, 3)], ["cat", "dog", "cat", "cat", "cat"]
    drawn = entry(2, drawn_from=5)
    entries = [
        entry(1, "label", label="dog"),  # applied since
        drawn,
        entry(9, "delete"),  # and gone
        entry(0, "delete", copies=("copy.png",)),  # a copy less says nothing of the label
        entry(3, "not-sure"),
    ]
    said = review_answers(entries, hashes, labels)
    assert said == [
        ReviewAnswer(1, True, 0, True),
        ReviewAnswer(2, False, 5),
        ReviewAnswer(3, False),
        ReviewAnswer(-1, True),
        ReviewAnswer(4, False),
    ]
    undo = Decision(drawn.sha256, "undo", drawn.id, undoes=drawn.key)
    assert len(review_answers([*entries, undo], hashes, labels)) == 3
    again = review_answers([*entries, undo, entry(2, "label", label="dog")], hashes, labels)
    assert again[1] == ReviewAnswer(2, True, 5)  # it stays a draw, in its place
    unlabeled = replace(entry(0, "label", label="dog"), given=None)
    assert review_answers([unlabeled], hashes, labels) == []


def test_a_draw_is_remembered_by_its_line_and_older_lines_are_read():
    drawn = entry(7, drawn_from=812)
    assert decision_of(drawn.line().rstrip()) == drawn
    assert "drawn_from" not in entry(7).to_json()
    for bad in (True, -1, "5", 1.0, 1 << 60, None):
        assert from_json({**drawn.to_json(), "drawn_from": bad}) is None
