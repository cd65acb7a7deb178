"""Downloading from servers that mean harm: one URL, one host, one header never end the run or hold it up."""

import contextlib
import gzip
import io
import ipaddress
import os
import random
import socket
import threading
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import ursa
from ursa.data.download import addresses, downloader
from ursa.data.download.addresses import Network
from ursa.data.download.fetch import DownloadLimits, Refusal
from ursa.data.download.lists import Address, address, read_lists
from ursa.errors import DataError

QUICK = DownloadLimits(
    connect=2, read=0.5, total=1.5, max_bytes=100_000, backoff=0.01, pause=0, retries=0, host_failures=9999
)


def picture(number: int = 0, format: str = "PNG", side: int = 16) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 90 + number).convert("RGB").save(buffer, format)
    return buffer.getvalue()


class Raw:
    """A server that answers `/3` with the bytes `answers[3]` and closes; None: it says nothing until the end."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self.answers, self.asked = answers, Counter()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._done = threading.Event()
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_) -> None:
        self._done.set()
        self._listening.close()

    def url(self, number: int, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{number}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            number = int(connection.recv(65_536).split(b" ", 2)[1].strip(b"/"))
            self.asked[number] += 1
            if self.answers[number] is None:
                self._done.wait(30)
            else:
                connection.sendall(self.answers[number])


def answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def moved(to: bytes) -> bytes:
    return answer(b"", b"Location: " + to, status=b"302 Found")


async def here(host: str, port: int):
    """The system's own resolver, for addresses written as numbers; no name is looked up."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return await addresses.resolve(host, port)
    raise socket.gaierror(socket.EAI_NONAME, "no such name")


async def to_this_machine(_ip: str, port: int, timeout: float | None):
    return await addresses.dial("127.0.0.1", port, timeout)


LOCAL = Network(here, to_this_machine)


def run(raw: Raw, to: Path, *, limits: DownloadLimits = QUICK, **options):
    """All of a server's answers, fetched in one run."""
    urls = [raw.url(number) for number in range(len(raw.answers))]
    result = ursa.download({"a": urls}, to, limits=limits, allow_private=True, network=LOCAL, **options)
    assert result.fetched + result.already + result.duplicates + len(result.failures) == len(urls)
    assert all(failure.reason.isprintable() and len(failure.reason) < 2000 for failure in result.failures)
    return result


def reasons(result) -> list[str]:
    return [failure.reason for failure in result.failures]


# --- redirects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [b"65536", b"0", b"99999999999999999999", b"-1", b"6553500"])
def test_a_redirect_to_a_port_that_is_none_is_a_refusal_with_its_reason(tmp_path, port):
    with Raw([moved(b"http://127.0.0.1:" + port + b"/x"), answer(picture())]) as raw:
        result = run(raw, tmp_path)
        assert result.fetched == 1
        assert "not an address" in reasons(result)[0]
        assert run(raw, tmp_path).failures[0].before  # it is remembered, and not asked for again
        assert raw.asked[0] == 1


def mutants(seed: int, count: int, texts: list[bytes], pieces: list[bytes]) -> list[bytes]:
    """Texts with pieces put in, taken out and repeated."""
    pick = random.Random(seed)
    made = []
    for _ in range(count):
        text = bytearray(pick.choice(texts))
        for _ in range(pick.randint(1, 3)):
            at = pick.randint(0, len(text))
            match pick.randrange(4):
                case 0:
                    text[at:at] = pick.choice(pieces)
                case 1:
                    del text[at : at + pick.randint(1, 6)]
                case 2:
                    text[at : at + 1] = bytes([pick.randrange(256)])
                case 3:
                    text[at:at] = text[at : at + 8] * pick.randint(1, 9)
        made.append(bytes(text))
    return made


