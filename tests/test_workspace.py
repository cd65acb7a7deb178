"""The workspace: files appear whole or not at all, and errors name the way out."""

import json
import os
from pathlib import Path

import pytest

from ursa import workspace
from ursa.errors import DataError
from ursa.workspace import SCHEMA, Workspace


def leftovers(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.rglob("*.part"))


def test_a_workspace_lies_beside_the_pictures_says_its_schema_and_keeps_out_of_git(tmp_path):
    space = Workspace.open(tmp_path)
    assert space.root == tmp_path / ".ursa"
    assert json.loads((space.root / "schema.json").read_text()) == {"schema": SCHEMA}
    assert (space.root / ".gitignore").read_text() == "*\n"


def test_a_workspace_can_lie_elsewhere_and_then_nothing_is_written_beside_the_pictures(tmp_path):
    pictures, elsewhere = tmp_path / "pictures", tmp_path / "deep" / "elsewhere"
    pictures.mkdir()
    assert Workspace.open(pictures, elsewhere).root == elsewhere
    assert list(pictures.iterdir()) == []


def test_opening_again_keeps_what_is_there(tmp_path):
    space = Workspace.open(tmp_path)
    workspace.write_text(space.report, "a page")
    before = (space.root / "schema.json").stat().st_mtime_ns
    again = Workspace.open(tmp_path)
    assert again.report.read_text() == "a page"
    assert (space.root / "schema.json").stat().st_mtime_ns == before


def test_the_workspace_of_a_newer_ursa_is_refused_and_left_alone(tmp_path):
    space = Workspace.open(tmp_path)
    newer = json.dumps({"schema": SCHEMA + 1})
    (space.root / "schema.json").write_text(newer)
    with pytest.raises(DataError, match="newer Ursa") as error:
        Workspace.open(tmp_path)
    assert f"schema {SCHEMA + 1}" in str(error.value) and "--workspace" in str(error.value)
    assert (space.root / "schema.json").read_text() == newer


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b'{"schema": "one"}', b"\xff\xfe\x00", b"null"])
def test_a_damaged_schema_is_refused_with_the_fix(tmp_path, damage):
    space = Workspace.open(tmp_path)
    (space.root / "schema.json").write_bytes(damage)
    with pytest.raises(DataError, match="damaged") as error:
        Workspace.open(tmp_path)
    assert "delete" in error.value.fix


def test_a_file_in_the_place_of_the_workspace_is_named(tmp_path):
    (tmp_path / ".ursa").write_text("in the way")
    with pytest.raises(DataError, match="cannot write") as error:
        Workspace.open(tmp_path)
    assert "--workspace" in error.value.fix


def test_a_read_only_place_is_refused_naming_the_other_way(disk):
    pictures = disk("1m", read_only=True)
    with pytest.raises(DataError, match="cannot write") as error:
        Workspace.open(pictures)
    assert error.value.found == "Read-only file system"
    assert "--workspace DIR" in error.value.fix


def test_a_place_of_somebody_else_is_refused_naming_the_other_way(public_path, as_another_user):
    public_path.chmod(0o555)
    try:
        with as_another_user(), pytest.raises(DataError, match="cannot write") as error:
            Workspace.open(public_path)
    finally:
        public_path.chmod(0o755)
    assert error.value.found == "Permission denied"
    assert "--workspace DIR" in error.value.fix


def test_a_workspace_that_turned_read_only_can_still_be_opened_but_not_written(disk):
    pictures = disk("1m", read_only=True, holding=Workspace.open)
    space = Workspace.open(pictures)
    with pytest.raises(DataError, match="cannot write"):
        workspace.write_text(space.report, "a page")


def test_a_full_disk_is_named_and_leaves_the_old_file(disk):
    place = disk("256k")
    workspace.write_text(place / "report.html", "old")
    with pytest.raises(DataError, match="no space left") as error:
        workspace.write_text(place / "report.html", "x" * 1_000_000)
    assert "--workspace" in error.value.fix
    assert (place / "report.html").read_text() == "old"
    assert leftovers(place) == []


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, interruption):
    path = tmp_path / "report.html"
    workspace.write_text(path, "old")
    with pytest.raises(interruption), workspace.writing(path) as file:
        file.write(b"half of the n")
        raise interruption
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]


def test_an_interrupted_first_write_leaves_nothing(tmp_path):
    with pytest.raises(ValueError), workspace.writing(tmp_path / "report.html") as file:
        file.write(b"half")
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_the_new_file_is_not_seen_before_it_is_complete(tmp_path):
    path = tmp_path / "report.html"
    workspace.write_text(path, "old")
    with workspace.writing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_whoever_has_the_old_file_open_reads_the_old_one_to_its_end(tmp_path):
    path = tmp_path / "report.html"
    workspace.write_text(path, "old")
    with path.open() as reader:
        workspace.write_text(path, "new")
        assert reader.read() == "old"


