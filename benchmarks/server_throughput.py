"""`ursa serve` against decode + onnxruntime in a thread pool: pictures a second, and how long one of them takes.

The server, protection against hostile bytes in place, has one core and its clients another; the pool has the same core
as the server, no HTTP and no protection. So this needs Linux and two cores. Requests are JPEGs of 500 x 400 px, one
each, on connections that stay open; every client asks again as soon as it has its answer.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from common import BACKBONE, SQUEEZENET, median, report, shared
from PIL import Image
from server_load import server, taken, ursa

SIZE = 500, 400
CLIENTS = (1, 8, 64)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server-cores", type=int, default=1)
    parser.add_argument("--bundle", type=Path, help="instead of one trained here")
    parser.add_argument("--json", action="store_true", help="print what was seen, and write no result")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "VALUE"))
    arguments = parser.parse_args()
    if arguments.child:
        what, value = arguments.child
        print(json.dumps(child(what, value, arguments.bundle, arguments.seconds)))
        return
    with tempfile.TemporaryDirectory() as place:
        bundle = arguments.bundle or train(Path(place))
        seen = measured(bundle, Path(place), arguments)
    if arguments.json:
        print(json.dumps(seen))
        return
    write(seen)


def train(place: Path) -> Path:
    """A bundle of the size that is served: SqueezeNet, three kinds of bears."""
    bundle = place / "bears.ursa"
    command = [ursa(), "train", str(shared("bears_thumbs")), "--backbone", BACKBONE, "--weights", str(SQUEEZENET)]
    command += ["--workspace", str(place / "workspace"), "--out", str(bundle)]
    subprocess.run(command, check=True, capture_output=True)
    return bundle


def measured(bundle: Path, place: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Pool and server take turns in each round."""
    mine, *others = sorted(os.sched_getaffinity(0))
    cores = set(others[: arguments.server_cores])
    os.sched_setaffinity(0, cores)  # what is started now has the server's cores
    starts = [started(bundle, place) for _ in range(arguments.rounds)]
    rounds: list[dict[str, Any]] = []
    with server(bundle, place / "log") as (process, port):
        for _ in range(arguments.rounds):
            found = {"pool": asked("pool", "1", arguments, bundle, cores)}
            for clients in CLIENTS:
                found[str(clients)] = asked(str(clients), str(port), arguments, bundle, {mine})
            rounds.append(found)
        memory = taken(process.pid)["rss"]
    return {"starts": starts, "memory": memory, "rounds": rounds}


def asked(what: str, value: str, arguments: argparse.Namespace, bundle: Path, cores: set[int]) -> Any:
    command = [sys.executable, __file__, "--bundle", str(bundle), "--seconds", str(arguments.seconds)]
    command += ["--child", what, value]
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    finally:
        os.sched_setaffinity(0, before)


def started(bundle: Path, place: Path) -> float:
    """Seconds from the start of the process to its first answer."""
    began = time.perf_counter()
    with server(bundle, place / "log") as (_, port):
        asyncio.run(one_answer(port, pictures()[0]))
        return time.perf_counter() - began


# What is measured, each in a process of its own


def child(what: str, value: str, bundle: Path, seconds: float) -> dict[str, float]:
    if what == "pool":
        return pool(bundle, seconds)
    return asyncio.run(clients(int(what), int(value), seconds))


def pool(bundle: Path, seconds: float) -> dict[str, float]:
    """Decode + onnxruntime, in as many threads as there are cores, and one after the other."""
    from ursa.core.bundles.bundle import read
    from ursa.core.decoding import image

    found, datas = read(bundle), pictures()
    preparation = found.preparation
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(found.parts["model.onnx"], options, providers=["CPUExecutionProvider"])

    def predict(data: bytes) -> Any:
        view = preparation.view(image.read(data, preparation.size, preparation.side).pixels)
        return session.run(None, {"pictures": view[None]})

    for data in datas:
        predict(data)
    each: list[float] = []
    end = time.perf_counter() + seconds / 2
    while (began := time.perf_counter()) < end:
        predict(datas[len(each) % len(datas)])
        each.append(time.perf_counter() - began)
    done, began = 0, time.perf_counter()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        while (now := time.perf_counter()) < began + seconds:
            done += len(list(threads.map(predict, datas)))
    return {"rate": done / (now - began), "p50": median(each)}


async def clients(count: int, port: int, seconds: float) -> dict[str, float]:
    datas = pictures()
    each: list[float] = []
    start = time.perf_counter() + 1.0  # the first second is for coming in
    end = start + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.perf_counter()) < end:
            await post(reader, writer, datas[(number + len(each)) % len(datas)])
            if start <= (now := time.perf_counter()) < end:
                each.append(now - began)
        writer.close()

    await asyncio.gather(*map(client, range(count)))
    p50, p99 = np.percentile(each, (50, 99))
    return {"rate": len(each) / seconds, "p50": float(p50), "p99": float(p99)}


async def one_answer(port: int, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await post(reader, writer, data)
    writer.close()


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
    head = f"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\ncontent-length: {len(data)}"
    writer.write(f"{head}\r\n\r\n".encode() + data)
    answer = await reader.readuntil(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise ValueError(answer)
    length = next(line for line in answer.lower().splitlines() if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))


def pictures() -> list[bytes]:
    found = []
    for path in sorted(shared("bears_thumbs").rglob("*.jpg"))[::60]:
        with Image.open(path) as picture:
            buffer = BytesIO()
            picture.convert("RGB").resize(SIZE).save(buffer, "JPEG", quality=85)
        found.append(buffer.getvalue())
    return found


# What is written


def write(seen: dict[str, Any]) -> None:
    rounds: Sequence[dict[str, Any]] = seen["rounds"]

    def ratio(clients: int, figure: str) -> float:
        return median([each[str(clients)][figure] / each["pool"][figure] for each in rounds])

    alone = [f"{median([each['pool'][key] for each in rounds]) * by:.{digits}f}" for key, by, digits in SHOWN[:2]]
    rows: list[list[object]] = [["decode + onnxruntime, a pool", *alone, "", "1", ""]]
    for count in CLIENTS:
        figures = [f"{median([each[str(count)][key] for each in rounds]) * by:.{digits}f}" for key, by, digits in SHOWN]
        spread = median([each[str(count)]["p99"] / each[str(count)]["p50"] for each in rounds])
        rows.append(
            [f"server, {count} client{'s' * (count > 1)}", *figures, f"{ratio(count, 'rate'):.2f}", f"{spread:.2f}"]
        )
    note = (
        "One core for pool and server, one for clients; JPEG of 500 x 400 px, SqueezeNet. p50 of one client over p50 "
        f"of decode + onnxruntime: {ratio(1, 'p50'):.2f}. From the start of the process to its first answer: "
        f"{median(seen['starts']):.2f} s; resident memory with decoders: {seen['memory'] / 1e6:.0f} MB."
    )
    columns = ["", "pictures a second", "p50, ms", "p99, ms", "of the pool", "p99 / p50"]
    report("server_throughput", "A server and the network alone", columns, rows, note)


SHOWN = (("rate", 1, 1), ("p50", 1e3, 1), ("p99", 1e3, 1))

if __name__ == "__main__":
    main()
