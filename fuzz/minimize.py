"""A finding -> the smallest case that still does it, within a budget (delta debugging, Zeller and Hildebrandt 2002)."""

import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from pathlib import Path

from fuzz.findings import Finding
from fuzz.target import Target
from fuzz.worker import Worker

AGAIN = 20  # times a case that crashed is run again: what it does to the heap may show only then


class Runner:
    """Runs single cases of a target in children, a new one after each death."""

    def __init__(self, made: ForkServerContext, folder: Path, module: str, target: Target) -> None:
        self._arguments = made, folder, module, target
        self._worker: Worker | None = None

    def outcome(self, data: bytes, times: int = 1, *, fresh: bool = False) -> Finding | None:
        """What this case does, None where nothing is wrong with it."""
        if fresh:
            self.close()
        if self._worker is None:
            self._worker = Worker(*self._arguments)
            _wait(self._worker)
            self._worker.answer()
        worker = self._worker
        worker.ask("one", data, times)
        _wait(worker)
        try:
            said: Finding | None = worker.answer()
        except EOFError:
            said = worker.death()
            self.close()
        return said

    def close(self) -> None:
        """End the child."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def minimized(finding: Finding, runner: Runner, seconds: float) -> Finding:
    """The same finding with a smaller case, or, where it was another case that did the damage, with that one."""
    end = time.monotonic() + seconds
    culprit = _culprit(finding, runner, end)
    if culprit is None:
        return replace(finding, reproduced=False)

    def still(data: bytes) -> bool:
        again = runner.outcome(data, 4 if finding.kind == "crash" else 1, fresh=finding.kind == "memory")
        return again is not None and _same(again, culprit)

    small = shrunk(culprit.data, still, end)
    again = runner.outcome(small, AGAIN if finding.kind == "crash" else 1, fresh=finding.kind == "memory")
    last = again if again is not None and _same(again, culprit) else culprit
    return replace(last, data=small if last is again else culprit.data, seen=finding.seen, second=finding.second)


def shrunk(data: bytes, still: Callable[[bytes], bool], end: float) -> bytes:
    """The shortest data found until `end` for which `still` holds: parts left out, then bytes made zero."""
    size = max(1, len(data) // 2)
    while time.monotonic() < end:
        at, before = 0, len(data)
        while at < len(data) and time.monotonic() < end:
            shorter = data[:at] + data[at + size :]
            if still(shorter):
                data = shorter
            else:
                at += size
        if size == 1 and len(data) == before:
            break
        size = max(1, size // 2)
    for at in range(len(data)):
        if time.monotonic() > end:
            break
        zeroed = data[:at] + b"\0" + data[at + 1 :]
        if data[at] and still(zeroed):
            data = zeroed
    return data


def _culprit(finding: Finding, runner: Runner, end: float) -> Finding | None:
    """The finding as one case alone makes it: the one that ran, else one that ran shortly before."""
    times = AGAIN if finding.kind == "crash" else 1
    for data in [finding.data, *finding.recent]:
        again = runner.outcome(data, times, fresh=finding.kind == "memory")
        if again is not None and again.kind == finding.kind:
            return again
        if time.monotonic() > end:
            break
    return None


def _same(one: Finding, other: Finding) -> bool:
    """Of the same kind; an exception also of the same type and place."""
    if one.kind != other.kind:
        return False
    return one.kind != "exception" or (one.what, one.where) == (other.what, other.where)


def _wait(worker: Worker) -> None:
    while not worker.connection.poll(0.2):
        worker.hurry()
