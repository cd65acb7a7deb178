"""Items, pictures, journal -> what the page asks for; and a decision from it -> the journal, before it is called saved.

All of it by row numbers and hashes: no path comes from a browser.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ursa.clean.decisions.decision import LABELS, Decision
from ursa.clean.decisions.decision_table import WantedDecision
from ursa.clean.decisions.journal import append
from ursa.clean.decisions.known_pictures import KnownPictures, user_name
from ursa.clean.kept_findings import KeptFindings
from ursa.errors import DataError
from ursa.review_page.decided_pictures import DecidedPictures
from ursa.review_page.estimate_left import EstimateLeft, estimate_left
from ursa.review_page.picture_table import PictureTable
from ursa.review_page.review_items import DRAWN, GROUPS, ReviewItem, review_items, words_of
from ursa.workspace import Workspace

DRAWN_AT_RANDOM = "drawn at random"  # the reason of a decision about such a picture, for who counts them
STATES = ("undecided", "decided", "not-sure")


@dataclass(frozen=True)
class Wish:
    """A decision that a page asks for."""

    row: int
    kind: str  # of decision.KINDS
    label: str | None = None
    key: str | None = None  # of an undo: the decision that it takes back, as the page knows it
    drawn: bool = False  # the picture was drawn at random


class ReviewSession:
    """Safe to use from several threads."""

    def __init__(self, space: Workspace, table: PictureTable, kept: KeptFindings) -> None:
        self.space, self.table, self.judged = space, table, kept.judged
        self.items = review_items(table, kept)
        self.decided = DecidedPictures(space, table)
        self.began = self.decided.version
        self.user = user_name()
        self._lock = threading.RLock()
        self._items_of: dict[int, list[int]] = {}
        for number, item in enumerate(self.items):
            for row in item.pictures:
                self._items_of.setdefault(row, []).append(number)
        self._state = [self._state_of(item) for item in self.items]
        self._counts: dict[str, list[int]] = {}  # by kind: decided, all
        for item, state in zip(self.items, self._state, strict=True):
            counts = self._counts.setdefault(item.kind, [0, 0])
            counts[0] += state != "undecided"
            counts[1] += 1
        at_row = ((table.row_of.get(id), at) for at, id in enumerate(kept.judged.ids))
        self._judged = {row: at for row, at in at_row if row is not None}
        self._drawn = {item.pictures[0] for item in self.items if item.kind == DRAWN}
        self._left: tuple[int, EstimateLeft] | None = None
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

    def _any(self, item: ReviewItem, of: Callable[[int], str | None], wanted: Sequence[str]) -> bool:
        return any(of(row) in wanted for row in item.pictures)

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
        done = sum(decided for decided, _ in kinds.values())
        left = self.left()
        return {"decided": done, "items": len(self.items), "kinds": kinds, "left": left.words, **left.to_json()}

    def left(self) -> EstimateLeft:
        """How many wrong labels nobody has looked at yet."""
        with self._lock:
            if self._left is None or self._left[0] != self.decided.version:
                rows = [row for row in self.decided.rows() if row in self._judged]
                answers = {self._judged[row]: said for row in rows if (said := self._is_wrong(row)) is not None}
                drawn = {self._judged[row] for row in self._drawn if row in self._judged} & answers.keys()
                self._left = self.decided.version, estimate_left(self.judged.margins, answers, drawn)
            return self._left[1]

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
        asked = [
            WantedDecision(str(wish.row), wish.kind, wish.label, DRAWN_AT_RANDOM if wish.drawn else None)
            for wish in wishes
        ]
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
        """A group is decided when at most one of its pictures is left without a word: that one stays as it is."""
        said = [decided.kind for row in item.pictures if (decided := self.decided.of(row)) is not None]
        if not said or len(said) < len(item.pictures) - (item.kind in GROUPS):
            return "undecided"
        return "not-sure" if "not-sure" in said else "decided"

    def _is_wrong(self, row: int) -> bool | None:
        """What a person said of a label; None where nothing that tells. Deleting a copy says nothing of its label."""
        decided = self.decided.of(row)
        if decided is None or decided.kind == "not-sure" or decided.copies:
            return None
        if decided.kind in LABELS:
            return decided.label != self.table.label(row)
        return decided.kind == "delete"


def item_json(session: ReviewSession, number: int) -> dict[str, Any]:
    """What the page shows of an item."""
    item = session.items[number]
    return {
        "number": number,
        "kind": item.kind,
        "title": words_of(item.kind).title_of_one,
        "group": item.kind in GROUPS,
        "pictures": [picture_json(session.table, row) for row in item.pictures],
        "evidence": item.evidence,
        "advice": item.advice,
        "likely": item.likely,
        "keep": item.keep,
        "nearest": {
            name: [picture_json(session.table, row) for row in session.table.known(list(item.nearest.get(name, ())))]
            for name in ("given", "likely")
        },
    }


def picture_json(table: PictureTable, row: int) -> dict[str, Any]:
    """What the page shows of a picture; `sha256` null where it cannot be shown."""
    facts = {name: table.columns[name][row] for name in ("id", "split", "width", "height", "bytes", "problem")}
    shown = None if facts["problem"] is not None else table.sha256(row)
    return {"row": row, "sha256": shown, "label": table.label(row), **facts}
