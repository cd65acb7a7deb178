import asyncio
import http.client
import json
import socket
import threading
import time
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from ursa.errors import BundleError, DataError
from ursa.serve.app import app
from ursa.serve.http.form import Form
from ursa.serve.http.refusals import RefusedError
from ursa.serve.http.upload import Memory, uploads
from ursa.serve.limits import ServerLimits
from ursa.serve.predictor import Predictor

FORM = {"content-type": "multipart/form-data; boundary=b"}
PART = b'--b\r\ncontent-disposition: form-data; name="picture"; filename="%b"\r\n\r\n%b\r\n'
EMPTY = b'--b\r\ncontent-disposition: form-data; name="picture"; filename=""\r\n\r\n\r\n'


@pytest.fixture
def client(predictor):
    return TestClient(app(predictor, limits=ServerLimits(max_pictures=5)), raise_server_exceptions=True)


def post(client, body):
    return client.post("/predict", content=body, headers=FORM)


# Forms


@pytest.mark.parametrize(
    "part",
    [
        EMPTY,
        b'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n\r\n',
        b'--b\r\ncontent-disposition: form-data; name="x"; filename="y"\r\n\r\nz\r\n',
        PART % (b"a.jpg", b""),
    ],
    ids=["nothing chosen", "field", "other file", "empty picture"],
)
def test_every_part_counts_whatever_is_in_it(client, part):
    assert post(client, part * 5 + b"--b--\r\n").status_code != 413
    answer = post(client, part * 6 + b"--b--\r\n")
    assert answer.status_code == 413
    assert "too many" in answer.json()["error"]


def test_a_form_with_empty_choices_and_a_picture_is_that_picture(client, paint):
    answer = post(client, EMPTY + PART % (b"a.jpg", paint("red")) + EMPTY + b"--b--\r\n")
    assert answer.json()["label"] == "red"


def test_the_part_that_is_one_too_many_ends_the_reading(predictor):
    """20 MB of the smallest parts: without the limit they would hold the event loop for seconds."""
    began = time.monotonic()
    body = b"--b\r\na:\r\n\r\n" + b"\r\n--b\r\na:\r\n\r\n" * 1_400_000
    answer = post(TestClient(app(predictor)), body)
    assert answer.status_code in (400, 413)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\n" + b"x: y\r\n" * 10_000,
        b"--b\r\n" + b"x" * 100_000 + b": y\r\n\r\n",
        b"--b\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b'--b\r\ncontent-disposition: form-data; name="' + b"n" * 10_000 + b'"\r\n\r\n\r\n--b--',
        b"--b\r\n\r\nno disposition\r\n--b--",
        b'--b\r\ncontent-disposition: form-data; filename="a"\r\n\r\nno name\r\n--b--',
        b"--b-" * 1000,
        b"preamble --b\r\n",
        b"-" * 100_000,
        b"\x00" * 100_000,
        b"--b\r\n: \r\n\r\n\r\n--b--",
        b"--b\r\nc\xff: \r\n\r\n\r\n--b--",
    ],
)
def test_forms_that_are_none_are_refused_with_a_short_reason(client, body):
    answer = post(client, body)
    assert answer.status_code == 400
    assert len(answer.content) < 1000
    assert answer.json()["fix"]


@pytest.mark.parametrize("boundary", [b"x" * 300, b'"', b"\xff", b"", b'"\r\n"'.strip()])
def test_odd_boundaries_are_refused_or_find_nothing(client, boundary):
    kind = b"multipart/form-data; boundary=" + boundary
    assert client.post("/predict", content=b"--x\r\n", headers={b"content-type": kind}).status_code == 400


def test_bytes_around_the_form_are_passed_over(client, paint):
    form = PART % (b"a.jpg", paint("red")) + b"--b--\r\n"
    assert post(client, b"\r\n" * 50_000 + form + b"epilogue --b\r\n" * 10_000).json()["label"] == "red"


def test_a_form_inside_a_form_is_a_broken_picture(client):
    inner = b"--c\r\ncontent-disposition: form-data; name=picture\r\n\r\n--c--"
    assert post(client, PART % (b"a", inner) + b"--b--\r\n").status_code == 422


