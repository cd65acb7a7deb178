"""Disks that fill up at twenty places of every command that writes: what is said, what is kept, and does it go on?"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import commands
from commands import BACKBONE, LISTS
from common import report

EPOCH = ["--set", "epochs=1"]
SPACE = ["--workspace", "disk/space"]
PAGE = 4096


@dataclass(frozen=True)
class Case:
    """A command that writes to `disk/`, and a file that lies there before and has to stay whole while it fails."""

    name: str
    words: tuple[str, ...]
    before: str = ""


CASES = (
    Case("check", ("check", "pictures", *SPACE, *BACKBONE, "--json")),
    Case("train", ("train", "pictures", *SPACE, "--out", "disk/model.ursa", *BACKBONE, *EPOCH, "--json"), "model.ursa"),
    Case("evaluate", ("evaluate", "model.ursa", "tested", *SPACE, "--json")),
    Case("download", ("download", *LISTS, "--to", "disk/fetched", "--allow-private", "--json")),
    Case("show", ("show", "pictures", *SPACE, "--out", "disk/figure.png", "--json"), "figure.png"),
    Case("demo", ("demo", "--to", "disk/demo", "--json")),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--places", type=int, default=20)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if os.name != "posix" or os.geteuid() != 0:
        print("skipped: it mounts small file systems, which takes root")
        sys.exit(0)
    commands.warm()
    with tempfile.TemporaryDirectory() as temporary:
        template = prepared(Path(temporary) / "template")
        with commands.web(template / "pictures") as address:
            commands.write_lists(template, address)
            chosen = [case for case in CASES if arguments.only in case.name]
            rows = [row(case, template, Path(temporary) / "run", arguments.places) for case in chosen]
    report(
        "full_disk",
        "A disk that is full at so many places of a command",
        ["command", "places", "refused with a clear error", "done all the same", "before is whole", "then, with room"],
        rows,
        "A tmpfs of a size between nothing and what the whole run writes, evenly spaced. A clear error: exit status 2, "
        "words about space, no traceback. Before: the file that was there under the same name. Then: the same command "
        "after the file system was made large enough, with the result of a run that never failed.",
    )


def prepared(place: Path) -> Path:
    commands.pictures(place / "tested" / "test", 12)
    commands.pictures(place / "tested" / "train", 12)
    return commands.prepared(place)


def row(case: Case, template: Path, folder: Path, places: int) -> list[object]:
    with disk(template, folder, 1 << 30) as place:
        before(case, template, place)
        wanted = outcome(case, folder)
        size = used(place)
    assert wanted[0] in (0, 1), wanted
    clear = done = whole = again = 0
    for number in range(places):
        room = max(PAGE, int(size * (number + 0.5) / places) // PAGE * PAGE)
        with disk(template, folder, room + (used_by(case, template))) as place:
            before(case, template, place)
            status, _, said = commands.run(list(case.words), folder, folder)
            good = status == 2 and "space" in said and "Traceback" not in said
            clear += good
            done += status in (0, 1)
            if not good and status not in (0, 1):
                print(case.name, number, room, status, said[-1500:], flush=True)
            if status in (0, 1) or not case.before:
                whole += 1
            else:
                same = (place / case.before).read_bytes() == old(template)
                whole += same
                if not same:
                    print(case.name, number, "what was there before has changed", flush=True)
            subprocess.run(["mount", "-o", "remount,size=1g", str(place)], check=True)
            found = outcome(case, folder)
            again += found == wanted
            if found != wanted:
                print(case.name, number, room, "then:", found, "wanted", wanted, flush=True)
    return [case.name, places, clear, done, f"{whole} of {places}", f"{again} of {places}"]


def old(template: Path) -> bytes:
    return (template / "model.ursa").read_bytes()


def used_by(case: Case, template: Path) -> int:
    return len(old(template)) // PAGE * PAGE + 2 * PAGE if case.before else 0


def before(case: Case, template: Path, place: Path) -> None:
    if case.before:
        (place / case.before).write_bytes(old(template))


def outcome(case: Case, folder: Path) -> tuple[int, Any]:
    status, out, said = commands.run(list(case.words), folder, folder)
    if status not in (0, 1):
        return status, said[-1500:]
    if case.name == "download":
        return status, commands.digest(folder / "disk" / "fetched")
    return status, commands.result_of(out)


def used(place: Path) -> int:
    about = os.statvfs(place)
    return (about.f_blocks - about.f_bfree) * about.f_frsize


@contextlib.contextmanager
def disk(template: Path, folder: Path, size: int) -> Iterator[Path]:
    """A copy of the template with a file system of so many bytes at `disk/`."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    place = folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


if __name__ == "__main__":
    main()
