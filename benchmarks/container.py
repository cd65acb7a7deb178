"""The folder of `ursa export --container`, built and run without a container engine, as its Dockerfile says.

Packages are installed into a folder by the folder's own requirements, from an index of packages. Then the server runs
with a read-only root, as user 1000, without any capability or new privileges (`unshare`, `chroot`, `setpriv`: root on
Linux), and is asked: for a prediction, by its health check, by files that crash decoders, by SIGTERM.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from common import BACKBONE, SQUEEZENET, report, shared

import ursa

PORT = 7860
BASE = 130  # MB of python:3.x-slim, unpacked: not measured here
ROOM = """
set -e
mkdir -p $1
mount --bind / $1
mount -o remount,ro,bind $1
mount --rbind /dev $1/dev
mount -t proc proc $1/proc
cd $1
shift 1
exec chroot . setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
    env -i PATH=$PATH HOME=/ PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1 "$@"
"""


def main() -> None:
    pictures = shared("dogs_cats")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        made = built(place, pictures)
        tree = place / "tree"
        installed(made, tree)
        size = sum(file.stat().st_size for file in tree.rglob("*") if file.is_file()) / 1e6
        size += sum((made / file).stat().st_size for file in os.listdir(made)) / 1e6
        rows: list[list[object]] = [
            ["installed, with Ursa and a bundle of 6 MB", f"{size:.0f} MB"],
            [f"with the base image, {BASE} MB by its makers", f"{size + BASE:.0f} MB"],
            *served(place, made, tree, pictures),
        ]
    report(
        "container",
        "A container without an engine",
        ["what", "seen"],
        rows,
        "Read-only root, user 1000, no privileges.",
    )


def built(place: Path, pictures: Path) -> Path:
    options: dict[str, Any] = {"backbone": BACKBONE, "weights": SQUEEZENET, "workspace": place / "space"}
    bundle = place / "dogs_cats.ursa"
    ursa.train(pictures, **options, recipe=ursa.Recipe.of(epochs=0), out=bundle, progress=False)
    return ursa.containerize(bundle, place / "online").folder


def installed(folder: Path, tree: Path) -> None:
    """The words of its Dockerfile's RUN, into a folder."""
    text = (folder / "Dockerfile").read_text().split("RUN ", 1)[1].split("\n\n", 1)[0].replace("\\\n", " ")
    command = [sys.executable, *text.split()[1:], "--prefix", str(tree), "--ignore-installed", "--quiet"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        print(f"skipped: pip cannot install here: {done.stderr.strip().splitlines()[-1]}")
        sys.exit(0)


def served(place: Path, folder: Path, tree: Path, pictures: Path) -> list[list[object]]:
    packages = next(tree.glob("lib/python*/site-packages"))
    inside = ["unshare", "--mount", "bash", "-c", ROOM, "room", str(place / "root")]
    python = ["env", f"PYTHONPATH={packages}", interpreter()]
    words = [*python, str(tree / "bin" / "ursa"), "serve", str(folder / "dogs-cats.ursa"), "--host", "0.0.0.0"]
    began = time.perf_counter()
    with subprocess.Popen([*inside, *words, "--port", str(PORT)], stderr=subprocess.PIPE, text=True) as server:
        try:
            seconds = wait(server) - began
            picture = next(iter(sorted((pictures / "dog").iterdir())))
            status, answer = ask(picture.read_bytes())
            first = time.perf_counter() - began
            predictor = ursa.Predictor(folder / "dogs-cats.ursa")
            row = predictor.probabilities([predictor.view(picture)])[0].tolist()
            same = dict(zip(predictor.labels.names, row, strict=True))
            apart = max((abs(same[name] - value) for name, value in answer["probabilities"].items()), default=1.0)
            hostile = [ask(file.read_bytes())[0] for file in sorted(shared("hostile").iterdir()) if file.is_file()]
            check = (folder / "Dockerfile").read_text().split("    CMD ", 1)[1].splitlines()[0]
            healthy = subprocess.run([*inside, *python, *json.loads(check)[1:]]).returncode
            wrote = subprocess.run([*inside, "touch", "/srv/x", "/tmp/x", "/x"], capture_output=True).returncode
            memory = resident(server.pid)
        finally:
            server.send_signal(signal.SIGTERM)
        code = server.wait(30)
        said = (server.stderr.read() if server.stderr else "").splitlines()
    return [
        ["start to /health, fresh process", f"{seconds:.2f} s"],
        ["start to the first answer, the model tried first as a stranger's", f"{first:.2f} s"],
        ["the answer", f"{status}, {apart:.1g} from the predictor's here"],
        ["files that crash decoders", ", ".join(map(str, sorted(set(hostile)))) or "none here"],
        ["health check by the words of the Dockerfile", f"exit {healthy}"],
        ["writing to its disk", "refused" if wrote else "possible"],
        ["resident memory of server and workers", f"{memory:.0f} MB"],
        ["SIGTERM", f"ended with {code}"],
        ["lines of its log besides its address", len([line for line in said if not line.startswith("Open ")])],
    ]


def interpreter() -> str:
    """A Python of this version that other users may run."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = shutil.which(name, path="/usr/local/bin:/usr/bin")
    if found is None:
        print(f"skipped: there is no {name} for all users")
        sys.exit(0)
    return found


def wait(server: "subprocess.Popen[str]") -> float:
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=5):
                return time.perf_counter()
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"the server ended: {server.stderr.read() if server.stderr else ''}")


def ask(data: bytes) -> tuple[int, dict[str, dict[str, float]]]:
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/predict", data, {"Content-Type": "image/jpeg"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as problem:
        return problem.code, {"probabilities": {}}


def resident(process: int) -> float:
    """MB of a process and all that it started, what they share counted once each."""
    pids = [process]
    for pid in pids:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        pids += [int(child) for child in children.read_text().split()] if children.exists() else []
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000


if __name__ == "__main__":
    main()
