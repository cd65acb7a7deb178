import concurrent.futures
import contextlib
import errno
import http.client
import json
import logging
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from ursa.errors import DataError
from ursa.serve import run
from ursa.serve.app import app
from ursa.serve.predictor import Predictor

FIFTY = 50_000_000


class Held(Predictor):
    """Answers only when it is let go."""

    def __init__(self, source):
        super().__init__(source)
        self.go, self.inside = threading.Event(), 0

    def view(self, picture, _seconds=10):
        self.inside += 1
        assert self.go.wait(20)
        return super().view(picture)


class Failing(Predictor):
    def view(self, picture, _seconds=10):
        raise RuntimeError(f"a secret of the house, {len(picture)} bytes")


class Refused(Predictor):
    """The system gives it no worker, as where memory or processes have run out."""

    def view(self, _picture, _seconds=10):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")


@pytest.fixture
def client(predictor):
    return TestClient(app(predictor), raise_server_exceptions=False)


def ask(url, body=b"", headers=None, method="POST", path="/predict", chunked=False):
    """-> (status, headers, document), over a real connection."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request(method, path, body, headers or {"content-type": "image/jpeg"}, encode_chunked=chunked)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read())
    finally:
        connection.close()


def wire(url, *pieces, hang_up=False):
    """Send these bytes as they are -> (the answer until the server closes, bytes taken by then)."""
    taken, answer = 0, b""
    with socket.create_connection(urlsplit(url).netloc.split(":"), timeout=20) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the server may close while we are sending
            for piece in pieces:
                connection.sendall(piece)
                taken += len(piece)
        with contextlib.suppress(ConnectionResetError):
            while not hang_up and (data := connection.recv(65536)):
                answer += data
    return answer, taken


def head(kind="image/jpeg", length=None):
    how = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\n{how}\r\n\r\n".encode()


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


# What is answered


def test_one_picture_in_a_form(client, paint):
    answer = client.post("/predict", files={"picture": ("über <b>.jpg", paint("red"))})
    assert answer.status_code == 200
    document = answer.json()
    assert list(document) == ["picture", "label", "probability", "probabilities"]
    assert (document["picture"], document["label"]) == ("über <b>.jpg", "red")
    assert list(document["probabilities"]) == ["blue", "green", "red"]
    assert sum(document["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert document["probability"] == max(document["probabilities"].values())


@pytest.mark.parametrize("field", ["picture", "file"])
def test_either_field_name_will_do(client, paint, field):
    assert client.post("/predict", files={field: ("a.png", paint("blue", kind="PNG"))}).json()["label"] == "blue"


@pytest.mark.parametrize("kind", ["image/jpeg", "image/whatever", "application/octet-stream", "Image/PNG; x=1"])
def test_a_raw_body_is_a_picture(client, paint, kind):
    document = client.post("/predict", content=paint("lime"), headers={"content-type": kind}).json()
    assert (document["picture"], document["label"]) == ("picture", "green")


def test_several_pictures_come_back_in_order_with_the_broken_one_in_its_place(client, paint):
    sent = [("1.jpg", paint("red")), ("2.txt", b"just words"), ("3.jpg", paint("blue")), ("1.jpg", paint("lime"))]
    answer = client.post("/predict", files=[("picture", each) for each in sent])
    assert answer.status_code == 200
    documents = answer.json()
    assert [each["picture"] for each in documents] == ["1.jpg", "2.txt", "3.jpg", "1.jpg"]
    assert [each.get("label") for each in documents] == ["red", None, "blue", "green"]
    assert documents[1] == {"picture": "2.txt", "problem": "not a picture: a text file"}


def test_several_broken_pictures_are_still_a_list(client):
    documents = client.post("/predict", files=[("picture", ("a", b"a")), ("picture", ("b", b"b"))]).json()
    assert [set(each) for each in documents] == [{"picture", "problem"}] * 2


def test_the_answer_is_the_predictors(client, predictor, paint):
    for color in ("red", "#804020", "white"):
        data = paint(color)
        assert client.post("/predict", files={"picture": ("a", data)}).json() == {
            "picture": "a",
            **predictor(data).to_json(),
        }


def test_health_says_what_is_served(client, predictor):
    document = client.get("/health").json()
    assert document["status"] == "ok"
    assert document["classes"] == ["blue", "green", "red"]
    assert document["model"]["name"] == "colours"
    assert document["model"]["version"] == "0.1.0"
    assert document["model"]["sha256"] == predictor.bundle.document["sha256"]
    assert document["limits"]["max_bytes"] == 20_000_000


def test_names_of_classes_travel_unharmed_and_the_title_is_escaped(bundle_files, pack, paint, tmp_path):
    names = ('"quotes"', "<img src=x onerror=alert(1)>", "naïve </script> ☃")
    predictor = Predictor(pack(bundle_files(names), tmp_path / "odd.ursa"))
    client = TestClient(app(predictor, title="<script>alert(1)</script>"))
    assert client.get("/health").json()["classes"] == list(names)
    assert client.post("/predict", files={"picture": ("a", paint("red"))}).json()["label"] == names[2]
    page = client.get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


# What is refused


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        ({}, 400, "no picture"),
        ({"headers": {"content-type": "image/jpeg"}}, 400, "no picture"),
        ({"files": {"photo": ("a.jpg", b"123")}}, 400, "field 'picture'"),
        ({"data": {"picture": "words"}, "files": {"x": ("", b"")}}, 400, "field 'picture'"),
        ({"files": {"picture": ("", b"")}}, 400, "picture"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "cannot be read"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "cannot be read"),
        ({"content": b"--b\r\n", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "no picture"),
        ({"json": {"picture": "x"}}, 415, "content type"),
        ({"data": {"picture": "x"}}, 415, "content type"),
        ({"content": b"x"}, 415, "content type"),
        ({"content": b"words", "headers": {"content-type": "text/plain"}}, 415, "content type"),
        ({"content": b"words", "headers": {"content-type": "image/jpeg"}}, 422, "not a picture: a text file"),
        ({"files": {"picture": ("a.jpg", b"")}}, 422, "not a picture: an empty file"),
        ({"files": {"picture": ("a.jpg", b"<html>")}}, 422, "not a picture: an HTML page"),
        ({"files": [("picture", (f"{i}.jpg", b"1")) for i in range(65)]}, 413, "too many pictures"),
        ({"data": {str(i): "1" for i in range(65)}, "files": {"x": ("x", b"")}}, 413, "too many"),
    ],
)
def test_what_cannot_be_answered_gets_its_status_and_the_fix(client, sent, status, says):
    answer = client.post("/predict", **sent)
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert list(document) == ["error", "found", "fix"]
    assert says in document["error"]
    assert document["fix"]


def test_a_truncated_jpeg_is_named(client, paint):
    data = paint("red", (640, 480))
    answer = client.post("/predict", files={"picture": ("a.jpg", data[: len(data) // 2])})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("truncated")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/predict", 405),
        ("DELETE", "/", 405),
        ("POST", "/health", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/../etc/passwd", 404),
    ],
)
def test_unknown_ways_are_answered_in_json(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert list(answer.json()) == ["error", "found", "fix"]
    assert "POST /predict" in answer.json()["fix"]


def test_an_unexpected_error_is_logged_and_not_told(packed, paint, caplog):
    client = TestClient(app(Failing(packed)), raise_server_exceptions=True)  # nothing may get past the app
    with caplog.at_level(logging.ERROR, "ursa.serve"):
        answer = client.post("/predict", files={"picture": ("a", paint())})
    assert answer.status_code == 500
    assert list(answer.json()) == ["error", "found", "fix"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "a secret of the house" in caplog.text


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/health"), ("GET", "/no"), ("POST", "/predict")])
def test_every_answer_is_shielded(client, method, path):
    headers = client.request(method, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy


# Limits, over real connections


def test_fifty_announced_megabytes_are_refused_before_they_are_sent(predictor, serving):
    answer, _ = wire(serving(predictor), head(length=FIFTY))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.split(b"\r\n\r\n")[1])["found"] == "50,000,000 bytes"


@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data; boundary=b"])
def test_fifty_chunked_megabytes_are_cut_off_at_the_limit(predictor, serving, kind):
    part = b'--b\r\ncontent-disposition: form-data; name="picture"; filename="a"\r\n\r\n'
    first = part if kind.startswith("multipart") else b"\xff\xd8\xff"
    url = serving(predictor, max_bytes=5_000_000, linger_bytes=5_000_000)
    answer, taken = wire(url, head(kind), chunk(first), *[chunk(bytes(100_000))] * (FIFTY // 100_000))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert taken < 35_000_000  # 10 MB and what the two ends' kernels hold between them


def test_the_limit_is_exact(predictor, serving, paint):
    data = paint("red")
    url = serving(predictor, max_bytes=len(data))
    assert ask(url, data)[0] == 200
    assert ask(url, iter([data[:100], data[100:]]), chunked=True)[0] == 200
    for request in ([head(length=len(data) + 1), data, b"x"], [head(), chunk(data), chunk(b"x"), chunk(b"")]):
        assert wire(url, *request)[0].startswith(b"HTTP/1.1 413 ")


def test_nothing_is_written_to_disk(client, paint, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")  # any temporary file would fail here
    large = paint("red", (1500, 1000), "BMP")
    assert len(large) > 4_000_000  # form parsers spool from 1 MB on
    assert client.post("/predict", files={"picture": ("a.bmp", large)}).json()["label"] == "red"
    assert client.post("/predict", files=[("file", ("a.bmp", large))] * 2).json()[1]["label"] == "red"


def test_twenty_at_once_are_all_answered_rightly(predictor, serving, paint):
    url = serving(predictor)
    data = {name: paint(color) for name, color in (("red", "red"), ("green", "lime"), ("blue", "blue"))}
    names = [list(data)[i % 3] for i in range(20)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda name: ask(url, data[name]), names))
    assert [(status, document["label"]) for status, _, document in answers] == [(200, name) for name in names]


def test_who_finds_the_house_full_is_asked_to_come_back(packed, serving, paint):
    held = Held(packed)
    url = serving(held, cores=1, waiting=2)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        inside = [pool.submit(ask, url, paint("red")) for _ in range(3)]
        deadline = time.monotonic() + 10
        status = 0
        while status != 503 and time.monotonic() < deadline:  # until all three have arrived
            status, headers, document = ask(url, b"")
        assert status == 503
        assert int(headers["retry-after"]) > 0
        assert "busy" in document["error"]
        assert ask(url, method="GET", path="/health")[0] == 200  # the event loop is free
        assert held.inside == 1  # one core, so one at work
        held.go.set()
        assert [each.result()[2]["label"] for each in inside] == ["red"] * 3
    assert ask(url, paint("blue"))[2]["label"] == "blue"  # and the places are free again


def test_a_sender_who_falls_silent_is_given_up(predictor, serving):
    answer, _ = wire(serving(predictor, grace=0.2), head(length=500), b"abc")
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_slow_sender_is_waited_for(predictor, serving, paint):
    data = paint("red")

    def slowly():
        for start in range(0, len(data), 100):
            time.sleep(0.1)
            yield data[start : start + 100]

    began = time.monotonic()
    assert ask(serving(predictor, grace=0.5, min_rate=200), slowly(), chunked=True)[0] == 200
    assert time.monotonic() - began > 0.5


def test_a_sender_who_hangs_up_leaves_a_free_place_and_a_quiet_log(predictor, serving, paint, caplog):
    url = serving(predictor, cores=1, waiting=0)
    for _ in range(3):
        wire(url, head(length=9), b"abc", hang_up=True)
    deadline = time.monotonic() + 10
    while (status := ask(url, paint())[0]) == 503 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert status == 200
    assert not caplog.records


# Starting and stopping


def test_serving_leaves_the_training_libraries_alone(packed, paint, tmp_path):
    picture = tmp_path / "a.jpg"
    picture.write_bytes(paint())
    code = """
