"""`ursa check`, cold and warm, against decoding every picture once plus one forward pass, on the same cores."""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision  # noqa: F401 - imports are not counted
from common import BACKBONE, SQUEEZENET, interleaved, median, ratio, report, shared

from ursa.core.decoding import image
from ursa.core.threads import chunks
from ursa.embed import resize
from ursa.embed.backbone import Backbone
from ursa.embed.engine import BATCH, Engine, one_thread
from ursa.embed.runtime import Runtime
from ursa.workflow.check import Checked, check
from ursa.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    folder = shared("dogs_cats")
    files = sorted(folder.glob("*/*"))
    columns = {
        f"{runtime}, {precision}": measured(folder, files, runtime, precision, rounds) for runtime, precision in WAYS
    }
    rows = [[what, *(column[what] for column in columns.values()), target] for what, target in WHAT.items()]
    report(
        "one_pass",
        f"One pass: dogs_cats, {len(files):,} pictures, SqueezeNet",
        ["what", *columns, "target"],
        rows,
        f"Imports not counted; decoding is reading the file and decoding JPEG; {torch.get_num_threads()} threads. The "
        "cold run begins with an empty workspace: it also loads the weights. `--precision auto` takes bf16 here.",
    )


WHAT = {
    "decode every picture once, all cores": "",
    "decode and resize every picture once, all cores": "",
    "one forward pass, a batch of 4 on each core": "",
    "likewise by torch, batches of 8 on all cores": "",
    "`ursa check`, cold store": "",
    "cold over (decode + forward, a batch on each core)": "<= 1.3",
    "cold over (decode + forward, batches on all cores)": "",
    "cold over (decode and resize + forward)": "",
    "`ursa check` again": "",
    "again over cold": "<= 0.1",
    "cross-validated accuracy": ">= 95.5 %",
}


WAYS = (("openvino", "bf16"), ("torch", "bf16"), ("torch", "fp32"))


def measured(folder: Path, files: list[Path], runtime: str, precision: str, rounds: int) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)

        def checked() -> Checked:
            how: dict[str, Any] = {"precision": precision, "runtime": runtime}
            return check(folder, backbone=BACKBONE, weights=SQUEEZENET, workspace=place / "check", **how)

        space = Workspace.open(folder, place / "engine")
        engine = Engine(Backbone(BACKBONE, SQUEEZENET), space, precision, runtime=Runtime(runtime))
        step = engine.runtime.forward(len(files), engine._forward, lambda: engine._compiled)
        preparation = engine.about.preparation
        by = resize.fastest()
        views = np.stack([v for some in chunks(files, lambda f: preparation.view(read(f), by=by)) for v in some])
        engine(views[:64])
        step(views[:BATCH])

        def decode() -> float:
            start = time.perf_counter()
            for _ in chunks(files, read):
                pass
            return time.perf_counter() - start

        def to_view() -> float:
            start = time.perf_counter()
            for _ in chunks(files, lambda file: preparation.view(read(file), by=by)):
                pass
            return time.perf_counter() - start

        def forward() -> float:
            start = time.perf_counter()
            with one_thread() as begin:
                for _ in chunks([views[i : i + BATCH] for i in range(0, len(views), BATCH)], step, begin=begin):
                    pass
            return time.perf_counter() - start

        def plainly() -> float:
            pictures, start = torch.from_numpy(views), time.perf_counter()
            with torch.inference_mode():
                for first in range(0, len(pictures), 8):
                    engine._ready(pictures[first : first + 8])  # of torch, in every column
            return time.perf_counter() - start

        def cold() -> float:
            shutil.rmtree(place / "check", ignore_errors=True)
            start = time.perf_counter()
            checked()
            return time.perf_counter() - start

        def warm() -> float:
            start = time.perf_counter()
            checked()
            return time.perf_counter() - start

        cold()
        seen = interleaved(
            rounds, decode=decode, to_view=to_view, forward=forward, plainly=plainly, cold=cold, warm=warm
        )
        result = checked()
    floor = [a + b for a, b in zip(seen["decode"], seen["forward"], strict=True)]
    floor_of_plain = [a + b for a, b in zip(seen["decode"], seen["plainly"], strict=True)]
    floor_of_views = [a + b for a, b in zip(seen["to_view"], seen["forward"], strict=True)]
    cold_seconds = median(seen["cold"])
    cells = [
        f"{median(seen['decode']):.2f} s",
        f"{median(seen['to_view']):.2f} s",
        f"{median(seen['forward']):.2f} s",
        f"{median(seen['plainly']):.2f} s",
        f"{cold_seconds:.2f} s ({len(files) / cold_seconds:.0f} a second)",
        f"{ratio(seen['cold'], floor):.2f}",
        f"{ratio(seen['cold'], floor_of_plain):.2f}",
        f"{ratio(seen['cold'], floor_of_views):.2f}",
        f"{median(seen['warm']):.3f} s",
        f"{ratio(seen['warm'], seen['cold']):.3f}",
        str(result.accuracy),
    ]
    return dict(zip(WHAT, cells, strict=True))


def read(file: Path) -> image.Pixels:
    return image.read(file.read_bytes(), at_least=224).pixels


if __name__ == "__main__":
    main()
