"""Honest and hostile clients of `server_load.py`: each loop is one connection at a time, from an address of its own."""

import argparse
import asyncio
import contextlib
import io
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
from common import SHARED
from PIL import Image

HOST = b"host: localhost\r\n"
POST = b"POST /predict HTTP/1.1\r\n" + HOST + b"content-type: image/jpeg\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Clients:
    """Some clients of one kind, in one process."""

    def __init__(self, kind: str, port: int, seed: int, addresses: str, arguments: argparse.Namespace) -> None:
        self.kind, self.port, self.draw = kind, port, random.Random(seed)
        first, _, last = addresses.partition("-")
        network, _, low = first.rpartition(".")
        self.addresses = [f"{network}.{i}" for i in range(int(low), int(last or low) + 1)]
        self.picture, self.harmful = photo(), harmful()
        self.end = time.monotonic() + arguments.seconds
        self.attacks, self.lead, self.pause = arguments.attacks, arguments.lead, arguments.pause
        self.statuses, self.latencies = Counter[str](), list[float]()

    async def run(self, count: int) -> dict[str, Any]:
        if self.kind == "honest":
            work: list[Callable[[str], Awaitable[None]]] = [self.honest] * count
        else:
            attacks = [each for each in self.attacks if each != "harmful_pictures" or len(self.addresses) > 1]
            work = [self.hostile(attacks[i % len(attacks)]) for i in range(count)]
        tasks = [each(self.addresses[i % len(self.addresses)]) for i, each in enumerate(work)]
        await asyncio.gather(*tasks)
        return {"kind": self.kind, "statuses": self.statuses, "latencies": self.latencies}

    async def honest(self, address: str) -> None:
        """Posts, reads, pauses. A kept connection that the server has closed meanwhile is opened again, once."""
        request = POST + b"content-length: %d\r\n\r\n" % len(self.picture) + self.picture
        await asyncio.sleep(self.draw.random() * self.pause)
        connection: Connection | None = None
        while time.monotonic() < self.end:
            began, status = time.monotonic(), ""
            for kept in (True, False):
                if kept and connection is None:
                    continue
                try:
                    connection = connection or await connect(address, self.port)
                    connection[1].write(request)
                    status = await asyncio.wait_for(answer(connection[0]), 60)
                except (OSError, EOFError, TimeoutError) as problem:
                    status = type(problem).__name__
                if status.isdecimal():
                    break
                if connection is not None:
                    connection[1].transport.abort()
                    connection = None
            self.statuses[status] += 1
            if status == "200":
                self.latencies.append(time.monotonic() - began)
            elif connection is not None:  # a refusal ends its connection
                connection[1].transport.abort()
                connection = None
            await asyncio.sleep(self.draw.uniform(0.5, 1.5) * self.pause)
        if connection is not None:
            connection[1].transport.abort()

    def hostile(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def again_and_again(address: str) -> None:
            await asyncio.sleep(self.lead * (1 + self.draw.random()))
            while time.monotonic() < self.end:
                with contextlib.suppress(OSError, EOFError, TimeoutError):
                    async with connected(address, self.port) as connection:
                        left = self.end - time.monotonic()
                        status = await asyncio.wait_for(ATTACKS[name](self, connection), max(0.1, left))
                        self.statuses[f"{name} {status}"] += 1
                await asyncio.sleep(self.draw.uniform(0.5, 1.5) * self.pause)

        return again_and_again


async def connect(address: str, port: int) -> Connection:
    return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0)), 60)


@contextlib.asynccontextmanager
async def connected(address: str, port: int) -> AsyncIterator[Connection]:
    connection = await connect(address, port)
    try:
        yield connection
    finally:
        connection[1].transport.abort()


async def answer(reader: asyncio.StreamReader) -> str:
    """The status of an answer with a content-length, read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    await reader.readexactly(length)
    return head.split()[1].decode()


def photo() -> bytes:
    """640 x 480, as large as a photo of that size is."""
    draw = np.random.default_rng(0)
    coarse = Image.fromarray(draw.integers(0, 256, (60, 80, 3), np.uint8)).resize((640, 480), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    coarse.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def harmful() -> list[bytes]:
    """A progressive JPEG of very many scans, which holds a core; where it is, one that ended older decoders."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)).save(
        buffer, "JPEG", progressive=True, quality=5
    )
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    found = [data[:-2] + data[last:-2] * (600_000 // (len(data) - last)) + b"\xff\xd9"]
    lossless = SHARED / "data" / "hostile" / "lossless.jpg"
    return found + ([lossless.read_bytes()] if lossless.exists() else [])


# What hostile clients do with one connection -> the status that they got


async def slow_header(clients: Clients, connection: Connection) -> str:
    for byte in itertools.cycle(POST[:-2].decode()):
        connection[1].write(byte.encode())
        await asyncio.sleep(clients.draw.uniform(0.5, 18))
        if connection[0].at_eof() or connection[1].is_closing():
            return "closed"
    return ""


async def slow_body(clients: Clients, connection: Connection) -> str:
    connection[1].write(POST + b"content-length: 1000000\r\n\r\n" + clients.picture[:1000])
    while not connection[0].at_eof():
        connection[1].write(b"x")
        await asyncio.sleep(clients.draw.uniform(0.5, 18))
    return "closed"


async def cut_body(clients: Clients, connection: Connection) -> str:
    half = clients.picture[: len(clients.picture) // 2]
    connection[1].write(POST + b"content-length: %d\r\n\r\n" % len(clients.picture) + half)
    await connection[1].drain()
    await asyncio.sleep(0.05)
    return "cut"


async def huge_body(_: Clients, connection: Connection) -> str:
    connection[1].write(POST + b"transfer-encoding: chunked\r\n\r\n")
    for _chunk in range(300):
        connection[1].write(b"186a0\r\n" + bytes(100_000) + b"\r\n")
        await connection[1].drain()
        await asyncio.sleep(0.02)
    return await answer(connection[0])


async def harmful_pictures(clients: Clients, connection: Connection) -> str:
    data = clients.draw.choice(clients.harmful)
    connection[1].write(POST + b"content-length: %d\r\n\r\n" % len(data) + data)
    return await answer(connection[0])


async def wrong_host(clients: Clients, connection: Connection) -> str:
    connection[1].write(b"POST /predict HTTP/1.1\r\nhost: evil.example\r\ncontent-type: image/jpeg\r\n")
    connection[1].write(b"content-length: %d\r\n\r\n" % len(clients.picture) + clients.picture)
    return await answer(connection[0])


async def garbage(clients: Clients, connection: Connection) -> str:
    connection[1].write(clients.draw.randbytes(2000) + b"\r\n\r\n")
    return await answer(connection[0])


async def tiny_chunks(_: Clients, connection: Connection) -> str:
    connection[1].write(POST + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000)
    return await answer(connection[0])


async def tiny_parts(_: Clients, connection: Connection) -> str:
    body = b"--b\r\na:\r\n\r\n" + b"\r\n--b\r\na:\r\n\r\n" * 50_000
    head = POST.replace(b"image/jpeg", b"multipart/form-data; boundary=b")
    connection[1].write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
    return await answer(connection[0])


Attack = Callable[["Clients", Connection], Awaitable[str]]
ATTACKS: dict[str, Attack] = {
    each.__name__: each
    for each in (
        slow_header,
        slow_body,
        cut_body,
        huge_body,
        harmful_pictures,
        wrong_host,
        garbage,
        tiny_chunks,
        tiny_parts,
    )
}
