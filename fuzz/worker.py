"""The parent's side of a child: ask it, see it die, know what it was running."""

import multiprocessing
import os
import shutil
import signal
import time
import uuid
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from fuzz import child
from fuzz.child import READY
from fuzz.findings import ROOT, Finding, of_death
from fuzz.record import Record
from fuzz.target import Target

PATIENCE = 20.0  # seconds of the clock for each second of CPU that a case may take: machines are shared
BEGINNING = 120.0  # seconds until a child has imported what it needs


def context(preload: str = "fuzz.preload") -> ForkServerContext:
    """Where children come from: one clean process that has imported everything, and forks them."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    os.environ["RUST_BACKTRACE"] = "0"
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload([preload])
    return made


class Worker:
    """A child for one target."""

    def __init__(self, made: ForkServerContext, folder: Path, module: str, target: Target) -> None:
        self.target, self.folder, self.name = target, folder, uuid.uuid4().hex[:12]
        self.record = Record(folder / self.name, create=True)
        ours, theirs = made.Pipe()
        self.connection: Connection[Any, Any] = ours
        arguments = (theirs, str(folder), module, target.name, self.name)
        self.process = made.Process(target=child.main, args=arguments)
        self.process.start()
        theirs.close()
        self.since = time.monotonic()  # when the case that runs was first seen
        self.seen = -1
        self.busy, self.ready = True, False  # busy until it says that it is ready

    def ask(self, *question: Any) -> None:
        """Set it to work; `connection` can be read, or `process.sentinel`, when there is something to know."""
        self.busy, self.since, self.seen = True, time.monotonic(), self.record.begun()
        self.connection.send(question)

    def answer(self) -> Any:
        """What it says. Raises EOFError when it died."""
        try:
            said = self.connection.recv()
        except (ConnectionError, EOFError) as problem:
            raise EOFError from problem
        if isinstance(said, str) and said != READY:
            raise RuntimeError(f"the fuzzer itself failed at {self.target.name}:\n{said}")
        self.busy = False
        self.ready = True
        return said

    def hurry(self) -> None:
        """End it where one case goes on for ever without using its CPU."""
        begun = self.record.begun()
        if begun != self.seen:
            self.seen, self.since = begun, time.monotonic()
        patience = PATIENCE * self.target.seconds if self.ready else BEGINNING
        if self.busy and time.monotonic() - self.since > patience and self.process.pid is not None:
            os.kill(self.process.pid, signal.SIGALRM)
            self.process.join(5)

    def death(self) -> Finding | None:
        """What it died of; None when it ran no case yet."""
        self.process.join(10)
        code = self.process.exitcode
        recent = self.record.recent()
        if code is None or not recent:
            return None
        file = self.folder / f"{self.name}.stack"
        stack = file.read_text(errors="replace") if file.exists() else ""
        about = self.target.kind(recent[0])
        return of_death(self.target.name, code, stack, recent, about, self.target.seconds)

    def close(self) -> None:
        """End it, whatever it does."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join(10)
        self.connection.close()
        self.record.close()
        for file in (self.name, f"{self.name}.stack"):
            (self.folder / file).unlink(missing_ok=True)
        shutil.rmtree(self.folder / f"{self.name}.files", ignore_errors=True)
