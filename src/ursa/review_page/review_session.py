"""Items, pictures, journal -> what the page asks for; and a decision from it -> the journal, before it is called saved.

All of it by row numbers and hashes: no path comes from a browser.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ursa.clean.decisions.decision import Decision
from ursa.clean.decisions.decision_table import WantedDecision
from ursa.clean.decisions.journal import append
from ursa.clean.decisions.known_pictures import KnownPictures, user_name
from ursa.clean.kept_findings import KeptFindings
from ursa.clean.stopping.when_to_stop import StopAdvice
from ursa.errors import DataError
from ursa.review_page.decided_pictures import DecidedPictures
from ursa.review_page.labels_left import LabelsLeft
from ursa.review_page.picture_table import PictureTable
from ursa.review_page.review_items import (
    DRAWN,
    TO_LABEL,
    UNLABELED,
    ReviewItem,
    drawn_item,
    review_items,
    row_item,
    words_of,
)
from ursa.workspace import Workspace


@dataclass(frozen=True)
class Wish:
    """A decision that a page asks for."""

    row: int
    kind: str  # of decision.KINDS
    label: str | None = None
    key: str | None = None  # of an undo: the decision that it takes back, as the page knows it


class ReviewSession:
    """Safe to use from several threads."""

    def __init__(self, space: Workspace, table: PictureTable, kept: KeptFindings) -> None:
        self.space, self.table = space, table
        self.items = review_items(table, kept)
        self.decided = DecidedPictures(space, table)
        self.user = user_name()
        self._lock = threading.RLock()
        self._items_of: dict[int, list[int]] = {}
        self._state: list[str] = []
        self._alike: list[int] = []  # items that are rows of alike pictures
        self._counts: dict[str, list[int]] = {}  # by kind: decided, all
        for number in range(len(self.items)):
            self._count(number)
        self._left = LabelsLeft(table, kept)
        self._advice: tuple[int, StopAdvice] | None = None
        self._drawn: dict[int, int] = {}  # row that was drawn at random -> its item
        self._pending: int | None = None  # the row that was drawn last
        if len(self._left):
            self._counts.setdefault(DRAWN, [0, 0])
            for one in self.decided.followed:
                if one.drawn_from and (row := table.row_of.get(one.id)) is not None:
                    self._drawn_item(row)
        self.saved = 0  # decisions that came from pages of this session
        self.notice = ""  # what pages are to say of the pictures, once it is known

    def classes(self) -> list[str]:
        """Those of the pictures, then those that decisions began."""
        return [*self.table.classes, *sorted(self.decided.begun - set(self.table.classes))]

    def view(self, kinds: Sequence[str], labels: Sequence[str], splits: Sequence[str], state: str) -> list[int]:
        """The numbers of the items that pass, in order; nothing named lets everything pass."""
        with self._lock:
            self._refresh()
            if not (kinds or labels or splits or state):
                return list(range(len(self.items)))
            return [
                number
                for number, item in enumerate(self.items)
                if (not kinds or item.kind in kinds)
                and (not state or self._state[number] == state)
                and (
                    not labels or item.likely in labels or any(self.table.label(row) in labels for row in item.pictures)
                )
                and (not splits or any(self.table.split(row) in splits for row in item.pictures))
            ]

    def changes(self, version: int) -> dict[str, Any]:
        """What was decided since then, by whomever, and how far all is."""
        with self._lock:
            self._refresh()
            if version == self.decided.version:
                return {"version": version, "anew": False, "pictures": {}, "notice": self.notice}
            changed = self.decided.since(version)
            return {
                "version": changed.version,
                "anew": changed.anew,
                "pictures": {row: self.decided.to_json(row) for row in changed.rows},
                "progress": self.progress(),
                "classes": self.classes(),
                "others": self.decided.others,
                "notice": self.notice,
            }

    def progress(self) -> dict[str, Any]:
        """How many items are decided, in all and by kind, and what is left to find."""
        with self._lock:
            kinds = {kind: list(counts) for kind, counts in self._counts.items()}
            told = self._told()
        return {"decided": sum(done for done, _ in kinds.values()), "items": len(self.items), "kinds": kinds, **told}

    @property
    def judges(self) -> bool:
        """Whether there are labels that the check judged."""
        return len(self._left) > 0

    def advice(self) -> StopAdvice:
        """How many wrong labels are left, and whether to stop."""
        with self._lock:
            if self._advice is None or self._advice[0] != self.decided.version:
                self._advice = self.decided.version, self._left.advice(self.decided.followed)
            return self._advice[1]

    def draw(self) -> int | None:
        """The number of the item of a picture drawn at random from those whose label nobody has looked at, the same one
        until something is said of it: who skips unclear ones proves nothing. None where all were looked at."""
        with self._lock:
            self._refresh()
            if self._pending is None or self.decided.of(self._pending) is not None:
                drawn = self._left.drawn(self.decided.followed)
                self._pending = None if drawn is None else drawn[0]
            return None if self._pending is None else self._drawn_item(self._pending)

    def unlabeled(self) -> int:
        """Pictures without a label, of which nothing is said yet."""
        decided, every = self._counts.get(UNLABELED, (0, 0))
        return every - decided

    def outcomes(self) -> list[tuple[int, int]]:
        """Of the rows of alike pictures that were decided: how many got the label, of how many."""
        with self._lock:
            found = []
            for number in self._alike:
                if self._state[number] != "undecided":
                    pictures = self.items[number].pictures
                    found.append((sum(self.decided.of(row) is not None for row in pictures), len(pictures)))
            return found

    def add_rows(self, rows: Sequence[tuple[Sequence[str], str, str | None]]) -> list[int]:
        """Rows to label: ids, purpose, likely class -> the numbers of their items."""
        with self._lock:
            numbers = []
            for ids, purpose, likely in rows:
                if known := self.table.known(list(ids)):
                    numbers.append(len(self.items))
                    self.items.append(row_item(known, purpose, likely))
                    self._alike += numbers[-1:] if purpose == "alike" else []
                    self._count(numbers[-1])
            return numbers

    def _drawn_item(self, row: int) -> int:
        if row not in self._drawn:
            self._drawn[row] = len(self.items)
            self.items.append(drawn_item(row, self._left.likely(row)))
            self._count(self._drawn[row])
        return self._drawn[row]

    def _count(self, number: int) -> None:
        """Takes an item that is new into account."""
        item = self.items[number]
        for row in item.pictures:
            self._items_of.setdefault(row, []).append(number)
        self._state.append(self._state_of(item))
        counts = self._counts.setdefault(item.kind, [0, 0])
        counts[0] += self._state[number] != "undecided"
        counts[1] += 1

    def _told(self) -> dict[str, Any]:
        if not len(self._left):
            return {"left": "", "value": None, "high": None, "stop": False, "proving": False}
        known = self.advice()
        return {
            "left": known.sentence,
            "value": known.left,
            "high": known.most,
            "stop": known.stop,
            "proving": known.proving,
        }

    def decide(self, wishes: Sequence[Wish]) -> dict[str, Any]:
        """Saves all of them, or none. -> as `changes`, of what these changed. Raises DataError where it cannot."""
        with self._lock:
            self._refresh()
            made = self._made(wishes)
            before = self.decided.version
            append(self.space, made)
            self.saved += len(made)
            self._refresh()
            return {**self.changes(before or -1), "keys": [decided.key for decided in made]}

    def _made(self, wishes: Sequence[Wish]) -> list[Decision]:
        for wish in wishes:
            if not 0 <= wish.row < len(self.table):
                raise DataError("there is no such picture", found=str(wish.row), fix="reload the page")
            self.table.hashed(wish.row)
            if wish.key is not None and getattr(self.decided.of(wish.row), "key", None) != wish.key:
                raise DataError(
                    "this was decided anew meanwhile, in another window",
                    found=self.table.id(wish.row),
                    fix="look at it again",
                )
        asked = [WantedDecision(str(wish.row), wish.kind, wish.label) for wish in wishes]
        if len(wishes) == 1 and wishes[0].row == self._pending and self.decided.of(self._pending) is None:
            # nobody has looked at it: it is as likely as any of those that nobody has looked at by now
            asked = [replace(asked[0], drawn_from=self.advice().unseen)]
        return self._known({wish.row for wish in wishes}).decisions(asked, self.user)

    def _known(self, rows: set[int]) -> KnownPictures:
        """What has to be known of these pictures, their copies and what stands of them; of no others."""
        keys = {key for row in rows if (key := self.table.sha256(row)) is not None}
        same = {key: [self.table.id(row) for row in self.table.rows_of[key]] for key in keys}
        about = {self.table.id(row): (self.table.sha256(row), self.table.columns["label"][row]) for row in rows}
        stands = [decided for key in sorted(keys) for decided in self.decided.of_content(key)]
        ids = {str(row): self.table.id(row) for row in rows}
        return KnownPictures(ids, about, same, frozenset(self.classes()), self.table.task, stands)

    def _refresh(self) -> None:
        for row in self.decided.refresh():
            for number in self._items_of.get(row, ()):
                item = self.items[number]
                before, self._state[number] = self._state[number], self._state_of(item)
                self._counts[item.kind][0] += (self._state[number] != "undecided") - (before != "undecided")

    def _state_of(self, item: ReviewItem) -> str:
        """A group is decided when at most one of its pictures is left without a word: that one stays as it is. A row to
        label is when one has a label: those that were taken out come again."""
        said = [decided.kind for row in item.pictures if (decided := self.decided.of(row)) is not None]
        enough = 1 if item.kind == TO_LABEL else len(item.pictures) - words_of(item.kind).copies
        if not said or len(said) < enough:
            return "undecided"
        return "not-sure" if "not-sure" in said else "decided"


def item_json(session: ReviewSession, number: int) -> dict[str, Any]:
    """What the page shows of an item."""
    item = session.items[number]
    return {
        "number": number,
        "kind": item.kind,
        "title": words_of(item.kind).title_of_one,
        "group": words_of(item.kind).copies,
        "row": item.kind == TO_LABEL,
        "pictures": [picture_json(session.table, row) for row in item.pictures],
        "evidence": item.evidence,
        "advice": item.advice,
        "likely": item.likely,
        "keep": item.keep,
        "nearest": {
            name: [picture_json(session.table, row) for row in session.table.known(list(item.nearest.get(name, ())))]
            for name in ("given", "likely", "all")
        },
    }


def picture_json(table: PictureTable, row: int) -> dict[str, Any]:
    """What the page shows of a picture; `sha256` null where it cannot be shown."""
    facts = {name: table.columns[name][row] for name in ("id", "split", "width", "height", "bytes", "problem")}
    shown = None if facts["problem"] is not None else table.sha256(row)
    return {"row": row, "sha256": shown, "label": table.label(row), **facts}
