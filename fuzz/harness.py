"""targets, time -> what was found. A parent feeds children in batches and never runs a case itself."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path

from fuzz.child import READY
from fuzz.findings import Finding
from fuzz.target import Target
from fuzz.worker import Worker

BATCH = 4000  # numbers that a batch may use
TURN = (3.0, 20.0)  # seconds that a target has a process before another one's turn

SHARED = Path("/dev/shm")  # memory as a folder, on Linux


@dataclass
class Tally:
    """What became of the cases of one target."""

    cases: int = 0
    sound: int = 0  # not refused
    seconds: float = 0.0  # that a process spent on it
    cpu: float = 0.0  # seconds, of the cases that were counted
    children: int = 0
    seen: dict[str, int] = field(default_factory=dict)  # cases by kind of finding


@dataclass
class Summary:
    """All that a run found."""

    seed: str
    seconds: float
    tallies: dict[str, Tally]
    findings: list[Finding]
    rss: tuple[int, int]  # MB of the parent, when all children had begun and at the end


Say = Callable[[str], None]


class Fuzz:
    """One run over some targets."""

    def __init__(self, made: ForkServerContext, module: str, targets: Sequence[Target], seed: str, say: Say) -> None:
        self.made, self.module, self.targets, self.seed, self.say = made, module, targets, seed, say
        self.tallies = {target.name: Tally() for target in targets}
        self.numbers = dict.fromkeys(self.tallies, 0)
        self.findings: dict[tuple[str, ...], Finding] = {}
        self.start = time.monotonic()

    def run(self, seconds: float, processes: int) -> Summary:
        """Fuzz for so long; Ctrl-C ends it earlier, with what is known then."""
        self.start = time.monotonic()
        end, before = self.start + seconds, 0
        turn = min(TURN[1], max(TURN[0], seconds * processes / (4 * len(self.targets))))
        slots: list[_Slot] = [_Slot() for _ in range(processes)]
        with in_memory() as folder:
            try:
                while time.monotonic() < end:
                    for slot in slots:
                        self._fill(slot, folder, turn)
                    self._listen(slots)
                    if not before and all(slot.worker and slot.worker.ready for slot in slots):
                        before = resident()
            except KeyboardInterrupt:
                self.say("interrupted: this is what was found so far")
            finally:
                for slot in slots:
                    self._leave(slot)
        found = sorted(self.findings.values(), key=lambda finding: finding.second)
        return Summary(self.seed, time.monotonic() - self.start, self.tallies, found, (before, resident()))

    def _fill(self, slot: "_Slot", folder: Path, turn: float) -> None:
        """Give a slot a child, and an idle child a batch."""
        worker = slot.worker
        if worker is not None and not worker.busy and time.monotonic() - slot.since > turn and len(self.targets) > 1:
            self._leave(slot)
            worker = None
        if worker is None:
            target = min(self.targets, key=lambda each: self.tallies[each.name].seconds / each.weight)
            slot.worker, slot.since = Worker(self.made, folder, self.module, target), time.monotonic()
            slot.counted = slot.since
            self.tallies[target.name].children += 1
            self.tallies[target.name].seconds += 0.01  # so that another slot takes another target
        elif not worker.busy:
            first = self.numbers[worker.target.name]
            self.numbers[worker.target.name] += BATCH
            slot.base = worker.record.begun()
            worker.ask("batch", self.seed, first, BATCH)

    def _listen(self, slots: Sequence["_Slot"]) -> None:
        """Take answers and deaths, as they come."""
        workers = {slot.worker: slot for slot in slots if slot.worker is not None}
        wait([worker.connection for worker in workers], timeout=0.2)
        for worker, slot in workers.items():
            tally = self.tallies[worker.target.name]
            now = time.monotonic()
            tally.seconds += now - slot.counted
            slot.counted = now
            if worker.connection.poll():
                try:
                    said = worker.answer()
                except EOFError:
                    self._bury(slot, tally)
                    continue
                if said != READY:
                    done, sound, cpu, found, full = said
                    tally.cases += done
                    tally.cpu += cpu
                    tally.sound += sound
                    for finding in found:
                        self._found(finding)
                    if full:
                        self._leave(slot)
            else:
                worker.hurry()

    def _bury(self, slot: "_Slot", tally: Tally) -> None:
        """A child died: keep what it was running."""
        worker = slot.worker
        assert worker is not None
        tally.cases += worker.record.begun() - slot.base  # its answers died with it: none of them counts as sound
        finding = worker.death()
        if finding is not None:
            self._found(finding)
        elif not worker.ready:
            raise RuntimeError(
                f"the target {worker.target.name} does not start: python -m fuzz --try {worker.target.name}"
            )
        self._leave(slot)

    def _found(self, finding: Finding) -> None:
        tally = self.tallies[finding.target]
        tally.seen[finding.kind] = tally.seen.get(finding.kind, 0) + 1
        known = self.findings.get(finding.signature)
        if known is not None:
            known.seen += 1
        elif finding.data or finding.kind == "crash":
            finding.second = time.monotonic() - self.start
            self.findings[finding.signature] = finding
            self.say(f"{finding.second:6.1f} s  {describe(finding)}")

    def _leave(self, slot: "_Slot") -> None:
        if slot.worker is not None:
            slot.worker.close()
            slot.worker = None


@dataclass
class _Slot:
    """A place for one child at a time."""

    worker: Worker | None = None
    since: float = 0.0
    counted: float = 0.0  # up to when its time was added to its target's
    base: int = 0  # cases begun when its batch began


def describe(finding: Finding) -> str:
    """A line that says what was found."""
    about = f" ({finding.about})" if finding.about else ""
    detail = "" if finding.kind in ("crash", "hang") or not finding.detail else f": {finding.detail!a}"
    return f"{finding.target}{about}: {finding.kind} {finding.what}{detail} at {finding.where or '?'}"


@contextlib.contextmanager
def in_memory() -> Iterator[Path]:
    """A folder for records and for the files of cases, in memory where the system has such a place."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=SHARED if SHARED.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def resident() -> int:
    """MB that this process has in memory now; 0 where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
    return int(lines[0].split()[1]) >> 10 if lines else 0
