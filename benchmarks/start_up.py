"""How long until Ursa does something: fresh processes, beside a bare interpreter."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import BACKBONE, SHARED, SQUEEZENET, interleaved, median, report

ROUNDS = 9


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    ursa = str(Path(sys.executable).with_name("ursa"))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        subprocess.run([ursa, "demo", "--to", folder], check=True, capture_output=True)
        bundle, picture = str(place / "digits.ursa"), str(next((place / "digits/test/7").glob("*.png")))
        rows = measured(ursa, bundle, picture, "digits (`pixels` backbone, 64 px)")
        bears = SHARED / "data" / "bears_messy"
        if bears.exists() and SQUEEZENET.exists():
            other = str(place / "bears.ursa")
            options = ["--backbone", BACKBONE, "--weights", str(SQUEEZENET), "--workspace", str(place / "space")]
            command = [ursa, "train", str(bears), "--out", other, "--set", "epochs=0", *options]
            subprocess.run(command, check=True, capture_output=True)
            rows += measured(ursa, other, str(min((bears / "teddy").iterdir())), "SqueezeNet, 224 px")[2:]
        code = "import sys, ursa; ursa.load(sys.argv[1])(sys.argv[2]); print('torch' in sys.modules)"
        loaded = subprocess.run(
            [sys.executable, "-c", code, bundle, picture], capture_output=True, text=True, check=True
        )
    rows.append(["torch loaded by a prediction", loaded.stdout.strip(), "False"])
    report("start_up", "Start-up, over bare python", ["what", "seen", "target"], rows)


def measured(ursa: str, bundle: str, picture: str, what: str) -> list[list[object]]:
    python = sys.executable
    found = interleaved(
        ROUNDS,
        bare=lambda: seconds(python, "-c", "pass"),
        import_ursa=lambda: seconds(python, "-c", "import ursa"),
        help=lambda: seconds(ursa, "--help"),
        predict=lambda: seconds(ursa, "predict", bundle, picture, "--json"),
    )
    bare = median(found["bare"])
    return [
        ["import ursa", f"{median(found['import_ursa']) - bare:.3f} s", "< 0.15 s"],
        ["ursa --help", f"{median(found['help']) - bare:.3f} s", "< 0.3 s"],
        [f"first prediction of ursa predict, {what}", f"{median(found['predict']):.2f} s", "< 1 s"],
    ]


if __name__ == "__main__":
    main()
