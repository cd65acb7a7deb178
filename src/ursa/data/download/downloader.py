"""What is wanted -> files in class folders, named by what is in them. Goes on where the last run was stopped."""

import asyncio
import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ursa import sandbox, workspace
from ursa.core.decoding.image import sniff
from ursa.core.text import escaped
from ursa.data.download.addresses import Network
from ursa.data.download.fetch import DownloadLimits, Refusal, Turns, client, fetch
from ursa.data.download.ledger import Fetched, Ledger
from ursa.data.download.lists import Address, WantedURL, address, printable
from ursa.errors import DataError

ENDINGS = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}  # the others end in their own name


@dataclass(frozen=True)
class Failure:
    """A URL that gave no picture."""

    url: str  # without name and password
    label: str
    reason: str
    before: bool = False  # in an earlier run: not tried again

    def to_json(self) -> dict[str, Any]:
        """As in the document of `ursa download --json`."""
        known = {"before": True} if self.before else {}
        return {"url": self.url, "label": self.label, "reason": self.reason, **known}


@dataclass
class Tally:
    """What a run came to."""

    fetched: int = 0  # files that were not there before
    already: int = 0  # known from an earlier run, and there
    duplicates: int = 0  # the same URL or the same picture once more in its class
    removed: int = 0  # fetched in an earlier run and taken away since
    bytes: int = 0  # of the pictures fetched
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    """How to go about it."""

    workers: int = 16
    again: bool = False  # also what failed for good, or was taken away
    allow_private: bool = False
    seed: int = 0
    limits: DownloadLimits = DownloadLimits()  # noqa: RUF009  # frozen
    network: Network = Network()  # noqa: RUF009  # frozen


def download(
    wanted: Sequence[WantedURL], to: Path, ledger: Ledger, settings: Settings, tell: Callable[[int, int], object]
) -> Tally:
    """Fetch what is wanted and not there into `to`/label/; `tell` hears done and of.

    Ctrl-C stops it cleanly: KeyboardInterrupt, with every finished picture on disk and in the ledger.
    Raises DataError when a file cannot be written.
    """
    tally = Tally()
    jobs = _jobs(wanted, to, ledger, settings, tally)
    if jobs:
        run = _Run(to, ledger, settings, tally)
        _finish(run.all(jobs, tell))
    return tally


@dataclass(frozen=True)
class _Job:
    """One URL, to be fetched once for all the classes that want it."""

    address: Address
    labels: list[str]


def _jobs(wanted: Sequence[WantedURL], to: Path, ledger: Ledger, settings: Settings, tally: Tally) -> list[_Job]:
    """What is left to fetch, in order; the tally gets the rest."""
    jobs: dict[str, _Job] = {}
    seen: set[tuple[str, str]] = set()
    for want in wanted:
        found = address(want.url)
        if isinstance(found, str):
            tally.failures.append(Failure(printable(want.url), want.label, escaped(f"{found} ({want.where})")))
            continue
        if (found.shown, want.label) in seen:
            tally.duplicates += 1
            continue
        seen.add((found.shown, want.label))
        known = ledger.known.get((found.shown, want.label))
        if known is not None and _settled(known, to, settings):
            if known.problem is not None:
                tally.failures.append(Failure(found.shown, want.label, escaped(known.problem), before=True))
            elif known.file is not None and (to / known.file).exists():
                tally.already += 1
            else:
                tally.removed += 1
            continue
        jobs.setdefault(found.shown, _Job(found, [])).labels.append(want.label)
    return list(jobs.values())


def _settled(known: Fetched, to: Path, settings: Settings) -> bool:
    """Whether nothing is to be done any more. What was taken away on purpose does not come back by itself."""
    if known.file is not None and (to / known.file).exists():
        return True
    larger = known.limit is not None and settings.limits.max_bytes > known.limit
    return not settings.again and not larger


