"""The command as users run it: a process of its own."""

import contextlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

URSA = str(Path(sys.executable).with_name("ursa"))


@pytest.fixture(scope="session")
def ursa(forked):
    """ursa("check", folder, cwd=...) -> the finished process, its output as text.

    With an environment or other options of its own it is started from scratch.
    """

    def run(*arguments, cwd=None, **options):
        command = [*map(str, arguments)]
        if not options:
            return forked.run(["ursa", *command], cwd or Path.cwd())
        return subprocess.run([URSA, *command], capture_output=True, text=True, timeout=240, cwd=cwd, **options)

    return run


@pytest.fixture(scope="session")
def ursa_command():
    return URSA


@pytest.fixture(scope="session")
def in_terminal(forked):
    """in_terminal(command, cwd=...) -> (exit code, all bytes that it wrote), in a terminal that changes none.

    With `forked=True` it is forked, which saves its imports: where nothing of the environment is read while importing.
    """
    termios, pty = pytest.importorskip("termios"), pytest.importorskip("pty")

    def terminal():
        ours, theirs = pty.openpty()
        settings = termios.tcgetattr(theirs)
        settings[1] &= ~termios.OPOST  # it would write \r\n for \n
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        return ours, theirs

    def run_forked(command, cwd, env):
        ours, theirs = terminal()
        with ThreadPoolExecutor(1) as beside:
            seen = beside.submit(everything, ours)
            try:
                code = forked.run_in(os.ttyname(theirs), ["ursa", *map(os.fsdecode, command[1:])], cwd, env)
            finally:
                os.close(theirs)
            seen = seen.result(60)
        os.close(ours)
        return code, seen

    def everything(ours):
        seen = b""
        with contextlib.suppress(OSError):  # EIO once the other end is closed
            while data := os.read(ours, 65536):
                seen += data
        return seen

    def run(command, forked=False, **options):
        if forked and hasattr(os, "fork"):
            return run_forked(command, **options)
        ours, theirs = terminal()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, **options) as process:
            os.close(theirs)
            seen = everything(ours)
            os.close(ours)
        return process.returncode, seen

    return run
