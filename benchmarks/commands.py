"""Commands of Ursa as processes that need not import anything anew: what `command_kills` and `full_disk` run.

The parent imports torch and the rest once and forks for each run, so that a run of a second is not three of imports,
and a random moment falls into its work.
"""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BACKBONE = ["--backbone", "pixels"]
LISTS = [f"lists/{name}.txt" for name in ("blue", "green", "red")]
LEFT_OUT = ("seconds", "report", "history", "bundle", "created")  # of a document: what differs from run to run


def warm() -> None:
    """Import what the commands will need."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401
    import torch

    import ursa.cli.commands
    import ursa.export.write_bundle
    import ursa.training.fine_tuning
    import ursa.workflow.check
    import ursa.workflow.download
    import ursa.workflow.train  # noqa: F401

    torch.set_num_threads(1)


def start(words: list[str], place: Path, folder: Path) -> int:
    """`ursa WORDS` in a process of its own, standing in `folder`; what it prints goes to place/out and place/err."""
    process = os.fork()
    if process:
        return process
    for number, name in ((1, "out"), (2, "err")):
        descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, number)
    os.chdir(folder)
    sys.argv = ["ursa", *words]
    status = 70
    try:
        from ursa.cli import main

        main()
        status = 0
    except SystemExit as done:
        status = 0 if done.code is None else done.code if isinstance(done.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child prints it and ends
        import traceback

        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def run(words: list[str], place: Path, folder: Path) -> tuple[int, str, str]:
    """-> exit status, standard output, standard error."""
    status = os.waitstatus_to_exitcode(os.waitpid(start(words, place, folder), 0)[1])
    return status, (place / "out").read_text("utf-8", "replace"), (place / "err").read_text("utf-8", "replace")


def stable(document: Any) -> Any:
    """A document without what differs between runs that did the same."""
    if isinstance(document, Mapping):
        return {name: stable(value) for name, value in document.items() if name not in LEFT_OUT}
    return [stable(value) for value in document] if isinstance(document, list) else document


def result_of(text: str) -> Any:
    """What a command printed with --json, as far as it stays the same."""
    return stable(json.loads(text))


def pictures(folder: Path, count: int = 36, side: int = 96) -> Path:
    """Three classes of textures, as many JPEG as PNG."""
    draw = np.random.default_rng(0)
    for number in range(count):
        name = ("blue", "green", "red")[number % 3]
        (folder / name).mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 160, (12, 12, 3)).astype(np.uint8)
        pixels[..., 2 - number % 3] //= 3
        big = Image.fromarray(pixels).resize((side, side))
        big.save(folder / name / f"{number:03}.{'jpg' if number % 2 else 'png'}")
    return folder


def prepared(place: Path) -> Path:
    """-> place, with a folder of pictures and a bundle that learned from them."""
    pictures(place / "pictures")
    words = ["train", "pictures", "--out", "model.ursa", "--set", "epochs=0", *BACKBONE, "--json"]
    status, _, said = run(words, place, place)
    assert status == 0, said
    shutil.rmtree(place / "pictures" / ".ursa")
    return place


def write_lists(template: Path, address: str) -> None:
    """`LISTS` of the URLs that `web` serves the template's pictures under."""
    (template / "lists").mkdir(exist_ok=True)
    for folder in sorted(path for path in (template / "pictures").iterdir() if path.is_dir()):
        urls = [f"{address}/{folder.name}/{file.name}" for file in sorted(folder.iterdir())]
        (template / "lists" / f"{folder.name}.txt").write_text("\n".join(urls) + "\n")


def digest(folder: Path, ignored: tuple[str, ...] = (".ursa",)) -> str:
    """A hash of names and contents of all files below."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part in ignored for part in path.relative_to(folder).parts):
            found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


@contextlib.contextmanager
def web(folder: Path) -> Iterator[str]:
    """A server of the files in a folder, on this machine only; -> its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
