"""What a workspace remembers of how its pictures were read: believed where it is ours and of the same pictures."""

import json

import pytest

from ursa import workspace
from ursa.data.sources.folder_source import from_folder
from ursa.prepared.last_setup import recall, remember, workspace_of
from ursa.prepared.setup import Setup
from ursa.workspace import Workspace


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bears").mkdir()
    return tmp_path / "bears"


def test_what_was_used_is_recalled_as_it_was(folder, tmp_path):
    space = Workspace.open(folder)
    assert recall(folder) == {}
    setup = Setup(backbone="pixels", weights=tmp_path / "w.safetensors", pattern="{label}.*", table={})
    remember(space, folder, setup)
    known = {"backbone": "pixels", "weights": str(tmp_path / "w.safetensors"), "pattern": "{label}.*"}
    assert recall(folder) == recall(str(folder)) == known
    remember(space, folder, Setup(table={"label": "breed"}))
    assert recall(folder) == {"backbone": Setup().backbone, "table": {"label": "breed"}}


def test_a_table_and_the_folder_beside_it_share_a_workspace_but_not_what_is_remembered(folder):
    table = folder / "labels.csv"
    table.write_text("file,label\n")
    assert workspace_of(table).root == workspace_of(folder).root == folder / ".ursa"
    remember(Workspace.open(folder), table, Setup(backbone="pixels", table={"label": "breed"}))
    assert recall(folder) == {}
    assert recall(table)["table"] == {"label": "breed"}


def test_a_workspace_elsewhere_is_asked_where_it_is_named(folder, tmp_path):
    remember(Workspace.open(folder, tmp_path / "space"), folder, Setup(backbone="pixels"))
    assert recall(folder) == {}
    assert recall(folder, tmp_path / "space") == {"backbone": "pixels"}


def test_what_somebody_else_wrote_or_what_is_damaged_is_nothing(folder):
    space = Workspace.open(folder)
    remember(space, folder, Setup(backbone="pixels"))
    document = json.loads(space.last_setup.read_text())
    space.last_setup.write_text(json.dumps({**document, "backbone": "timm/evil"}))
    assert recall(folder) == {}
    space.last_setup.write_bytes(b"{")
    assert recall(folder) == {}


def test_a_catalog_has_no_name_to_be_remembered_by(picture_folder, tmp_path):
    folder = picture_folder(tmp_path / "p", {"red": 2})
    remember(Workspace.open(folder), from_folder(folder), Setup(backbone="pixels"))
    assert recall(folder) == {}


@pytest.mark.parametrize(
    "damage",
    [
        {"backbone": 3, "weights": ["x"], "pattern": None},
        {"backbone": None, "table": {"label": 3}},
        {"backbone": None, "table": ["label"]},
        {"backbone": None, "table": {}},
        {"backbone": None, "unknown": "x"},
    ],
)
def test_only_text_is_recalled_whatever_else_the_file_says(folder, damage):
    """A later Ursa, or an earlier one, may have written other things in its own name."""
    space = Workspace.open(folder)
    document = {"data": str(folder.resolve()), "weights": None, "pattern": None, **damage}
    workspace.write_sealed(space.last_setup, json.dumps(document).encode())
    assert recall(folder) == {}


@pytest.mark.parametrize("content", [b"[]", b"null", b"3", b'"text"', b"{", b"\xff", b""])
def test_what_is_no_document_is_nothing_though_it_is_ours(folder, content):
    workspace.write_sealed(Workspace.open(folder).last_setup, content)
    assert recall(folder) == {}


def test_weights_are_remembered_by_their_whole_path_and_data_by_where_they_really_lie(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    remember(Workspace.open(folder), "bears", Setup(backbone="pixels", weights="w.safetensors"))
    assert recall("bears")["weights"] == str(tmp_path / "w.safetensors")
    monkeypatch.chdir(folder)
    assert recall("../bears") == recall(folder) == recall(".") != {}
    (tmp_path / "link").symlink_to(folder)
    assert recall(tmp_path / "link") == recall(folder)


def test_a_folder_that_was_moved_is_another_one(folder, tmp_path):
    remember(Workspace.open(folder), folder, Setup(backbone="pixels"))
    folder.rename(tmp_path / "moved")
    assert recall(tmp_path / "moved") == {}


def test_the_last_one_counts_and_nothing_is_made_by_asking(folder, tmp_path):
    space = Workspace.open(folder)
    for backbone in ("pixels", "resnet18"):
        remember(space, folder, Setup(backbone=backbone))
    assert recall(folder) == {"backbone": "resnet18"}
    (tmp_path / "new").mkdir()
    assert recall(tmp_path / "new") == recall(tmp_path / "none") == {}
    assert [*(tmp_path / "new").iterdir()] == [] and not (tmp_path / "none").exists()


def test_names_of_any_script_come_back(tmp_path):
    place = tmp_path / "медведи 🐻"
    place.mkdir()
    remember(Workspace.open(place), place, Setup(pattern="{label} ü*", table={"label": "порода"}))
    assert recall(place) == {"backbone": Setup().backbone, "pattern": "{label} ü*", "table": {"label": "порода"}}
