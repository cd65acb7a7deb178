"""URL -> the bytes of a picture, or the reason why not. Polite, bounded in time and size, retried where that helps."""

import asyncio
import contextlib
import email.utils
import hashlib
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version

import httpcore2
import httpx2

from ursa.core import seeds
from ursa.core.decoding.kinds import DECODERS, HEAD, sniff
from ursa.core.text import escaped
from ursa.data.download.addresses import Network, NoSuchHost, NotPublic, Transport
from ursa.data.download.lists import NO_URL, can_be_asked
from ursa.errors import DataError

WORTH_RETRYING = {408, 425, 429, *range(500, 600)} - {501, 505}  # those two: not implemented, HTTP version
SAID = 300  # characters of a reason
DRAINED = 65_536  # bytes of an answer that is of no use, read so that its connection can be used again


@dataclass(frozen=True)
class DownloadLimits:
    """What a server may cost."""

    connect: float = 10.0  # seconds for name, connection and TLS
    read: float = 20.0  # seconds between two pieces of an answer
    total: float = 60.0  # seconds for one picture, redirects included, waiting for a turn not
    max_bytes: int = 20_000_000  # of one picture, as sent and as unpacked
    redirects: int = 5
    retries: int = 3  # after the first attempt
    backoff: float = 0.5  # seconds before the first retry, doubled each time, times 0.5 to 1.5 at random
    retry_after: float = 60.0  # seconds; a server that asks for more is left alone
    per_host: int = 4  # requests at a time
    pause: float = 0.02  # seconds between two requests to one host
    host_failures: int = 8  # requests to one host in a row without an answer, retries too; then it is left alone

    def __post_init__(self) -> None:
        for name in ("connect", "read", "total", "max_bytes", "per_host", "host_failures"):
            if not getattr(self, name) > 0:
                raise DataError(f"{name} has to be more than 0", found=getattr(self, name), fix=f"leave {name} out")
        for name in ("redirects", "retries", "backoff", "retry_after", "pause"):
            if not getattr(self, name) >= 0:
                raise DataError(f"{name} cannot be negative", found=getattr(self, name), fix=f"leave {name} out")


@dataclass(frozen=True)
class Refusal:
    """Why a URL gave no picture."""

    reason: str
    final: bool = False  # asking again some other day would not help
    retry: bool = False  # asking again soon may
    wait: float | None = None  # seconds that the server asked for
    in_vain: bool = False  # there was no answer
    limit: int | None = None  # bytes that were allowed, when there were more

    def __post_init__(self) -> None:
        """Servers choose some of these words: no escape sequence of theirs reaches a terminal, and no flood."""
        object.__setattr__(self, "reason", escaped(self.reason[:SAID]))


class Turns:
    """Who may send a request now: so many altogether, so many a host, with a pause between those to one host.

    A host that gave no answer so many times in a row is left alone for the rest of the run.
    """

    def __init__(self, workers: int, limits: DownloadLimits) -> None:
        self._slots = asyncio.Semaphore(workers)
        self._limits = limits
        self._hosts: dict[str, _Host] = {}

    @contextlib.asynccontextmanager
    async def at(self, host: str) -> AsyncIterator[None]:
        """The place of one request. Nobody waits for a host while holding a slot, so a slow one stops no other."""
        place = self._hosts.setdefault(host, _Host(asyncio.Semaphore(self._limits.per_host)))
        async with place.room:
            while (delay := place.opens - time.monotonic()) > 0:
                await asyncio.sleep(delay)
            place.opens = time.monotonic() + self._limits.pause
            async with self._slots:
                yield

    def hold(self, host: str, seconds: float) -> None:
        """Send nothing to a host for a while."""
        place = self._hosts.setdefault(host, _Host(asyncio.Semaphore(self._limits.per_host)))
        place.opens = max(place.opens, time.monotonic() + seconds)

    def heard(self, host: str, answer: object) -> None:
        """Count what came of asking a host: waiting in vain, or being told to wait, counts against it."""
        place = self._hosts[host]
        in_vain = isinstance(answer, Refusal) and (answer.in_vain or answer.wait is not None)
        place.failures = place.failures + 1 if in_vain else 0

    def given_up(self, host: str) -> Refusal | None:
        """The refusal for a host that is left alone; the next run asks it again."""
        place = self._hosts.get(host)
        if place is None or place.failures < self._limits.host_failures:
            return None
        return Refusal(f"not asked: {host} gave no answer {place.failures} times in a row; the next run tries again")


