"""Downloading, against real servers on this machine, with all that goes wrong out there."""

import asyncio
import contextlib
import gzip
import io
import json
import socket
import ssl
import threading
import time
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import ursa
from ursa import workspace
from ursa.data.download.addresses import Network, dial, is_public
from ursa.data.download.downloader import file_name
from ursa.data.download.fetch import DownloadLimits, _retry_after
from ursa.data.download.lists import Address, address, printable, read_lists
from ursa.errors import DataError

QUICK = DownloadLimits(connect=2, read=0.5, total=1.5, max_bytes=100_000, backoff=0.01, pause=0, retries=2)


def picture(number: int, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (number % 256, number // 256, 99)).save(buffer, format)
    return buffer.getvalue()


class Site:
    """A server: `site.at[path] = function(handler)`, or bytes. It counts who asked for what, when, how many at once."""

    def __init__(self) -> None:
        self.at, self.asked, self.order, self.headers, self.times = {}, Counter(), [], [], []
        self.most = self.now = 0
        self.delay = 0.0
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(handler) -> None:  # noqa: N805
                with lock:
                    self.asked[handler.path] += 1
                    self.order.append(handler.path)
                    self.headers.append(dict(handler.headers))
                    self.times.append(time.monotonic())
                    self.now += 1
                    self.most = max(self.most, self.now)
                act = self.at.get(handler.path, b"")
                time.sleep(self.delay)
                if not callable(act):  # counted until its answer is sent: who has that may ask again at once
                    with lock:
                        self.now -= 1
                try:
                    with contextlib.suppress(ConnectionError):
                        if callable(act):
                            act(handler)
                        elif handler.path in self.at:
                            send(handler, act)
                        else:
                            send(handler, b"no such page", 404)
                finally:
                    if callable(act):
                        with lock:
                            self.now -= 1

            def log_message(self, *_) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients that hang up are what this is about
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def send(handler, body: bytes, status: int = 200, **headers) -> None:
    handler.send_response(status)
    for name, value in {"content_length": str(len(body)), **headers}.items():
        if value is not None:
            handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def cut_off(handler) -> None:
    """Half a picture, then nothing."""
    send(handler, picture(1)[:40], content_length="400")
    handler.close_connection = True


def in_turn(*acts):
    """The first request gets the first act, and so on; the last one for ever."""
    left = list(acts)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def ok(handler) -> None:
    send(handler, picture(7))


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture
def get(site, tmp_path):
    """get(path, ...) -> Downloaded, of these paths as the class bear."""

    def run(*paths, to=tmp_path / "out", limits=QUICK, allow_private=True, **options):
        urls = [path if "://" in path else site.url + path for path in paths]
        return ursa.download({"bear": urls}, to, limits=limits, allow_private=allow_private, **options)

    return run


def reason(result) -> str:
    (failure,) = result.failures
    return failure.reason


# --- pictures -------------------------------------------------------------------------------------------------------


def test_pictures_are_named_by_what_is_in_them(site, get, tmp_path):
    site.at = {"/a.gif": picture(1), "/b": picture(2, "JPEG"), "/c.png?size=1": picture(3, "WEBP")}
    result = get("/a.gif", "/b", "/c.png?size=1")
    assert (result.fetched, result.failures) == (3, ())
    stored = {file.name: file.read_bytes() for file in (tmp_path / "out/bear").iterdir()}
    assert sorted(Path(name).suffix for name in stored) == [".jpg", ".png", ".webp"]
    assert all(file_name(data) == name for name, data in stored.items())
    assert result.bytes == sum(map(len, stored.values()))
    assert result.classes == {"bear": 3}
    assert not list((tmp_path / "out").rglob("*.part"))
    document = json.loads(json.dumps(result.to_json()))
    assert document.keys() >= {"folder", "fetched", "already", "duplicates", "failures", "bytes", "seconds", "classes"}


def test_the_folder_is_one_that_check_understands(site, get, tmp_path):
    from ursa.data.sources.folder_source import from_folder

    site.at = {"/1": picture(1), "/2": picture(2)}
    get("/1", "/2")
    assert from_folder(tmp_path / "out").counts() == {"bear": 2}


def test_unicode_query_and_fragment(site, get):
    site.at = {"/b%C3%A4r%20eins.png?q=%C3%BC&x=1,2": picture(1), "/a%2Fb": picture(2)}
    result = get("/bär eins.png?q=ü&x=1,2#part", "/a%2Fb")
    assert (result.fetched, result.failures) == (2, ())
    assert set(site.asked) == set(site.at)


def test_of_many_at_once_one_counts_as_fetched_whoever_is_first_to_say_so(site, get, monkeypatch):
    real = workspace.writing

    @contextlib.contextmanager
    def slow(path, *option, **via):
        with real(path, *option, **via) as file:
            yield file
        time.sleep(0.05)  # written, and not yet counted

    monkeypatch.setattr(workspace, "writing", slow)
    site.at = {f"/{number}": picture(1) for number in range(6)}
    result = get(*site.at)
    assert (result.fetched, result.duplicates, result.classes) == (1, 5, {"bear": 1})


def test_one_picture_under_two_urls_is_kept_once(site, get):
    site.at = {"/1": picture(1), "/2": picture(1)}
    result = get("/1", "/2", "/2#again")
    assert (result.fetched, result.duplicates, result.classes) == (1, 2, {"bear": 1})
    assert site.asked == {"/1": 1, "/2": 1}
    assert get("/1", "/2").already == 2


def test_one_picture_under_two_classes_is_fetched_once_and_kept_in_both(site, tmp_path):
    site.at = {"/1": picture(1)}
    result = ursa.download({"a": [f"{site.url}/1"], "b": [f"{site.url}/1"]}, tmp_path, allow_private=True, limits=QUICK)
    assert (result.fetched, result.classes) == (2, {"a": 1, "b": 1})
    assert site.asked["/1"] == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!DOCTYPE html><html>Not here any more</html>" + b" " * 2000, "an HTML page"),
        (b"", "an empty file"),
        (b"hello", "a text file"),
        (b"%PDF-1.7" + b"\0" * 9000, "a PDF document"),
    ],
)
def test_what_is_not_a_picture_is_named(site, get, tmp_path, body, kind):
    site.at = {"/x.jpg": lambda handler: send(handler, body, content_type="image/jpeg")}
    result = get("/x.jpg")
    assert reason(result) == f"not a picture: {kind}"
    assert site.asked["/x.jpg"] == 1
    assert not (tmp_path / "out/bear").exists()


