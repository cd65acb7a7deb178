"""Runs: each has a folder of its own, an order that no clock decides, and one process at a time."""

import datetime
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ursa.errors import DataError, TrainingError
from ursa.workflow import runs
from ursa.workspace import Workspace

BEGIN = """
import sys
from pathlib import Path
from ursa.workflow import runs
from ursa.workspace import Workspace

space = Workspace.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
with runs.begun(space, "fp32") as run:
    print(run.name, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def space(tmp_path) -> Workspace:
    return Workspace.open(tmp_path)


@pytest.fixture
def processes(tmp_path, space) -> Iterator[list[subprocess.Popen]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", BEGIN, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    try:
        for process in started:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def go_on(process: subprocess.Popen) -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def with_checkpoints(space: Workspace, run: runs.Run) -> None:
    space.checkpoints(run.name).mkdir(parents=True)
    (space.checkpoints(run.name) / "step-000000001-best-00000.safetensors").touch()


def begin(space: Workspace, precision: str = "fp32") -> runs.Run:
    with runs.begun(space, precision) as run:
        with_checkpoints(space, run)
    return run


def test_processes_that_begin_in_one_moment_have_folders_of_their_own(space, processes):
    for process in processes:
        process.stdin.write("\n")
    for process in processes:
        process.stdin.flush()
    names = {process.stdout.readline().strip() for process in processes}
    assert len(names) == 4 and all((space.run(name) / "run.json").exists() for name in names)


def test_a_run_that_another_process_trains_is_neither_taken_nor_shared_and_a_killed_one_is_free(space, processes):
    before = begin(space)
    name = go_on(processes[0])
    with_checkpoints(space, runs.Run(name))
    assert runs.resumed(space, None, timed=False) == before  # although the other one is newer
    with pytest.raises(TrainingError, match=f"another process is training the run {name}") as problem:
        runs.resumed(space, name, timed=False)
    assert before.name in problem.value.found
    processes[0].kill()
    processes[0].wait()
    assert runs.resumed(space, None, timed=False).name == name


def test_a_clock_that_was_set_back_changes_no_order(space, monkeypatch):
    class Clock(datetime.datetime):
        years = iter((2031, 2030, 2029))

        @classmethod
        def now(cls, tz=None):
            return cls(next(cls.years), 1, 1, tzinfo=tz)

    monkeypatch.setattr(runs.datetime, "datetime", Clock)
    begun = [begin(space) for _ in range(3)]
    assert [run.number for run in begun] == [1, 2, 3]
    assert [run.name[:4] for run in begun] == ["2031", "2030", "2029"]
    assert runs.unfinished(space) == begun
    assert runs.resumed(space, None, timed=False) == begun[-1]
    assert runs.resumed(space, begun[0].name, timed=False) == begun[0]


def test_a_name_that_is_none_is_answered_with_those_that_are(space):
    one, other = begin(space), begin(space)
    for name in ("../../outside", "2020", ""):
        with pytest.raises(DataError, match="no unfinished run") as problem:
            runs.resumed(space, name, timed=False)
        assert one.name in problem.value.found and other.name in problem.value.found
    with pytest.raises(TrainingError, match="limit of time"):
        runs.resumed(space, None, timed=True)


def test_what_a_run_was_begun_with_is_known_again(space):
    assert begin(space, "bf16").ours
    (run,) = runs.known(space)
    assert (run.precision, run.number, run.ours) == ("bf16", 1, True)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", json.dumps({"number": 1e300, "precision": "int8"}), json.dumps({"number": -5}), "[" * 60_000],
)
def test_a_damaged_record_says_nothing_and_a_foreign_one_is_known_to_be(space, text):
    run = begin(space)
    (space.run(run.name) / "run.json").write_text(text)
    assert runs.known(space) == [runs.Run(run.name)]
    assert not runs.known(space)[0].ours


def test_runs_of_an_earlier_ursa_come_first(space):
    old = runs.Run("20990101-000000")
    with_checkpoints(space, old)
    new = begin(space)
    assert runs.unfinished(space) == [old, new]


def test_a_file_in_the_place_of_the_runs_is_named(space):
    space.runs.write_text("in the way")
    with pytest.raises(DataError, match="runs"):
        begin(space)


def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(disk):
    folder = disk("1m", read_only=True, holding=Workspace.open)
    with pytest.raises(DataError, match="cannot write") as problem:
        begin(Workspace.open(folder))
    assert "--workspace DIR" in problem.value.fix


def test_a_lock_is_not_made_through_a_link(space, tmp_path):
    run = begin(space)
    (space.run(run.name) / "lock").unlink()
    (space.run(run.name) / "lock").symlink_to(tmp_path / "made")
    with pytest.raises(DataError, match="lock"), runs.held(space, run):
        pass
    assert not (tmp_path / "made").exists()