def test_two_writers_at_once_do_not_mix_their_bytes(tmp_path):
    path = tmp_path / "report.html"
    with workspace.writing(path) as one, workspace.writing(path) as other:
        one.write(b"1" * 1000)
        other.write(b"2" * 1000)
    assert path.read_bytes() in (b"1" * 1000, b"2" * 1000)
    assert leftovers(tmp_path) == []


def test_documents_are_text_that_people_can_read(tmp_path):
    workspace.write_json(tmp_path / "deep" / "names.json", {"bär": [1, 2.5, None]})
    text = (tmp_path / "deep" / "names.json").read_text("utf-8")
    assert "bär" in text and text.endswith("\n")
    assert json.loads(text) == {"bär": [1, 2.5, None]}


def test_what_is_remembered_is_made_once(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"size": 224}

    path = tmp_path / "known.json"
    assert [workspace.remember(path, "a", make) for _ in range(3)] == [{"size": 224}] * 3
    assert len(made) == 1


def test_remembering_one_thing_keeps_the_others_even_those_added_meanwhile(tmp_path):
    path = tmp_path / "known.json"
    workspace.remember(path, "before", lambda: 1)
    workspace.remember(path, "mine", lambda: workspace.remember(path, "meanwhile", lambda: 2) + 1)
    assert json.loads(path.read_text()) == {"before": 1, "meanwhile": 2, "mine": 3}


@pytest.mark.parametrize("damage", [b"", b"[1, 2]", b"{", b"\xff\xfe"])
def test_a_broken_memory_counts_as_empty(tmp_path, damage):
    path = tmp_path / "known.json"
    path.write_bytes(damage)
    assert workspace.remember(path, "a", lambda: 1) == 1
    assert json.loads(path.read_text()) == {"a": 1}


def test_what_could_not_be_made_is_not_remembered(tmp_path):
    path = tmp_path / "known.json"
    with pytest.raises(ZeroDivisionError):
        workspace.remember(path, "a", lambda: 1 / 0)
    assert not path.exists()


def test_each_kind_of_file_has_its_place_inside_the_workspace(tmp_path):
    space = Workspace.open(tmp_path)
    places = [space.catalog, space.report, space.backbones, space.embeddings("f"), space.probe("k"), space.run("r")]
    assert len(set(places)) == len(places)
    assert all(place.is_relative_to(space.root) for place in places)


# --- what came with the folder -------------------------------------------------------------------------------------


def test_what_a_dead_process_left_half_written_goes_after_a_day(tmp_path):
    space = Workspace.open(tmp_path)
    deep = space.root / "embeddings" / "f"
    deep.mkdir(parents=True)
    old, new, other = deep / "a.npy.01234567.part", deep / "b.npy.01234567.part", deep / "mine.part"
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (1, 1))
    Workspace.open(tmp_path)
    assert sorted(deep.iterdir()) == [new, other]


def test_a_temporary_file_is_never_written_through_a_link(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace.uuid, "uuid4", lambda: type("Fixed", (), {"hex": "01234567"}))
    (tmp_path / ".report.html.01234567.part").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="cannot write"):
        workspace.write_text(tmp_path / "report.html", "a page")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("reader", [Workspace.open, Workspace.of])
@pytest.mark.parametrize("name", ["test_set_log.jsonl", "embeddings", "runs/one/checkpoints"])
def test_a_link_inside_is_refused_by_name(tmp_path, reader, name):
    path = Workspace.open(tmp_path).root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(tmp_path)
    with pytest.raises(DataError, match="symbolic link") as error:
        reader(tmp_path)
    assert str(path) in error.value.what and "--workspace" in error.value.fix


@pytest.mark.parametrize("reader", [Workspace.open, Workspace.of])
def test_a_pipe_inside_is_refused_by_name(tmp_path, reader):
    os.mkfifo(Workspace.open(tmp_path).root / "test_set_log.jsonl")
    with pytest.raises(DataError, match=r"test_set_log\.jsonl") as error:
        reader(tmp_path)
    assert error.value.found == "a named pipe"


def test_another_option_is_named_for_what_is_written_elsewhere(disk):
    place = disk("64k")
    with pytest.raises(DataError) as error, workspace.writing(place / "m.ursa", "--out FILE.ursa") as file:
        file.write(bytes(200_000))
    assert "--out FILE.ursa" in error.value.fix and "--workspace" not in error.value.fix


@pytest.mark.parametrize("before", [b"", b"whole\n", b"torn"])
def test_appended_lines_begin_after_a_torn_one(tmp_path, before):
    path = tmp_path / "lines"
    path.write_bytes(before)
    with workspace.appended(path) as file:
        file.write(b"new\n")
    assert path.read_bytes().splitlines()[-1] == b"new" and path.read_bytes().startswith(before)