URLS = [b"http://127.0.0.1:80/x", b"http://[::1]:80/x", b"//u:p@127.0.0.1/x?y#z", b"https://b\xc3\xa4r.example/", b"/x"]
URL_PIECES = [
    b":",
    b"/",
    b"//",
    b"@",
    b"[",
    b"]",
    b"%",
    b"%00",
    b"%zz",
    b"?",
    b"#",
    b"\\",
    b" ",
    b"\t",
    b"..",
    b"65536",
]
URL_PIECES += [
    b"\x00",
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"xn--",
    b"0x",
    b"\xe2\x91\xa0",
    b"\x1b[31m",
    b"a" * 300,
    b"a" * 70_000,
]


def test_no_redirect_ends_the_run(tmp_path):
    locations = [location.replace(b"\r", b"").replace(b"\n", b"") for location in mutants(1, 200, URLS, URL_PIECES)]
    with Raw([*map(moved, locations), answer(picture())]) as raw:
        result = run(raw, tmp_path)
    assert result.fetched == 1
    assert not [said for said in reasons(result) if said.startswith("cannot be fetched")]  # each is known by name


@given(st.text(st.characters(), max_size=60) | st.text(st.sampled_from("ht:/[]@%.\ud800\udcff①é0\\ "), max_size=30))
def test_any_text_is_an_address_or_has_a_reason_lone_surrogates_too(text):
    found = address(text)
    assert isinstance(found, Address) or found.isprintable()


# --- answers --------------------------------------------------------------------------------------------------------

ANSWERS = [
    b"",
    b"\0" * 100,
    b"\x89PNG\r\n\x1a\n",
    b"HTTP/1.1 200\r\n\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 99999 OK\r\n\r\n",
    b"HTTP/1.1 -1 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    b"HTTP/1.1 404 No\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFFF\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 503 x\r\nRetry-After: " + b"9" * 400 + b"\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 x\r\nRetry-After: Fri, 31 Dec 99999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 x\r\nLocation:\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:65536/\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nSet-Cookie: " + b"a=b; expires=" + b"1" * 3000 + b"\r\nContent-Length: 0\r\n\r\n",
    answer(b"not gzip", b"Content-Encoding: gzip"),
    answer(gzip.compress(picture())[:-9], b"Content-Encoding: gzip"),
    answer(picture(), b"Content-Encoding: gzip, br, zstd, deflate, x"),
    answer(picture(), b"Content-Encoding: " + b"gzip, " * 5000 + b"gzip"),
    answer(b"x", b"Content-Type: image/png; charset=\xff\x00"),
]


def test_no_answer_ends_the_run(tmp_path):
    valid = [
        answer(picture(), b"Content-Encoding: gzip", b"Retry-After: 1"),
        moved(b"/x"),
        answer(b"", status=b"404 No"),
    ]
    pieces = [
        b"\r\n",
        b"\n",
        b"\r",
        b":",
        b" ",
        b"\0",
        b"\xff",
        b"\x1b[2J",
        b"HTTP/1.1 ",
        b"Content-Length: 7\r\n",
        b"5" * 99,
    ]
    wrong = mutants(2, 150, valid, pieces)
    with Raw([*ANSWERS, *wrong, answer(picture(99))]) as raw:
        result = run(raw, tmp_path)
    assert any(file.read_bytes() == picture(99) for file in (tmp_path / "a").iterdir()) or result.fetched >= 1


