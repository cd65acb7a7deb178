"""Decisions -> the corrected catalog, whatever became of files and classes meanwhile."""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from ursa.clean.decisions.applied import applied_path, followed, read_applied, write_applied
from ursa.clean.decisions.corrections import corrected
from ursa.clean.decisions.decision import Decision
from ursa.clean.decisions.journal import append
from ursa.data.catalog import Catalog
from ursa.workspace import Workspace


def sha(number):
    return f"{number:064x}"


def catalog(*rows):
    """rows: id, label, number of the content."""
    ids, labels, numbers = zip(*rows, strict=True)
    hashes = [sha(number) for number in numbers]
    return Catalog.of(Path("x"), {"id": ids, "path": ids, "label": labels, "sha256": hashes})


BEARS = catalog(("black/1", "black", 1), ("black/2", "black", 2), ("white/3", "white", 3), ("white/4", "white", 1))


def decided(number, kind, id="?", label=None, **others):
    return Decision(sha(number), kind, id, label, **others)


def labels(result):
    return dict(result.catalog.rows.select("id", "label").iter_rows())


def test_labels_are_set_and_pictures_left_out():
    result = corrected(BEARS, [decided(2, "label", label="white"), decided(3, "delete"), decided(1, "keep")])
    assert labels(result) == {"black/1": "black", "black/2": "white", "white/4": "white"}
    assert [(one.id, one.given, one.label) for one in result.relabeled] == [("black/2", "black", "white")]
    assert result.removed == (("white/3", sha(3)),) and not result.left_out and not result.new_classes
    assert corrected(result.catalog, [decided(2, "label", label="white")]).relabeled == ()  # twice is once


def test_a_label_holds_for_all_copies_and_a_delete_for_one_of_them():
    assert labels(corrected(BEARS, [decided(1, "label", label="white")]))["black/1"] == "white"
    one = decided(1, "delete", "white/4", copies=("black/1",))
    assert set(labels(corrected(BEARS, [one]))) == {"black/1", "black/2", "white/3"}
    both = corrected(BEARS, [one, decided(1, "label", label="white")])
    assert labels(both) == {"black/1": "white", "black/2": "black", "white/3": "white"}
    assert len(corrected(BEARS, [decided(1, "delete")]).removed) == 2


def test_a_copy_that_was_renamed_is_known_by_the_others_and_the_last_one_is_never_deleted():
    one = decided(1, "delete", "white/old", copies=("black/1",))
    assert corrected(BEARS, [one]).removed == (("white/4", sha(1)),)
    lost = decided(1, "delete", "white/old", copies=("black/old",))
    assert "copies" in corrected(BEARS, [lost]).left_out[0].reason
    alone = BEARS.without(["black/1"])
    assert corrected(alone, [decided(1, "delete", "white/4", copies=("black/1",))]).removed == ()


def test_moved_pictures_keep_their_decisions_and_gone_ones_are_told():
    moved = catalog(("white/9", "white", 2), ("black/8", "black", 7))
    result = corrected(moved, [decided(2, "label", "black/2", label="black"), decided(5, "delete", "black/5")])
    assert labels(result)["white/9"] == "black"
    assert [left.decision.id for left in result.left_out] == ["black/5"] and "gone" in result.left_out[0].reason


def test_a_class_that_was_renamed_is_not_begun_again_but_a_new_one_is():
    renamed = catalog(("noir/1", "noir", 1), ("white/2", "white", 2))
    stale = corrected(renamed, [decided(2, "label", label="noirs")])
    assert labels(stale)["white/2"] == "white" and "did you mean 'noir'" in stale.left_out[0].reason
    panda = '🐼/"panda"'
    begun = corrected(renamed, [decided(2, "new-label", label=panda), decided(1, "label", label=panda)])
    assert set(labels(begun).values()) == {panda} == set(begun.new_classes)


def test_300_classes():
    many = catalog(*((f"c{n}/x", f"c{n}", n) for n in range(300)))
    result = corrected(many, [decided(n, "label", label=f"c{(n + 1) % 300}") for n in range(300)])
    assert len(result.relabeled) == 300 and not result.new_classes


def test_labels_that_are_several_or_numbers_cannot_be_set_but_pictures_can_go():
    several = Catalog.of(Path("x"), {"id": ["a", "b"], "path": ["a", "b"], "label": [["x"], ["x", "y"]]})
    several = several.with_columns(sha256=pl.Series("sha256", [sha(1), sha(2)]))
    result = corrected(several, [decided(1, "label", label="y"), decided(2, "delete")])
    assert result.catalog.ids == ["a"] and "one class" in result.left_out[0].reason


def test_what_another_user_applied_is_not_followed(tmp_path, monkeypatch):
    space = Workspace.open(tmp_path)
    write_applied(space, [decided(2, "label", label="white")])
    assert labels(followed(BEARS, space).corrected)["black/2"] == "white"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
    said = followed(BEARS, space)
    assert said.corrected.catalog is BEARS and read_applied(space).elsewhere
    assert said.words[0].startswith("Not followed: what another user applied")
    applied_path(space).write_text("[[[")
    assert read_applied(space).decisions == ()


def test_what_is_open_is_said(tmp_path, monkeypatch):
    space = Workspace.open(tmp_path)
    assert followed(BEARS, space).words == ()
    append(space, [decided(2, "label", label="white"), decided(3, "keep")])
    said = followed(BEARS, space)
    assert said.words == ("Not applied yet: 1 decision. `ursa apply` carries out what is open.",)
    assert said.to_json() == {"relabeled": 0, "removed": 0, "open": 1, "others": 0}
    with monkeypatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
        append(space, [decided(3, "delete")])
    assert followed(BEARS, space).others == 1


def test_a_file_that_no_scan_could_read_is_left_out_too(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.jpg").write_bytes(b"<html>")
    rows = {"id": ["a/x.jpg"], "path": ["a/x.jpg"], "label": ["a"], "problem": ["not a picture: HTML"]}
    broken = Catalog.of(tmp_path, rows)
    space = Workspace.open(tmp_path)
    write_applied(space, [Decision(hashlib.sha256(b"<html>").hexdigest(), "delete", "a/x.jpg")])
    assert len(followed(broken, space).corrected.catalog) == 0


@pytest.mark.parametrize("count", [2000])
def test_many_decisions_take_no_time_a_picture(count):
    many = catalog(*((f"c{n % 5}/{n}", f"c{n % 5}", n) for n in range(count)))
    assert len(corrected(many, [decided(n, "delete") for n in range(0, count, 2)]).catalog) == count // 2
