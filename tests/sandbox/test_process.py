"""Worker processes: begun clean, ended with a known status, none left over; how they ended in words."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ursa.errors import UrsaError
from ursa.sandbox import process
from ursa.sandbox.process import ForkServer, python, ran_out_of_time, told

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")


@pytest.fixture(scope="module")
def server():
    made = ForkServer(1 << 30)
    yield made
    made.close()


def ended_by(code: str) -> int:
    """The status of a child that does this."""
    child = os.fork()
    if child == 0:
        exec(code, {"os": os, "signal": signal})
        os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize(
    ("code", "said", "late"),
    [
        ("os._exit(0)", "ended with status 0", False),
        ("os._exit(7)", "ended with status 7", False),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL", False),
        (
            "os.kill(os.getpid(), signal.SIGXCPU)",
            "ended by SIGXCPU",
            True,
        ),
    ],
)
def test_how_a_process_ended_in_words(code, said, late):
    status = ended_by(code)
    assert told(status) == said and ran_out_of_time(status) == late


def test_how_a_process_ended_that_nobody_waited_for():
    assert told(None) == "the process ended" and not ran_out_of_time(None)


def test_a_worker_that_is_let_go_ends_by_itself_with_status_0(server):
    worker = server.start()
    assert server.end(worker) == 0
    assert server.end(worker) is None  # it was waited for: nobody knows any more
    worker.shared.close()


def test_a_worker_that_was_killed_says_so(server):
    worker = server.start()
    os.kill(worker.process, signal.SIGKILL)
    assert told(server.end(worker)) == "ended by SIGKILL"
    worker.shared.close()


def test_a_worker_that_does_not_go_is_ended_after_the_patience(server):
    worker = server.start()
    os.kill(worker.process, signal.SIGSTOP)
    begun = time.monotonic()
    assert told(server.end(worker, patience=0.1)) == "ended by SIGKILL"
    assert 0.1 <= time.monotonic() - begun < 5
    worker.shared.close()


def test_a_process_that_is_none_of_its_own_is_neither_waited_for_nor_ended(server):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        worker = server.start()
        assert server._ask(process._ORDER.pack(process.WAIT, other.pid, 0.0), []) == -1
        assert other.poll() is None
        server.end(worker)
        worker.shared.close()
    finally:
        other.kill()
        other.wait()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open descriptors are counted in /proc")
def test_starting_and_ending_workers_leaves_no_descriptor_and_no_process(server):
    def cycle() -> None:
        worker = server.start()
        server.end(worker)
        worker.shared.close()

    cycle()
    forked_from = server._process.pid
    counts = []
    for _ in range(3):
        for _ in range(3):
            cycle()
        counts.append([len(os.listdir(f"/proc/{pid}/fd")) for pid in (forked_from, os.getpid())])
    assert counts[0] == counts[1] == counts[2]
    children = Path(f"/proc/{forked_from}/task/{forked_from}/children")
    assert not children.exists() or children.read_text().split() == []


def test_closing_twice_or_unused_is_nothing_and_a_closed_one_begins_again():
    made = ForkServer(1 << 30)
    made.close()
    made.close()
    worker = made.start()
    first = made._process.pid
    made.close()
    again = made.start()
    assert made._process.pid != first
    for one in (worker, again):
        one.connection.close()
        one.shared.close()
    made.close()


def test_a_start_that_fails_leaves_no_descriptor_behind(monkeypatch):
    made = ForkServer(1 << 30)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(3):
        with pytest.raises(UrsaError, match="cannot start a process") as problem:
            made.start()
    assert "python" in problem.value.found and problem.value.fix
    assert not before or len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_new_python_sees_our_modules_and_none_of_our_secrets(monkeypatch):
    monkeypatch.setenv("URSA_SECRET", "s3cret")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/somewhere")
    code = "import os, ursa; print(sorted(os.environ), ursa.__file__, os.getsid(0) == os.getpid(), sys.flags.isolated)"
    told_ = python(code, stdout=subprocess.PIPE).communicate(timeout=60)[0].decode()
    assert "URSA_SECRET" not in told_ and "'LD_LIBRARY_PATH'" in told_ and "'OMP_NUM_THREADS'" in told_
    assert "HOME" not in told_ and "'PATH'" not in told_
    assert told_.split()[-2:] == ["True", "1"]  # out of reach of the terminal's signals; no site of the user's
    import ursa

    assert ursa.__file__ in told_
