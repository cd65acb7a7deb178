"""Seals: only this user's Ursa can make one, for one name and one content."""

import os
import stat
import subprocess
import sys

import pytest

from ursa import seals, workspace


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "ursa"


def test_a_seal_is_of_name_content_and_user(tmp_path, home, monkeypatch):
    one = seals.seal("a", b"content")
    assert one == seals.seal("a", b"content") and len(one) == 64
    others = {seals.seal("b", b"content"), seals.seal("a", b"other"), seals.seal("a\0c", b"ontent")}
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    others.add(seals.seal("a", b"content"))
    assert len(others) == 4 and one not in others


def test_the_key_is_the_users_alone_and_the_same_in_every_process(home):
    command = [sys.executable, "-c", "from ursa import seals; print(seals.seal('a', b'content'))"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]  # all at once, the first ones
    said = {process.communicate(timeout=60)[0].decode().strip() for process in started}
    assert said == {seals.seal("a", b"content")}
    assert stat.S_IMODE((home / "seal.key").stat().st_mode) == 0o600
    assert os.listdir(home) == ["seal.key"]
    assert seals.lasting()


@pytest.mark.parametrize("damage", [b"", b"short", bytes(33)])
def test_a_damaged_key_is_made_anew(home, damage):
    home.mkdir(parents=True)
    (home / "seal.key").write_bytes(damage)
    seals.seal("a", b"")
    assert (home / "seal.key").stat().st_size == 32


def test_where_no_key_can_be_kept_seals_hold_for_this_process(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert seals.seal("a", b"content") == seals.seal("a", b"content")
    assert not seals.lasting()


def test_a_sealed_file_is_read_and_one_that_was_changed_or_renamed_is_not(tmp_path):
    path = tmp_path / "known.json"
    workspace.write_sealed(path, b"content")
    assert workspace.read_sealed(path) == b"content"
    assert workspace.read_sealed(path, "other.json") is None
    path.rename(tmp_path / "other.json")
    (tmp_path / "known.json.seal").rename(tmp_path / "other.json.seal")
    assert workspace.read_sealed(tmp_path / "other.json") is None
    workspace.write_sealed(path, b"content")
    path.write_bytes(b"Content")
    assert workspace.read_sealed(path) is None


def test_a_kill_between_seal_and_file_leaves_the_old_file_believed(tmp_path):
    path = tmp_path / "known.json"
    workspace.write_sealed(path, b"old")
    (tmp_path / "known.json.seal").write_text(
        (tmp_path / "known.json.seal").read_text() + seals.seal(path.name, b"new") + "\n"
    )
    assert workspace.read_sealed(path) == b"old"
    for number in range(10):
        workspace.write_sealed(path, str(number).encode())
    assert len((tmp_path / "known.json.seal").read_text().split()) == workspace.SEALS
    assert workspace.read_sealed(path) == b"9"