# --- servers that fail ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (403, 1), (410, 1), (501, 1), (408, 3), (429, 3), (500, 3)])
def test_only_what_may_pass_is_tried_again(site, get, status, asked):
    site.at = {"/x": lambda handler: send(handler, b"no", status)}
    said = reason(get("/x"))
    assert said.startswith(f"the server says {status}")
    assert ("(3 attempts)" in said) == (asked == 3)
    assert site.asked["/x"] == asked


def test_twice_500_then_the_picture(site, get):
    fail = lambda handler: send(handler, b"", 500)  # noqa: E731
    site.at = {"/x": in_turn(fail, fail, ok)}
    assert get("/x").fetched == 1
    assert site.asked["/x"] == 3


def test_a_connection_that_breaks_off(site, get):
    site.at = {"/once": in_turn(cut_off, ok), "/always": cut_off}
    assert get("/once").fetched == 1
    assert reason(get("/always")) == "the connection broke off (3 attempts)"
    assert site.asked["/always"] == 3


def test_nobody_there(get):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        said = reason(get(f"http://127.0.0.1:{taken.getsockname()[1]}/x"))
    assert said.startswith("no connection")


def test_a_slow_drip_ends_and_so_does_silence(site, get):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("content-length", "100000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(picture(1)[:8])
            time.sleep(0.05)

    site.at = {"/drip": drip, "/silent": lambda _: time.sleep(1)}
    limits = DownloadLimits(read=0.3, total=0.6, backoff=0.01, retries=0)
    assert reason(get("/drip", limits=limits)) == "too slow: not there within 0.6 s"
    assert reason(get("/silent", limits=limits)) == "the server went silent"


def test_too_large_by_claim_or_on_the_way(site, get):
    sent = []

    def endless(handler):
        handler.send_response(200)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        for _ in range(2000):
            handler.wfile.write(b"2000\r\n" + picture(1).ljust(0x2000, b"\0") + b"\r\n")
            sent.append(0x2000)

    def bomb(handler):
        send(handler, gzip.compress(picture(1).ljust(300_000_000, b"\0"), 1), content_encoding="gzip")

    site.at = {
        "/claim": lambda handler: send(handler, b"", content_length="10000000000"),
        "/endless": endless,
        "/bomb": bomb,
    }
    for path in site.at:
        assert reason(get(path, limits=DownloadLimits(max_bytes=100_000))) == "too large: more than 100,000 bytes"
        assert site.asked[path] == 1
    assert sum(sent) < 12_000_000  # what fits into the system's buffers


def test_a_limit_is_a_limit_and_a_larger_one_asks_again(site, get):
    site.at = {"/x": picture(1)}
    size = len(picture(1))
    assert reason(get("/x", limits=DownloadLimits(max_bytes=size - 1))).startswith("too large")
    assert get("/x", limits=DownloadLimits(max_bytes=size - 1)).failures[0].before
    assert get("/x", limits=DownloadLimits(max_bytes=size)).fetched == 1


def test_a_compressed_picture_is_unpacked(site, get, tmp_path):
    site.at = {"/x": lambda handler: send(handler, gzip.compress(picture(1)), content_encoding="gzip")}
    assert get("/x").fetched == 1
    assert (tmp_path / "out/bear" / file_name(picture(1))).read_bytes() == picture(1)


@pytest.mark.parametrize("as_date", [False, True])
def test_the_server_says_when_to_come_back(site, get, as_date):
    def busy(handler):
        send(handler, b"", 503, retry_after=formatdate(time.time() + 1.9, usegmt=True) if as_date else "1")

    site.at = {"/x": in_turn(busy, ok), "/y": picture(2)}
    assert get("/x", "/y", workers=1).fetched == 2
    assert site.order == ["/x", "/x", "/y"]
    assert site.times[1] - site.times[0] >= (0.8 if as_date else 1)


def test_a_server_that_wants_too_long_a_wait_is_left_alone(site, get):
    site.at = {"/x": lambda handler: send(handler, b"", 429, retry_after="3600")}
    assert reason(get("/x")) == "the server says 429 Too Many Requests and asks to wait 3600 s"
    assert site.asked["/x"] == 1


@pytest.mark.parametrize("value", ["", "soon", "-5", "Wed, 99 Nov 2026", "1e9"])
def test_nonsense_after_retry_after_counts_as_nothing(value):
    assert _retry_after(value) is None


# --- redirects ------------------------------------------------------------------------------------------------------


def moved(to: str, status: int = 302):
    return lambda handler: send(handler, b"over there", status, location=to)


def test_redirects_are_followed_and_an_endless_one_ends(site, get):
    site.at = {"/1": moved("/2", 301), "/2": moved("3?x=1", 307), "/3?x=1": ok, "/round": moved("/round")}
    assert get("/1").fetched == 1
    assert reason(get("/round")) == "more than 5 redirects"
    assert site.asked["/round"] == 6


@pytest.mark.parametrize("to", ["ftp://example.com/x", "file:///etc/passwd", "javascript:1", "http://[::"])
def test_redirects_lead_only_to_the_web(site, get, to):
    site.at = {"/x": moved(to)}
    assert reason(get("/x")).startswith("redirected to")


def test_name_and_password_stay_with_their_server_and_cookies_nowhere(site, get, tmp_path):
    other = Site()
    try:
        site.at = {
            "/x": lambda handler: send(handler, b"", 302, location=f"{other.url}/y", set_cookie="a=b"),
            "/same": moved("/z"),
            "/z": picture(1),
        }
        other.at = {"/y": picture(2)}
        me = f"http://me:secret@127.0.0.1:{site.port}"
        result = get(f"{me}/x", f"{me}/same", f"{me}/gone", workers=1)
        assert result.fetched == 2
    finally:
        other.close()
    assert all(headers["Authorization"] == "Basic bWU6c2VjcmV0" for headers in site.headers)
    assert len(site.headers) == 4
    assert not {"Authorization", "Cookie", "Referer"} & set(other.headers[0])
    assert not any("Cookie" in headers for headers in site.headers)
    assert "secret" not in json.dumps(result.to_json())
    assert "secret" not in (tmp_path / "out/.ursa/downloads.jsonl").read_text()


# --- only public addresses ------------------------------------------------------------------------------------------

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
NOT_PUBLIC = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.0.9", "169.254.169.254", "172.16.0.1", "192.168.1.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fd00::1", "fec0::1", "ff02::1", "ff0e::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
    "::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses(ip):
    assert is_public(ip)


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_addresses_that_are_not_public(ip):
    assert not is_public(ip)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        *("2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "0177.0.0.1", "①②⑦.0.0.1"),
    ],
)
def test_this_machine_in_every_spelling_is_refused(site, get, host):
    """With the system's own resolver, and a server that would answer."""
    site.at = {"/x": picture(1)}
    result = get(f"http://{host}:{site.port}/x", allow_private=False, limits=QUICK)
    assert not site.asked
    assert result.fetched == 0
    assert reason(result).startswith(("refused", "no such host", "not an address"))


