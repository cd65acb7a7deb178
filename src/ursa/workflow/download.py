"""`ursa download`: lists of URLs -> a folder of pictures, one folder a class."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ursa.core.progress import Progress, silent
from ursa.data.download.addresses import Network
from ursa.data.download.downloader import Failure, Settings
from ursa.data.download.downloader import download as fetched
from ursa.data.download.fetch import DownloadLimits
from ursa.data.download.ledger import Ledger
from ursa.data.download.lists import Lists, read_lists
from ursa.errors import DataError
from ursa.workspace import Workspace


@dataclass(frozen=True)
class Downloaded:
    """What `ursa download` did."""

    folder: Path
    fetched: int  # pictures that were not there before
    already: int  # URLs whose picture an earlier run fetched
    duplicates: int  # URLs that gave a picture which its class has already, or that were listed twice
    removed: int  # URLs whose picture an earlier run fetched, and somebody took away since
    failures: tuple[Failure, ...]  # by class and URL
    bytes: int  # of the pictures fetched
    seconds: float
    classes: dict[str, int] = field(default_factory=dict)  # files in the folder of each class asked for

    @property
    def pictures(self) -> int:
        """How many there are now, in the classes asked for."""
        return sum(self.classes.values())

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa download --json`."""
        return {
            "folder": str(self.folder),
            "fetched": self.fetched,
            "already": self.already,
            "duplicates": self.duplicates,
            "removed": self.removed,
            "failures": [failure.to_json() for failure in self.failures],
            "bytes": self.bytes,
            "seconds": self.seconds,
            "classes": self.classes,
        }


def download(
    lists: Lists,
    to: str | Path,
    *,
    workers: int = 16,
    again: bool = False,
    allow_private: bool = False,
    limits: DownloadLimits | None = None,
    seed: int = 0,
    network: Network | None = None,
    progress: Progress = silent,
) -> Downloaded:
    """Fetch pictures into `to`/class/: from text files with a URL a line (the file's stem is the class), CSV files with
    columns url and label, or a mapping {class: URLs}.

    Files are named by the hash of their bytes. What an earlier run fetched, or found to fail for good, is not asked for
    again unless `again` is set. Only public addresses are connected to, unless `allow_private` is set; proxies of the
    environment are not used. workers: requests at a time over all hosts; 1 goes strictly in the order of the lists.
    limits: see `ursa.data.download.fetch`. Raises DataError for lists or a folder that cannot be used; a URL that gives
    no picture is a failure in the result.
    """
    start = time.perf_counter()
    folder = Path(to)
    if workers < 1:
        raise DataError("workers has to be at least 1", found=workers, fix="--workers 1 fetches one after the other")
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is not a folder", found="a file", fix="name a folder, new or not: --to bears/")
    for name in [lists] if isinstance(lists, str | Path) else () if isinstance(lists, Mapping) else lists:
        if str(name).startswith(("http:/", "https:/")):
            fix = "write URLs into a text file named after the class, one a line: bears.txt"
            raise DataError("an address is not a list of addresses", found=name, fix=fix)
    wanted = read_lists(lists)
    settings = Settings(workers, again, allow_private, seed, limits or DownloadLimits(), network or Network())
    with Ledger(Workspace.open(folder)) as ledger:
        tally = fetched(wanted, folder, ledger, settings, lambda done, of: progress("download", done, of))
    labels = sorted({want.label for want in wanted})
    return Downloaded(
        folder,
        tally.fetched,
        tally.already,
        tally.duplicates,
        tally.removed,
        tuple(sorted(tally.failures, key=lambda failure: (failure.label, failure.url))),
        tally.bytes,
        time.perf_counter() - start,
        {label: _files(folder / label) for label in labels},
    )


def kept(to: Path) -> int:
    """How many pictures are known to have been fetched into a folder; for one who interrupts."""
    return sum(outcome.file is not None for outcome in Ledger(Workspace.of(to)).known.values())


def _files(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    try:
        with os.scandir(folder) as entries:
            return sum(entry.is_file() and not entry.name.startswith(".") for entry in entries)
    except OSError as problem:
        raise DataError(f"cannot look into {folder}", found=problem.strerror, fix="check who may read it") from problem
