"""Host name -> connection, to public addresses only. The address that was checked is the one that is connected to.

A name is resolved once for each connection and the answer is judged, not the spelling of the name: so `localhost`,
`2130706433`, `0x7f.1` and a public name that answers with a private address are all the same case. A redirect is a new
request and comes through here again. Proxies of the environment are never used: a proxy resolves names itself, and
what it connects to could not be checked.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import httpcore2
import httpx2

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]  # host, port -> IP addresses, the preferred one first
Dial = Callable[[str, int, float | None], Awaitable[httpcore2.AsyncNetworkStream]]  # IP address, port, seconds


class NotPublic(httpcore2.ConnectError):
    """A host has no address that may be connected to."""


class NoSuchHost(httpcore2.ConnectError):
    """A name that nobody knows."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer for a host, in the system's order (RFC 6724). Raises socket.gaierror."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def dial(address: str, port: int, timeout: float | None) -> httpcore2.AsyncNetworkStream:
    """A connection to an IP address, within some seconds. Raises httpcore2's errors."""
    return await httpcore2.AnyIOBackend().connect_tcp(address, port, timeout=timeout)


@dataclass(frozen=True)
class Network:
    """How names become addresses and addresses become connections; tests put their own here."""

    resolve: Resolve = resolve
    dial: Dial = dial
    tls: ssl.SSLContext | None = None  # None: the system's certificates, or those that SSL_CERT_FILE names


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet: no private, loopback, link-local, multicast or reserved one.

    By IANA's registries of special addresses, as Python's ipaddress has them; an IPv4 address inside an IPv6 one
    (mapped, 6to4, NAT64 of RFC 6052) is judged as what it is.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


class Transport(httpx2.AsyncBaseTransport):
    """httpx2's way to the wire, through a pool that can connect to nothing but what the guard lets pass.

    Raises httpcore2's errors as they are, NotPublic and NoSuchHost among them.
    """

    def __init__(self, network: Network, *, allow_private: bool, idle: int) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=network.tls or httpx2.create_ssl_context(),
            max_connections=None,  # `fetch.Turns` says how many at a time
            max_keepalive_connections=idle,
            keepalive_expiry=15,  # seconds; servers close idle connections after 5 to 75
            http2=True,
            network_backend=_Guard(network, allow_private),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        url = request.url
        asked = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        answer = await self._pool.handle_async_request(asked)
        stream = _Stream(answer.stream)  # type: ignore[arg-type]  # async, as the pool is
        return httpx2.Response(answer.status, headers=answer.headers, stream=stream, extensions=answer.extensions)

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            yield part

    async def aclose(self) -> None:
        close = getattr(self._parts, "aclose", None)
        if close is not None:
            await close()


class _Guard(httpcore2.AsyncNetworkBackend):
    def __init__(self, network: Network, allow_private: bool) -> None:
        self._network = network
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._allowed(host, port, timeout)
        share = None if timeout is None else timeout / min(len(addresses), 3)  # so that a dead one leaves time
        for address in addresses[:-1]:
            try:
                return await self._network.dial(address, port, share)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue  # as every client does: the next address of the same host
        return await self._network.dial(addresses[-1], port, share)

    async def _allowed(self, host: str, port: int, timeout: float | None) -> list[str]:
        try:
            async with asyncio.timeout(timeout):
                found = await self._network.resolve(host, port)
        except TimeoutError as problem:
            raise httpcore2.ConnectTimeout(f"no answer for the name {host}") from problem
        except socket.gaierror as problem:
            if problem.errno == socket.EAI_AGAIN:
                raise httpcore2.ConnectError(f"cannot look up {host} just now") from problem
            raise NoSuchHost(f"no such host: {host}") from problem
        except UnicodeError as problem:  # a label of more than 63 letters
            raise NoSuchHost(f"no such host: {host}") from problem
        allowed = [address for address in found if self._allow_private or is_public(address)]
        if not found:
            raise NoSuchHost(f"no such host: {host}")
        if not allowed:
            at = "" if found[0] == host else f"at {found[0]}, which is "
            raise NotPublic(f"refused: {host} is {at}not a public address")
        return allowed


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291; all that has been given out so far