class Names:
    """A network in which names lead where a test wants, and public addresses to its server on this machine."""

    def __init__(self, port: int, **answers) -> None:
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.port, self.dialled = port, []

    async def resolve(self, host, _port):
        answers = self.answers.get(host, [[host]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def dial(self, ip, _port, timeout):
        self.dialled.append(ip)
        return await dial("127.0.0.1", self.port, timeout)

    @property
    def network(self):
        return Network(self.resolve, self.dial)


def test_a_redirect_to_a_private_address_is_refused(site, get):
    names = Names(site.port, good_example=[["93.184.216.34"]], evil_example=[["10.0.0.1", "::1"]])
    site.at = {"/1": moved("http://169.254.169.254/latest/meta-data"), "/2": moved("http://evil.example/"), "/3": ok}
    urls = [f"http://good.example/{n}" for n in (1, 2, 3)]
    result = get(*urls, allow_private=False, network=names.network)
    assert result.fetched == 1
    assert [failure.reason for failure in result.failures] == [
        "refused: 169.254.169.254 is not a public address",
        "refused: evil.example is at 10.0.0.1, which is not a public address",
    ]
    assert set(names.dialled) == {"93.184.216.34"}
    assert {headers["Host"] for headers in site.headers} == {"good.example"}


def test_a_name_that_changes_its_answer_is_judged_each_time(site, get):
    """DNS rebinding: the address that was judged is the one that is dialled, and each connection is judged anew."""
    names = Names(site.port, shifty_example=[["93.184.216.34"], ["127.0.0.1"]])
    site.at = {"/1": in_turn(cut_off, ok), "/2": picture(2)}
    urls = ["http://shifty.example/1", "http://shifty.example/2"]
    result = get(*urls, allow_private=False, network=names.network, workers=1)
    assert [failure.reason[:7] for failure in result.failures] == ["refused"] * 2
    assert names.dialled == ["93.184.216.34"]


def test_of_several_answers_only_the_public_ones_are_dialled(site, get):
    names = Names(site.port, mixed_example=[["10.0.0.1", "93.184.216.34"]])
    site.at = {"/1": picture(1)}
    assert get("http://mixed.example/1", allow_private=False, network=names.network).fetched == 1
    assert names.dialled == ["93.184.216.34"]


def test_a_refusal_is_not_for_ever(site, get):
    site.at = {"/x": picture(1)}
    assert get("/x", allow_private=False).fetched == 0
    assert get("/x", allow_private=True).fetched == 1


def test_a_proxy_of_the_environment_gets_nothing(site, get, monkeypatch):
    proxy = Site()
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    site.at = {"/x": picture(1)}
    try:
        assert get("/x").fetched == 1
        assert get("http://10.0.0.1/x", allow_private=False).failures
    finally:
        proxy.close()
    assert not proxy.asked


# --- again and again ------------------------------------------------------------------------------------------------


def test_nothing_is_fetched_twice(site, get):
    site.at = {"/1": picture(1), "/html": b"<html>"}
    first = get("/1", "/html", "/gone")
    assert (first.fetched, len(first.failures)) == (1, 2)
    second = get("/1", "/html", "/gone")
    assert (second.fetched, second.already) == (0, 1)
    assert [(f.reason, f.before) for f in second.failures] == [(f.reason, True) for f in first.failures]
    assert set(site.asked.values()) == {1}
    site.at["/gone"] = picture(2)
    assert get("/1", "/html", "/gone", again=True).fetched == 1
    assert site.asked == {"/1": 1, "/html": 2, "/gone": 2}


def test_what_may_pass_is_tried_in_the_next_run(site, get):
    site.at = {"/x": lambda handler: send(handler, b"", 503)}
    assert get("/x").failures
    site.at = {"/x": picture(1)}
    assert get("/x").fetched == 1


def test_a_picture_taken_away_stays_away(site, get, tmp_path):
    site.at = {"/x": picture(1)}
    get("/x")
    (tmp_path / "out/bear" / file_name(picture(1))).unlink()
    result = get("/x")
    assert (result.fetched, result.removed, site.asked["/x"]) == (0, 1, 1)
    assert get("/x", again=True).fetched == 1


@pytest.mark.parametrize(
    "torn", [b'{"url": "http://exa', b"\xff\xfe", b'{"url": 3, "label": "bear"}', b"[]", b'{"a": 1}']
)
def test_a_torn_last_line_costs_one_fetch_and_no_more(site, get, tmp_path, torn):
    site.at = {"/1": picture(1), "/2": picture(2)}
    get("/1", "/2", workers=1)
    ledger = tmp_path / "out/.ursa/downloads.jsonl"
    ledger.write_bytes(ledger.read_bytes().splitlines(keepends=True)[0] + torn)
    result = get("/1", "/2", workers=1)
    assert (result.fetched, result.already, result.duplicates) == (0, 1, 1)
    assert site.asked == {"/1": 1, "/2": 2}
    assert get("/1", "/2").already == 2


@pytest.mark.parametrize("size", ["16k", "24k", "28k", "40k"])
def test_where_not_even_the_ledger_fits_the_error_is_ours(site, disk, size):
    site.at = {f"/{n}": picture(n) for n in range(40)}
    with pytest.raises(DataError) as full:
        ursa.download({"a": [f"{site.url}/{n}" for n in range(40)]}, disk(size) / "out", allow_private=True)
    assert "space" in str(full.value)


def test_a_full_disk_stops_it_with_one_error(site, disk):
    site.at = {f"/{n}": picture(n) + b"\0" * 60_000 for n in range(20)}
    place = disk("256k")
    with pytest.raises(DataError, match="no space left"):
        ursa.download({"a": [f"{site.url}/{n}" for n in range(20)]}, place / "x", allow_private=True, limits=QUICK)
    assert not list(place.rglob("*.part"))


# --- turns ----------------------------------------------------------------------------------------------------------


def test_one_worker_goes_in_order(site, tmp_path):
    site.at = {f"/{n}": picture(n) for n in range(12)}
    paths = [f"/{n * 7 % 12}" for n in range(12)]
    hosts = [f"http://127.0.0.{1 + n // 4}:{site.port}" for n in range(12)]
    names = Names(site.port)
    urls = [host + path for host, path in zip(hosts, paths, strict=True)]
    ursa.download(
        {"a": urls[:5], "b": urls[5:]}, tmp_path, workers=1, allow_private=True, limits=QUICK, network=names.network
    )
    assert site.order == paths
    assert site.most == 1


def test_so_many_a_host_and_so_many_altogether(site, tmp_path):
    site.at = {f"/{n}": picture(n) for n in range(36)}
    site.delay = 0.15
    names = Names(site.port)

    def most(hosts, workers, per_host):
        site.most = 0
        urls = [f"http://10.0.0.{n % hosts}/{n}" for n in range(36)]
        to, limits = tmp_path / f"{hosts}-{workers}", DownloadLimits(per_host=per_host, pause=0)
        options = {"workers": workers, "limits": limits, "network": names.network, "allow_private": True}
        assert ursa.download({"a": urls}, to, **options).fetched == 36
        return site.most

    assert most(hosts=1, workers=16, per_host=3) == 3
    assert 3 < most(hosts=6, workers=7, per_host=3) <= 7


def test_a_host_that_others_redirect_to_is_spared_too(site, tmp_path):
    lock, now, most = threading.Lock(), [0], [0]

    def crowded(handler):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        send(handler, picture(int(handler.path[2:])))

    site.at = {f"/{n}": moved(f"http://10.0.0.99/c{n}") for n in range(12)}
    site.at |= {f"/c{n}": crowded for n in range(12)}
    urls = [f"http://10.0.0.{n}/{n}" for n in range(12)]
    options = {
        "limits": DownloadLimits(per_host=2, pause=0),
        "network": Names(site.port).network,
        "allow_private": True,
    }
    assert ursa.download({"a": urls}, tmp_path, **options).fetched == 12
    assert most[0] <= 2


def test_a_pause_between_requests_to_one_host(site, get):
    site.at = {f"/{n}": picture(n) for n in range(4)}
    assert get(*site.at, limits=DownloadLimits(pause=0.05)).fetched == 4
    assert all(later - sooner > 0.03 for sooner, later in zip(site.times, site.times[1:], strict=False))


def test_a_host_that_hangs_does_not_hold_up_the_others(site, tmp_path):
    site.at = {"/slow": lambda _: time.sleep(0.8), **{f"/{n}": picture(n) for n in range(8)}}
    names, done = Names(site.port), []
    urls = [f"http://10.0.0.1/slow?{n}" for n in range(4)] + [f"http://10.0.0.2/{n}" for n in range(8)]
    site.at |= {f"/slow?{n}": site.at["/slow"] for n in range(4)}
    limits = DownloadLimits(read=0.5, retries=0, per_host=2, pause=0)
    ursa.download(
        {"a": urls},
        tmp_path,
        workers=4,
        limits=limits,
        allow_private=True,
        network=names.network,
        progress=lambda _, count, __: done.append((count, sum(site.asked[f"/{n}"] for n in range(8)))),
    )
    assert dict(done)[8] == 8  # the first eight to be done are the quick ones


def test_progress_counts_to_the_end(site, get):
    site.at = {"/1": picture(1)}
    said = []
    get("/1", "/2", progress=lambda *told: said.append(told))
    assert said == [("download", 0, 2), ("download", 1, 2), ("download", 2, 2)]


def test_inside_a_running_loop_as_in_a_notebook(site, get):
    site.at = {"/1": picture(1)}

    async def cell():
        return get("/1")

    assert asyncio.run(cell()).fetched == 1


# --- HTTP/2 ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def secure():
    """A server that speaks HTTP/2 over TLS -> its port, the context that trusts it, the versions it was asked in."""
    trustme, hypercorn = pytest.importorskip("trustme"), pytest.importorskip("hypercorn")
    from hypercorn.asyncio import serve

    authority = trustme.CA()
    certificate = authority.issue_cert("pictures.example")
    versions: list[str] = []

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        versions.append(scope["http_version"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": picture(int(scope["path"][1:]))})

    config = hypercorn.Config()
    config.loglevel = "CRITICAL"
    config.create_ssl_context = lambda: context
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["h2", "http/1.1"])
    certificate.configure_cert(context)
    config.certfile = config.keyfile = "in memory"
    listening = socket.create_server(("127.0.0.1", 0))
    config.bind = [f"fd://{listening.fileno()}"]
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(serve(app, config, shutdown_trigger=stop.wait, mode="asgi"),)
    )
    thread.start()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    yield listening.getsockname()[1], trusting, versions
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()
    listening.detach()


def test_http_2_over_one_checked_connection(secure, get):
    port, trusting, versions = secure
    names = Names(port, pictures_example=[["93.184.216.34"]], other_example=[["93.184.216.34"]])
    urls = [f"https://pictures.example/{n}" for n in range(10)]
    trusted = Network(names.resolve, names.dial, trusting)
    result = get(*urls, allow_private=False, network=trusted)
    assert (result.fetched, result.failures) == (10, ())
    assert set(versions) == {"2"}
    assert names.dialled == ["93.184.216.34"]
    assert "certificate is not trusted" in reason(get("https://other.example/1", network=trusted))
    assert "certificate is not trusted" in reason(get("https://pictures.example/99", network=names.network))


# --- lists ----------------------------------------------------------------------------------------------------------


def write(folder: Path, **files: str | bytes) -> list[Path]:
    paths = []
    for name, text in files.items():
        paths.append(folder / name.replace("__", "."))
        paths[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
    return paths


def test_text_and_tables(tmp_path):
    paths = write(
        tmp_path,
        teddy__txt="# bears\n\n http://a/1 \r\nhttp://a/2\n",
        more__csv='Label,URL\nblack,http://b/1\n,\n"grizzly","http://b/2,3"\n',
        polar__csv="url\nhttp://c/1\n",
        windows__txt="http://d/1\r\n".encode("utf-16"),
    )
    found = [(want.label, want.url, want.where) for want in read_lists(paths)]
    assert found == [
        ("teddy", "http://a/1", "line 3 of teddy.txt"),
        ("teddy", "http://a/2", "line 4 of teddy.txt"),
        ("black", "http://b/1", "line 2 of more.csv"),
        ("grizzly", "http://b/2,3", "line 4 of more.csv"),
        ("polar", "http://c/1", "line 2 of polar.csv"),
        ("windows", "http://d/1", "line 1 of windows.txt"),
    ]
    assert read_lists(str(paths[0])) == read_lists([paths[0]])


def test_lines_that_are_no_urls_are_failures_with_their_line(site, tmp_path):
    site.at = {"/1": picture(1)}
    lines = [
        "example.com/a.jpg",
        "ftp://x:pw@h/y",
        "http://",
        "http://h:99999/",
        "http://a b/",
        "javascript:1",
        "C:\\a.jpg",
    ]
    (file,) = write(tmp_path, teddy__txt="\n".join([f"{site.url}/1", *lines]))
    result = ursa.download(file, tmp_path / "out", allow_private=True, limits=QUICK)
    assert result.fetched == 1
    assert len(result.failures) == len(lines)
    assert {f"line {number} of teddy.txt" for number in range(2, 9)} == {
        failure.reason.rpartition("(")[2].rstrip(")") for failure in result.failures
    }
    assert "pw" not in str(result.failures)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"teddy__txt": ""}, "is empty"),
        ({"teddy__txt": "# nothing\n"}, "is empty"),
        ({"teddy__txt": b"\xff\xd8\xff\xe0"}, "not text"),
        ({"teddy__csv": "ulr,label\nhttp://a,b\n"}, "did you mean 'ulr'"),
        ({"teddy__csv": "url,label\nhttp://a,../../etc\n"}, "line 2 of teddy.csv"),
        ({"teddy__csv": "url,label\nhttp://a,\n"}, "needs a name"),
        ({"con__txt": "http://a"}, "needs a name"),
        ({"train__txt": "http://a"}, "training part"),
        ({"Teddy__txt": "http://a", "teddy__txt": "http://b"}, "only in case"),
        ({"a__txt": "http://a", "a__csv": "url\nhttp://b"}, "two lists are for the class 'a'"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, files, said):
    with pytest.raises(DataError) as problem:
        ursa.download(write(tmp_path, **files), tmp_path / "out")
    assert said in str(problem.value)
    assert problem.value.fix
    assert not (tmp_path / "out").exists()


def test_other_misuse(tmp_path):
    (teddy,) = write(tmp_path, teddy__txt="http://a/")
    for call, said in [
        (lambda: ursa.download(tmp_path / "tedy.txt", tmp_path / "x"), "did you mean 'teddy.txt'"),
        (lambda: ursa.download(tmp_path, tmp_path / "x"), "cannot read the list"),
        (lambda: ursa.download(teddy, teddy), "is not a folder"),
        (lambda: ursa.download([], tmp_path / "x"), "nothing to fetch"),
        (lambda: ursa.download({"a": []}, tmp_path / "x"), "nothing to fetch"),
        (lambda: ursa.download({"a/b": ["http://a"]}, tmp_path / "x"), "needs a name"),
        (lambda: ursa.download(teddy, tmp_path / "x", workers=0), "workers has to be"),
        (lambda: DownloadLimits(total=0), "total has to be more than 0"),
        (lambda: DownloadLimits(retries=-1), "retries cannot be negative"),
    ]:
        with pytest.raises(DataError) as problem:
            call()
        assert said in str(problem.value)


@given(st.text(max_size=80) | st.builds("{}://{}@{}/{}".format, *[st.text(max_size=9)] * 4))
def test_any_text_is_an_address_or_has_a_reason(text):
    found = address(text)
    if isinstance(found, Address):
        assert address(found.shown) == found or found.url.userinfo
        assert found.url.scheme in ("http", "https")
    assert printable(text).isprintable()


@given(st.text("abcdefghij", min_size=6, max_size=12))
def test_passwords_are_never_shown(password):
    for text in (f"http://u:{password}X@example.com/1", f"http://u:{password}X@:99999/1", f"ftp://{password}X@h/"):
        assert password + "X" not in printable(text)
