"""`ursa review`: checks what was not checked, serves what was, and ends without losing anything."""

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import ursa
from ursa.data.samples import bears
from ursa.errors import DataError
from ursa.review_page.review_session import Wish
from ursa.workflow import check as check_room
from ursa.workflow.deciding import reviewing


@pytest.fixture(scope="module")
def checked(tmp_path_factory, picture_folder):
    """A folder that was checked, with one label planted wrong."""
    folder = picture_folder(tmp_path_factory.mktemp("review") / "pictures", {"red": 14, "green": 14})
    shutil.move(folder / "red/red_003.png", folder / "green/odd.png")
    ursa.check(folder, backbone="pixels")
    return folder


@pytest.fixture
def no_check(monkeypatch):
    def refused(*_, **__):
        raise AssertionError("it was checked already")

    monkeypatch.setattr(check_room, "check", refused)


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def test_a_checked_folder_is_served_at_once_decided_applied_and_taken_back(checked, no_check, tmp_path):
    folder = shutil.copytree(checked, tmp_path / "pictures")
    page = reviewing.review(checked)
    try:
        start = ask(f"{page.url}api/start")
        assert start["folder"] == "pictures" and start["classes"] == ["green", "red"]
        number = ask(f"{page.url}api/view")["runs"][0][0]  # the likeliest wrong
        item = ask(f"{page.url}api/items?numbers={number}")["items"][0]
        assert item["pictures"][0]["id"] == "green/odd.png" and item["likely"] == "red"
        assert item["nearest"]["likely"]
        row = item["pictures"][0]["row"]
        told = ask(f"{page.url}api/decide", {"decisions": [{"row": row, "kind": "label", "label": "red"}]})
        assert told["progress"]["decided"] == 1 and page.saved == 1
        planned = ask(f"{page.url}api/apply", {"dry_run": True})
        assert planned["relabeled"] == [{"picture": "green/odd.png", "given": "green", "label": "red"}]
        done = ask(f"{page.url}api/apply", {"dry_run": False})
        assert done["applied"] == 1 and done["effect_words"]
        assert page.to_json()["applied"] == 1 and len(page.decisions().decisions) == 1
        assert ask(f"{page.url}api/revert", {})["reverted"] == 1
        ask(f"{page.url}api/decide", {"decisions": [{"row": row, "kind": "undo"}]})
    finally:
        page.stop()
    with pytest.raises(OSError):
        ask(f"{page.url}api/start")
    same = {path.name: path.read_bytes() for path in checked.rglob("*.jpg")}
    assert same == {path.name: path.read_bytes() for path in folder.rglob("*.jpg")}


def test_what_was_not_checked_or_otherwise_is_checked_first(checked, tmp_path, monkeypatch):
    calls, real = [], check_room.check

    def counted(*arguments, **options):
        calls.append(options)
        return real(*arguments, **options)

    monkeypatch.setattr(check_room, "check", counted)
    folder = tmp_path / "of another folder"  # with its workspace, as one that was copied
    shutil.copytree(checked, folder)
    reviewing.review(folder, backbone="pixels", progress=False).stop()
    assert len(calls) == 1
    reviewing.review(folder, progress=False).stop()
    assert len(calls) == 1
    (folder / ".ursa/findings.json").unlink()
    reviewing.review(folder, progress=False).stop()
    assert len(calls) == 2 and calls[1]["backbone"] == "pixels"  # as the last time
    reviewing.review(folder, pattern="{label}_{}.{}", backbone="pixels", progress=False).stop()
    assert len(calls) == 3


def test_a_table_is_reviewed_too(checked, tmp_path):
    rows = [f"{path.relative_to(checked)},{path.parent.name}" for path in sorted(checked.glob("[gr]*/*.*"))]
    table = checked / "table.csv"
    table.write_text("\n".join(["file,label", *rows]))
    page = reviewing.review(table, workspace=tmp_path / "space", backbone="pixels", progress=False)
    try:
        assert ask(f"{page.url}api/start")["classes"] == ["green", "red"]
    finally:
        page.stop()
        table.unlink()


def test_mistakes_say_what_to_do(checked, tmp_path, no_check):
    with pytest.raises(DataError, match="there is no folder"):
        reviewing.review(tmp_path / "nowhere")
    page = reviewing.review(checked)
    try:
        with pytest.raises(DataError, match="taken"):
            reviewing.review(checked, port=int(page.url.split(":")[2].split("/")[0]))
    finally:
        page.stop()