class _Run:
    """One download: its client, its turns, its tally."""

    def __init__(self, to: Path, ledger: Ledger, settings: Settings, tally: Tally) -> None:
        self._to, self._ledger, self._settings, self._tally = to, ledger, settings, tally
        self._lock = threading.Lock()
        self._stored: set[Path] = set()

    async def all(self, jobs: list[_Job], tell: Callable[[int, int], object]) -> None:
        """Fetch every job, as many at a time as there are workers; one at a time in order when there is one."""
        settings, of, done = self._settings, len(jobs), 0
        turns = Turns(settings.workers, settings.limits)
        threads = ThreadPoolExecutor(settings.workers + 4, "download")  # they write files and look up names
        asyncio.get_running_loop().set_default_executor(threads)

        async def lane(queue: deque[_Job]) -> None:
            nonlocal done
            while queue:
                job = queue.popleft()
                answer = await fetch(job.address.url, http, turns, settings.limits, settings.seed)
                await asyncio.to_thread(self._keep, job, answer)
                done += 1
                tell(done, of)

        tell(0, of)
        async with client(
            settings.network, settings.limits, settings.workers, allow_private=settings.allow_private
        ) as http:
            try:
                async with asyncio.TaskGroup() as group:
                    for queue, width in _lanes(jobs, settings):
                        for _ in range(width):
                            group.create_task(lane(queue))
            except ExceptionGroup as several:
                raise several.exceptions[0] from None  # one disk is full, and every lane says so

    def _keep(self, job: _Job, answer: bytes | Refusal) -> None:
        """Put a picture into its folders, or a failure on the list. In a thread, whole or not at all."""
        if isinstance(answer, bytes):
            answer = verified(answer)
        for label in job.labels:
            url = job.address.shown
            if isinstance(answer, Refusal):
                with self._lock:
                    self._tally.failures.append(Failure(url, label, answer.reason))
                    if answer.final:
                        self._ledger.add(Fetched(url, label, problem=answer.reason, limit=answer.limit))
                continue
            name = f"{label}/{file_name(answer)}"
            path = self._to / name
            with self._lock:  # the first to come counts as the one that fetched it, whoever has written it by then
                new = path not in self._stored and not path.exists()
                self._stored.add(path)
            if not path.exists():
                with workspace.writing(path, "--to FOLDER", via=self._ledger.parts) as file:
                    file.write(answer)
            with self._lock:
                if new:
                    self._tally.fetched += 1
                    self._tally.bytes += len(answer)
                else:
                    self._tally.duplicates += 1
                self._ledger.add(Fetched(url, label, file=name))


def verified(data: bytes) -> bytes | Refusal:
    """The bytes, if they are a whole picture: what came is read once, as small as that can be.

    One of a kind that needs a decoder which is not installed is kept: it is what was asked for.
    """
    try:
        sandbox.read(data, at_least=1)
    except DataError as problem:
        if not problem.what.startswith("needs a decoder"):
            return Refusal(problem.what, final=not problem.what.startswith("takes too long"))
    return data


def file_name(data: bytes) -> str:
    """What a picture is called: 16 hex digits of the sha256 of its bytes, and its kind, read from them."""
    kind = sniff(data)
    return f"{hashlib.sha256(data).hexdigest()[:16]}.{ENDINGS.get(kind, kind.lower())}"


def _lanes(jobs: list[_Job], settings: Settings) -> list[tuple[deque[_Job], int]]:
    """The jobs of each host in order, and how many may run side by side: a slow host holds up no other."""
    if settings.workers == 1:
        return [(deque(jobs), 1)]
    hosts: dict[str, deque[_Job]] = {}
    for job in jobs:
        hosts.setdefault(job.address.url.host, deque()).append(job)
    return [(queue, min(len(queue), settings.limits.per_host, settings.workers)) for queue in hosts.values()]


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end; beside the loop of a notebook in a thread, where Ctrl-C reaches it too."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    async def inside() -> None:
        task = asyncio.ensure_future(work)
        started.append((asyncio.get_running_loop(), task))
        await task

    with ThreadPoolExecutor(1, "download") as beside:
        running = beside.submit(asyncio.run, inside())
        try:
            running.result()
        except KeyboardInterrupt:
            while not (started or running.done()):
                time.sleep(0.01)
            for loop, task in started:
                loop.call_soon_threadsafe(task.cancel)
            wait([running])
            raise
