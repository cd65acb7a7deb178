"""Decisions from the page: saved before they are called so, heard of by all windows, undone, counted."""

import subprocess
import sys

import pytest

from ursa.clean.decisions.decision import Decision
from ursa.clean.decisions.journal import append, journal_path
from ursa.errors import DataError
from ursa.review_page.review_session import Wish


def test_a_decision_is_on_disk_when_it_is_called_saved_and_a_restart_knows_it(reviewed):
    row = reviewed.row("black/black_001.png")
    told = reviewed.decide({"row": row, "kind": "label", "label": "brown"}).json()
    assert told["pictures"][str(row)]["label"] == "brown" and told["progress"]["decided"] == 1
    (entry,) = reviewed.journal()
    assert (entry.kind, entry.label, entry.given, entry.id) == ("label", "brown", "black", "black/black_001.png")
    after = reviewed.again().get("api/start").json()
    assert after["pictures"] == told["pictures"] and after["version"] == told["version"]


def test_all_of_a_request_is_saved_or_nothing(reviewed):
    good = {"row": reviewed.row("black/black_001.png"), "kind": "keep"}
    answer = reviewed.decide(good, {"row": reviewed.row("black/black_003.png"), "kind": "label", "label": "brwn"})
    assert answer.status_code == 409 and "brown" in answer.json()["found"]
    assert reviewed.journal() == () and reviewed.get("api/changes?since=0").json()["pictures"] == {}


def test_a_group_is_decided_in_one_stroke_and_says_nothing_of_the_label(reviewed):
    rows = [reviewed.row(f"black/{name}.jpg") for name in ("again", "and_again")]
    told = reviewed.decide(*({"row": row, "kind": "delete"} for row in rows)).json()
    assert told["progress"]["kinds"]["exact-duplicate"] == [1, 1]
    assert all("black/black_002.jpg" in entry.copies for entry in reviewed.journal())
    assert str(reviewed.row("black/black_002.jpg")) not in told["pictures"]  # the one that stays
    assert reviewed.session.advice().found == 0


def test_a_label_holds_for_all_copies(reviewed):
    told = reviewed.decide({"row": reviewed.row("black/again.jpg"), "kind": "label", "label": "brown"}).json()
    assert len(told["pictures"]) == 3


def test_undo_takes_back_what_the_window_knows_and_nothing_newer(reviewed):
    row = reviewed.row("black/black_001.png")
    key = reviewed.decide({"row": row, "kind": "keep"}).json()["keys"][0]
    newer = reviewed.decide({"row": row, "kind": "delete"}).json()["keys"][0]
    assert reviewed.decide({"row": row, "kind": "undo", "key": key}).status_code == 409
    told = reviewed.decide({"row": row, "kind": "undo", "key": newer}).json()
    assert told["pictures"][str(row)]["kind"] == "keep"  # the one before stands again
    told = reviewed.decide({"row": row, "kind": "undo", "key": key}).json()
    assert told["pictures"][str(row)] is None and told["progress"]["decided"] == 0
    assert reviewed.decide({"row": row, "kind": "undo"}).status_code == 409


def test_every_window_hears_of_every_decision_whoever_made_it(reviewed):
    other, row = reviewed.again(), reviewed.row("black/black_001.png")
    version = other.get("api/start").json()["version"]
    reviewed.decide({"row": row, "kind": "not-sure"})
    told = other.get(f"api/changes?since={version}").json()
    assert told["pictures"][str(row)]["kind"] == "not-sure"
    line = Decision(reviewed.table.sha256(row), "keep", "black/black_001.png")
    append(reviewed.space, [line])  # as `ursa decide` does
    both = [each.get(f"api/changes?since={told['version']}").json() for each in (reviewed, other)]
    assert both[0] == both[1] and both[0]["pictures"][str(row)]["key"] == line.key
    assert reviewed.get(f"api/changes?since={both[0]['version']}").json()["pictures"] == {}


def test_a_window_that_heard_of_nothing_for_a_while_hears_of_all(reviewed):
    rows = [reviewed.row(f"black/black_{number:03}.png") for number in (1, 3, 5)]
    versions = [reviewed.decide({"row": row, "kind": "keep"}).json()["version"] for row in rows]
    told = reviewed.get(f"api/changes?since={versions[0]}").json()
    assert set(told["pictures"]) == {str(row) for row in rows[1:]} and not told["anew"]


def test_a_line_that_is_not_whole_yet_is_left_to_the_next_time(reviewed):
    row, path = reviewed.row("black/black_001.png"), journal_path(reviewed.space)
    line = Decision(reviewed.table.sha256(row), "keep", "black/black_001.png").line()
    path.write_bytes(line[:40])
    assert reviewed.get("api/changes?since=-1").json()["pictures"] == {}
    path.write_bytes(line)
    assert list(reviewed.get("api/changes?since=-1").json()["pictures"]) == [str(row)]


