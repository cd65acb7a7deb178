"""`ursa serve` among enemies: honest clients alone, and beside as many that are slow, cut, huge, harmful or no HTTP.

A real server in a process of its own, clients in others, all on 127.0.0.0/8 (so Linux). Honest clients have 25
addresses, hostile ones 10; then all have one, as behind a proxy that the server does not know.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import report
from PIL import Image
from server_clients import ATTACKS, Clients

PROCESSES = 2  # of clients of each kind
RUNS = ("alone", "beside", "one address")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--pause", type=float, default=4, help="seconds between an answer and the next request")
    parser.add_argument("--lead", type=float, default=5, help="seconds that honest clients are there before the others")
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--attacks", nargs="+", choices=list(ATTACKS), default=list(ATTACKS))
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
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
        seen = [run(bundle, Path(place), arguments, how) for how in arguments.runs]
    if arguments.json:
        print(json.dumps(seen))
        return
    half = arguments.connections // 2
    first = seen[0]["p99"]
    all_names = f"{half} honest", f"and {half} hostile", f"and {half} hostile, all from one address"
    names = [name for how, name in zip(RUNS, all_names, strict=True) if how in arguments.runs]
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
        f"640 x 480 px and pause for {arguments.pause:g} s, as hostile ones do, who begin {arguments.lead:g} s later. "
        "Memory (with child processes) and descriptors: the most seen. Hostile, in equal shares: "
        f"{', '.join(name.replace('_', ' ') for name in arguments.attacks)}. From one address, none send harmful "
        "pictures: all would have to wait for it.",
    )


def train(place: Path) -> Path:
    """A real bundle: three colours, told apart by their pixels."""
    draw = np.random.default_rng(0)
    for color, mean in {"red": (180, 60, 60), "green": (60, 180, 60), "blue": (60, 60, 180)}.items():
        (place / "colours" / color).mkdir(parents=True)
        for i in range(20):
            pixels = np.clip(draw.normal(mean, 40, (64, 64, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / "colours" / color / f"{i}.png")
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
            clients(kind, port, half, seed, addresses, arguments, place / f"{seed}.json")
            for seed, (kind, addresses) in enumerate(crews * PROCESSES)
        ]
        most = Counter[str]()
        while any(child.poll() is None for child in children):
            most |= taken(process.pid)
            time.sleep(0.25)
        said = [json.loads((place / f"{seed}.json").read_text()) for seed in range(len(children))]
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
    kind: str, port: int, count: int, seed: int, addresses: str, arguments: argparse.Namespace, said: Path
) -> "subprocess.Popen[bytes]":
    """said: where they write what they saw, which is more than a pipe holds while nobody reads it."""
    crew = [kind, str(port), str(count), str(seed), addresses]
    options = [f"--{name}={getattr(arguments, name)}" for name in ("seconds", "lead", "pause")]
    options += ["--attacks", *arguments.attacks]
    command = [sys.executable, __file__, *options, "--child", *crew]
    with said.open("wb") as file:
        return subprocess.Popen(command, stdout=file)


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


if __name__ == "__main__":
    main()
