"""What connections may do to a real server: on 127.0.0.1, bytes as they are."""

import asyncio
import contextlib
import errno
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ursa.errors import DataError
from ursa.serve.http.acceptor import Acceptor
from ursa.serve.http.http_protocol import CHUNKS, PIECE, Connections
from ursa.serve.predictor import Predictor

POST = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\n"
GET = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
HANGS = 20  # s, after which a test gives up


@contextlib.contextmanager
def connected(url, *pieces, source=None, receive_buffer=None):
    where = urlsplit(url)
    with socket.socket() as connection:
        connection.settimeout(HANGS)
        if receive_buffer:  # before it is connected: a window that shrinks later loses resets
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            connection.bind((source, 0))
        connection.connect((where.hostname, where.port))
        for piece in pieces:
            connection.sendall(piece)
        yield connection


def rest(connection):
    """All that comes until the server closes or resets."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            answer += data
    return answer


def healthy(url):
    return ask(url, method="GET", path="/health")[0] == 200


def ask(url, body=None, method="POST", path="/predict", **headers):
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=HANGS)
    try:
        connection.request(method, path, body, {"content-type": "image/jpeg", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def drip(connection, pieces, every):
    """Send slowly, in a thread, until the server has enough of it."""

    def go():
        with contextlib.suppress(OSError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(every)

    threading.Thread(target=go, daemon=True).start()


# Deadlines


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
def test_who_sends_nothing_is_left(predictor, serving, sent):
    with connected(serving(predictor, header_timeout=0.2), sent) as connection:
        assert rest(connection)[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 408")


def test_a_header_has_a_time_in_all_however_steadily_it_drips(predictor, serving):
    with connected(serving(predictor, header_timeout=0.5), POST) as connection:
        drip(connection, [b"x"] * 1000, 0.05)
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"header" in answer


def test_a_body_has_a_time_in_all_however_steadily_it_comes(predictor, serving):
    url = serving(predictor, body_timeout=0.5, min_rate=1, grace=0.4)
    with connected(url, POST + b"content-length: 100000\r\n\r\n") as connection:
        drip(connection, [b"x" * 50] * 1000, 0.02)
        assert rest(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("first", [b"", b"x" * 5000])
def test_a_body_has_a_least_rate_from_beginning_to_end(predictor, serving, first):
    url = serving(predictor, min_rate=10_000, grace=0.3)
    with connected(url, POST + b"content-length: 100000\r\n\r\n" + first) as connection:
        drip(connection, [b"x"] * 1000, 0.02)
        assert rest(connection).startswith(b"HTTP/1.1 408 ")


def test_twenty_six_that_drip_keep_nobody_out(predictor, serving, paint):
    url = serving(predictor, cores=1, waiting=1)
    with contextlib.ExitStack() as stack:
        for _ in range(26):
            stack.enter_context(connected(url, POST + b"content-length: 100000\r\n\r\nx"))
        assert ask(url, paint("red"))[1]["label"] == "red"


def test_an_unwanted_body_does_not_hold_a_connection(predictor, serving):
    """The answer is long gone; uvicorn alone would go on reading for ever."""
    head = b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n"
    with connected(serving(predictor, header_timeout=0.3, linger=0.3), head) as connection:
        drip(connection, [b"x"] * 1000, 0.05)
        assert rest(connection).startswith(b"HTTP/1.1 404 ")


def test_after_an_answer_the_next_header_has_its_time_and_silence_less(predictor, serving):
    url = serving(predictor, header_timeout=0.6, keep_alive=0.2)
    with connected(url, GET) as connection:
        time.sleep(0.1)
        connection.sendall(GET)
        assert rest(connection).count(b"HTTP/1.1 200 ") == 2
    with connected(url, GET) as connection:
        drip(connection, [b"G", b"E"] + [b"T"] * 1000, 0.05)
        assert b"HTTP/1.1 408 " in rest(connection)


def test_many_requests_on_one_connection_are_answered(predictor, serving, paint):
    picture = paint("red")
    request = POST + b"content-length: %d\r\n\r\n" % len(picture) + picture
    with connected(serving(predictor, header_timeout=1, keep_alive=0.3), request * 5 + GET * 20) as connection:
        assert rest(connection).count(b"HTTP/1.1 200 ") == 25


def test_who_does_not_read_is_left(predictor, serving):
    url = serving(predictor, write_timeout=0.3, header_timeout=0.5, linger=0.3)
    with connected(url, receive_buffer=4096) as connection, pytest.raises((ConnectionResetError, BrokenPipeError)):
        for _ in range(100_000):
            connection.sendall(GET.replace(b"/health", b"/") * 10)
    assert healthy(url)


# Answers that arrive


@pytest.mark.parametrize("how", ["too large", "busy", "no such path", "wrong kind", "wrong name", "announced"])
def test_who_is_still_sending_sees_the_answer(predictor, serving, paint, how):
    """http.client sends all of the body before it reads: a reset would be BrokenPipeError or ConnectionResetError."""
    url = serving(predictor, max_bytes=1_000_000, max_memory=500_000 if how == "busy" else 10_000_000)
    body = bytes(900_000) if how == "busy" else bytes(30_000_000)
    wanted = {"busy": 503, "no such path": 404, "wrong kind": 415, "wrong name": 421}.get(how, 413)
    headers = {"wrong kind": {"content-type": "text/plain"}, "wrong name": {"host": "evil.example"}}.get(how, {})
    path = "/nowhere" if how == "no such path" else "/predict"
    for _ in range(3):
        sent = iter([bytes(100_000)] * 300) if how == "too large" else body  # not announced: in chunks
        assert ask(url, sent, path=path, **headers)[0] == wanted


def test_a_refused_body_is_not_read_for_ever(predictor, serving):
    url = serving(predictor, max_bytes=1000, linger=0.4)
    with connected(url, POST + b"content-length: 1000000000\r\n\r\n") as connection:
        drip(connection, [b"x"] * 1000, 0.05)
        assert rest(connection).startswith(b"HTTP/1.1 413 ")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(200):
                connection.sendall(b"x")
                time.sleep(0.05)


# What costs


def test_a_body_in_countless_tiny_chunks_is_refused(predictor, serving):
    chunk = b"1\r\nx\r\n"
    with connected(serving(predictor), POST + b"transfer-encoding: chunked\r\n\r\n") as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(chunk * 200_000 + b"0\r\n\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 400 ")


def test_some_tiny_chunks_are_read(predictor, serving, paint):
    picture = paint("red")
    url = serving(predictor)
    assert ask(url, (picture[i : i + 10] for i in range(0, len(picture), 10)))[1]["label"] == "red"
    assert len(picture) // 10 < CHUNKS[0]
    picture = paint("red") + bytes(400_000)
    assert ask(url, (picture[i : i + 300] for i in range(0, len(picture), 300)))[1]["label"] == "red"


@pytest.mark.parametrize(
    "header", [b"a: b\r\n" * (PIECE // 2), b"a: " + b"b" * 2 * PIECE + b"\r\n", b"cookie: x\r\n" * PIECE]
)
def test_a_long_header_is_refused_though_it_comes_at_once(predictor, serving, header):
    with connected(serving(predictor)) as connection:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(GET[:-2] + header + b"\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 1000,
        POST + b"content-length: -1\r\n\r\n",
        POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n",
        b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n",
        GET + b"\xff\xff\xff\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ],
)
def test_garbage_ends_its_connection_and_nothing_else(predictor, serving, garbage, caplog):
    url = serving(predictor, linger=0.3, keep_alive=0.3)
    with connected(url, garbage) as connection:
        time.sleep(0.05)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"zz\r\n\r\n")
        assert rest(connection)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 421", b"HTTP/1.1 200")
    assert healthy(url)
    assert "Traceback" not in caplog.text
    assert "Exception" not in caplog.text


# Places


def test_a_full_house_gives_up_the_oldest_of_the_client_that_holds_most(predictor, serving, paint):
    url = serving(predictor, max_connections=20)
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(connected(url, POST, source="127.0.0.2"))
        greedy = [stack.enter_context(connected(url, POST, source="127.0.0.3")) for _ in range(40)]
        assert ask(url, paint("red"))[1]["label"] == "red"
        assert [rest(each) for each in greedy[:15]] == [b""] * 15  # closed
        greedy[-1].sendall(b"content-length: 0\r\n\r\n")
        assert greedy[-1].recv(12) == b"HTTP/1.1 400"
        other.sendall(b"content-length: 0\r\n\r\n")
        assert other.recv(12) == b"HTTP/1.1 400"


def test_one_address_alone_may_hold_all_but_still_gets_in(predictor, serving):
    """As behind a proxy: the oldest goes, so nobody who asks at once is kept out by those who wait."""
    url = serving(predictor, max_connections=10)
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(connected(url, POST))
        for _ in range(10):
            assert healthy(url)


def test_a_thousand_connections_leave_nothing_behind(predictor, serving):
    before = len(os.listdir("/dev/fd"))
    url = serving(predictor, max_connections=50, header_timeout=0.3)
    for _ in range(10):
        with contextlib.ExitStack() as stack:
            for i in range(100):
                stack.enter_context(connected(url, GET if i % 2 else POST))
    deadline = time.monotonic() + HANGS
    while len(os.listdir("/dev/fd")) > before + 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir("/dev/fd")) <= before + 20
    assert healthy(url)


def test_a_system_without_descriptors_is_asked_a_few_times_a_second(monkeypatch):
    asked = []

    async def exhausted(listener):
        asked.append(listener)
        raise OSError(errno.EMFILE, "Too many open files")

    async def go():
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_accept", exhausted)
        with socket.socket() as listener:
            acceptor = Acceptor(listener, Connections(10), pytest.fail)
            await asyncio.sleep(0.6)
            acceptor.close()
            await acceptor.wait_closed()

    asyncio.run(go())
    assert 1 <= len(asked) <= 4


# Proxies


@pytest.mark.parametrize(("trusted", "statuses"), [("", [429, 429]), ("127.0.0.1", [429, 422])])
def test_the_address_that_a_proxy_forwards_is_believed_only_if_asked_for(packed, serving, trusted, statuses):
    class Fragile(Predictor):
        def view(self, _, _seconds=10):
            raise DataError("crashes its decoder: signal 11")

    url = serving(Fragile(packed), offenses=1, forwarded_allow_ips=trusted)
    first = {"x-forwarded-for": "198.51.100.1"}
    assert ask(url, b"bomb", **first)[0] == 422
    seen = [ask(url, b"bomb", **first)[0], ask(url, b"bomb", **{"x-forwarded-for": "198.51.100.2"})[0]]
    assert seen == statuses


# A process of its own, with few descriptors


SERVE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[2])))
from ursa.serve.predictor import Predictor
from ursa.serve.run import run
def ready(url):
    if len(sys.argv) > 3:  # nearly all descriptors are in use by something else
        held = [open("/dev/null") for _ in range(int(sys.argv[3]))]
        globals()["held"] = held
    print(url, flush=True)
run(Predictor(sys.argv[1]), port=0, ready=ready)
"""


