"""kill -9 at random moments of every command, then the same command again: is the result that of a run never killed?"""

import argparse
import os
import random
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import commands
from commands import BACKBONE, LISTS
from common import median, report


@dataclass(frozen=True)
class Case:
    """A command, by which words it goes on after a kill, and what it leaves in its folder that has to be the same."""

    name: str
    words: tuple[str, ...]
    resume: tuple[str, ...] = ()
    left: str = ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=20, help="kills of each command")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="commands whose name holds this")
    arguments = parser.parse_args()
    commands.warm()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        template = commands.prepared(place / "template")
        rows = [
            row(case, template, place / case.name, arguments.times, arguments.seed)
            for case in cases(template)
            if arguments.only in case.name
        ]
    report(
        "command_kills",
        "kill -9 at a random moment of a command, then the same command again",
        ["command", "times", "killed before it was done", "same result as never killed", "a run takes"],
        rows,
        "The moment is uniform over the time that the command takes. Result: the JSON document (less times and paths), "
        "and the files that it writes: the bundle's weights, the downloaded pictures. 36 pictures in 3 classes, "
        "backbone `pixels`; training of 2 epochs, gone on with by `--resume` where there is a checkpoint.",
    )


def cases(template: Path) -> list[Case]:
    files = sorted(str(path.relative_to(template)) for path in (template / "pictures").glob("*/*"))
    train = ("train", "pictures", "--out", "new.ursa", "--set", "epochs=2", *BACKBONE, "--json")
    return [
        Case("check", ("check", "pictures", *BACKBONE, "--json")),
        Case("train", train, (*train, "--resume"), "new.ursa"),
        Case("evaluate", ("evaluate", "model.ursa", "pictures", "--json")),
        Case("predict", ("predict", "model.ursa", *files, "--json")),
        Case("download", ("download", *LISTS, "--to", "fetched", "--allow-private", "--json"), (), "fetched"),
    ]


def row(case: Case, template: Path, place: Path, times: int, seed: int) -> list[object]:
    with commands.web(template / "pictures") as address:
        commands.write_lists(template, address)
        seconds, wanted = [], None
        for number in range(2):
            began = time.perf_counter()
            wanted = outcome(case, fresh(template, place / f"whole{number}"), case.words)
            seconds.append(time.perf_counter() - began)
        same = killed = 0
        for number in range(times):
            draw = random.Random(f"{case.name} {seed} {number}")
            folder = fresh(template, place / "killed")
            process = commands.start(list(case.words), folder, folder)
            time.sleep(draw.uniform(0, median(seconds)))
            os.kill(process, signal.SIGKILL)
            killed += os.WIFSIGNALED(os.waitpid(process, 0)[1])
            resumable = any(folder.glob("pictures/.ursa/runs/*/checkpoints/step-*.safetensors"))
            found = outcome(case, folder, case.resume if case.resume and resumable else case.words)
            same += found == wanted
            if found != wanted:
                print(case.name, number, "differs:", found, "wanted", wanted, flush=True)
    return [case.name, times, killed, f"{same} of {times}", f"{median(seconds):.1f} s"]


def fresh(template: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(template, folder))


def outcome(case: Case, folder: Path, words: tuple[str, ...]) -> Any:
    """Exit status, document, and a hash of what lies in the folder afterwards."""
    status, out, said = commands.run(list(words), folder, folder)
    if status not in (0, 1):
        return status, said
    left = folder / case.left if case.left else None
    if left is None:
        return status, commands.result_of(out)
    if left.is_dir():
        return status, commands.digest(left)
    return status, commands.result_of(out), weights(left)


def weights(bundle: Path) -> str:
    from ursa.core.bundles import bundle as format

    return str(format.read(bundle).document["parts"]["weights.safetensors"])


if __name__ == "__main__":
    main()
