"""`ursa serve` among enemies: honest clients alone, and beside as many that are slow, cut, huge, harmful or no HTTP.

A real server in a process of its own, clients in others, all on 127.0.0.0/8 (so Linux). Honest clients have 25
addresses, hostile ones 10; then all have one, as behind a proxy that the server does not know.
"""

import argparse
import asyncio
import contextlib
import io
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import SHARED, report
from PIL import Image

PROCESSES = 2  # of clients of each kind
PAUSE = 2.0  # s, on average, between a client's answer and its next request
LEAD = 5.0  # s that honest clients are there before the others
HOST = b"host: localhost\r\n"
POST = b"POST /predict HTTP/1.1\r\n" + HOST + b"content-type: image/jpeg\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--attacks", nargs="+", choices=list(ATTACKS), default=list(ATTACKS))
    parser.add_argument("--bundle", type=Path, help="instead of one trained here on colours")
    parser.add_argument("--json", action="store_true", help="print what was seen, and write no result")
    parser.add_argument("--child", nargs=5, metavar=("KIND", "PORT", "COUNT", "SEED", "ADDRESSES"))
    arguments = parser.parse_args()
    if arguments.child:
        kind, port, count, seed, addresses = arguments.child
        child = Clients(kind, int(port), int(seed), addresses, arguments)
        print(json.dumps(asyncio.run(child.run(int(count)))))
        return
    with tempfile.TemporaryDirectory() as place:
        bundle = arguments.bundle or train(Path(place))
        seen = [run(bundle, Path(place), arguments, how) for how in ("alone", "beside", "one address")]
    if arguments.json:
        print(json.dumps(seen))
        return
    half = arguments.connections // 2
    first = seen[0]["p99"]
    names = f"{half} honest", f"and {half} hostile", f"and {half} hostile, all from one address"
    rows = [
        [
            name,
            *(f"{each['statuses'].get(key, 0):,}" for key in ("200", "503")),
            sum(count for key, count in each["statuses"].items() if key not in ("200", "503")),
            *(f"{1e3 * each[key]:.0f} ms" for key in ("p50", "p99")),
            f"{each['p99'] / first:.1f}",
            f"{each['rss'] / 1e6:.0f} MB",
            each["descriptors"],
            f"{each['log'] / 1e3:.1f} kB",
        ]
        for name, each in zip(names, seen, strict=True)
    ]
    report(
        "server_load",
        f"A server among enemies, {arguments.seconds:g} s each",
        ["connections", "200", "503", "other", "p50", "p99", "p99, ratio", "memory", "descriptors", "log"],
        rows,
        f"200, 503, other (any other status, resets, silence), p50, p99: of honest clients, who post a photo of "
        f"640 x 480 px and pause for {PAUSE:g} s, as hostile ones do, who begin {LEAD:g} s later. Memory, with child "
        "processes, and descriptors: the most seen. Hostile, in equal shares: "
        f"{', '.join(name.replace('_', ' ') for name in arguments.attacks)}. From one address, none send harmful "
        "pictures: all would have to wait for it.",
    )


