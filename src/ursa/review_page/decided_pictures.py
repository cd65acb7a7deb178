"""The journal, followed as it grows -> what stands of each picture, and which pictures changed since when.

Where the journal ends, in bytes, is the version: every process that reads the same file counts the same.
"""

import bisect
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ursa.clean.decisions.decision import Decision
from ursa.clean.decisions.journal import journal_path, read_on
from ursa.clean.decisions.standing import latest_of, standing
from ursa.review_page.picture_table import PictureTable
from ursa.workspace import Workspace


@dataclass(frozen=True)
class Changed:
    """What is to be told a page that knows an earlier version."""

    version: int
    anew: bool  # the journal is another one: what the page knew before is void
    rows: tuple[int, ...]


class DecidedPictures:
    """Belongs to one thread at a time: callers hold a lock."""

    def __init__(self, space: Workspace, table: PictureTable) -> None:
        self.space, self.table = space, table
        self._forget()
        self.refresh()

    def _forget(self) -> None:
        self.version, self.others, self.saved = 0, 0, 0
        self.begun: set[str] = set()  # classes that a decision began
        self.followed: list[Decision] = []  # of this user, the oldest first
        self._entries: defaultdict[str, list[Decision]] = defaultdict(list)
        self._standing: dict[int, Decision] = {}
        self._log: list[tuple[int, int]] = []  # version, row

    def refresh(self) -> tuple[int, ...]:
        """Reads what was appended. -> the rows that changed."""
        path = journal_path(self.space)
        if self.version and (not path.exists() or path.stat().st_size < self.version):
            gone = tuple(self._standing)
            self._forget()
            return (*gone, *self.refresh())
        entries, end = read_on(self.space, self.version)
        if end == self.version:
            return ()
        self.version = end
        changed: dict[int, None] = {}
        for decided in entries:
            if not decided.mine:
                self.others += 1
                continue
            self.followed.append(decided)
            self._entries[decided.sha256].append(decided)
            if decided.kind == "new-label" and decided.label:
                self.begun.add(decided.label)
            if decided.sha256 not in self.table.rows_of and decided.id in self.table.row_of:
                self.table.hashed(self.table.row_of[decided.id])  # a file that no scan has read
        for key in {decided.sha256 for decided in entries if decided.mine}:
            for row in self._stand(key):
                changed[row] = None
        self._log += [(end, row) for row in changed]
        return tuple(changed)

    def rows(self) -> list[int]:
        """Those that something stands of."""
        return list(self._standing)

    def of(self, row: int) -> Decision | None:
        """What stands of a picture."""
        return self._standing.get(row)

    def of_content(self, sha256: str) -> tuple[Decision, ...]:
        """What stands of all files with these bytes."""
        return standing(self._entries.get(sha256, ()))

    def since(self, version: int) -> Changed:
        """What a page that knows this version has not heard of."""
        if version <= 0 or version > self.version:
            return Changed(self.version, True, tuple(self._standing))
        first = bisect.bisect_right(self._log, (version, len(self.table)))
        return Changed(self.version, False, tuple(dict.fromkeys(row for _, row in self._log[first:])))

    def to_json(self, row: int) -> dict[str, Any] | None:
        """What a page is told of a picture."""
        decided = self.of(row)
        if decided is None:
            return None
        return {"kind": decided.kind, "label": decided.label, "key": decided.key, "who": decided.who}

    def _stand(self, sha256: str) -> list[int]:
        """Looks again at all files with these bytes. -> their rows."""
        stands, rows = self.of_content(sha256), self.table.rows_of.get(sha256, [])
        for row in rows:
            latest = latest_of(stands, sha256, self.table.id(row))
            if latest is None:
                self._standing.pop(row, None)
            else:
                self._standing[row] = latest
        return rows
