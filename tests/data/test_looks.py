"""The ledger of looks: counts models, recognises sets that overlap, survives torn lines."""

import hashlib

import pytest

from ursa.data.looks import look, looked_at, looks
from ursa.errors import DataError

PICTURES = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(1000)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "space" / "looks.jsonl"


def test_each_other_model_is_another_look_and_the_same_one_is_not(path):
    assert look(path, "train", "one", PICTURES) == 1
    assert look(path, "evaluate", "one", PICTURES[::-1]) == 1
    assert look(path, "train", "two", PICTURES) == 2
    assert look(path, "evaluate", "three", PICTURES) == 3
    assert [(known.command, known.model, known.pictures) for known in looks(path)] == [
        ("train", "one", len(PICTURES)),
        ("train", "two", len(PICTURES)),
        ("evaluate", "three", len(PICTURES)),
    ]


def test_other_pictures_have_looks_of_their_own_but_a_few_more_do_not_make_them_new(path):
    look(path, "train", "one", PICTURES)
    assert look(path, "train", "two", [hashlib.sha256(b"other %d" % i).hexdigest() for i in range(1000)]) == 1
    assert look(path, "train", "three", [*PICTURES[10:], "f" * 64]) == 2


def test_a_torn_or_foreign_line_is_passed_over_and_ours_begins_after_it(path):
    look(path, "train", "one", PICTURES)
    with path.open("ab") as file:
        file.write(b'{"not": "ours"}\n[1]\n' + path.read_bytes()[:50])
    assert look(path, "train", "two", PICTURES) == 2
    assert [known.model for known in looks(path)] == ["one", "two"]


def test_lines_are_only_added(path):
    look(path, "train", "one", PICTURES)
    before = path.read_bytes()
    look(path, "train", "two", PICTURES)
    assert path.read_bytes().startswith(before)


def test_no_ledger_means_no_looks(path):
    assert looks(path) == []


def test_a_look_that_cannot_be_written_down_is_refused(public_path, as_another_user):
    (public_path / "space").mkdir()
    (public_path / "space").chmod(0o555)
    with as_another_user(), pytest.raises(DataError, match="cannot write"):
        look(public_path / "space" / "looks.jsonl", "train", "one", PICTURES)


def test_the_second_look_is_a_finding_and_every_further_one_a_graver():
    assert looked_at(0, 10) == looked_at(1, 10) == []
    scores = [looked_at(count, 10)[0].score for count in (2, 3, 10)]
    assert scores == sorted(scores) and 0 < scores[0] < scores[-1] < 1
    assert "looked at 3 times" in looked_at(3, 10)[0].evidence
