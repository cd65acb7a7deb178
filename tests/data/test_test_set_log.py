"""The ledger of looks: counts models, recognises sets that overlap, survives torn lines."""

import hashlib

import pytest

from ursa.data.test_set_log import record_use, repeated_use, uses
from ursa.errors import DataError

PICTURES = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(1000)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "space" / "test_set_log.jsonl"


def test_each_other_model_is_another_look_and_the_same_one_is_not(path):
    assert record_use(path, "train", "one", PICTURES) == 1
    assert record_use(path, "evaluate", "one", PICTURES[::-1]) == 1
    assert record_use(path, "train", "two", PICTURES) == 2
    assert record_use(path, "evaluate", "three", PICTURES) == 3
    assert [(known.command, known.model, known.pictures) for known in uses(path)] == [
        ("train", "one", len(PICTURES)),
        ("train", "two", len(PICTURES)),
        ("evaluate", "three", len(PICTURES)),
    ]


def test_other_pictures_have_looks_of_their_own_but_a_few_more_do_not_make_them_new(path):
    record_use(path, "train", "one", PICTURES)
    assert record_use(path, "train", "two", [hashlib.sha256(b"other %d" % i).hexdigest() for i in range(1000)]) == 1
    assert record_use(path, "train", "three", [*PICTURES[10:], "f" * 64]) == 2


def test_a_torn_or_foreign_line_is_passed_over_and_ours_begins_after_it(path):
    record_use(path, "train", "one", PICTURES)
    with path.open("ab") as file:
        file.write(b'{"not": "ours"}\n[1]\n' + path.read_bytes()[:50])
    assert record_use(path, "train", "two", PICTURES) == 2
    assert [known.model for known in uses(path)] == ["one", "two"]


def test_lines_are_only_added(path):
    record_use(path, "train", "one", PICTURES)
    before = path.read_bytes()
    record_use(path, "train", "two", PICTURES)
    assert path.read_bytes().startswith(before)


def test_no_ledger_means_no_looks(path):
    assert uses(path) == []


def test_a_look_that_cannot_be_written_down_is_refused(public_path, as_another_user):
    (public_path / "space").mkdir()
    (public_path / "space").chmod(0o555)
    with as_another_user(), pytest.raises(DataError, match="cannot write"):
        record_use(public_path / "space" / "test_set_log.jsonl", "train", "one", PICTURES)


def test_the_second_look_is_a_finding_and_every_further_one_a_graver():
    assert repeated_use(0, 10) == repeated_use(1, 10) == []
    scores = [repeated_use(count, 10)[0].score for count in (2, 3, 10)]
    assert scores == sorted(scores) and 0 < scores[0] < scores[-1] < 1
    assert "looked at 3 times" in repeated_use(3, 10)[0].evidence
