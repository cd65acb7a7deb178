"""Commands and scripts as processes of their own, forked from one that has imported what takes seconds to import.

A command of `ursa` spends most of a second, `ursa train` four, on imports; the tests run it some two hundred times. The
children are true processes: own exit code, output, folder, signals. What is read while importing (the environment) is
that of the tests: who sets another one starts a process from scratch.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NoReturn

IMPORTED = (
    "matplotlib.figure",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "polars",
    "scipy.optimize",
    "sklearn.linear_model",
    "timm",
    "torch.onnx",
    "torchvision",
    "ursa.cli.commands",
    "ursa.export.write_bundle",
    "ursa.learner.learner",
    "ursa.workflow.check",
    "ursa.workflow.train",
)


class Forked:
    """run(["ursa", "check", ...], cwd) or run(["python", text], cwd) -> the finished process."""

    def __init__(self) -> None:
        self.server: subprocess.Popen[str] | None = None

    def run_in(self, terminal: str, command: list[str], cwd: Path, env: dict[str, str], timeout: float = 240) -> int:
        """The exit code of a command whose output goes to a terminal, in this environment."""
        job = {"command": command, "cwd": str(cwd), "out": terminal, "err": terminal, "env": env}
        return self._asked(job, timeout)

    def run(self, command: list[str], cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        if not hasattr(os, "fork"):
            first = [str(Path(sys.executable).with_name("ursa"))] if command[0] == "ursa" else [sys.executable, "-c"]
            whole = [*first, *command[1:]]
            return subprocess.run(whole, cwd=cwd, capture_output=True, text=True, timeout=timeout)
        with tempfile.TemporaryDirectory() as place:
            out, err = Path(place, "out"), Path(place, "err")
            code = self._asked({"command": command, "cwd": str(cwd), "out": str(out), "err": str(err)}, timeout)
            return subprocess.CompletedProcess(command, code, *(path.read_text("utf-8") for path in (out, err)))

    def _asked(self, job: dict[str, object], timeout: float) -> int:
        if self.server is None or self.server.poll() is not None:
            start = [sys.executable, __file__]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self.server = subprocess.Popen(start, **pipes, start_new_session=True)
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(json.dumps(job) + "\n")
        self.server.stdin.flush()
        if not select.select([self.server.stdout], [], [], timeout)[0]:
            self.close()
            raise subprocess.TimeoutExpired(str(job["command"]), timeout)
        answer = self.server.stdout.readline()
        assert answer, "the process that forks has ended"
        return int(answer)

    def close(self) -> None:
        """Ends the process that forks, and a child that it waits for."""
        if self.server is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.server.pid, signal.SIGKILL)
            self.server.communicate()


def serve() -> None:
    """Jobs on stdin, one at a time -> exit codes on stdout."""
    import importlib

    for name in IMPORTED:
        importlib.import_module(name)
    while line := sys.stdin.readline():
        job = json.loads(line)
        child = os.fork()
        if not child:
            work(job)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def work(job: dict[str, object]) -> NoReturn:
    """As a process of its own does it."""
    os.chdir(str(job["cwd"]))
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, job["out"], os.O_WRONLY | os.O_CREAT | os.O_NOCTTY),
        (2, job["err"], os.O_WRONLY | os.O_CREAT | os.O_NOCTTY),
    ):
        file = os.open(str(path), flags, 0o600)
        os.dup2(file, number)
        os.close(file)
    if isinstance(environment := job.get("env"), dict):
        os.environ.clear()
        os.environ.update(environment)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)  # anew: those there believe in a file
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    command = job["command"]
    assert isinstance(command, list)
    code = 0
    try:
        if command[0] == "ursa":
            from ursa.cli import main

            sys.argv = command
            main()
        else:
            sys.argv = ["-c"]
            exec(compile(command[1], "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, the child ends with it
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # libraries would wait for threads that they had begun before the fork


if __name__ == "__main__":
    sys.path[0] = ""  # not the tests' folder: as for a command, or for -c
    serve()
