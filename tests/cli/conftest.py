"""The command as users run it: a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

URSA = str(Path(sys.executable).with_name("ursa"))


@pytest.fixture(scope="session")
def ursa():
    """ursa("check", folder, cwd=...) -> the finished process, its output as text."""

    def run(*arguments, **options):
        command = [URSA, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, **options)

    return run


@pytest.fixture(scope="session")
def ursa_command():
    return URSA
