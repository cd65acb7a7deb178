"""The journal: what was saved is read, whatever is cut, mixed or forged; and what of it stands."""

import errno
import json
import multiprocessing
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa import seals
from ursa.clean.decisions import decision as decision_file
from ursa.clean.decisions import journal as journal_file
from ursa.clean.decisions.decision import Decision, decision_of
from ursa.clean.decisions.journal import append, journal_path, read_journal
from ursa.clean.decisions.standing import open_decisions, standing
from ursa.errors import DataError
from ursa.workspace import Workspace

ODD = ["a/b", 'say "hi"', "🐻‍❄️ bär", "..", "a\nb", "\x1b[2J", "\ud800", "x" * 1000, "null"]


def sha(number):
    return f"{number:064x}"


def decided(number, kind="keep", id=None, **others):
    label = others.pop("label", "white" if kind in ("label", "new-label") else None)
    return Decision(sha(number), kind, id or f"black/{number}.jpg", label, **others)


@pytest.fixture
def space(tmp_path):
    return Workspace.open(tmp_path)


@pytest.fixture(scope="module")
def spaces(tmp_path_factory):
    """A new workspace for each example."""
    place = tmp_path_factory.mktemp("spaces")
    return lambda: Workspace.open(place / os.urandom(8).hex())


@pytest.mark.parametrize("name", ODD)
def test_names_come_back_as_they_were(space, name):
    one = decided(1, "new-label", id=name, label=name, given=name, why=name, who=name)
    append(space, [one])
    assert read_journal(space).entries == (one,) and journal_path(space).read_bytes().count(b"\n") == 1


@settings(max_examples=60)
@given(st.integers(1, 6), st.data())
def test_whatever_byte_it_is_cut_at_whole_lines_are_read_and_the_next_append_is_too(spaces, count, data):
    space, made = spaces(), [decided(n, "label", label=random.Random(n).choice(ODD)) for n in range(count)]
    append(space, made)
    whole = journal_path(space).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    journal_path(space).write_bytes(whole[:cut])
    left = read_journal(space)
    lines = whole[:cut].count(b"\n")
    assert left.entries in (tuple(made[:lines]), tuple(made[: lines + 1])) and left.damaged == 0
    later = decided(99)
    append(space, [later])
    read = read_journal(space)
    assert read.entries == (*left.entries, later) and read.damaged == 0


