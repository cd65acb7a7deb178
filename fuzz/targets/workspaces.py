"""Files of a workspace that came with its folder, through `check` with the backbone `pixels`.

A case holds the files that are not as they were: a line "NAME LENGTH" and so many bytes, again and again. A name with
"@" in front is a link that leads to what the bytes say. What lies outside the workspace has to stay as it is.
"""

import json
import os
import shutil
from functools import cache
from pathlib import Path
from random import Random

from fuzz.formats import documents
from fuzz.target import LawError, Target
from fuzz.values import bytes_changed, number, put

SECONDS = 8.0  # `check` takes 0.03, and up to 1 where it has to compute everything again
FOLDER, FRESH, CANARY = Path("bears"), Path("fresh"), Path("canary")
NAMES = (
    "schema.json", "backbones.json", "precision.json", "catalog.parquet", "splits.parquet", "test_set_log.jsonl", "harm.json",
    "downloads.jsonl", "report.html", ".gitignore",
)  # fmt: skip


@cache
def _files() -> dict[str, bytes]:
    """The sound workspace."""
    warm()
    files = sorted(file for file in FRESH.rglob("*") if file.is_file())
    return {_lasting(file.relative_to(FRESH)): file.read_bytes() for file in files}


def _lasting(file: Path) -> str:
    """Its name, with "*" for what is drawn, or follows from the machine: a case has to mean the same elsewhere."""
    parts = file.parts
    return "/".join(
        ["*" if len(Path(part).stem) >= 16 else part for part in parts[:-1]]
        + ([f"*{file.suffix}"] if len(file.stem) >= 16 else [parts[-1]])
    )


def case(rng: Random) -> bytes:
    """One or two files of the workspace changed, replaced by links, emptied or exchanged."""
    files = _files()
    out = b""
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice((*files, *files, *NAMES))
        data = files.get(name, b"")
        match rng.randrange(8):
            case 0:
                name, data = "@" + name, rng.choice((b"../../canary", b"/dev/null", b"../a", b"nowhere", name.encode()))
            case 1:
                data = rng.choice((b"", b"{}", b"[]", b"null", b"\0" * 100, *files.values()))
            case 2 | 3 if data[:1] in (b"{", b"["):
                data = documents.text(documents.changed(json.loads(data), rng), rng).encode("utf-8", "surrogatepass")
            case 4 if name.endswith(".npy"):
                at = rng.randrange(128, len(data) - 8, 4) if rng.random() < 0.5 else rng.randrange(128)
                data = put(data, at, rng.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\xff\xff", b"9")))
            case 5 if name.endswith(".safetensors"):
                size = int.from_bytes(data[:8], "little")
                head = documents.text(documents.changed(json.loads(data[8 : 8 + size]), rng), rng).encode(
                    "utf-8", "replace"
                )
                data = len(head).to_bytes(8, "little") + head + data[8 + size :]
            case 6:
                data = put(data, max(0, len(data) - rng.randint(1, 300)), bytes([number(rng, 8)]))
            case _:
                data = bytes_changed(data, rng)
        out += f"{name} {len(data)}\n".encode() + data
    return out


def run(data: bytes) -> None:
    """Check a folder whose workspace this is. Nothing outside it may change."""
    from ursa.workflow.check import check

    warm()
    space = FOLDER / ".ursa"
    shutil.rmtree(space, ignore_errors=True)
    shutil.copytree(FRESH, space)
    while data:
        line, _, data = data.partition(b"\n")
        name, _, size = line.decode("latin-1").rpartition(" ")
        if not size.isdecimal() or len(size) > 8:
            break
        _put(space, name, data[: int(size)])
        data = data[int(size) :]
    before = _outside()
    try:
        check(FOLDER, backbone="pixels")
    finally:
        if _outside() != before:
            raise LawError("something outside the workspace was changed")


def _put(space: Path, name: str, data: bytes) -> None:
    link, name = name.startswith("@"), name.removeprefix("@")
    file = next(iter(sorted(space.glob(name))), space / name.replace("*", "x")) if "*" in name else space / name
    if not name or ".." in Path(name).parts or Path(name).is_absolute():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file() or file.is_symlink():
            file.unlink()
        if link:
            os.symlink(data, os.fsencode(file))  # noqa: PTH211
        else:
            file.write_bytes(data)
    except (OSError, ValueError):
        return


def _outside() -> dict[str, bytes]:
    files = [CANARY, *sorted(file for folder in ("a", "b") for file in (FOLDER / folder).iterdir())]
    return {str(file): file.read_bytes() for file in files}


def warm() -> None:
    """A folder of eight pictures and its sound workspace, made once in a child's own place."""
    if FRESH.exists():
        return
    from PIL import Image

    from ursa.workflow.check import check

    CANARY.write_bytes(b"nobody's business")
    rng = Random(1)
    for name in ("a", "b"):
        (FOLDER / name).mkdir(parents=True)
        for number_ in range(4):
            file = FOLDER / name / f"{number_}.png"
            Image.frombytes("RGB", (16, 16), rng.randbytes(768)).save(file)
            os.utime(file, (1_700_000_000, 1_700_000_000))
    check(FOLDER, backbone="pixels")  # with it comes torch, which the limit on memory would keep out later
    shutil.copytree(FOLDER / ".ursa", FRESH)


TARGETS = (Target("workspaces", case, run, warm, seconds=SECONDS, weight=3),)
