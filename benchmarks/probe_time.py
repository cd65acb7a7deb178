"""Time and memory of the probe, all folds and settings, against the cold pass that its pictures cost."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import BACKBONE, SQUEEZENET, median, report, shared
from previous_probe import previous_probe

from ursa.embed import probe
from ursa.prepared.setup import Clock, Setup, prepared

SIZES = ((500, 2), (1400, 10), (15000, 22), (100000, 100))  # pictures, classes
FEATURES = 1024
BEFORE = 15000  # pictures that the one before is measured with at most


def main() -> None:
    if len(sys.argv) > 2:
        alone(int(sys.argv[1]), int(sys.argv[2]))
        return
    a_picture, rows = pass_time(), []
    for count, classes in SIZES:
        command = [sys.executable, __file__, str(count), str(classes)]
        now, before, memory, right = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        cold = count * a_picture
        rows.append(
            [
                f"{count:,} x {FEATURES}, {classes} classes",
                f"{cold:.0f} s",
                f"{float(now):.1f} s",
                f"{100 * float(now) / cold:.1f} %",
                "-" if before == "-" else f"{float(before):.1f} s",
                f"{float(memory):,.0f} MB",
                f"{4 * count * FEATURES / 1e6:,.0f} MB",
                f"{float(right):.1f} %",
            ]
        )
    columns = ["features", "cold pass", "probe", "of the pass", "probe before", "memory on top", "of features", "right"]
    note = (
        f"Synthetic features with the spectrum of SqueezeNet's. Cold pass: {1000 * a_picture:.1f} ms a picture, "
        "decoding and SqueezeNet, measured on dogs_cats in the same run. Memory on top: the most that fitting takes "
        "beside the features."
    )
    report("probe_time", "Probe: time of all folds and settings", columns, rows, note)


def pass_time() -> float:
    """Seconds a picture of reading, decoding and SqueezeNet; the second of two passes, so that all is loaded."""
    folder, seconds = shared("dogs_cats"), []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as place:
            setup, clock = Setup.of(backbone=BACKBONE, weights=SQUEEZENET, workspace=Path(place)), Clock()
            ready = prepared(folder, setup, clock)
            seconds.append(clock.seconds["embed"] / len(ready.catalog))
    return seconds[-1]


def alone(count: int, classes: int) -> None:
    """Prints seconds now and before, MB beside the features, and per cent right."""
    vectors, targets = made(count, classes)
    probe.fit(vectors[:200], np.arange(200) % classes, classes)  # what is loaded once
    start = most_memory()
    seconds = []
    for _ in range(3 if count <= 2000 else 1):
        begin = time.perf_counter()
        fitted = probe.fit(vectors, targets, classes)
        seconds.append(time.perf_counter() - begin)
    memory = most_memory() - start
    before = "-"
    if count <= BEFORE:
        begin = time.perf_counter()
        previous_probe(vectors, targets, classes, np.arange(count))
        before = str(time.perf_counter() - begin)
    print(median(seconds), before, memory, 100 * fitted.accuracy(targets).value)


def most_memory() -> float:
    """MB that this process had at most. `getrusage` says the parent's, where that had more when it started this one."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3


def made(count: int, classes: int) -> tuple[probe.F32, probe.I64]:
    """Features whose variances fall as SqueezeNet's do, never negative, in classes that overlap."""
    draw = np.random.default_rng(0)
    spread = (np.arange(1, FEATURES + 1) ** -0.55).astype(np.float32)
    targets = draw.integers(0, classes, count)
    centers = 0.12 * draw.normal(size=(classes, FEATURES)).astype(np.float32) * spread
    turn = 3 * np.linalg.qr(draw.normal(size=(FEATURES, FEATURES)))[0].astype(np.float32)
    vectors = np.empty((count, FEATURES), np.float32)
    for first in range(0, count, 4096):
        some = targets[first : first + 4096]
        noise = draw.normal(size=(len(some), FEATURES)).astype(np.float32) * spread
        vectors[first : first + 4096] = np.maximum((noise + centers[some]) @ turn + 0.3, 0)
    return vectors, targets


if __name__ == "__main__":
    main()
