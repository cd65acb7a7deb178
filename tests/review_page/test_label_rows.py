"""Rows of pictures without a label: asked for by the page, labeled at once but for those that are taken out."""

import dataclasses

import pytest

from ursa.review_page.review_app import LabelRows
from ursa.review_page.review_items import ROWS, row_item

TOKEN = "token-of-these-tests"


@pytest.fixture
def bare(reviewed):
    """The pictures as if none had a label; `asked` holds the outcomes that were told."""
    labels = reviewed.table.columns["label"]
    labels[:] = [None] * len(labels)
    reviewed.asked, reviewed.next = [], [(("black/black_001.png", "brown/brown_001.png", "gone.png"), "alike", None)]

    def rows(outcomes, finish):
        reviewed.asked.append(list(outcomes))
        reviewed.finish = finish
        return LabelRows(reviewed.next, "14 to go.")

    service = reviewed.session
    for route in reviewed.app.routes:
        owner = getattr(route.endpoint, "__self__", None)
        if owner is not None:
            owner.actions = dataclasses.replace(owner.actions, rows=rows)
    reviewed.rows = lambda: reviewed.client.post(f"/{TOKEN}/api/rows", json={}).json()
    assert service.items
    return reviewed


def test_a_row_becomes_an_item_of_the_pictures_that_are_there(bare):
    told = bare.rows()
    assert told["words"] == "14 to go." and told["progress"]["kinds"]["row-to-label"] == [0, 1]
    (number,) = told["numbers"]
    item = bare.session.items[number]
    assert item.pictures == (bare.row("black/black_001.png"), bare.row("brown/brown_001.png"))
    shown = bare.client.get(f"/{TOKEN}/api/items?numbers={number}").json()["items"][0]
    assert (shown["row"], shown["group"], shown["likely"]) == (True, False, None)
    assert number in bare.view("kind=row-to-label")


def test_one_label_decides_a_row_and_what_was_taken_out_is_told_the_next_time(bare):
    (number,) = bare.rows()["numbers"]
    first, _ = bare.session.items[number].pictures
    assert bare.session._state[number] == "undecided"
    told = bare.decide({"row": first, "kind": "new-label", "label": "bear"}).json()
    assert told["progress"]["kinds"]["row-to-label"] == [1, 1]
    assert "bear" in told["classes"]
    bare.rows()
    assert bare.asked == [[], [(1, 2)]]


def test_rows_of_other_purposes_say_nothing_of_alikeness(bare):
    bare.next = [(("black/black_001.png",), "teach", "black"), (("brown/brown_001.png",), "judge", None)]
    numbers = bare.rows()["numbers"]
    for number in numbers:
        bare.decide({"row": bare.session.items[number].pictures[0], "kind": "new-label", "label": "bear"})
    bare.rows()
    assert bare.asked[-1] == []


def test_the_page_asks_for_rows_that_finish(bare):
    bare.rows()
    assert bare.finish is False
    answers = [bare.client.post(f"/{TOKEN}/api/rows", json={"finish": said}) for said in (True, "yes")]
    assert [answer.status_code for answer in answers] == [200, 400] and bare.finish is True


def test_nothing_left_is_no_item(bare):
    bare.next = []
    assert bare.rows()["numbers"] == []


def test_where_nothing_can_be_labeled_it_is_refused(reviewed):
    answer = reviewed.client.post(f"/{TOKEN}/api/rows", json={})
    assert (answer.status_code, answer.json()["error"]) == (404, "there is nothing to label here")
    assert reviewed.client.get(f"/{TOKEN}/api/start").json()["unlabeled"] == 0


@pytest.mark.parametrize("purpose", ROWS)
def test_every_purpose_has_words(purpose):
    item = row_item((0, 1), purpose, "black")
    assert "{" not in item.evidence and item.evidence.endswith(".") and item.advice
    assert ("black" in item.evidence) is (purpose == "confirm")
