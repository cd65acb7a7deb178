"""A child: makes cases, runs them one after the other, and says what it saw. It may die at any of them."""

import faulthandler
import importlib
import os
import resource
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import TextIO

from fuzz.findings import Finding, of_exception
from fuzz.record import Record
from fuzz.target import Target
from fuzz.values import LARGEST

ABOVE = 8 << 30  # bytes of address space beyond what the child has when it begins, of which workers map 3 each
READY = "ready"
SLICE = 0.4  # seconds of work between two answers


class Child:
    """One target in one process. Answers ("batch", seed, first, most) and ("one", data, times) until None comes."""

    def __init__(self, target: Target, record: Record) -> None:
        self.target, self.record = target, record
        self.full = False  # memory grew: a fresh process has to go on, or all that follow would look guilty
        self.known: set[tuple[str, ...]] = set()

    def batch(self, seed: str, first: int, most: int) -> tuple[int, int, float, list[Finding]]:
        """-> (cases run, cases that were not refused, seconds of CPU, findings)."""
        end, before, done, sound, found = time.monotonic() + SLICE, time.process_time(), 0, 0, []
        while done < most and not self.full and time.monotonic() < end:
            data = self.target.case(Random(f"{seed} {self.target.name} {first + done}"))[:LARGEST]
            finding = self.run(data)
            done += 1
            if finding is None:
                continue
            if isinstance(finding, str):
                sound += 1
            elif finding.signature in self.known:
                finding.data = b""  # counted, not sent again
                found.append(finding)
            else:
                self.known.add(finding.signature)
                found.append(finding)
        return done, sound, time.process_time() - before, found

    def run(self, data: bytes) -> Finding | str | None:
        """What this case did: "sound", None where it was refused, or a finding. Over its CPU time it ends us."""
        from ursa.errors import UrsaError

        self.record.begin(data)
        before = _peak()
        outcome: Finding | str | None = "sound"
        signal.setitimer(signal.ITIMER_PROF, self.target.seconds)
        try:
            self.target.run(data)
        except UrsaError:
            outcome = None
        except BaseException as problem:  # a panic of a Rust library is a BaseException, and so is SystemExit
            outcome = of_exception(self.target.name, problem, data, self.target.kind(data))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        grown = (_peak() - self.base) >> 20
        if grown > self.target.megabytes and _peak() > before:
            self.full = True
            if not isinstance(outcome, Finding):
                what = f"over {self.target.megabytes} MB"
                about = self.target.kind(data)
                outcome = Finding(self.target.name, "memory", what, "", about, data, detail=f"{grown} MB")
        return outcome

    def begin(self) -> None:
        """Import and try what the target needs; what memory that takes is not counted."""
        self.target.warm()
        self.base = _peak()


def main(connection: Connection, folder: str, module: str, name: str, name_of_record: str) -> None:
    """The process: limits, a quiet terminal, then batches until the parent closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115  as long as the process
    record = Record(Path(folder) / name_of_record)
    targets: tuple[Target, ...] = importlib.import_module(module).TARGETS
    child = Child(next(target for target in targets if target.name == name), record)
    place = Path(folder) / f"{name_of_record}.files"
    place.mkdir()
    os.chdir(place)
    child.begin()
    _limit(open(Path(folder) / f"{name_of_record}.stack", "w"))  # noqa: SIM115
    connection.send(READY)
    try:
        while (asked := connection.recv()) is not None:
            if asked[0] == "batch":
                connection.send((*child.batch(*asked[1:]), child.full))
            else:
                _, data, times = asked
                found = [outcome for outcome in (child.run(data) for _ in range(times)) if isinstance(outcome, Finding)]
                connection.send(found[0] if found else None)
    except Exception:  # the fuzzer's own fault: no finding
        connection.send(traceback.format_exc())


def _limit(stack: TextIO) -> None:
    """Stacks of a crash or an overrun go into a file; no core dumps; memory ends before the machine's does."""
    faulthandler.enable(stack)
    for overrun in (signal.SIGPROF, signal.SIGALRM):  # of CPU, and of the parent's patience
        faulthandler.register(overrun, stack, all_threads=True, chain=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + ABOVE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _peak() -> int:
    """Bytes that this process had in memory at most."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