def test_what_does_not_end_is_not_looked_at(client, paint):
    whole, cut = PART % (b"a.jpg", paint("red")), PART % (b"b.jpg", paint("blue"))
    answer = post(client, whole + cut[:-20])
    assert (answer.json()["picture"], answer.json()["label"]) == ("a.jpg", "red")


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_form_reads_the_same_in_pieces_of_any_size(paint, size):
    pictures = [("ü.jpg", paint("red")), ("--b", b"\r\n--\r\n--a"), ("b", b"")]
    other = b'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\ny\r\n'
    body = EMPTY + other + b"".join(PART % (name.encode(), data) for name, data in pictures) + b"--b--\r\n"
    form = Form(b"b", 5)
    for i in range(0, len(body), size):
        form.write(body[i : i + size])
    form.finalize()
    assert [(upload.name, upload.data) for upload in form.uploads] == pictures
    assert form.others == ["x"]


def test_names_from_a_form_are_given_back_but_no_terminal_sees_them(client):
    answer = post(client, b'--b\r\ncontent-disposition: form-data; name="\x1b[2J"\r\n\r\n\r\n--b--\r\n')
    assert answer.status_code == 400
    assert b"\x1b" not in answer.content


# Offenders


class Fragile(Predictor):
    """A decoder that dies of some pictures."""

    looked = 0

    def view(self, picture, _seconds=10):
        self.looked += 1
        if picture.startswith(b"bomb"):
            raise DataError("crashes its decoder: signal 11")
        if picture.startswith(b"slow"):
            raise DataError("takes too long: more than 2 s")
        return super().view(picture)


@pytest.fixture
def fragile(packed):
    return Fragile(packed)


def send(client, body):
    return client.post("/predict", content=body, headers={"content-type": "image/jpeg"})


def test_who_sends_harmful_pictures_again_and_again_has_to_wait(fragile, paint):
    client = TestClient(app(fragile, limits=ServerLimits(offenses=3, penalty=0.3)))
    answers = [send(client, body) for body in (b"bomb", b"slow", b"bomb")]
    assert [answer.status_code for answer in answers] == [422] * 3
    refused = send(client, paint())
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) == 1
    assert fragile.looked == 3
    assert client.get("/health").status_code == 200
    assert TestClient(client.app, client=("192.0.2.7", 1)).post("/predict", content=paint()).status_code != 429
    deadline = time.monotonic() + 10
    while (answer := send(client, paint("red"))).status_code == 429 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answer.json()["label"] == "red"


def test_broken_pictures_are_no_offense(fragile, paint):
    client = TestClient(app(fragile, limits=ServerLimits(offenses=1)))
    assert [send(client, b"words").status_code for _ in range(10)] == [422] * 10
    assert send(client, paint()).status_code == 200


def test_after_some_harmful_pictures_the_rest_of_a_request_is_not_looked_at(fragile, paint):
    client = TestClient(app(fragile, limits=ServerLimits(offenses=3)))
    bodies = [paint("red"), *[b"bomb"] * 8, paint("blue")]
    documents = client.post("/predict", files=[("picture", (str(i), body)) for i, body in enumerate(bodies)]).json()
    assert documents[0]["label"] == "red"
    assert [each["problem"].split(":")[0] for each in documents[1:]] == ["crashes its decoder"] * 3 + [
        "not looked at"
    ] * 6
    assert fragile.looked == 4


# The unforeseen


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (BundleError("the model failed", found="/home/somebody/secret"), 500),
        (TimeoutError("/home/somebody/secret"), 503),
        (MemoryError("/home/somebody/secret"), 500),
        (RuntimeError("\x1b[2J /home/somebody/secret"), 500),
    ],
)
@pytest.mark.parametrize("where", ["view", "predictions"])
def test_whatever_fails_is_an_answer_without_details(predictor, paint, monkeypatch, caplog, problem, status, where):
    def fail(*_):
        raise problem

    broken = Predictor(predictor.bundle)
    monkeypatch.setattr(broken, where, fail, raising=True)
    client = TestClient(app(broken), raise_server_exceptions=True)
    answer = send(client, paint())
    assert answer.status_code == status
    assert list(answer.json()) == ["error", "found", "fix"]
    assert "secret" not in answer.text
    assert "secret" in caplog.text
    monkeypatch.undo()
    assert send(client, paint("red")).json()["label"] == "red"


