"""The stack that signals are handled on: one that a library sets is taken back, so that Ctrl-C finds one."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator


class _Stack(ctypes.Structure):
    _fields_ = (("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))  # stack_t of Linux


@contextlib.contextmanager
def own_signal_stack() -> Iterator[None]:
    """Inside, a library may set another alternate signal stack for this thread (sigaltstack); at the end the one of
    before is set again.

    OpenVINO sets one on processors with AMX, and frees it with its last network, in whatever thread that happens:
    Python's handlers run on the alternate stack, so that the next Ctrl-C ended the process (tests/embed).
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    before, system = _Stack(), ctypes.CDLL(None)
    known = system.sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            system.sigaltstack(ctypes.byref(before), None)
