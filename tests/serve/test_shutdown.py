"""The end of a server under load: whoever was let in is answered, and who sends requests can find out in time."""

import concurrent.futures
import contextlib
import http.client
import json
import signal
import threading
from urllib.parse import urlsplit

import pytest

from ursa.serve import run
from ursa.serve.http import http_server

JPEG = {"content-type": "image/jpeg"}


@pytest.fixture
def stopping(predictor):
    """-> (host, stop): a server in a thread, told to end as SIGTERM tells it."""
    ready = threading.Event()
    listener = run.listen("127.0.0.1", 0)
    server = run.server(predictor, listener, ready=lambda _: ready.set())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield urlsplit(run.address(listener)).netloc, lambda: server.handle_exit(signal.SIGTERM, None)
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def until_refused(host, picture, *, keep_alive):
    """Statuses of all requests on connections that were accepted, until none is accepted any more."""
    seen = []
    while True:
        connection = http.client.HTTPConnection(host, timeout=20)
        try:
            connection.connect()
        except ConnectionRefusedError:
            return seen
        with contextlib.closing(connection):
            while True:
                connection.request("POST", "/v1/predict", picture, JPEG)
                answer = connection.getresponse()
                document = json.loads(answer.read())
                seen.append((answer.status, document.get("label")))
                if answer.headers.get("connection") == "close" or not keep_alive:
                    break


def test_whoever_was_let_in_is_answered(stopping, paint, monkeypatch):
    monkeypatch.setattr(http_server, "DRAIN", 0.3)
    host, stop = stopping
    red = paint("red")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(until_refused, host, red, keep_alive=i % 2 == 0) for i in range(8)]
        threading.Event().wait(0.3)
        stop()
        seen = [answer for client in clients for answer in client.result(20)]
    assert len(seen) > 8
    assert set(seen) == {(200, "red")}


def test_balancers_are_told_while_the_server_still_answers(stopping, paint, monkeypatch):
    monkeypatch.setattr(http_server, "DRAIN", 2.0)
    host, stop = stopping

    def ask(method, path, body=None):
        with contextlib.closing(http.client.HTTPConnection(host, timeout=20)) as connection:
            connection.request(method, path, body, JPEG if body else {})
            answer = connection.getresponse()
            return answer.status, answer.headers, json.loads(answer.read())

    for _ in range(500):
        if ask("GET", "/ready")[0] == 200:
            break
        threading.Event().wait(0.01)
    assert ask("GET", "/ready")[1].get("connection") != "close"
    stop()
    for _ in range(500):
        if (answer := ask("GET", "/ready"))[0] == 503:
            break
        threading.Event().wait(0.01)
    status, headers, document = answer
    assert (status, document["error"]) == (503, "busy: shutting down")
    assert headers["retry-after"] and headers["connection"] == "close"
    status, headers, document = ask("POST", "/v1/predict", paint("blue"))
    assert (status, document["label"], headers["connection"]) == (200, "blue", "close")


def test_a_connection_that_waits_to_be_accepted_is_answered_too(stopping, paint, monkeypatch):
    """Requests that the system holds for a server whose loop is busy when the end comes."""
    monkeypatch.setattr(http_server, "DRAIN", 0.0)
    host, stop = stopping
    stop()
    red = paint("red")
    with contextlib.ExitStack() as stack:
        sent = []
        for _ in range(20):
            connection = stack.enter_context(contextlib.closing(http.client.HTTPConnection(host, timeout=20)))
            try:
                connection.request("POST", "/v1/predict", red, JPEG)
            except ConnectionRefusedError:
                break
            sent.append(connection)
        assert [stack.enter_context(connection.getresponse()).status for connection in sent] == [200] * len(sent)
