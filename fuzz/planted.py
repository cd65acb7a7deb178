"""Targets that fail on purpose where a case holds DE AD: they prove that the harness sees what it is there to see."""

import os
import time
from random import Random

from fuzz.target import LawError, Target
from ursa.errors import DataError

TRIGGER = b"\xde\xad"
_soon: list[int] = []  # cases that are left until `late` ends


def case(rng: Random) -> bytes:
    """Some 40 bytes; one in 25 holds the trigger."""
    data = rng.randbytes(rng.randint(20, 60))
    at = rng.randrange(len(data))
    return data[:at] + TRIGGER + data[at:] if rng.random() < 0.04 else data.replace(TRIGGER, b"")


def refuses(data: bytes) -> None:
    """Never fails."""
    if data[:1] < b"\x80":
        raise DataError("refused", fix="nothing")


def raises(data: bytes) -> None:
    """KeyError, and a law that is broken, in two places."""
    if TRIGGER in data:
        raise KeyError(len(data))
    if b"\xbe\xef" in data:
        raise LawError("no")


def aborts(data: bytes) -> None:
    """SIGABRT."""
    if TRIGGER in data:
        os.abort()


def late(data: bytes) -> None:
    """SIGABRT three cases later, as a damaged heap does."""
    if TRIGGER in data and not _soon:
        _soon.append(3)
    elif _soon:
        _soon[0] -= 1
        if _soon[0] == 0:
            os.abort()


def loops(data: bytes) -> None:
    """Uses its CPU for ever."""
    while TRIGGER in data:
        pass


def waits(data: bytes) -> None:
    """Sleeps for ever."""
    if TRIGGER in data:
        time.sleep(1000)


def grows(data: bytes) -> None:
    """Takes 150 MB."""
    if TRIGGER in data:
        bytearray(150 << 20)[::4096] = b"x" * (150 << 8)


def nothing() -> None:
    """Nothing to warm up."""


TARGETS = (
    Target("refuses", case, refuses, nothing),
    Target("raises", case, raises, nothing),
    Target("aborts", case, aborts, nothing),
    Target("late", case, late, nothing),
    Target("loops", case, loops, nothing, seconds=0.1),
    Target("waits", case, waits, nothing, seconds=0.02),
    Target("grows", case, grows, nothing, megabytes=100),
)
