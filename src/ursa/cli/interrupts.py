"""Ctrl-C: the first one stops cleanly, which may take a moment; a second one ends the process at once."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time

INTERRUPTED = 130  # 128 + SIGINT, as shells count it

# Two signals as close as this are one press: a launcher (make, uv run) passes on what its child has got already.
ONE_PRESS = 0.3  # seconds

_PING = b"\0"  # no signal has this number
_told: list[socket.socket] = []  # where the numbers of signals are written to
_heard = threading.Event()


def a_second_ends() -> None:
    """From now on until the process ends, a second Ctrl-C ends it without a word, whatever it is at.

    For processes that are a command, and nobody else's: in a notebook the second of two presses may be an hour later.
    The presses are heard from the signal's own wake-up descriptor, beside whatever handler Python code has put in
    place: the main thread may be deep inside a library, or waiting for threads. Only the main thread can arrange this.
    """
    if threading.current_thread() is not threading.main_thread() or _told:
        return
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    if before != -1:  # somebody listens already
        signal.set_wakeup_fd(before)
        ours.close()
        theirs.close()
        return
    _told.append(theirs)  # kept open until the process ends
    threading.Thread(target=_listen, args=(ours,), name="ctrl-c", daemon=True).start()


def no_more() -> None:
    """Once the command has been stopped, further presses interrupt nothing: they only end.

    One that is on its way already ends the process here, before anything is said.
    """
    if threading.current_thread() is not threading.main_thread() or not _told:
        return
    signal.signal(signal.SIGINT, _noted)
    _heard.clear()
    _told[-1].send(_PING)
    _heard.wait(1)


def _noted(_number: int, _frame: object) -> None:
    """Not SIG_IGN: with that the wake-up descriptor would hear nothing."""


def _listen(ours: socket.socket) -> None:
    first: float | None = None
    while data := ours.recv(1):
        if data == _PING:
            _heard.set()
        elif data[0] == signal.SIGINT:
            if first is not None and time.monotonic() - first > ONE_PRESS:
                _end()
            first = first or time.monotonic()


def _end() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty() and os.environ.get("TERM") not in (None, "", "dumb"):
            os.write(sys.stderr.fileno(), b"\r\033[2K\033[?25h")  # a progress bar hides the cursor
    os._exit(INTERRUPTED)
