"""`make demo` after set-up: seconds, and accuracy on the digits' test part."""

import json
import shutil
import subprocess
import time

from common import ROOT, report


def main() -> None:
    start = time.perf_counter()
    subprocess.run(["make", "demo"], cwd=ROOT, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    shutil.rmtree(ROOT / "demo")
    command = [str(ROOT / ".venv/bin/ursa"), "demo", "--to", "demo", "--json"]
    document = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    accuracy = document["train"]["accuracy"]
    said = f"{100 * accuracy['value']:.1f} % ({100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f})"
    rows = [
        ["`make demo`, set up before", f"{seconds:.0f} s", "<= 60 s"],
        ["digits, test accuracy", said, ">= 99 %"],
        ["kept", document["train"]["kept"], "fine-tuned"],
    ]
    report("demo", "The demo", ["what", "seen", "target"], rows)


if __name__ == "__main__":
    main()