@settings(max_examples=60)
@given(st.data())
def test_a_changed_byte_costs_its_line_alone_or_its_seal(spaces, data):
    space, made = spaces(), [decided(n) for n in range(3)]
    append(space, made)
    whole = bytearray(journal_path(space).read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    journal_path(space).write_bytes(whole)
    believed = read_journal(space).believed()
    assert set(believed) <= set(made) and len(believed) >= 1


def test_what_is_no_decision_is_not_read(space):
    append(space, [decided(1)])
    own = json.loads(journal_path(space).read_text())
    told = own["decision"]
    strange = [
        b"[" * 100_000,
        b"null",
        b"\xff\xfe",
        b'{"decision":' + b"9" * 5000 + b"}",
        b"x" * (decision_file.LONGEST_LINE + 1),
        *(
            Decision.line(decided(2)).replace(b'"keep"', word)
            for word in (b'"rm -rf"', b"null", b"[]", b'"delete"')  # another kind: its checksum is wrong
        ),
    ]
    for bad in ({"sha256": "../x"}, {"kind": "label"}, {"copies": ["x"]}, {"undoes": "x"}, {"more": "x"}, {"id": 5}):
        text = decision_file._canonical({**told, **bad})
        strange.append(b'{"decision":%b,"check":"%b","seal":"%b"}' % (text, decision_file._check(text), b"0" * 32))
    assert [decision_of(line) for line in strange] == [None] * len(strange)
    with journal_path(space).open("ab") as file:
        file.write(b"\n".join(strange) + b"\n")
    read = read_journal(space)
    assert read.entries[0].id == "black/1.jpg" and len(read.entries) == 1 and read.damaged > 0


def test_lines_of_another_user_are_read_and_not_believed(space, tmp_path, monkeypatch):
    append(space, [decided(1)])
    with monkeypatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
        append(space, [decided(1, "delete"), decided(2, "delete")])
        assert len(read_journal(space).believed()) == 2
    read = read_journal(space)
    assert read.others == 2 and [one.mine for one in read.entries] == [True, False, False]
    assert [one.kind for one in standing(read.believed())] == ["keep"]
    assert [one.kind for one in standing(read.believed(include_others=True))] == ["delete", "delete"]
    assert seals.lasting()


def test_a_link_a_pipe_and_a_file_that_is_too_large_are_refused(space, tmp_path, monkeypatch):
    journal_path(space).symlink_to(tmp_path / "elsewhere")
    for act in (lambda: append(space, [decided(1)]), lambda: read_journal(space)):
        with pytest.raises(DataError, match="symbolic link"):
            act()
    journal_path(space).unlink()
    append(space, [decided(1)])
    monkeypatch.setattr(journal_file, "LARGEST", 10)
    with pytest.raises(DataError, match="is full"):
        append(space, [decided(2)])
    with pytest.raises(DataError, match="too large"):
        read_journal(space)


def test_a_disk_that_fills_up_takes_nothing_of_what_was_not_saved(space, monkeypatch):
    append(space, [decided(1)])
    before, write = journal_path(space).read_bytes(), os.write

    def half(number, data):
        write(number, bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "write", half)
        with pytest.raises(DataError, match="no space left"):
            append(space, [decided(2), decided(3)])
    assert journal_path(space).read_bytes() == before


def test_on_a_real_disk_that_is_full(disk):
    space = Workspace.open(disk("64k"))
    saved = []
    with pytest.raises(DataError, match="no space left"):
        for number in range(1000):
            append(space, [decided(number, why="w" * 500)])
            saved.append(sha(number))
    assert 20 < len(saved) < 1000 and [one.sha256 for one in read_journal(space).entries] == saved


def _reviewer(root, name, count):
    space = Workspace.of(root)
    for number in range(count):
        append(space, [decided(number, id=f"{name}/{number}", why="x" * 300)])


def test_two_reviewers_at_once_lose_nothing(space):
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_reviewer, args=(space.root.parent, name, 60)) for name in "ab"]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    read = read_journal(space)
    assert read.damaged == 0
    for name in "ab":
        mine = [one.id for one in read.entries if one.id.startswith(name)]
        assert mine == [f"{name}/{number}" for number in range(60)]


KINDS = st.sampled_from(["keep", "delete", "label", "not-sure"])


@given(st.lists(st.tuples(st.integers(0, 4), KINDS), max_size=20), st.randoms())
def test_the_order_of_reviewers_does_not_matter_for_different_pictures(said, shuffle):
    entries = [decided(number, kind) for number, kind in said]
    of_pictures = {}
    for entry in entries:
        of_pictures.setdefault(entry.sha256, []).append(entry)
    mixed, queues = [], list(of_pictures.values())
    queues = [list(queue) for queue in queues]
    while any(queues):
        mixed.append(shuffle.choice([queue for queue in queues if queue]).pop(0))
    assert standing(mixed) == standing(entries)
    assert {one.sha256: one for one in standing(entries)} == {key: some[-1] for key, some in of_pictures.items()}


def test_undo_takes_back_the_one_that_it_names_and_the_one_before_stands_again():
    first, second = decided(1, "label"), decided(1, "delete")
    undo = decided(1, "undo", undoes=second.key)
    assert standing([first, second, undo]) == (first,)
    assert standing([first, undo, second]) == (first,)  # whichever line comes first
    foreign = decided(2, "undo", undoes=second.key)
    assert standing([first, second, foreign]) == (second,)
    again = decided(1, "delete")
    assert standing([first, second, undo, again]) == (again,)


def test_one_copy_is_deleted_beside_what_is_said_of_the_content():
    one = decided(1, "delete", id="a/1", copies=("b/1",))
    label = decided(1, "label", id="b/1")
    assert set(standing([one, label])) == {one, label} == set(standing([label, one]))
    keep = decided(1, "keep", id="a/1")
    assert standing([one, keep]) == (keep,)  # said of that very file
    whole = decided(1, "delete", id="b/1")
    assert standing([one, whole]) == (whole,)


def test_what_is_open_is_what_apply_would_do():
    label, keep = decided(1, "label"), decided(2, "keep")
    assert open_decisions([label, keep], []) == 1
    assert open_decisions([label, keep], [label]) == 0
    assert open_decisions([decided(1, "new-label")], [label]) == 0  # comes to the same
    assert open_decisions([decided(1, "delete")], [label]) == 2  # one to take back, one to carry out
    assert open_decisions([], [label]) == 1
