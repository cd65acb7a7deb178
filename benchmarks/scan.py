"""Listing and scanning 10,000 to 100,000 small pictures: seconds, and memory while it goes on.

The pictures are made here, in a temporary folder that is deleted afterwards: 64 x 48 JPEG, each with bytes of its own.
"""

import argparse
import io
import itertools
import os
import resource
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
from common import report
from PIL import Image

from ursa.clean.audit import audit
from ursa.data.catalog import Catalog
from ursa.data.scanning import scanned
from ursa.data.sources.folder_source import from_folder
from ursa.embed import resize
from ursa.embed.store import Embeddings

SIZES = (10_000, 20_000, 50_000, 100_000)
CLASSES = 10
NOTHING = Embeddings((), np.zeros((0, 1), np.float32), "")


def main(sizes: tuple[int, ...] = SIZES) -> None:
    rows, seconds = [], {}
    with tempfile.TemporaryDirectory() as place:
        root, made = Path(place) / "pictures", 0
        for size in sizes:
            make(root, made, size)
            made = size
            alone = ProcessPoolExecutor(1, get_context("spawn"))  # so that no round lives off what another has freed
            with alone:
                spent, megabytes = alone.submit(measured, root, Path(place) / "catalog.parquet", size).result()
            seconds[size] = sum(spent)
            figures = [f"{value:.2f}" for value in (*spent, sum(spent))]
            rows.append([f"{size:,}", *figures, f"{size / spent[1]:,.0f}", *(f"{mb:.0f}" for mb in megabytes)])
    linear = seconds[sizes[-1]] / sizes[-1] / (seconds[sizes[0]] / sizes[0])
    columns = ["pictures", "list", "scan", "write and read", "audit", "all, s", "scan, a second"]
    note = (
        f"Seconds. A picture of the last row takes {linear:.2f} times as long as one of the first. Audit: all checks, "
        "without embeddings. Memory: the most in MB over what was in use before, sampled ten times a second, while the "
        "first quarter, the first half and all are scanned, and after that. What grows is the catalog, by about 1.3 KB "
        "a picture, most of it the miniature that near copies are found by."
    )
    report("scan", "Scanning small pictures, no backbone", [*columns, "MB at 1/4", "1/2", "1", "after"], rows, note)


def make(root: Path, first: int, last: int) -> None:
    """Pictures number first to last - 1: soft shapes, other ones in each."""
    for label in range(CLASSES):
        (root / f"class {label}").mkdir(parents=True, exist_ok=True)
    for number in range(first, last):
        coarse = Image.fromarray(np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        coarse.resize((64, 48), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        (root / f"class {number % CLASSES}" / f"{number:06}.jpg").write_bytes(buffer.getvalue())


def measured(root: Path, parquet: Path, size: int) -> tuple[list[float], list[float]]:
    """-> seconds of each step, and the most memory in MB up to each quarter, half, end, and after."""
    by = resize.fastest()
    scanned(from_folder(root).where(pl.col("id").str.ends_with("01.jpg")), by=by)  # imports and pools of memory
    before, samples, done, ended = memory(), [(0.0, 0.0)], [0.0], threading.Event()

    def sample() -> None:
        while not ended.wait(0.1):
            samples.append((done[0], memory() - before))

    def progress(_: str, now: int, of: int) -> None:
        done[0] = now / of

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        clock = [time.perf_counter()]
        catalog = from_folder(root)
        clock.append(time.perf_counter())
        catalog = scanned(catalog, progress, by=by)
        clock.append(time.perf_counter())
        done[0] = 2.0
        catalog.write(parquet)
        catalog = Catalog.read(parquet, root)
        clock.append(time.perf_counter())
        audit(catalog, NOTHING)
        clock.append(time.perf_counter())
    finally:
        ended.set()
        watcher.join()
    assert len(catalog.usable()) == size
    most = [max(mb for at, mb in samples if at <= part) for part in (0.25, 0.5, 1, 2)]
    return [b - a for a, b in itertools.pairwise(clock)], most


def memory() -> float:
    """MB of this process in memory."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:  # not Linux: the most so far
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="pictures of the largest round")
    most = parser.parse_args().most
    main(tuple(size for size in SIZES if size <= most))