def test_a_browser_is_opened_by_an_address_that_is_spent_then(checked, no_check, monkeypatch):
    opened = queue.Queue()
    monkeypatch.setattr(reviewing.webbrowser, "open", opened.put)
    page = reviewing.review(checked, browser=True)
    try:
        address = opened.get(timeout=10)
        assert page.url not in address
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert answer.url == page.url
    finally:
        page.stop()


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook would show."""
    shown = []
    display = types.SimpleNamespace(
        HTML=lambda text: text, IFrame=lambda url, *size: ("frame", url, *size), display=shown.append
    )
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_notebook_shows_a_frame_and_a_link(checked, no_check, notebook, monkeypatch):
    page, shown = reviewing.review(checked), notebook
    try:
        page._ipython_display_()
        assert ask(f"{page.url}api/start")["notebook"] is True
        assert shown[0][:2] == ("frame", page.url) and f'href="{page.url}"' in shown[1]
        with urllib.request.urlopen(page.url, timeout=20) as answer:
            assert "frame-ancestors *" in answer.headers["content-security-policy"]
    finally:
        page.stop()
    ports = []
    output = types.SimpleNamespace(serve_kernel_port_as_iframe=lambda port, path, **_: ports.append((port, path)))
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(output=output))
    page._ipython_display_()
    assert page.url.endswith(ports[0][1]) and str(ports[0][0]) in page.url


def test_a_proxy_brings_the_page_to_a_browser_elsewhere(checked, no_check, notebook, monkeypatch):
    """By a path, as JupyterHub tells it, whatever the name before it is; by an address under that name alone."""

    def status(page, host):
        request = urllib.request.Request(page.url, headers={"host": host})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    asked = (None, "/user/ada/proxy", ["hub.example.org"], []), ("/proxy/", "/proxy", ["lab.example.org"], [])
    for proxy, before, good, bad in (*asked, ("https://a.example.org/p", "https://a.example.org/p", [], ["b.example"])):
        page = reviewing.review(checked, proxy=proxy)
        try:
            page._ipython_display_()
            path = page.url.split("127.0.0.1:")[1]
            assert notebook[-2][1] == f"{before}/{path}" and f'href="{before}/{path}"' in notebook[-1]
            assert [status(page, host) for host in good] == [200] * len(good)
            assert [status(page, host) for host in bad] == [421] * len(bad)
        finally:
            page.stop()


@pytest.mark.parametrize("proxy", ["proxy", "//evil.example/proxy", "ftp://a/proxy", ""])
def test_what_is_no_proxy_is_refused(checked, no_check, notebook, proxy):
    with pytest.raises(DataError, match="no address of a proxy"):
        reviewing.review(checked, proxy=proxy)


def test_a_proxy_means_nothing_outside_of_notebooks(checked, no_check, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")  # a terminal on a hub
    with pytest.raises(DataError, match="this is none"):
        reviewing.review(checked, proxy="/proxy")
    page = reviewing.review(checked)
    page.stop()
    assert page._proxy is None


def test_pictures_that_came_or_went_since_are_counted(checked, tmp_path, picture_folder):
    folder = shutil.copytree(checked, tmp_path / "pictures", ignore=shutil.ignore_patterns(".ursa"))
    page = reviewing.review(folder, backbone="pixels", progress=False)
    page.stop()
    picture_folder(folder, {"blue": 2})
    (folder / "red/red_000.jpg").unlink()
    page = reviewing.review(folder, progress=False)
    try:
        wanted = f"Since the check: 2 pictures added, 1 picture gone. ursa check {folder} looks again."
        until = time.monotonic() + 10
        while ask(f"{page.url}api/changes?since=0").get("notice") != wanted:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        page.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="sends a signal")
def test_the_command_ends_with_what_was_saved(checked):
    command = [Path(sys.executable).with_name("ursa"), "review", checked, "--no-browser", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+/\S+/", line)[0]
        ask(f"{url}api/decide", {"decisions": [{"row": 0, "kind": "keep"}]})
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=20)
    document = json.loads(out)
    assert process.returncode == 0 and "Traceback" not in said
    assert document["decisions"] == 1 and {"value", "high", "unseen"} <= set(document["estimate_left"])
    assert {"applied", "reverted"} <= set(document)


def test_a_flat_folder_is_labeled_in_rows_by_the_page(tmp_path):
    """From pictures without labels to decisions: what the button of the page does, with a real classifier behind it."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for picture in sorted((bears(tmp_path / "drawn", each=8) / "bears").rglob("*.jpg")):
        shutil.copy(picture, folder)
    page = reviewing.review(folder, backbone="pixels", progress=False)
    try:
        session = page._session
        assert session.unlabeled() == 24
        next_rows = reviewing._rows(folder, {"workspace": None, "pattern": None, "table": None})
        told = next_rows(session.outcomes())
        (number, *others) = session.add_rows(told.rows)
        assert others and "24 to go" in told.sentence
        item = session.items[number]
        session.decide([Wish(row, "new-label", "bear") for row in item.pictures])
        again = next_rows(session.outcomes())
        shown = {id for ids, _, _ in again.rows for id in ids}
        assert shown and shown.isdisjoint(session.table.id(row) for row in item.pictures)
        assert session.unlabeled() == 24 - len(item.pictures)
    finally:
        page.stop()
