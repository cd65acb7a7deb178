import socket
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from ursa.errors import DataError
from ursa.serve.app import app


def raw(url, request):
    with socket.create_connection(urlsplit(url).netloc.split(":"), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer


def get(url, host):
    name = f"host: {host}\r\n" if host is not None else ""
    return raw(url, f"GET /health HTTP/1.1\r\n{name}connection: close\r\n\r\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:8000", 200),
        ("localhost.", 200),
        ("127.0.0.1", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example:8000", 421),
        ("localhost@evil.example", 421),
        ("evil.example#localhost", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.0.0.2", 421),
        ("[::1", 421),
        ("localhost:80:80", 421),
        ("", 421),
        ("\xe9", 421),
    ],
)
def test_a_loopback_server_answers_only_to_the_names_of_this_machine(shared_server, host, status):
    answer = get(shared_server, host)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    if status == 421:
        assert b"--allowed-host" in answer
        assert b"x-content-type-options" in answer
        assert b"classes" not in answer


def test_a_name_that_is_missing_is_refused_with_http_1_0_too(shared_server):
    assert get(shared_server, None).startswith(b"HTTP/1.1 400 ")  # HTTP/1.1 demands one
    assert raw(shared_server, b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421 ")


def test_pictures_under_a_foreign_name_are_refused_too(shared_server, paint):
    picture = paint()
    head = f"POST /predict HTTP/1.1\r\nhost: evil.example\r\ncontent-type: image/jpeg\r\ncontent-length: {len(picture)}"
    assert raw(shared_server, head.encode() + b"\r\n\r\n" + picture).startswith(b"HTTP/1.1 421 ")


def test_names_given_are_added_with_and_without_a_star(predictor, serving):
    url = serving(predictor, allowed_hosts=["Bears.example", "*.zoo.example"])
    statuses = {
        host: int(get(url, host).split()[1])
        for host in ("bears.example:443", "localhost", "a.b.zoo.example", "zoo.example", "evilzoo.example", "x.example")
    }
    assert statuses == {
        "bears.example:443": 200,
        "localhost": 200,
        "a.b.zoo.example": 200,
        "zoo.example": 421,
        "evilzoo.example": 421,
        "x.example": 421,
    }


def test_a_star_allows_all(predictor, serving):
    assert get(serving(predictor, allowed_hosts=["*"]), "evil.example").startswith(b"HTTP/1.1 200 ")


def test_other_addresses_answer_to_every_name_until_some_are_given(predictor, serving):
    assert get(serving(predictor, host="0.0.0.0"), "bears.example").startswith(b"HTTP/1.1 200 ")
    named = serving(predictor, host="0.0.0.0", allowed_hosts=["bears.example"])
    assert get(named, "bears.example").startswith(b"HTTP/1.1 200 ")
    assert get(named, "other.example").startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("name", ["http://bears.example", "a b", "a*.example", "*example", "", "a/b", "\x1b[2J"])
def test_what_can_be_no_name_is_refused_at_the_start(predictor, name):
    with pytest.raises(DataError, match="no name of a host") as caught:
        app(predictor, allowed_hosts=[name])
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("path", ["/predict/", "/health/"])
def test_no_redirect_repeats_the_host(predictor, path):
    answer = TestClient(app(predictor)).get(path, headers={"host": "evil.example"}, follow_redirects=False)
    assert answer.status_code == 404
    assert "evil" not in answer.text + str(answer.headers)
