"""Which of timm's families become a bundle: one small member of each, random weights, as small pictures as it takes.

    python benchmarks/export_families.py [MINUTES]      goes on where the last run ended; MINUTES (default 8) bound it

A family is a file of `timm.models`. Exported is what `ursa train` would export: preparation, network, head; for any
number of pictures. It passes when a bundle may hold it (`core/bundles/onnx_rules.py`) and when three pictures get the
probabilities that torch gives them. Each is tried in a process of its own.
"""

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import timm
import torch
from common import RESULTS, report

from ursa.core.prepare import Preparation
from ursa.core.statistics import softmax
from ursa.embed.extractor import Extractor
from ursa.errors import BundleError
from ursa.export.onnx import to_onnx
from ursa.serve.session import Session
from ursa.training.classifier import Classifier

SMALL = (
    "test_",
    "atto",
    "femto",
    "pico",
    "nano",
    "xxs",
    "xx_small",
    "xs",
    "x_small",
    "tiny",
    "_s0",
    "_b0",
    "_t",
    "small",
)
CANDIDATES = 6  # of a family, of which the smallest is taken
SECONDS = 90  # for one
SIZES = (64, 96, 128, 224, 256, 384)  # px; the first that it takes
PARITY = 1e-3
NAME = "export_families"


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 8
    known = {row[0]: row for row in known_rows()}
    began = time.perf_counter()
    families = sorted(timm.list_modules())
    for family in families:
        if time.perf_counter() - began > 60 * minutes:
            break
        if family not in known and timm.list_models(module=family):
            known[family] = tried(family)
            print(*known[family], flush=True)
    rows = [known[family] for family in families if family in known]
    passed = sum(row[3] == "yes" for row in rows)
    note = f"{passed} of {len(rows)} families of timm {timm.__version__}; random weights, any number of pictures."
    columns = ["family", "member", "pixels", "exported", "largest difference, or why not"]
    report(NAME, "Families of networks that become a bundle", columns, rows, note)


def known_rows() -> list[list[str]]:
    path = RESULTS / f"{NAME}.json"
    return json.loads(path.read_text())["rows"] if path.exists() else []


def tried(family: str) -> list[str]:
    command = [sys.executable, __file__, "--one", family]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return [family, "", "", "no", f"longer than {SECONDS} s"]
    try:
        return [family, *json.loads(done.stdout.splitlines()[-1])]
    except (ValueError, IndexError):
        last = done.stderr.strip().splitlines()[-1:] or [f"ended with {done.returncode}"]
        return [family, "", "", "no", last[0][:160]]


def one(family: str) -> list[str]:
    """[member, pixels, "yes" or "no", difference or reason] of one family."""
    torch.manual_seed(0)
    name = smallest(family)
    body, size = network(name)
    features = body(torch.zeros(2, 3, size, size))
    if features.ndim != 2:
        return [name, str(size), "no", f"gives no vector a picture but {list(features.shape)}"]
    model = Classifier(Extractor(body, (0.5,) * 3, (0.5,) * 3, size), features.shape[1], 3).eval()
    pictures = torch.randint(0, 256, (3, size, size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        own = model(pictures).softmax(1).numpy()
    try:
        there = softmax(Session(to_onnx(model, Preparation(size)), size, 3)(pictures.numpy()))
    except BundleError as problem:
        return [name, str(size), "no", f"{problem.what}: {problem.found}"[:200].replace("|", "/")]
    difference = float(np.abs(own - there).max())
    return [name, str(size), "yes" if difference <= PARITY else "no", f"{difference:.1g}"]


def smallest(family: str) -> str:
    names = timm.list_models(module=family)
    ranked = sorted(names, key=lambda name: (next((n for n, word in enumerate(SMALL) if word in name), 99), name))

    def weights(name: str) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in timm.create_model(name, pretrained=False).parameters())

    return min(ranked[:CANDIDATES], key=weights)


def network(name: str) -> tuple[torch.nn.Module, int]:
    """Built at the smallest size that it takes."""
    problem: Exception = RuntimeError("no size")
    for options in ({"img_size": 0}, {}):
        for size in SIZES:
            chosen: dict[str, Any] = dict.fromkeys(options, size)
            try:
                body = timm.create_model(name, pretrained=False, num_classes=0, **chosen).eval()
                with torch.inference_mode():
                    body(torch.zeros(2, 3, size, size))
            except TypeError as failed:  # takes no img_size
                problem = failed
                break
            except Exception as failed:  # noqa: BLE001  # whatever a network says of a size that it cannot take
                problem = failed
                continue
            return body, size
    raise problem


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2])))
    else:
        main()
