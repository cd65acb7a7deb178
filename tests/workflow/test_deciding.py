"""`decide`, `apply`, `revert` on real folders: laws, every place where a kill may come, and what strangers try."""

import contextlib
import json
import os
import shutil

import pytest

from ursa.clean.decisions.journal import journal_path
from ursa.clean.decisions.moves import moves_path
from ursa.errors import DataError
from ursa.file_lock import file_lock
from ursa.prepared.setup import Clock, Setup, embedded, listed
from ursa.workflow.check import check
from ursa.workflow.deciding.apply import apply, revert
from ursa.workflow.deciding.decide import decide, decisions
from ursa.workspace import Workspace


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, picture_folder):
    return picture_folder(tmp_path_factory.mktemp("drawn") / "pictures", {"red": 4, "green": 4})


@pytest.fixture
def folder(tmp_path, drawn):
    """Eight pictures, a copy of one of them, a picture in the wrong class, a broken file."""
    place = shutil.copytree(drawn, tmp_path / "pictures")
    shutil.copy(place / "red/red_001.png", place / "red/copy.png")
    shutil.move(place / "green/green_000.jpg", place / "red/red_000.jpg.jpg")
    (place / "green/page.jpg").write_text("<html>")
    return place


def judged(folder):
    """Decisions of every kind."""
    decide(folder, "red/copy.png", "delete")
    decide(folder, ["red/red_000.jpg.jpg"], label="green")
    decide(folder, ["green/page.jpg"], "delete")
    decide(folder, "green/green_003.png", label="blue", new_class=True)
    decide(folder, "green/green_001.png", "keep")


