"""Pictures drawn at random: by the server, from those nobody has looked at, one until it is decided; marked as such."""

import numpy as np
import pytest

from ursa.clean.kept_findings import KeptFindings, read_findings
from ursa.clean.stopping.when_to_stop import ALLOWED, when_to_stop
from ursa.review_page.labels_left import LabelsLeft

TOKEN = "token-of-these-tests"


def draw(reviewed):
    return reviewed.client.post(f"/{TOKEN}/api/draw", json={}).json()["number"]


def drawn_row(reviewed):
    number = draw(reviewed)
    return None if number is None else reviewed.session.items[number].pictures[0]


def one_beside(reviewed, row):
    """A judged picture of which there are no copies."""
    known = reviewed.session._left
    return next(
        other
        for other, key in zip(known.rows, known.hashes, strict=True)
        if other != row and known.hashes.count(key) == 1
    )


def test_the_drawn_picture_stays_until_something_is_said_of_it(reviewed):
    number = draw(reviewed)
    item = reviewed.session.items[number]
    assert (item.kind, len(item.pictures), draw(reviewed)) == ("random-pick", 1, number)
    other = one_beside(reviewed, item.pictures[0])
    reviewed.decide({"row": other, "kind": "keep"})
    assert draw(reviewed) == number  # a suspect that was decided in between is no reason to draw anew
    reviewed.decide({"row": item.pictures[0], "kind": "not-sure"})
    assert draw(reviewed) != number
    assert number in reviewed.view("kind=random-pick")


def test_what_is_said_of_it_is_marked_with_how_many_it_was_drawn_from(reviewed):
    judged = len(reviewed.session._left)
    row = drawn_row(reviewed)
    other = one_beside(reviewed, row)
    reviewed.decide({"row": other, "kind": "keep"})
    reviewed.decide({"row": row, "kind": "keep"})
    suspect, drawn = reviewed.journal()
    assert (suspect.drawn_from, drawn.drawn_from) == (0, judged - 1)  # the other had been looked at
    reviewed.decide({"row": row, "kind": "delete"})
    assert reviewed.journal()[-1].drawn_from == 0  # it is no draw any more: the first word about it was


def test_a_draw_decided_with_others_at_once_counts_as_none(reviewed):
    """Which others a person took along may depend on it."""
    row = drawn_row(reviewed)
    other = one_beside(reviewed, row)
    reviewed.decide({"row": row, "kind": "keep"}, {"row": other, "kind": "keep"})
    assert [one.drawn_from for one in reviewed.journal()] == [0, 0]


def test_a_page_cannot_call_a_picture_drawn(reviewed):
    row = reviewed.session._left.rows[0]
    assert reviewed.decide({"row": row, "kind": "keep", "drawn": True}).status_code == 400
    assert reviewed.journal() == ()


def test_after_a_restart_draws_are_known_and_go_on(reviewed):
    row = drawn_row(reviewed)
    reviewed.decide({"row": row, "kind": "keep"})
    waiting = drawn_row(reviewed)
    again = reviewed.again()
    shown = [again.session.items[number] for number in again.view("kind=random-pick")]
    assert [item.pictures for item in shown] == [(row,)]
    assert again.session.progress()["kinds"]["random-pick"] == [1, 1]
    assert drawn_row(again) == waiting  # the same answers draw the same picture


def test_everything_looked_at_leaves_nothing_to_draw_and_says_so(reviewed):
    for _ in range(100):
        row = drawn_row(reviewed)
        if row is None:
            break
        reviewed.decide({"row": row, "kind": "keep"})
    told = reviewed.session.progress()
    assert (row, told["stop"], told["high"], told["left"]) == (None, True, 0, "Every label was looked at.")
    looked_at = {one.sha256 for one in reviewed.journal()}
    assert looked_at == set(reviewed.session._left.hashes)


def test_items_of_a_draw_count_like_others(reviewed):
    before = reviewed.session.progress()
    assert before["kinds"]["random-pick"] == [0, 0]
    row = drawn_row(reviewed)
    told = reviewed.session.progress()
    assert (told["items"], told["kinds"]["random-pick"]) == (before["items"] + 1, [0, 1])
    told = reviewed.decide({"row": row, "kind": "keep"}).json()["progress"]
    assert told["kinds"]["random-pick"] == [1, 1]


def test_without_judged_labels_nothing_is_said_and_nothing_drawn(reviewed):
    reviewed.session._left = LabelsLeft(reviewed.table, KeptFindings())
    assert draw(reviewed) is None
    assert reviewed.session.progress()["left"] == ""


def test_the_advice_is_that_of_the_answers(reviewed):
    """What a page is told is what the pure function says of margins and answers."""
    kept = read_findings(reviewed.space)
    assert reviewed.session.advice() == when_to_stop(np.asarray(kept.judged.margins), [])
    row = drawn_row(reviewed)
    reviewed.decide(
        {"row": row, "kind": "label", "label": "brown" if reviewed.table.label(row) == "black" else "black"}
    )
    known = reviewed.session.advice()
    assert (known.found, known.unseen) == (1, len(kept.judged.ids) - 1)
    assert known.allowed == int(ALLOWED * len(kept.judged.ids))


def test_a_picture_that_is_gone_is_not_among_those_that_are_drawn(reviewed):
    gone = reviewed.table.id(reviewed.session._left.rows[0])
    (reviewed.folder / gone).unlink()
    again = reviewed.again()
    assert len(again.session._left) == len(reviewed.session._left) - 1
    assert gone not in {again.table.id(row) for row in again.session._left.rows}


@pytest.mark.parametrize("body", [b"[]", b"", b"\xff"])
def test_a_body_that_is_none_is_refused(reviewed, body):
    answer = reviewed.client.post(f"/{TOKEN}/api/draw", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