@contextlib.contextmanager
def process(*arguments):
    """-> (the process, its address, a function that ends it and gives what it wrote to stderr)"""
    command = [sys.executable, "-c", SERVE, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running, running.stdout.readline().strip(), lambda: (running.terminate(), running.communicate())[1][1]
        finally:
            running.kill()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@needs_proc
def test_four_hundred_half_headers_and_few_descriptors(packed, paint):
    with process(packed, 128) as (running, url, end), contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(connected(url, POST))
        used = cpu_seconds(running.pid)
        assert healthy(url)
        time.sleep(0.5)
        assert cpu_seconds(running.pid) - used < 0.4  # it waits, it does not spin
        assert ask(url, paint("red"))[1]["label"] == "red"
        assert len(os.listdir(f"/proc/{running.pid}/fd")) < 128
        assert end() == ""


@needs_proc
def test_without_any_descriptor_left_it_waits_and_says_so_a_few_times(packed):
    with process(packed, 100) as (probe, _, end):
        own = len(os.listdir(f"/proc/{probe.pid}/fd"))
        end()
    with process(packed, 100, 100 - own - 3) as (running, url, end), contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(connected(url, POST))
        used = cpu_seconds(running.pid)
        time.sleep(1)
        assert cpu_seconds(running.pid) - used < 0.5
        stack.close()
        assert healthy(url)
        log = end()
    assert "no connections are accepted for a moment: Too many open files" in log
    assert len(log) < 2000
