"""Connections -> requests, in time: uvicorn's HTTP protocol (h11) with deadlines and an end that the client sees.

uvicorn itself waits without end for a header, for a reader who does not read, and for the rest of an unwanted body.
"""

import asyncio
import json
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ursa.errors import DataError
from ursa.serve.http.clients import Shares
from ursa.serve.limits import ServerLimits

PIECE = 16_384  # bytes given to h11 at once; a header that is not whole after so many is an error
CHUNKS = 200, 256  # of a chunked body: so many may be tiny, all others hold so many bytes on average (10 us each)


class Connection(H11Protocol):
    """One client's connection: it waits for a header, receives a body, answers, again and again."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        app_state: dict[str, Any],
        client: str,
        connections: "Connections",
        limits: ServerLimits,
    ) -> None:
        super().__init__(config, state, app_state)
        self.conn = self.parser = _Parser(h11.SERVER, PIECE)
        self.owner, self.open, self.limits = client, connections, limits
        self.since = self.loop.time()  # of what it does now
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._discarded = 0

    @property
    def answering(self) -> bool:
        """Whether a request has come whole and its answer has not gone: then the connection cannot be spared."""
        return self._busy and not self.cycle.more_body

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio: a client is there."""
        super().connection_made(_Transport(transport, self))
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: it is gone."""
        self.open.drop(self.owner, self)
        for timer in (self._header_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes; looked at in pieces, so that the limit on a header holds for one that came whole, too."""
        start = 0
        while start < len(data):
            if self.transport.is_closing():
                self._discarded += len(data) - start
                if self._discarded > self.limits.linger_bytes:
                    self.transport.abort()
                return
            size = 4 * PIECE if self.conn.their_state is h11.SEND_BODY else PIECE
            super().data_received(data[start : start + size])
            start += size
        self._watch()

    def on_response_complete(self) -> None:
        """uvicorn: the answer is written; a request that has come meanwhile is begun here."""
        super().on_response_complete()
        if self._header_timer is None:
            self.since = self.loop.time()
        self._watch()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """uvicorn: what has come is no HTTP. If the application is at work on it, its answer goes nowhere."""
        if self._busy:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        found = self.parser.problem or "bytes that are not HTTP/1.1"
        error = DataError("this request cannot be read", found=found, fix="see RFC 9112")
        self._refuse(400, error)

    def pause_writing(self) -> None:
        """asyncio: the client does not read."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """asyncio: it does again."""
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().resume_writing()

    def _watch(self) -> None:
        """The deadline for a header runs while none has come, whatever else is sent meanwhile."""
        if self._busy:
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer, self.since = None, self.loop.time()
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(self.limits.header_timeout, self._too_late)

    def _too_late(self) -> None:
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            fix = "send the request at once"
            error = DataError("the header did not come in time", found=f"{self.limits.header_timeout:g} s", fix=fix)
            self._refuse(408, error)
        else:
            self.transport.close()

    def _refuse(self, status: int, error: DataError) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
            body = json.dumps(error.to_json()).encode()
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class _Transport(asyncio.Transport):
    """A transport whose `close` lets the client read the answer.

    To close a socket on which unread bytes lie resets the connection, and the answer is lost. So where a body is
    unfinished, only our side is closed, and for some time what comes is thrown away. Whatever happens, and whether or
    not the client reads what is still to be written, there is an end to it.
    """

    def __init__(self, inner: asyncio.Transport, connection: Connection) -> None:
        super().__init__()
        self.inner, self.connection, self.closing = inner, connection, False

    def close(self) -> None:
        if self.is_closing():
            return
        self.closing = True
        if self.connection.conn.their_state in (h11.SEND_BODY, h11.ERROR) and self.inner.can_write_eof():
            self.inner.resume_reading()
            self.inner.write_eof()
        else:
            self.inner.close()
        self.connection.loop.call_later(self.connection.limits.linger, self.inner.abort)

    def is_closing(self) -> bool:
        return self.closing or self.inner.is_closing()

    def abort(self) -> None:
        self.closing = True
        self.inner.abort()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.inner.write(data)

    def get_write_buffer_size(self) -> int:
        return self.inner.get_write_buffer_size()

    def pause_reading(self) -> None:
        if not self.is_closing():
            self.inner.pause_reading()

    def resume_reading(self) -> None:
        if not self.inner.is_closing():
            self.inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.inner.get_extra_info(name, default)


class _Parser(h11.Connection):
    """h11's, which refuses bodies in countless tiny chunks: each costs as much as 7 KB in one."""

    chunks, size = 0, 0
    problem: str | None = None  # what was refused here

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self.chunks, self.size = 0, 0
        elif isinstance(event, h11.Data):
            self.chunks, self.size = self.chunks + 1, self.size + len(event.data)
            few, least = CHUNKS
            if self.chunks > few + self.size // least:
                self.problem = "too many tiny chunks"
                raise h11.RemoteProtocolError(self.problem)
        return event


class Connections(Shares[Connection]):
    """All that are open."""

    def make_room(self) -> bool:
        """Ends the connection that can best be spared, if one can.

        Of the client with most of them, the one that has done longest what it does, be it nothing, without being
        answered: slow clients are always older than those who ask at once.
        """
        for client in self.clients():
            spare = [each for each in self.holders(client) if each.transport is not None and not each.answering]
            if spare:
                oldest = min(spare, key=lambda connection: connection.since)
                self.drop(client, oldest)
                oldest.transport.abort()
                return True
        return False
