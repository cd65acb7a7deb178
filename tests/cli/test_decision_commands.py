"""`ursa decide`, `ursa apply`, `ursa revert`: words, documents, exit codes, and the mistakes of a new user."""

import json

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    return picture_folder(tmp_path_factory.mktemp("commands") / "bears", {"black": 2, "[red]odd": 2})


def test_decide_apply_and_revert_and_what_they_say(ursa, folder):
    done = ursa(
        "decide", "bears", "bears/black/black_000.jpg", "--label", "[red]odd", "--why", "a\x1b[2J", cwd=folder.parent
    )
    assert done.returncode == 0 and "1 decision saved" in done.stdout and "ursa apply bears --dry-run" in done.stdout
    listed = ursa("decide", "bears", "--list", cwd=folder.parent)
    assert "black -> [red]odd" in listed.stdout and "\x1b" not in listed.stdout and "open" in listed.stdout
    planned = ursa("apply", "bears", "--dry-run", "--move", cwd=folder.parent)
    assert "1 label would be corrected" in planned.stdout and "Next:    ursa apply bears --move" in planned.stdout
    assert "black/black_000.jpg -> [red]odd/black_000.jpg" in planned.stdout
    done = ursa("apply", "bears", "--move", "--json", cwd=folder.parent)
    document = json.loads(done.stdout)
    assert done.returncode == 0 and document["applied"] == document["decisions"] == 1 and not document["dry_run"]
    assert document["moved"] == [{"from": "black/black_000.jpg", "to": "[red]odd/black_000.jpg"}]
    assert "ursa check" in document["not_measured"]
    (folder / "black/black_000.jpg").write_bytes(b"in the way")
    blocked = ursa("revert", "bears", cwd=folder.parent)
    assert blocked.returncode == 1 and "another file lies there" in " ".join(blocked.stdout.split())
    (folder / "black/black_000.jpg").unlink()
    back = json.loads(ursa("revert", "bears", "--json", cwd=folder.parent).stdout)
    assert back["moved_back"] == document["moved"] and (folder / "black/black_000.jpg").exists()
    rows = json.loads(ursa("decide", "bears", "--list", "--json", cwd=folder.parent).stdout)
    assert rows["open"] == 1 and rows["decisions"][0]["label"] == "[red]odd" and rows["decisions"][0]["mine"]


def test_mistakes_are_told_in_words(ursa, folder):
    for words, said in (
        (["black/black_000.jpg"], "--delete, --label CLASS"),
        (["black/black_000.jpg", "--keep", "--delete"], "one way at a time"),
        (["black/black_000.jpg", "--label", "blck"], "did you mean 'black'?"),
        (["black/nowhere.jpg", "--keep"], "no such picture"),
        (["--keep"], "no picture is named"),
        (["--list", "--keep"], "--list decides nothing"),
        (["--list", "--duplicates"], "--list decides nothing"),
        (["--duplicates", "--keep"], "decided alone"),
        (["--from", "no.csv"], "cannot read no.csv"),
    ):
        done = ursa("decide", folder, *words)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, (words, done.stderr)
    nothing = ursa("apply", folder.parent / "none")
    assert nothing.returncode == 2
    assert "Nothing was applied" in ursa("revert", folder).stdout
    assert "no identical files" in ursa("decide", folder, "--duplicates").stdout
