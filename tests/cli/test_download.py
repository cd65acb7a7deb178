"""`ursa download` as users run it: documents, exit codes, Ctrl-C, and a kill at any moment."""

import io
import json
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from ursa import workspace


@pytest.fixture
def site():
    """A server with the pictures /0 to /999, each after `delay` seconds; `asked` counts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with lock:
                server.asked[self.path] += 1
            time.sleep(server.delay)
            found = self.path[1:].isdecimal()
            body = picture(int(self.path[1:])) if found else b"<html>not here"
            try:
                self.send_response(200 if found else 404)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:  # the client was killed
                self.close_connection = True

        def log_message(self, *_):
            pass

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    server.asked, server.delay = Counter(), 0.0
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def picture(number):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256, 7)).save(buffer, "PNG")
    return buffer.getvalue()


def lists(folder, site, **classes):
    for name, paths in classes.items():
        (folder / f"{name}.txt").write_text("# found by hand\n\n" + "".join(f"{site.url}/{path}\n" for path in paths))
    return [f"{name}.txt" for name in classes]


def test_for_people_and_for_programs(tmp_path, site, ursa):
    names = lists(tmp_path, site, teddy=[0, 1, "gone"], black=[2, 3, 3])
    people = ursa("download", *names, "--to", "bears", "--allow-private", cwd=tmp_path)
    assert people.returncode == 0, people.stderr
    assert "4 pictures fetched" in people.stdout
    assert "1 x the server says 404 Not Found" in people.stdout
    assert f"teddy: {site.url}/gone" in people.stdout
    assert "ursa check bears" in people.stdout
    programs = ursa("download", *names, "--to", "bears", "--allow-private", "--json", cwd=tmp_path)
    document = json.loads(programs.stdout)
    assert programs.returncode == 0
    assert (document["fetched"], document["already"], document["duplicates"]) == (0, 4, 1)
    assert document["classes"] == {"black": 2, "teddy": 2}
    (failure,) = document["failures"]
    assert failure.items() >= {"url": f"{site.url}/gone", "label": "teddy"}.items()
    assert set(site.asked.values()) == {1}


def test_no_picture_at_all_is_the_answer_no(tmp_path, site, ursa):
    done = ursa("download", *lists(tmp_path, site, teddy=["gone"]), "--to", "x", "--json", cwd=tmp_path)
    assert done.returncode == 1
    (failure,) = json.loads(done.stdout)["failures"]
    assert failure["reason"] == "refused: 127.0.0.1 is not a public address"
    assert not site.asked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tedy.txt", "--to", "x"), "did you mean 'teddy.txt'?"),
        (("teddy.txt", "--to", "teddy.txt"), "is not a folder"),
        (("teddy.txt", "--to", "x", "--workers", "0"), "workers has to be at least 1"),
        (("teddy.txt", "--to", "x", "--max-mb", "0"), "max_bytes has to be more than 0"),
    ],
)
def test_misuse_exits_2_with_one_readable_block(tmp_path, site, ursa, arguments, said):
    lists(tmp_path, site, teddy=[1])
    done = ursa("download", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_stopped_midway_it_goes_on_and_fetches_nothing_twice(tmp_path, site, ursa, ursa_command, by):
    site.delay = 0.05
    names = lists(tmp_path, site, teddy=range(40), black=range(40, 80))
    arguments = ["download", *names, "--to", "bears", "--allow-private", "--workers", "6"]
    with subprocess.Popen([ursa_command, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while sum(site.asked.values()) < 25 and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(by)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    folder = tmp_path / "bears"
    kept = [json.loads(line)["url"] for line in (folder / ".ursa/downloads.jsonl").read_text().splitlines()]
    assert 15 <= len(kept) < 40
    if by == signal.SIGINT:
        assert process.returncode == 130
        assert f"{len(kept)} pictures" in said
        assert "run the same command again" in said
        assert "Traceback" not in said
        assert not list(folder.rglob("*.part"))
    site.delay = 0.0
    again = ursa(*arguments, "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    document = json.loads(again.stdout)
    assert document["already"] == len(kept)
    assert document["classes"] == {"black": 40, "teddy": 40}
    assert all(site.asked[url.removeprefix(site.url)] == 1 for url in kept)
    assert sum(site.asked.values()) <= 80 + 6  # those that were on their way


def test_what_a_kill_left_half_written_is_no_picture(tmp_path, site, ursa):
    names = lists(tmp_path, site, teddy=range(3), black=range(3, 6))
    arguments = ["download", *names, "--to", "bears", "--allow-private", "--json"]
    whole = json.loads(ursa(*arguments, cwd=tmp_path).stdout)["classes"]
    picture = min((tmp_path / "bears" / "teddy").iterdir())
    with pytest.raises(KeyboardInterrupt), workspace.writing(picture) as file:
        left = min(picture.parent.glob(".*.part"))  # under the name that a kill would leave it
        shutil.copy(picture, tmp_path / "half")
        raise KeyboardInterrupt
    assert file.closed
    assert not list((tmp_path / "bears").glob("[!.]*/.*"))  # and a download leaves none among the pictures at all
    shutil.copy(tmp_path / "half", left)
    assert json.loads(ursa(*arguments, cwd=tmp_path).stdout)["classes"] == whole
