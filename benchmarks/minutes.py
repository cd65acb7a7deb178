"""`ursa train --minutes`: does it end in time, and what does it reach? Real processes, also beside busy ones."""

import argparse
import contextlib
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from common import BACKBONE, SQUEEZENET, report, shared

SETS = ("dogs_cats", "clothing", "bears_thumbs")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, nargs="*", default=[0.5, 1, 2, 5])
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--no-hog", action="store_true", help="leave out the run beside a hog")
    arguments = parser.parse_args()
    rows = [run(name, minutes) for name in arguments.sets for minutes in arguments.minutes]
    if not arguments.no_hog:
        rows.append(run(arguments.sets[0], 2, hogs=multiprocessing.cpu_count()))
    report(
        "minutes",
        "A run that has to end in time (`ursa train --minutes`), SqueezeNet",
        ["data", "asked", "took", "of the time", "learned from", "epochs", "probe", "reached", "kept", "beside"],
        rows,
        "Seconds from starting the process to its end; workspaces begin empty. Allowed: 1.03 of the time. Beside: busy "
        "processes, one a core. Where not even a probe fits, the command says so.",
    )


def run(name: str, minutes: float, hogs: int = 0) -> list[object]:
    """One process, from nothing to a bundle."""
    with tempfile.TemporaryDirectory() as place, busy(hogs):
        folder = shared(name)
        options = ["--backbone", BACKBONE, "--weights", str(SQUEEZENET), "--workspace", f"{place}/space", "--json"]
        command = ["ursa", "train", str(folder), "--minutes", f"{minutes:g}", "--out", f"{place}/model.ursa", *options]
        began = time.perf_counter()
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ursa")), *command[1:]], capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - began
    document = json.loads(done.stdout)
    refused = document.get("error", "")
    figures = [name, f"{60 * minutes:.0f} s", f"{took:.1f} s", f"{took / (60 * minutes):.2f}"]
    beside = f"{hogs} busy processes" if hogs else "nothing"
    print(*figures, beside, refused, flush=True)
    if done.returncode:
        return [*figures, "", "", "", refused, "", beside]
    way = next(way for way in document["weighed"] if way["chosen"])
    probe, reached = (f"{100 * document[key]['value']:.1f} %" for key in ("probe", "accuracy"))
    learned = f"{way['size']} px" if way["epochs"] else "embeddings"
    return [*figures, learned, f"{way['epochs']:.1f}", probe, reached, document["kept"], beside]


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    processes = [multiprocessing.Process(target=spin, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()