def test_packed_many_times_over_it_is_unpacked_in_bounded_pieces(tmp_path):
    """A few kilobytes, packed twice, are 256 megabytes: a refusal before they are there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    parts = [packer.compress(picture()), *(packer.compress(zeros) for _ in range(256)), packer.flush()]
    once = b"".join(parts)
    body = gzip.compress(once, 9)
    with Raw([answer(body, b"Content-Encoding: gzip, gzip")]) as raw:
        result = run(raw, tmp_path, limits=DownloadLimits(max_bytes=100_000, retries=0))
    assert len(body) < 20_000
    assert reasons(result) == ["too large: more than 100,000 bytes"]


def test_what_a_server_says_is_escaped_where_it_is_kept(tmp_path):
    said = b"404 \x1b]0;owned\x07\x1b[2J gone"
    with Raw([answer(b"", status=said), answer(b"", status=b"410 " + b"x" * 5000)]) as raw:
        result = run(raw, tmp_path)
        again = run(raw, tmp_path)
    for each in (result, again):
        assert not [reason for reason in reasons(each) if not reason.isprintable() or len(reason) > 400]
    assert b"\x1b" not in (tmp_path / ".ursa" / "downloads.jsonl").read_bytes()


def test_a_remembered_reason_is_escaped_too(tmp_path):
    """The workspace may have come with the folder."""
    with Raw([answer(b"", status=b"404 Gone")]) as raw:
        run(raw, tmp_path)
        ledger = tmp_path / ".ursa" / "downloads.jsonl"
        ledger.write_bytes(ledger.read_bytes().replace(b"404", b"\\u001b[2J 404"))
        result = run(raw, tmp_path)
    assert result.failures[0].before and "\\x1b[2J 404" in reasons(result)[0]


# --- hosts that say nothing -----------------------------------------------------------------------------------------


def test_a_tarpit_is_left_alone_and_the_others_are_fetched(tmp_path):
    with Raw([None] * 60) as pit, Raw([answer(picture(n)) for n in range(12)]) as good:
        urls = [pit.url(n, "127.0.0.66") for n in range(60)] + [good.url(n) for n in range(12)]
        limits = DownloadLimits(read=0.2, total=1, retries=1, backoff=0.01, pause=0, host_failures=6)
        options = {"limits": limits, "allow_private": True, "network": LOCAL}
        result = ursa.download({"a": urls}, tmp_path, **options)
        assert result.fetched == 12 and len(result.failures) == 60
        first = sum(pit.asked.values())
        assert first <= limits.host_failures + limits.per_host
        set_aside = [said for said in reasons(result) if said.startswith("not asked: 127.0.0.66 gave no answer")]
        assert len(set_aside) >= 60 - first
        assert not any(failure.before for failure in ursa.download({"a": urls}, tmp_path, **options).failures)
        assert sum(pit.asked.values()) > first  # the next run tries again


def test_a_host_that_nobody_is_at_is_left_alone_too(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    dialed = []

    async def dial(ip, port, timeout):
        dialed.append(ip)
        return await addresses.dial(ip, port, timeout)

    urls = [f"http://127.0.0.1:{port}/{n}" for n in range(50)]
    limits = DownloadLimits(retries=3, backoff=0.01, pause=0)
    network = Network(addresses.resolve, dial)
    result = ursa.download({"a": urls}, tmp_path, limits=limits, allow_private=True, network=network)
    assert len(result.failures) == 50 and len(dialed) <= 12


def test_a_host_that_answers_now_and_then_is_not_given_up(tmp_path):
    answers = [answer(picture(n)) if n % 4 == 3 else None for n in range(16)]
    with Raw(answers) as raw:
        limits = DownloadLimits(read=0.1, total=1, retries=0, pause=0, host_failures=4)
        assert run(raw, tmp_path, limits=limits, workers=1).fetched == 4


def test_many_that_are_not_there_are_answers(tmp_path):
    with Raw([answer(b"", status=b"404 No")] * 20 + [answer(b"", status=b"500 No")] * 20 + [answer(picture())]) as raw:
        limits = DownloadLimits(retries=0, pause=0, host_failures=2)
        assert run(raw, tmp_path, limits=limits, workers=1).fetched == 1


def test_a_host_that_has_everyone_wait_is_given_up(tmp_path):
    busy = b"HTTP/1.1 503 x\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with Raw([busy] * 30) as raw:
        result = run(raw, tmp_path, limits=DownloadLimits(retries=3, pause=0, host_failures=5), workers=1)
    assert sum(raw.asked.values()) == 5 and reasons(result)[-1].startswith("not asked")


# --- what came is a whole picture -----------------------------------------------------------------------------------


def test_a_truncated_picture_does_not_count_as_downloaded(tmp_path):
    whole = picture(1, "JPEG", 64)
    cut = [whole[: len(whole) // 2], picture(2, "PNG", 64)[:-100]]
    with Raw([*map(answer, cut), answer(whole)]) as raw:
        result = run(raw, tmp_path)
        assert result.fetched == 1
        assert sorted(reasons(result)) == [f"truncated: the {kind} file ends too early" for kind in ("JPEG", "PNG")]
        assert [file.read_bytes() for file in (tmp_path / "a").iterdir()] == [whole]
        assert all(failure.before for failure in run(raw, tmp_path).failures)


def test_a_picture_whose_decoder_is_missing_is_kept(monkeypatch):
    def read(_data, **_):
        raise DataError("needs a decoder: HEIC (python -m pip install 'ursa-learn[heic]')")

    monkeypatch.setattr(downloader.sandbox, "read", read)
    assert downloader.verified(b"heic") == b"heic"


def test_one_that_takes_too_long_is_tried_again_some_other_day(monkeypatch):
    def read(_data, **_):
        raise DataError("takes too long: 5 s")

    monkeypatch.setattr(downloader.sandbox, "read", read)
    assert downloader.verified(b"x") == Refusal("takes too long: 5 s", final=False)


# --- lists ----------------------------------------------------------------------------------------------------------


def zipped() -> bytes:
    return b"PK\x03\x04" + bytes(100)


@pytest.mark.parametrize(
    ("name", "data", "what", "found"),
    [
        ("a.txt", zipped(), "not text", "a zip archive"),
        ("a.txt", b"http://a/\0\n", "not text", "NUL"),
        ("a.txt", "http://a/\n".encode("utf-32"), "not text", "NUL"),
        ("a.txt", "http://a/\n".encode("utf-16-le"), "not text", "NUL"),
        ("a.txt", "http://bär/\n".encode("latin-1"), "not text", "a text file"),
        ("a.csv", b"url,label\nhttp://a/," + b"x" * 200_000 + b"\n", "line 2 of", "field larger"),
        ("a.csv", b"url," + b"x" * 200_000 + b"\nhttp://a/,y\n", "line 1 of", "field larger"),
        ("a.csv", b"x" * 100_000 + b",label\nhttp://a/,y\n", "no column url", "columns xxx"),
    ],
)
def test_lists_that_are_none_are_refused_by_name(tmp_path, name, data, what, found):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=what) as error:
        read_lists(tmp_path / name)
    assert found in str(error.value.found) and error.value.fix


def test_a_class_name_without_end_is_shown_in_part(tmp_path):
    with pytest.raises(DataError, match="needs a name") as error:
        read_lists({"x" * 200_000: ["http://a/"]})
    assert len(error.value.found) < 300


def test_a_pipe_a_device_or_a_huge_file_is_not_read_as_a_list(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(10**11)
    for place, found in ((tmp_path / "pipe.txt", "a named pipe"), ("/dev/zero", "a device"), (tmp_path, "a folder")):
        with pytest.raises(DataError, match="cannot read the list") as error:
            read_lists(place)
        assert error.value.found == found
    with pytest.raises(DataError, match="cannot read the list") as error:
        read_lists(tmp_path / "huge.txt")
    assert "the limit is 200,000,000" in error.value.found


def test_class_names_that_no_file_can_have_are_refused(tmp_path):
    for label in ("a\udcff", "\ud800", "a\0b", "\x1b[31m", "a\u202eb"):
        with pytest.raises(DataError, match="needs a name"):
            read_lists({label: ["http://a/"]})


def test_urls_of_odd_kinds_in_a_mapping_are_failures(tmp_path):
    odd = ["http://a\udcff/", "http://\ud800.example/", None, 7, b"http://a/", "http://[", "\x1b[2J"]
    result = ursa.download({"a": odd}, tmp_path, limits=QUICK, network=LOCAL)
    assert len(result.failures) == len(odd)
    assert all(failure.url.isprintable() and failure.reason.isprintable() for failure in result.failures)
