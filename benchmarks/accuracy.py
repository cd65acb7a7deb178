"""Cross-validated accuracy of the probe on the shared picture sets, in both precisions."""

import tempfile
import time
from pathlib import Path

from common import BACKBONE, SETS, SQUEEZENET, report, shared

from ursa.workflow.check import check

BEFORE = {"dogs_cats": 96.1, "bears_thumbs": 94.8, "bears_messy": 95.6, "clothing": 73.5}  # squashed, plain regression


def main() -> None:
    rows = []
    for name in SETS:
        folder, cells = shared(name), [name]
        for precision in ("fp32", "bf16"):
            with tempfile.TemporaryDirectory() as place:
                start = time.perf_counter()
                result = check(
                    folder, backbone=BACKBONE, weights=SQUEEZENET, workspace=Path(place), precision=precision
                )
                cells += [str(result.accuracy), f"{time.perf_counter() - start:.1f} s"]
        rows.append([*cells, f"{BEFORE[name]} %"])
    report(
        "accuracy",
        "Probe: cross-validated accuracy (95 % interval), SqueezeNet",
        ["data", "fp32", "time", "bf16", "time", "known before"],
        rows,
        "Time is of one cold run each, imports not counted for all but the first.",
    )


if __name__ == "__main__":
    main()
