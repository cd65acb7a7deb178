"""Ctrl-C: the first one stops cleanly, which may take a moment; a second one ends the process at once."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

INTERRUPTED = 130  # 128 + SIGINT, as shells count it

# Two signals as close as this are one press: a launcher (make, uv run) passes on what its child has got already.
ONE_PRESS = 0.3  # seconds


@contextlib.contextmanager
def second_ends() -> Iterator[None]:
    """Inside, and until the process ends, a second Ctrl-C ends it without a word, whatever it is at.

    The presses are heard from the signal's own wake-up descriptor, beside whatever handler Python code has put in
    place: the main thread may be deep inside a library, or waiting for threads. Only the main thread can arrange this.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    if before != -1:  # somebody listens already
        signal.set_wakeup_fd(before)
        ours.close()
        theirs.close()
        yield
        return
    threading.Thread(target=_listen, args=(ours, theirs), name="ctrl-c", daemon=True).start()
    yield


def no_more() -> None:
    """Once the command has been stopped, further presses interrupt nothing: they only end."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _noted)


def _noted(_number: int, _frame: object) -> None:
    """Not SIG_IGN: with that the wake-up descriptor would hear nothing."""


def _listen(ours: socket.socket, theirs: socket.socket) -> None:  # `theirs` is kept open by being held here
    first: float | None = None
    while data := ours.recv(64):
        if signal.SIGINT not in data:
            continue
        if first is not None and time.monotonic() - first > ONE_PRESS:
            _end()
        first = first or time.monotonic()
    theirs.close()


def _end() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb"):
            os.write(sys.stderr.fileno(), b"\r\033[2K\033[?25h")  # a progress bar hides the cursor
    os._exit(INTERRUPTED)