@pytest.mark.parametrize("left", [None, b""])
def test_a_journal_that_was_removed_is_heard_of_too(reviewed, left):
    row = reviewed.row("black/black_001.png")
    version = reviewed.decide({"row": row, "kind": "keep"}).json()["version"]
    journal_path(reviewed.space).unlink()
    if left is not None:
        journal_path(reviewed.space).write_bytes(left)
    told = reviewed.get(f"api/changes?since={version}").json()
    assert told["anew"] and told["pictures"] == {} and told["progress"]["decided"] == 0


def test_what_another_user_decided_is_counted_and_not_followed(reviewed, monkeypatch):
    row = reviewed.row("black/black_001.png")
    line = Decision(reviewed.table.sha256(row), "delete", "black/black_001.png").line()
    seal = line.index(b'"seal":"') + 8
    journal_path(reviewed.space).write_bytes(line[:seal] + b"0" * 32 + line[seal + 32 :])
    told = reviewed.get("api/changes?since=-1").json()
    assert told["others"] == 1 and told["pictures"] == {}


def test_where_a_picture_has_no_single_class_it_gets_none(reviewed):
    reviewed.table.task = "multi-label"
    assert reviewed.get("api/start").json()["labeled"] is False
    row = reviewed.row("black/black_001.png")
    assert reviewed.decide({"row": row, "kind": "label", "label": "brown"}).status_code == 409
    assert reviewed.decide({"row": row, "kind": "delete"}).status_code == 200


def test_a_new_class_is_begun_and_then_known(reviewed):
    row = reviewed.row("black/black_001.png")
    odd = 'so/"panda" \U0001f43c <script>alert(1)</script>'
    told = reviewed.decide({"row": row, "kind": "new-label", "label": odd}).json()
    assert told["classes"] == ["black", "brown", odd]
    other = reviewed.row("black/black_003.png")
    assert reviewed.decide({"row": other, "kind": "label", "label": odd}).status_code == 200


def test_a_file_that_no_scan_could_read_is_decided_on_by_its_bytes(reviewed):
    row = reviewed.row("black/broken.jpg")
    reviewed.table.columns["sha256"][row] = None
    told = reviewed.decide({"row": row, "kind": "delete"}).json()
    assert told["pictures"][str(row)]["kind"] == "delete"
    (reviewed.folder / "black/broken.jpg").unlink()
    reviewed.table.columns["sha256"][row] = None
    assert reviewed.decide({"row": row, "kind": "keep"}).status_code == 409


@pytest.mark.parametrize("kind", ["keep", "delete", "label"])
def test_a_full_disk_is_said_and_nothing_counts_as_saved(reviewed, disk, kind):
    place = disk("64k")
    space = type(reviewed.space)(place / "space")
    space.root.mkdir()
    (place / "filler").write_bytes(bytes(60_000 - 4096))
    reviewed.session.space = reviewed.session.decided.space = space
    many = [{"row": reviewed.row("black/black_001.png"), "kind": kind, "label": "brown" if kind == "label" else None}]
    statuses = [reviewed.decide(*many).status_code for _ in range(40)]
    assert statuses[0] == 200 and statuses[-1] == 507
    saved = statuses.count(200)
    assert len(journal_path(space).read_bytes().splitlines()) == saved  # and no torn line


def test_filters_name_kinds_classes_splits_and_states(reviewed):
    def shown(words):
        return [reviewed.session.items[number].kind for number in reviewed.view(words)]

    everything = shown("")
    assert set(shown("kind=wrong-label")) == {"wrong-label"} and shown("kind=unheard-of") == []
    assert len(shown("class=black")) < len(everything) and shown("split=test") == []
    reviewed.decide({"row": reviewed.row("black/black_001.png"), "kind": "not-sure"})
    assert shown("state=not-sure") == ["wrong-label"] and "wrong-label" in shown("state=undecided")
    assert len(shown("state=undecided")) == len(everything) - 1


def test_a_row_that_is_none_is_refused(reviewed):
    with pytest.raises(DataError, match="no such picture"):
        reviewed.session.decide([Wish(10_000, "keep")])
    with pytest.raises(DataError, match="no such picture"):
        reviewed.session.decide([Wish(-1, "keep")])


def test_the_page_needs_no_torch():
    script = "import ursa.review_page.review_app, ursa.workflow.deciding.reviewing, sys; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"'torch'", "'torchvision'", "'timm'", "'sklearn'"} & set(done.stdout.strip("[]\n").split(", "))