import sys
import ursa.serve.app, ursa.serve.run
from ursa.serve.predictor import Predictor
ursa.serve.app.app(Predictor(sys.argv[1]))
Predictor(sys.argv[1])(sys.argv[2])
print(sorted({"torch", "torchvision", "timm", "polars", "sklearn", "scipy", "pandas", "onnx"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code, packed, picture], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_busy_port_is_named_with_the_fix(predictor):
    with run.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DataError, match=f"port {port} is taken") as caught:
            run.run(predictor, port=port)
    assert "--port" in (caught.value.fix or "")


@pytest.mark.parametrize(
    ("host", "port"), [("host.invalid", 0), ("127.0.0.1", 65536), ("127.0.0.1", -1), ("203.0.113.7", 0)]
)
def test_an_impossible_address_is_refused(predictor, host, port):
    with pytest.raises(DataError, match="cannot listen") as caught:
        run.run(predictor, host, port)
    assert caught.value.fix


def test_addresses_are_what_a_browser_takes():
    with run.listen("0.0.0.0", 0) as everywhere:
        assert run.address(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}/"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way on Windows")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_what_is_in_flight_and_says_nothing(packed, paint, sent):
    code = """
import sys, time
from ursa.serve.predictor import Predictor
from ursa.serve.run import run
class Slow(Predictor):
    def view(self, picture, _seconds=10):
        print("looking", flush=True)
        time.sleep(1)
        return super().view(picture)
run(Slow(sys.argv[1]), port=0, ready=lambda url: print(url, flush=True))
print("stopped")
"""
    command = [sys.executable, "-c", code, str(packed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                answer = pool.submit(ask, url, paint("red"))
                assert process.stdout.readline() == "looking\n"
                process.send_signal(sent)
                assert answer.result()[0] == 200
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert err == ""
    assert (process.returncode, out) == ((0, "stopped\n") if sent == signal.SIGINT else (-signal.SIGTERM, ""))


def test_where_the_system_gives_no_worker_the_answer_is_busy_and_the_picture_is_not_to_blame(predictor, paint):
    client = TestClient(app(Refused(predictor.bundle)))
    for _ in range(5):  # as often as somebody likes: nobody becomes an offender by it
        answer = client.post("/predict", content=paint("red"), headers={"content-type": "image/jpeg"})
        assert answer.status_code == 503 and answer.headers["retry-after"] == "2"
        assert answer.json()["error"] == "busy: the server is out of memory or processes"
    assert client.get("/health").status_code == 200
