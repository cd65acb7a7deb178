"""How large a report gets, and how long it takes: the shared sets, and 2,000 photos."""

import functools
import shutil
import tempfile
import time
from pathlib import Path

from common import BACKBONE, SETS, SQUEEZENET, report, shared

from ursa.workflow.check import check


def many(root: Path, count: int) -> Path:
    """`count` photos of all shared sets, each with one pixel row cut off, so that no two are copies."""
    from PIL import Image

    files = [file for name in SETS for file in sorted(shared(name).rglob("*.jp*g"))]
    for number in range(count):
        source = files[number % len(files)]
        place = root / source.parent.name / f"{number:05}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with Image.open(source) as picture:
                picture.convert("RGB").crop((0, number // len(files), *picture.size)).save(place, quality=90)
        except OSError:  # a file that is no picture
            shutil.copy(source, place)
    return root


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folders = {name: shared(name) for name in SETS} | {"2,000 photos": many(Path(place) / "many", 2000)}
        for name, folder in folders.items():
            run = functools.partial(check, backbone=BACKBONE, weights=SQUEEZENET, workspace=Path(place) / name)
            first = run(folder)
            start = time.perf_counter()
            again = run(folder)
            whole = time.perf_counter() - start
            size = first.report.stat().st_size / 1e6
            pictures = len(first.catalog.readable())
            seconds = (first.seconds["report"], again.seconds["report"], whole)
            rows.append([name, f"{pictures:,}", f"{size:.2f}", *(f"{each:.1f}" for each in seconds)])
    columns = ["pictures of", "number", "MB", "report, s", "again, s", "whole second check, s"]
    report("report_size", "Reports", columns, rows, "Of `ursa check`; again: thumbnails are known. Target: below 3 MB.")


if __name__ == "__main__":
    main()
