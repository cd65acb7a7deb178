"""`ursa predict FOLDER` against what has to be done anyway: decode and onnxruntime on a pool, a thread a core.

The plain pool decodes with Pillow in this process, as fast as it can (JPEG scaled while decoded), and keeps nothing;
Ursa reads in guarded workers, and writes a table that a kill leaves whole. Then kills: `ursa predict` is killed at
random moments and started again until it ends; its table has to hold every picture once.
"""

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from common import BACKBONE, SQUEEZENET, interleaved, median, ratio, report, shared
from PIL import Image

import ursa
from ursa import sandbox
from ursa.core.bundles import bundle
from ursa.core.threads import batched, cores
from ursa.serve.session import BATCH
from ursa.workflow.predicting.predict import predict


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    folder = shared("dogs_cats")
    files = sorted(folder.glob("*/*"))
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        model = place / "model.ursa"
        ursa.train(
            folder, backbone=BACKBONE, weights=SQUEEZENET, workspace=place / "ursa", recipe={"epochs": 0}, out=model
        )
        plain = Plain(model)
        sandbox.prepare()

        def ours() -> float:
            began = time.perf_counter()
            result = predict(model, folder, out=place / "table.csv", progress=False)
            assert result.pictures == len(files)
            return time.perf_counter() - began

        seconds = interleaved(arguments.rounds, plain=lambda: plain(files), ursa=ours)
        kills, twice, missing = killed(model, folder, place, len(files), arguments.kills)
    share = ratio(seconds["plain"], seconds["ursa"])
    speed = {name: len(files) / median(some) for name, some in seconds.items()}
    report(
        "predict_folder",
        f"`ursa predict` of {len(files):,} photos",
        ["", "pictures a second", "of the plain pool"],
        [
            ["Pillow and onnxruntime in a pool", f"{speed['plain']:.0f}", "1"],
            ["`ursa predict --out table.csv`", f"{speed['ursa']:.0f}", f"{share:.2f}"],
            [f"killed {kills} times until it ended: twice in the table, missing", f"{twice}, {missing}", ""],
        ],
        f"SqueezeNet, 227 px, {BATCH} pictures a run, a thread a core; medians of {arguments.rounds} rounds in turn. "
        "Ursa's seconds are those of the whole call: opening the bundle, listing, decoding in guarded workers, the "
        "journal and the table.",
    )


class Plain:
    """Decode and run, on a thread a core, and nothing else."""

    def __init__(self, path: Path) -> None:
        read = bundle.read(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(read.parts["model.onnx"], options)
        self.size = read.preparation.size

    def __call__(self, files: list[Path]) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(cores()) as pool:
            done = sum(pool.map(self.some, batched(files, BATCH)))
        assert done == len(files)
        return time.perf_counter() - began

    def some(self, files: list[Path]) -> int:
        return len(self.session.run(None, {"pictures": np.stack([self.view(file) for file in files])})[0])

    def view(self, file: Path) -> np.ndarray:
        with Image.open(file) as picture:
            picture.draft("RGB", (self.size, self.size))
            return np.asarray(picture.convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR))


def killed(model: Path, folder: Path, place: Path, pictures: int, most: int) -> tuple[int, int, int]:
    """-> kills until it ended, pictures twice in the table, pictures missing in it."""
    out, draw, kills = place / "killed.csv", random.Random(0), 0
    command = [str(Path(sys.executable).with_name("ursa")), "predict", str(model), str(folder), "--out", str(out)]
    while True:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(draw.uniform(1.0, 3.0) if kills < most else None)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                continue
        break
    with out.open(encoding="utf-8-sig", newline="") as file:
        names = [row["picture"] for row in csv.DictReader(file)]
    return kills, len(names) - len(set(names)), pictures - len(set(names))


if __name__ == "__main__":
    main()