def files(folder, *, workspace=True):
    """Every file and folder but locks and the journal, byte for byte; without the workspace those of the user."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.suffix not in (".lock", ".jsonl") and (workspace or ".ursa" not in path.parts)
    }


def followed(result):
    return sorted(result.catalog.rows.select("id", "label").iter_rows())


def test_apply_changes_labels_and_no_file_and_twice_is_once(folder):
    judged(folder)
    before = files(folder, workspace=False)
    planned = apply(folder, dry_run=True)
    assert not decisions(folder).applied  # nothing was written
    once = apply(folder)
    held = files(folder)
    again = apply(folder)
    assert files(folder, workspace=False) == before and files(folder) == held
    assert followed(planned) == followed(once) == followed(again)
    assert [(one.id, one.label) for one in once.relabeled] == [
        ("green/green_003.png", "blue"),
        ("red/red_000.jpg.jpg", "green"),
    ]
    assert once.removed == ("green/page.jpg", "red/copy.png") and once.new_classes == ("blue",)
    assert once.to_json()["decisions"] == 5 and once.to_json()["applied"] == 4 and not once.problems


def test_revert_after_apply_is_as_before_byte_for_byte(folder):
    judged(folder)
    before = files(folder)
    for move in (False, True):
        assert bool(apply(folder, move=move).moved) == move
        assert revert(folder).reverted == 4
        assert files(folder) == before
    again = revert(folder).to_json()
    assert again["decisions"] == 5 and again["applied"] == again["reverted"] == 0
    assert again["moved_back"] == again["problems"] == []
    assert again["estimate_left"] == {"value": None, "high": None}  # no check has judged a label


def test_moved_files_lie_in_their_class_and_nothing_is_overwritten(folder):
    judged(folder)
    (folder / "blue").mkdir()
    (folder / "blue/green_003.png").write_bytes(b"another one")
    old = (folder / "green/green_003.png").read_bytes()
    result = apply(folder, move=True)
    assert (folder / "blue/green_003.png").read_bytes() == b"another one"
    assert (folder / "blue/green_003~2.png").read_bytes() == old
    assert (folder / ".ursa/removed/red/copy.png").exists() and not (folder / "red/copy.png").exists()
    assert len(result.moved) == 4
    again = apply(folder, move=True)
    assert not again.moved and again.applied == result.applied and not again.left_out


class Killed(BaseException):
    """As if the process had ended there."""


STEPS = ("link", "unlink", "replace", "rename", "rmdir", "mkdir")


@contextlib.contextmanager
def killed_after(number, before):
    """Every change of the file system is counted; that one is the last, done (or not, with `before`)."""
    real, count = {name: getattr(os, name) for name in STEPS}, [0]

    def step(name):
        def act(*arguments, **options):
            if count[0] > number:
                raise Killed
            count[0] += 1
            if count[0] > number and before:
                raise Killed
            real[name](*arguments, **options)
            if count[0] > number:
                raise Killed

        return act

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, step(name))
        yield


def killed(act, number, before):
    try:
        with killed_after(number, before):
            act()
    except Killed:
        return True
    return False


def test_a_kill_at_any_step_of_apply_or_revert_loses_nothing(folder, tmp_path):
    judged(folder)
    given = files(folder)
    trial = tmp_path / "whole"
    shutil.copytree(folder, trial)
    apply(trial, move=True)
    wanted = files(trial, workspace=False)
    steps = 0
    for step in range(100):
        hit = False
        for before in (True, False):
            for ending in (apply, revert):
                shutil.rmtree(trial)
                shutil.copytree(folder, trial)
                hit = killed(lambda: apply(trial, move=True), step, before)
                ending(trial) if ending is revert else apply(trial, move=True)
                if ending is revert:
                    assert without_seals(files(trial)) == without_seals(given), (step, before)
                else:
                    assert files(trial, workspace=False) == wanted, (step, before)
            if killed(lambda: revert(trial), step, before):
                hit = True
            revert(trial)
            assert without_seals(files(trial)) == without_seals(given), (step, before)
        steps += hit
        if not hit:
            break
    assert 15 < steps < 100


def without_seals(found):
    return {name: data for name, data in found.items() if not name.endswith((".seal", ".part"))}


def test_what_stands_no_more_is_taken_back_by_the_next_apply(folder):
    before = files(folder, workspace=False)
    decide(folder, "red/red_000.jpg.jpg", label="green")
    apply(folder, move=True)
    assert not (folder / "red/red_000.jpg.jpg").exists()
    assert decide(folder, "green/red_000.jpg.jpg", "undo").open == 1
    result = apply(folder)
    assert [one.origin for one in result.moved_back] == ["red/red_000.jpg.jpg"]
    assert files(folder, workspace=False) == before
    decide(folder, "red/copy.png", "delete")
    apply(folder, move=True)
    decide(folder, "red/copy.png", "undo")  # by the name that it had
    apply(folder)
    assert files(folder, workspace=False) == before


def test_of_two_copies_that_were_moved_the_one_taken_back_comes_back(folder):
    shutil.copy(folder / "red/copy.png", folder / "red/third.png")
    decide(folder, "red/copy.png", "delete")
    decide(folder, "red/third.png", "delete")
    assert len(apply(folder, move=True).moved) == 2
    decide(folder, "red/copy.png", "undo")
    result = apply(folder)
    assert [one.origin for one in result.moved_back] == ["red/copy.png"]
    assert (folder / "red/copy.png").exists() and not (folder / "red/third.png").exists()
    assert not apply(folder, move=True).moved


def test_a_file_in_the_way_stays_and_is_told(folder):
    judged(folder)
    apply(folder, move=True)
    (folder / "red/copy.png").write_bytes(b"new")
    result = revert(folder)
    assert len(result.problems) == 1 and "another file lies there" in result.problems[0]
    assert (folder / "red/copy.png").read_bytes() == b"new"
    (folder / "red/copy.png").unlink()
    assert revert(folder).problems == () and (folder / "red/copy.png").stat().st_size > 3
    assert not (folder / ".ursa/removed").exists()


def test_links_are_never_followed(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "blue").symlink_to(outside)
    target = folder / "green/green_001.png"
    (tmp_path / "elsewhere.png").write_bytes(target.read_bytes())
    (folder / "red/linked.png").symlink_to(tmp_path / "elsewhere.png")
    judged(folder)
    decide(folder, "red/linked.png", "delete")
    result = apply(folder, move=True)
    assert not list(outside.iterdir()) and (tmp_path / "elsewhere.png").exists()
    told = [left.reason for left in result.left_out] + list(result.problems)
    assert len(told) == 2 and all("symbolic link" in one for one in told)
    assert ("green/green_003.png", "blue") in followed(result)  # its label is corrected all the same
    revert(folder)


HOSTILE = [
    {"origin": "red/copy.png", "to": "../copy.png"},
    {"origin": "../../etc/passwd", "to": "red/passwd"},
    {"origin": "/etc/passwd", "to": "red/passwd"},
    {"origin": "red/copy.png", "to": "/tmp/copy.png"},
    {"origin": "red/copy.png", "to": "red/a\0b"},
    {"origin": "red/copy.png", "to": "red/../../x"},
]


@pytest.mark.parametrize("move", HOSTILE, ids=lambda move: f"{move['origin']} to {move['to']!r}")
def test_a_plan_of_a_stranger_is_refused_and_leads_nowhere(folder, move):
    space = Workspace.open(folder)
    moves_path(space).write_text(
        json.dumps({"moves": [{**move, "sha256": "0" * 64, "label": None}], "folders": [".."]})
    )
    before = files(folder, workspace=False)
    for act in (apply, revert):
        with pytest.raises(DataError, match="written by another user"):
            act(folder)
    assert revert(folder, include_others=True).problems
    assert files(folder, workspace=False) == before and not (folder.parent / "copy.png").exists()
    moves_path(space).write_text('{"moves": [5]}')
    with pytest.raises(DataError, match="damaged"):
        revert(folder, include_others=True)


@pytest.mark.parametrize("label", ["a/b", "..", ".hidden", "Thumbs.db", "x" * 300, "tab\there", "back\\slash"])
def test_a_class_that_cannot_be_a_folder_is_a_label_all_the_same(folder, label):
    decide(folder, "green/green_001.png", label=label, new_class=True)
    before = files(folder, workspace=False)
    result = apply(folder, move=True)
    assert not result.moved and len(result.left_out) == 1 and files(folder, workspace=False) == before
    assert ("green/green_001.png", label) in followed(result)


def test_a_picture_that_changed_or_went_meanwhile_is_told(folder):
    decide(folder, ["green/green_001.png", "green/green_003.png"], "delete")
    (folder / "green/green_001.png").unlink()
    shutil.copy(folder / "red/red_001.png", folder / "green/green_003.png")
    result = apply(folder, move=True)
    assert not result.removed and len(result.left_out) == 2 and result.applied == 0


def test_a_workspace_of_other_pictures_changes_nothing(folder, tmp_path, picture_folder):
    judged(folder)
    other = picture_folder(tmp_path / "other", {"red": 3, "green": 3}, seed=1)
    shutil.copytree(folder / ".ursa", other / ".ursa")
    result = apply(other)
    assert not result.removed and not result.relabeled and len(result.left_out) == 4


def test_what_another_user_decided_is_left_out_unless_it_is_asked_for(folder, tmp_path, monkeypatch):
    with monkeypatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
        judged(folder)
        apply(folder)
    result = apply(folder)
    assert result.others == 5 and not result.relabeled and not result.removed
    assert {decisions(folder).state(one) for one in decisions(folder).decisions} == {"by another user", ""}
    assert apply(folder, include_others=True).applied == 4


def test_a_copy_that_only_another_user_deletes_stays_beside_the_one_that_i_delete(folder, tmp_path, monkeypatch):
    with monkeypatch.context() as other:
        other.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
        decide(folder, "red/copy.png", "delete")
    assert decide(folder, "red/red_001.png", "delete").decisions[0].copies == ("red/copy.png",)
    assert apply(folder).removed == ("red/red_001.png",)


def test_two_do_not_apply_at_once(folder):
    judged(folder)
    with file_lock(Workspace.of(folder).root / "apply.lock"):
        for act in (apply, revert):
            with pytest.raises(DataError, match="another process"):
                act(folder)
        assert apply(folder, dry_run=True).applied == 4
    assert apply(folder).applied == 4


def test_mistakes_are_told_and_nothing_is_decided(folder):
    for pictures, keywords, words in (
        ("red/red_01.png", {"decision": "keep"}, "no such picture"),
        ("../red/red_001.png", {"decision": "keep"}, "no such picture"),
        ("red/red_001.png", {"label": "gren"}, "no class 'gren'"),
        ("red/red_001.png", {"decision": "kep"}, "no such decision"),
        ("red/red_001.png", {}, "nothing is decided"),
        ((), {"decision": "keep"}, "no picture is named"),
        ("red/red_001.png", {"decision": "delete", "label": "green"}, "do not go together"),
        ("red/red_001.png", {"decision": "label"}, "needs a label"),
        ("red/red_001.png", {"decision": "undo"}, "nothing is decided of"),
        ("red/red_001.png", {"decision": "keep", "new_class": True}, "needs a label|go together"),
        ("red/red_001.png", {"decision": "keep", "why": "x" * 5000}, "too long"),
    ):
        with pytest.raises(DataError, match=words):
            decide(folder, pictures, **keywords)
    for act in (apply, revert, decisions):
        with pytest.raises(DataError, match="there is no folder"):
            act(folder / "nowhere")
    assert not decisions(folder).decisions and revert(folder).reverted == 0


def test_a_picture_is_named_by_its_id_or_by_any_path_to_it(folder, monkeypatch):
    monkeypatch.chdir(folder / "red")
    for name in ("red/red_001.png", folder / "red/red_001.png", "red_001.png", "../red/red_001.png"):
        assert decide(folder, name, "keep").decisions[0].id == "red/red_001.png"
    assert decide(folder, "red_001.png", "keep").copies == {"red/red_001.png": ("red/copy.png",)}


def test_a_table_of_decisions_is_all_or_nothing(folder, tmp_path):
    table = tmp_path / "fixes.csv"
    table.write_text('﻿Picture;Decision;Label;Why\nred/copy.png;delete;;"twice; really"\nred/red_003.png;Not sure;;\n')
    made = decide(folder, from_file=table).decisions
    assert [(one.kind, one.why) for one in made] == [("delete", "twice; really"), ("not-sure", None)]
    table.write_text("file,label\nred/red_000.jpg,green\ngreen/green_001.png,red\n")
    assert {one.kind for one in decide(folder, from_file=table).decisions} == {"label"}
    size = journal_path(Workspace.of(folder)).stat().st_size
    for text, words in (
        ("picture,decision\nred/copy.png,keep\n../../x,delete\n", "line 3 of fixes.csv: no such picture"),
        ("picture,decision\nred/copy.png,explode\n", "line 2 of fixes.csv: there is no such decision"),
        ("picture,label\nred/copy.png,gren\n", "line 2 of fixes.csv: there is no class"),
        ("picture,label\nred/copy.png,green\nred/red_001.png,red\n", "two decisions of one picture"),
        ("picture,decision\nred/copy.png,keep,more\n", "more or fewer fields"),
        ("picture,decision,label\n,keep,\n", "names no picture"),
        ("picture,decision,label\nx,,\n", "decides nothing"),
        ("picture,decision,label\nx,label,\n", "sets no label"),
        ("a,b\n1,2\n", "not a table of decisions"),
        ("", "not a table of decisions"),
        ("picture,decision\n", "holds no decision"),
        ('picture,decision\n"red', "not a table|more or fewer"),
    ):
        table.write_text(text)
        with pytest.raises(DataError, match=words):
            decide(folder, from_file=table)
    table.write_bytes(b"picture,decision\n\xff\xfe,keep\n")
    with pytest.raises(DataError, match="UTF-8"):
        decide(folder, from_file=table)
    with pytest.raises(DataError, match="cannot read"):
        decide(folder, from_file=tmp_path / "none.csv")
    assert journal_path(Workspace.of(folder)).stat().st_size == size


def test_duplicates_are_deleted_in_one_stroke_and_one_of_each_stays(folder):
    shutil.copy(folder / "red/red_001.png", folder / "red/again.png")
    shutil.copy(folder / "green/green_001.png", folder / "red/other.png")  # under two classes: a person has to say
    made = decide(folder, duplicates=True, who="me").decisions
    assert [(one.id, one.kind, one.who, one.why) for one in made] == [
        ("red/again.png", "delete", "me", "identical to red/copy.png"),
        ("red/red_001.png", "delete", "me", "identical to red/copy.png"),
    ]
    assert decide(folder, duplicates=True).decisions == ()  # twice is once
    assert apply(folder).removed == ("red/again.png", "red/red_001.png")


def test_of_duplicates_the_one_that_is_left_stays_and_decided_labels_count(folder):
    decide(folder, "red/copy.png", "delete")
    assert decide(folder, duplicates=True).decisions == ()
    shutil.copy(folder / "green/green_001.png", folder / "red/other.png")
    decide(folder, "red/other.png", label="green")
    assert [one.id for one in decide(folder, duplicates=True).decisions] == ["green/green_001.png"]


@pytest.mark.parametrize(
    "more", [{"pictures": "red/copy.png"}, {"decision": "keep"}, {"label": "red"}, {"from_file": "x.csv"}]
)
def test_duplicates_are_decided_alone(folder, more):
    with pytest.raises(DataError, match="decided alone"):
        decide(folder, duplicates=True, **more)


def test_a_folder_that_may_not_be_written_to(folder, disk):
    place = disk("4m", read_only=True, holding=lambda at: shutil.copytree(folder, at / "pictures"))
    with pytest.raises(DataError, match="cannot write"):
        decide(place / "pictures", "red/copy.png", "delete")
    elsewhere = folder.parent / "space"
    decide(place / "pictures", "red/copy.png", "delete", workspace=elsewhere)
    assert apply(place / "pictures", workspace=elsewhere).removed == ("red/copy.png",)
    assert apply(place / "pictures", workspace=elsewhere, move=True).problems


def test_a_table_has_its_labels_corrected_and_moves_nothing(folder, tmp_path):
    rows = ["file,label", *(f"{path.parent.name}/{path.name},{path.parent.name}" for path in folder.rglob("*.png"))]
    (folder / "table.csv").write_text("\n".join(rows))
    decide(folder / "table.csv", "red/red_003.png", label="green")
    assert ("red/red_003.png", "green") in followed(apply(folder / "table.csv"))
    with pytest.raises(DataError, match="class folders"):
        apply(folder / "table.csv", move=True)
    assert revert(folder / "table.csv").reverted == 1


def test_check_follows_what_was_applied_without_a_forward_pass(tmp_path, picture_folder, pixels, monkeypatch, capsys):
    folder = picture_folder(tmp_path / "p", {"red": 12, "green": 12})
    for number in (1, 3):
        shutil.move(folder / f"red/red_00{number}.png", folder / f"green/wrong{number}.png")
    first = check(folder, **pixels)
    from ursa.embed.extractor import Extractor

    monkeypatch.setattr(Extractor, "forward", lambda *_: pytest.fail("a forward pass"))
    decide(folder, ["green/wrong1.png", "green/wrong3.png"], label="red")
    decide(folder, "green/green_000.jpg", "delete")
    capsys.readouterr()
    assert check(folder, **pixels).catalog.counts() == first.catalog.counts() == {"green": 14, "red": 10}
    assert "Not applied yet: 3 decisions" in capsys.readouterr().err
    planned, told = apply(folder, dry_run=True), apply(folder)
    effect, left = told.effect, told.to_json()["estimate_left"]
    assert (left["found"], left["unseen"], left["high"]) == (3, 21, 21) and left["value"] is None  # three answers
    assert planned.to_json()["estimate_left"] == left == revert(folder).to_json()["estimate_left"]
    apply(folder)
    assert (effect.relabeled, effect.removed, effect.pictures) == (2, 1, 23)
    assert effect.by_corrected.accuracies()[0].value > 0.9
    after = check(folder, **pixels)
    assert after.catalog.counts() == {"green": 11, "red": 12}
    assert after.to_json()["decisions"] == {"relabeled": 2, "removed": 1, "open": 0, "others": 0}
    assert "2 labels corrected, 1 picture left out" in capsys.readouterr().err
    assert "wrong1" not in str(apply(folder, move=True).problems)
    assert check(folder, **pixels).catalog.counts() == {"green": 11, "red": 12}  # moved, and none runs again
    revert(folder)
    assert check(folder, **pixels).catalog.counts() == first.catalog.counts()


def test_a_flat_folder_gets_its_classes_by_decisions(folder, pixels):
    flat = folder.parent / "flat"
    shutil.copytree(folder / "green", flat)
    setup = Setup.of(**pixels)
    with pytest.raises(DataError, match="no classes"):
        listed(flat, setup, classes=True)
    for number, label in ((1, "even"), (2, "odd"), (3, "even")):
        name = next(flat.glob(f"green_00{number}.*")).name
        decide(flat, name, label=label, new_class=True)
    apply(flat)
    ready = embedded(*listed(flat, setup, classes=True), setup, Clock())
    assert ready.catalog.counts() == {"even": 2, "odd": 1}


def test_train_tells_its_decisions(trained):
    assert trained[1].to_json()["decisions"] == {"relabeled": 0, "removed": 0, "open": 0, "others": 0}
