"""However a command ends, it says so in one readable block, with its exit code, and without a traceback."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import typer

from ursa.cli.guard import explained, guarded
from ursa.errors import DataError

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="pipes, /dev/full and SIGINT as POSIX has them")


def ended(problem, capsys, **options):
    """(exit code, stdout, stderr) of a command that raises this."""

    @guarded
    def command(json_=False, debug=False):
        raise problem

    with pytest.raises(SystemExit) as over:
        command(**options)
    out, err = capsys.readouterr()
    return over.value.code, out, err


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (DataError("no pictures", found="nothing", fix="add some"), 2, "Error: no pictures\n  found: nothing\n"),
        (ValueError("x\x1b[2J\nmore"), 70, "this is a bug in Ursa"),
        (RecursionError("maximum recursion depth exceeded"), 70, "this is a bug in Ursa"),
        (AssertionError(), 70, "AssertionError"),
        (MemoryError(), 70, "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/x\x1b[2J"), 70, "No space left on device: /x\\x1b[2J"),
        (PermissionError(errno.EACCES, "Permission denied", "secret"), 70, "Permission denied: secret"),
        (OSError("decoder gave up"), 70, "decoder gave up"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), 70, "this is a bug in Ursa"),
    ],
)
def test_any_exception_is_one_readable_block(problem, code, words, capsys):
    ended_with, out, err = ended(problem, capsys)
    assert ended_with == code
    assert out == ""
    assert words in err
    assert "fix:" in err
    assert "Traceback" not in err
    assert "\x1b" not in err
    assert len(err.splitlines()) == 3


def test_it_is_a_document_where_documents_are_asked_for(capsys):
    code, out, err = ended(ZeroDivisionError("division by zero"), capsys, json_=True)
    assert code == 70
    assert json.loads(out).keys() == {"error", "found", "fix"}
    assert "Error: this is a bug" in err


def test_debug_shows_the_traceback_and_the_exit_code_stays(capsys):
    code, _, err = ended(DataError("no \x1b[2J", fix="x"), capsys, debug=True)
    assert code == 2
    assert "Traceback" in err
    assert "test_guard.py" in err
    assert "\x1b" not in err


def test_a_bug_names_its_place(capsys):
    @guarded
    def command():
        from ursa.core.labels import Labels

        Labels.of(3)

    with pytest.raises(SystemExit):
        command()
    assert "core/labels.py line" in capsys.readouterr().err


def test_an_exit_code_of_ours_passes():
    @guarded
    def command():
        raise typer.Exit(1)

    with pytest.raises(typer.Exit):
        command()


@POSIX
@pytest.mark.parametrize("arguments", [("--version",), ("check", "nowhere", "--json")])
def test_a_full_disk_behind_stdout_is_said_once(ursa_command, arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run([ursa_command, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode in (2, 70)
    assert done.stderr.count("Error:") == 1
    assert "Exception ignored" not in done.stderr
    assert "Traceback" not in done.stderr


@POSIX
def test_a_reader_that_has_gone_ends_it_silently(ursa_command):
    ours, theirs = os.pipe()
    os.close(ours)
    with open(theirs, "wb") as gone:
        done = subprocess.run([ursa_command, "--version"], stdout=gone, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")


@POSIX
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_reason_to_fail(ursa_command, closed, tmp_path):
    script = f'"$1" check nowhere {closed}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", ursa_command], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_ctrl_c_while_the_command_is_being_loaded_leaves_no_traceback():
    code = """
import builtins, os, signal, sys
real = builtins.__import__
def slow(name, *rest, **more):
    if name == "ursa.cli.commands":
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest, **more)
builtins.__import__ = slow
from ursa.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, b"")


SLOW = """
import concurrent.futures, sys, time
from ursa.cli.guard import explained, guarded
from ursa.cli.interrupts import a_second_ends

@guarded
def command():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 60)
        print("begun", flush=True)
        time.sleep(60)

a_second_ends()
command()
"""


@POSIX
def test_a_second_ctrl_c_ends_at_once_and_without_a_word():
    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)  # the first one waits for the thread, which cannot be interrupted
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)  # "at once" and not after a minute
        finally:
            process.kill()
    assert (process.returncode, said) == (130, b"")


def test_a_command_called_inside_another_program_leaves_its_ctrl_c_alone():
    @guarded
    def stopped():
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    for _ in range(2):
        with pytest.raises(SystemExit) as end:
            stopped()
        assert end.value.code == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.set_wakeup_fd(-1) == -1


@POSIX
def test_two_signals_of_one_press_are_one():
    """A launcher passes Ctrl-C on to its child, which the terminal has told already."""
    slow = SLOW.replace("time.sleep, 60", "time.sleep, 3")
    with subprocess.Popen([sys.executable, "-c", slow], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert b"Stopped." in said


@pytest.mark.parametrize(("module", "extra"), [("polars", "learn"), ("sklearn.cluster", "learn"), ("uvicorn", "serve")])
def test_a_package_of_an_extra_that_is_not_installed_is_named_with_the_way_to_install_it(module, extra):
    told, code = explained(ModuleNotFoundError(f"No module named {module!r}", name=module))
    assert code == 2 and told.fix == f"python -m pip install 'ursa-learn[{extra}]'"
    assert repr(extra) in told.what and repr(module) in told.found


@pytest.mark.parametrize("module", ["", "nothing_of_ursa", "ursa.gone", "pol"])
def test_a_module_that_no_extra_installs_is_a_bug(module):
    told, code = explained(ModuleNotFoundError(f"No module named {module!r}", name=module))
    assert code == 70 and "bug" in told.what
