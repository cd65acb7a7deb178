"""kill -9 at random moments while decisions are saved, applied with moved files, and taken back: is anything lost?"""

import argparse
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common import median, report

PICTURES = 100
SLOWEST = 0.15  # seconds that a reviewer goes on before the kill, at most


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=200, help="kills of each kind")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    import ursa.workflow.deciding.apply
    import ursa.workflow.deciding.decide  # noqa: F401  # once, for all children

    if not hasattr(os, "fork"):
        print("skipped: it kills processes that it has forked")
        return
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["XDG_STATE_HOME"] = str(Path(temporary) / "state")
        rows = [saving(Path(temporary) / "saved", arguments.times, arguments.seed)]
        for name in ("apply --move", "revert"):
            row = moving(name, Path(temporary) / name, arguments.times, arguments.seed)
            rows = [*rows, row]
    report(
        "decision_kills",
        "kill -9 while decisions are saved, applied and taken back",
        ["what is killed", "times", "killed halfway", "lost", "whole afterwards", "seconds a run, without a kill"],
        rows,
        "Saving: two processes append 1 to 50 decisions at a time to one journal and say each that is saved; one is "
        "killed, the other goes on. Lost: said to be saved and not read afterwards, in any round; whole: no damaged "
        f"line. Apply and revert: {PICTURES} pictures, half of them deleted or given another class, their files moved; "
        "after the kill the same command again. Lost: pictures whose bytes are nowhere; whole: every file is where an "
        "undisturbed run puts it, byte for byte; halfway: some files had been moved, and not all.",
    )


def saving(place: Path, times: int, seed: int) -> list[object]:
    """Two reviewers, one of whom is killed each time; the journal grows over all rounds."""
    from ursa.clean.decisions.journal import read_journal
    from ursa.workspace import Workspace

    place.mkdir()
    space = Workspace.open(place)
    said: set[str] = set()
    killed = lost = whole = 0
    for number in range(times):
        draw = random.Random(f"{seed} {number}")
        first, second = reviewer(place, draw.randint(1, 50)), reviewer(place, draw.randint(1, 50))
        time.sleep(draw.uniform(0, SLOWEST))
        os.kill(first[0], signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(first[0], 0)[1])
        time.sleep(0.01)
        os.kill(second[0], signal.SIGTERM)
        os.waitpid(second[0], 0)
        for _, pipe in (first, second):
            with os.fdopen(pipe, "rb") as file:
                said |= {line.decode().strip() for line in file if line.endswith(b"\n")}
        read = read_journal(space)
        lost += len(said - {entry.key for entry in read.entries})
        whole += read.damaged == 0
        if number % 20 == 19:  # a journal of a day, not of a year
            (space.root / "decisions.jsonl").unlink()
            print(f"{number + 1} kills, {len(said):,} decisions said to be saved, lost {lost}", flush=True)
            said.clear()
    return ["a process that saves decisions", times, killed, lost, f"{whole} of {times}", ""]


def reviewer(place: Path, at_once: int) -> tuple[int, int]:
    """A process that decides until it is ended -> its number, and a pipe with the keys of what was saved."""
    from ursa.clean.decisions.decision import Decision
    from ursa.clean.decisions.journal import append
    from ursa.workspace import Workspace

    out, into = os.pipe()
    child = os.fork()
    if child:
        os.close(into)
        return child, out
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(out)
        os.set_blocking(into, False)
        space, count = Workspace.of(place), 0
        while count < 600:  # as many keys as a pipe holds unread
            some = [
                Decision(f"{count + n:064x}", "label", f"black/{n}.jpg", "white", why="x" * 50) for n in range(at_once)
            ]
            append(space, some)
            os.write(into, "".join(f"{one.key}\n" for one in some).encode())
            count += at_once
        time.sleep(60)
    finally:
        os._exit(1)


def moving(name: str, place: Path, times: int, seed: int) -> list[object]:
    """`apply --move`, or `revert` after it, killed and done again."""
    revert = name == "revert"
    given, applied = place / "given", place / "applied"
    in_child(lambda: prepared(given))
    copied(given, applied)
    in_child(lambda: carried_out(applied))
    start, wanted, seconds = applied if revert else given, files(given if revert else applied), []
    trial, act = place / "trial", lambda: taken_back(trial) if revert else carried_out(trial)
    for _ in range(5):
        copied(start, trial)
        began = time.perf_counter()
        in_child(act)
        seconds.append(time.perf_counter() - began)
        assert files(trial) == wanted
    contents, before = set(files(given).values()), files(start)
    halfway = lost = whole = 0
    for number in range(times):
        copied(start, trial)
        in_child(act, until=random.Random(f"{name} {seed} {number}").uniform(0.3, 1.1) * median(seconds))
        halfway += files(trial) not in (before, wanted)
        lost += len(contents - {path.read_bytes() for path in trial.rglob("*") if path.is_file()})
        in_child(act)
        whole += files(trial) == wanted
    return [f"`ursa {name}`", times, halfway, lost, f"{whole} of {times}", f"{median(seconds):.2f}"]


def in_child(act: Callable[[], object], *, until: float | None = None) -> None:
    """A process of its own, killed after so many seconds. This one never uses polars, whose threads a fork loses."""
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(0)
    if until is not None:
        time.sleep(until)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def carried_out(folder: Path) -> None:
    from ursa.workflow.deciding.apply import apply

    apply(folder, move=True, progress=False)


def taken_back(folder: Path) -> None:
    from ursa.workflow.deciding.apply import revert

    revert(folder, progress=False)


def prepared(folder: Path) -> None:
    """A folder of pictures, half of which something is decided of."""
    from ursa.workflow.deciding.decide import decide

    for number in range(PICTURES):
        file = folder / ("black", "white")[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(random.Random(number).randbytes(5000))
    ids = [f"{('black', 'white')[n % 2]}/{n}.jpg" for n in range(PICTURES // 2)]
    decide(folder, ids[::2], "delete")
    decide(folder, ids[1::4], label="black")
    decide(folder, ids[3::4], label="brown", new_class=True)


def copied(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(folder, to))


def files(folder: Path) -> dict[str, bytes]:
    """The pictures, wherever they lie, the removed ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix == ".jpg" and path.is_file()
    }


if __name__ == "__main__":
    main()