def client(network: Network, limits: DownloadLimits, workers: int, *, allow_private: bool) -> httpx2.AsyncClient:
    """The one client of a download: HTTP/2 where the server has it; no cookies, no proxy, no redirects of its own."""
    return httpx2.AsyncClient(
        transport=Transport(network, allow_private=allow_private, idle=workers),
        headers={
            "User-Agent": f"ursa/{version('ursa-learn')}",
            "Accept": "image/*,*/*;q=0.5",
            "Accept-Encoding": "identity",
        },
        timeout=httpx2.Timeout(limits.read, connect=limits.connect, pool=None),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
    )


async def fetch(
    url: httpx2.URL, http: httpx2.AsyncClient, turns: Turns, limits: DownloadLimits, seed: int = 0
) -> bytes | Refusal:
    """The picture's bytes, or the last attempt's refusal."""
    attempt = 0
    while True:
        answer = await _attempt(url, http, turns, limits)
        if isinstance(answer, bytes) or not answer.retry:
            return answer
        attempt += 1
        if attempt > limits.retries:
            return Refusal(f"{answer.reason} ({attempt} attempts)" if attempt > 1 else answer.reason)
        if answer.wait is None:  # otherwise the host's turn comes when the server wants it
            await asyncio.sleep(limits.backoff * 2 ** (attempt - 1) * _jitter(url, seed, attempt))


async def _attempt(url: httpx2.URL, http: httpx2.AsyncClient, turns: Turns, limits: DownloadLimits) -> bytes | Refusal:
    """One try, through its redirects; each of them waits for its turn and is checked like the first request."""
    left = limits.total
    for _ in range(limits.redirects + 1):
        async with turns.at(url.host):
            if (refused := turns.given_up(url.host)) is not None:
                return refused
            start = time.monotonic()
            answer = await _answer(url, http, limits, left)
            turns.heard(url.host, answer)
            left -= time.monotonic() - start
        if isinstance(answer, Refusal) and answer.wait is not None:
            turns.hold(url.host, answer.wait)
        if not isinstance(answer, httpx2.URL):
            return answer
        url = answer
    return Refusal(f"more than {limits.redirects} redirects", final=True)


async def _answer(
    url: httpx2.URL, http: httpx2.AsyncClient, limits: DownloadLimits, seconds: float
) -> bytes | httpx2.URL | Refusal:
    """What comes of one request within so many seconds. Nothing that a server sends raises here."""
    try:
        async with asyncio.timeout(seconds):
            return await _ask(url, http, limits)
    except TimeoutError:
        return Refusal(f"too slow: not there within {limits.total:g} s", in_vain=True)
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as problem:
        return _broken(problem)
    except (httpcore2.UnsupportedProtocol, httpx2.DecodingError, *NO_URL) as problem:  # httpx2 reads redirects, too
        return Refusal(f"unreadable answer: {problem}", final=True)
    except Exception as problem:  # noqa: BLE001  three libraries parse what strangers send: it costs this one URL
        return Refusal(f"cannot be fetched: {type(problem).__name__}: {problem}")


async def _ask(url: httpx2.URL, http: httpx2.AsyncClient, limits: DownloadLimits) -> bytes | httpx2.URL | Refusal:
    """One request -> the picture, where to go instead, or why not."""
    async with http.stream("GET", url) as answer:
        if answer.has_redirect_location:
            await _drain(answer)
            return _next(url, answer.headers["location"])
        if not answer.is_success:
            await _drain(answer)
            return _status(answer, limits)
        if _length(answer) > limits.max_bytes:
            return _too_large(limits)
        data = bytearray()
        async for part in answer.aiter_bytes():  # unpacked, in pieces of at most 1 MiB
            repeated_use = len(data) >= HEAD
            data += part
            if len(data) > limits.max_bytes or answer.num_bytes_downloaded > limits.max_bytes:
                return _too_large(limits)
            if not repeated_use and len(data) >= HEAD and sniff(bytes(data[:HEAD])) not in DECODERS:
                break  # a film of 2 GB is known by its first bytes
    kind = sniff(bytes(data))
    return bytes(data) if kind in DECODERS else Refusal(f"not a picture: {kind}", final=True)


