"""What a workspace remembers of how its pictures were read: believed where it is ours and of the same pictures."""

import json

import pytest

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