# Memory for what is sent


def test_what_is_sent_at_once_has_one_limit_and_is_given_back(predictor, serving, paint):
    url = serving(predictor, max_memory=1_000_000, max_bytes=900_000)
    picture = paint("red") + bytes(480_000)
    barrier, statuses = threading.Barrier(3), []

    def ask():
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        connection.putrequest("POST", "/predict")
        connection.putheader("content-type", "image/jpeg")
        connection.putheader("content-length", str(len(picture)))
        connection.endheaders(picture[:-1])
        barrier.wait(10)
        time.sleep(0.2)  # until the server has all of them but the last byte
        connection.send(picture[-1:])
        statuses.append(connection.getresponse().status)
        connection.close()

    for _ in range(2):
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(statuses) == [200] * 4 + [503] * 2


def test_a_body_that_stalls_gives_its_memory_to_the_others(predictor, serving, paint, monkeypatch):
    monkeypatch.setattr("ursa.serve.http.upload.STALLED", 0.1)
    url = serving(predictor, max_memory=1_000_000, max_bytes=900_000)
    netloc = urlsplit(url).netloc
    with socket.create_connection(netloc.split(":"), timeout=20) as stalling:
        stalling.sendall(b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\n")
        stalling.sendall(b"content-length: 800000\r\n\r\n" + bytes(799_999))
        time.sleep(0.5)
        connection = http.client.HTTPConnection(netloc, timeout=20)
        connection.request("POST", "/predict", paint("red") + bytes(600_000), {"content-type": "image/jpeg"})
        assert json.loads(connection.getresponse().read())["label"] == "red"
        connection.close()
        assert stalling.recv(65536).startswith(b"HTTP/1.1 503 ")


class Stream:
    """A request whose chunks are all there, with something that happens before each of them."""

    headers: ClassVar = {"content-type": "image/jpeg"}

    def __init__(self, chunks):
        self.chunks = chunks

    async def stream(self):
        for before, chunk in self.chunks:
            before()
            yield chunk


def receive(memory, body, *chunks):
    return asyncio.run(uploads(Stream(chunks), ServerLimits(grace=60, min_rate=1), memory, body))


def test_a_much_smaller_body_comes_first_and_the_largest_is_told_at_once():
    memory = Memory(1000)
    with memory.body("x") as large, memory.body("y") as small:

        def squeeze():
            memory.grow(small, 400)

        with pytest.raises(RefusedError, match="busy"):
            receive(memory, large, (int, bytes(900)), (squeeze, bytes(50)), (int, bytes(50)))
        assert (memory.shares.of("x"), memory.shares.of("y")) == (0, 400)
    assert memory.shares.taken == 0


def test_a_body_not_much_smaller_is_refused_itself():
    memory = Memory(1000)
    with memory.body("x") as large, memory.body("y") as small:

        def squeeze():
            with pytest.raises(RefusedError, match="busy"):
                memory.grow(small, 500)

        assert len(receive(memory, large, (int, bytes(900)), (squeeze, bytes(50)))[0].data) == 950


def test_what_has_come_whole_is_not_given_up():
    memory = Memory(1000)

    async def go():
        with memory.body("x") as large, memory.body("y") as small:
            await uploads(Stream([(int, bytes(900))]), ServerLimits(), memory, large)
            with pytest.raises(RefusedError, match="busy"):
                memory.grow(small, 200)
            memory.grow(small, 100)

    asyncio.run(go())


def test_limits_say_how_many_bytes_have_to_come():
    assert ServerLimits(grace=10, min_rate=4000).stretch == 40_000
    assert replace(ServerLimits(), grace=0.0).stretch == 1