def _next(url: httpx2.URL, location: str) -> httpx2.URL | Refusal:
    """Where a redirect leads. Name and password of the URL stay with the server that they were meant for."""
    try:
        there = url.join(location)
    except NO_URL as problem:
        return Refusal(f"redirected to what is not an address: {problem}", final=True)
    if there.scheme not in ("http", "https"):
        return Refusal(f"redirected to {there.scheme}:, only http and https are fetched", final=True)
    if not can_be_asked(there):
        return Refusal("redirected to what is not an address: it names no host that can be reached", final=True)
    same = (there.scheme, there.host, there.port) == (url.scheme, url.host, url.port)
    return there.copy_with(username=url.username, password=url.password) if same else there.copy_with(userinfo=b"")


def _status(answer: httpx2.Response, limits: DownloadLimits) -> Refusal:
    code = answer.status_code
    reason = f"the server says {code} {answer.reason_phrase}".rstrip()
    if code not in WORTH_RETRYING:
        return Refusal(reason, final=True)
    wait = _retry_after(answer.headers.get("retry-after", "")) if code in (429, 503) else None
    if wait is not None and wait > limits.retry_after:
        return Refusal(f"{reason} and asks to wait {wait:.0f} s")
    return Refusal(reason, retry=True, wait=wait)


def _retry_after(value: str) -> float | None:
    """Seconds from now, of a number of seconds or a date (RFC 9110, 10.2.3); None when it is neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _broken(problem: Exception) -> Refusal:
    """The reason behind one of httpcore2's errors."""
    match problem:
        case NotPublic() | NoSuchHost():
            return Refusal(str(problem))
        case httpcore2.ConnectTimeout():
            return Refusal("no connection: the server does not answer", retry=True, in_vain=True)
        case httpcore2.TimeoutException():
            return Refusal("the server went silent", retry=True, in_vain=True)
        case httpcore2.ConnectError() if isinstance(problem.__context__, ssl.SSLCertVerificationError):
            return Refusal(f"its certificate is not trusted: {problem.__context__.verify_message}")
        case httpcore2.ConnectError() if isinstance(problem.__context__, ssl.SSLError):
            return Refusal(f"no secure connection: {problem.__context__.reason or 'TLS failed'}")
        case httpcore2.ConnectError():
            return Refusal(f"no connection: {problem or 'refused'}", retry=True, in_vain=True)
        case httpcore2.LocalProtocolError():
            return Refusal(f"cannot be asked for: {problem}", final=True)
        case _:
            return Refusal("the connection broke off", retry=True, in_vain=True)


def _too_large(limits: DownloadLimits) -> Refusal:
    return Refusal(f"too large: more than {limits.max_bytes:,} bytes", final=True, limit=limits.max_bytes)


async def _drain(answer: httpx2.Response) -> None:
    if 0 <= _length(answer) <= DRAINED:
        async for _ in answer.aiter_raw():
            pass


def _length(answer: httpx2.Response) -> int:
    """Bytes that the answer says it has; -1 where it does not."""
    claimed = answer.headers.get("content-length", "")
    return int(claimed) if claimed.isdecimal() and len(claimed) < 20 else -1  # int() refuses 4,300 digits


def _jitter(url: httpx2.URL, seed: int, attempt: int) -> float:
    """0.5 to 1.5, so that those who failed together do not come back together."""
    key = int.from_bytes(hashlib.sha256(str(url).encode()).digest()[:4], "big")
    return float(seeds.generator(seed, "download", key, attempt).uniform(0.5, 1.5))


@dataclass
class _Host:
    room: asyncio.Semaphore
    failures: int = 0  # requests in a row that came to nothing
    opens: float = field(default=0.0)  # when the next request may be sent, in seconds of the monotonic clock