def train(place: Path) -> Path:
    """A real bundle: three colours, told apart by their pixels."""
    draw = np.random.default_rng(0)
    for colour, mean in {"red": (180, 60, 60), "green": (60, 180, 60), "blue": (60, 60, 180)}.items():
        (place / "colours" / colour).mkdir(parents=True)
        for i in range(20):
            pixels = np.clip(draw.normal(mean, 40, (64, 64, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / "colours" / colour / f"{i}.png")
    bundle = place / "colours.ursa"
    command = [ursa(), "train", str(place / "colours"), "--backbone", "pixels", "--out", str(bundle)]
    subprocess.run(command, check=True, capture_output=True)
    return bundle


def ursa() -> str:
    return str(Path(sys.executable).parent / "ursa")


# The server, and what is seen of it


def run(bundle: Path, place: Path, arguments: argparse.Namespace, how: str) -> dict[str, Any]:
    """One server, its clients for so many seconds -> what honest clients saw, and what the server took."""
    half = arguments.connections // 2 // PROCESSES
    with server(bundle, place / f"{how}.log") as (process, port):
        one = how == "one address"
        crews = [("honest", "127.0.0.1" if one else "127.0.0.2-26")]
        if how != "alone":
            crews.append(("hostile", "127.0.0.1" if one else "127.0.1.1-10"))
        children = [
            clients(kind, port, half, seed, addresses, arguments)
            for seed, (kind, addresses) in enumerate(crews * PROCESSES)
        ]
        most = Counter[str]()
        while any(child.poll() is None for child in children):
            most |= taken(process.pid)
            time.sleep(0.25)
        said = [json.loads(child.communicate()[0]) for child in children]
        honest = [each for each in said if each["kind"] == "honest"]
        latencies = np.concatenate([each["latencies"] for each in honest])
        alive = process.poll() is None
    return {
        "statuses": dict(sum((Counter(each["statuses"]) for each in honest), Counter[str]())),
        "hostile": dict(sum((Counter(each["statuses"]) for each in said if each["kind"] == "hostile"), Counter[str]())),
        "p50": float(np.percentile(latencies, 50)),
        "p99": float(np.percentile(latencies, 99)),
        "rss": most["rss"],
        "descriptors": most["descriptors"],
        "log": (place / f"{how}.log").stat().st_size,
        "alive": alive,
    }


@contextlib.contextmanager
def server(bundle: Path, log: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [ursa(), "serve", str(bundle), "--port", "0", "--json"]
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            assert process.stdout is not None
            lines = itertools.takewhile(str.strip, iter(process.stdout.readline, ""))
            document = ""
            for line in lines:
                document += line
                if line.startswith("}") or line.rstrip().endswith("}"):
                    break
            yield process, int(json.loads(document)["address"].rstrip("/").rpartition(":")[2])
        finally:
            process.terminate()
            process.wait(60)


def clients(
    kind: str, port: int, count: int, seed: int, addresses: str, arguments: argparse.Namespace
) -> "subprocess.Popen[str]":
    crew = [kind, str(port), str(count), str(seed), addresses]
    options = ["--seconds", str(arguments.seconds), "--attacks", *arguments.attacks]
    command = [sys.executable, __file__, *options, "--child", *crew]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def taken(pid: int) -> "Counter[str]":
    """Resident bytes of a process and its children, and its descriptors."""
    seen = Counter[str]()
    with contextlib.suppress(OSError):
        seen["descriptors"] = len(os.listdir(f"/proc/{pid}/fd"))
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        for each in [str(pid), *(child for task in tasks for child in task.read_text().split())]:
            with contextlib.suppress(OSError):
                resident = int(Path(f"/proc/{each}/statm").read_text().split()[1])
                seen["rss"] += resident * os.sysconf("SC_PAGE_SIZE")
    return seen


# Clients


class Clients:
    """Some clients of one kind, in one process."""

    def __init__(self, kind: str, port: int, seed: int, addresses: str, arguments: argparse.Namespace) -> None:
        self.kind, self.port, self.draw = kind, port, random.Random(seed)
        first, _, last = addresses.partition("-")
        network, _, low = first.rpartition(".")
        self.addresses = [f"{network}.{i}" for i in range(int(low), int(last or low) + 1)]
        self.picture, self.harmful = photo(), harmful()
        self.end = time.monotonic() + arguments.seconds
        self.attacks = arguments.attacks
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
        await asyncio.sleep(self.draw.random() * PAUSE)
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
            await asyncio.sleep(self.draw.uniform(0.5, 1.5) * PAUSE)
        if connection is not None:
            connection[1].transport.abort()

    def hostile(self, name: str) -> Callable[[str], Awaitable[None]]:
        async def again_and_again(address: str) -> None:
            await asyncio.sleep(LEAD * (1 + self.draw.random()))
            while time.monotonic() < self.end:
                with contextlib.suppress(OSError, EOFError, TimeoutError):
                    async with connected(address, self.port) as connection:
                        left = self.end - time.monotonic()
                        status = await asyncio.wait_for(ATTACKS[name](self, connection), max(0.1, left))
                        self.statuses[f"{name} {status}"] += 1
                await asyncio.sleep(self.draw.uniform(0.5, 1.5) * PAUSE)

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


if __name__ == "__main__":
    main()
