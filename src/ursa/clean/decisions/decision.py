"""Decision: what one person said of one picture, and the line of the journal that holds it."""

import datetime
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ursa import seals, workspace
from ursa.errors import DataError

KINDS = ("delete", "label", "new-label", "keep", "not-sure", "undo")
CHANGES = ("delete", "label", "new-label")  # those that `ursa apply` has something to do for
LABELS = ("label", "new-label")  # the class was there when it was decided, or is begun by it

LONGEST_LABEL, LONGEST_TEXT, MOST_COPIES = 1_000, 2_000, 1_000  # characters, characters, pictures
MOST_PICTURES = 1 << 40  # that one is drawn from
LONGEST_LINE = 1 << 20  # bytes; what is longer is none of ours

_LINE = re.compile(
    rb'\{"decision":(?P<decision>\{.*\}),"check":"(?P<check>[0-9a-f]{16})","seal":"(?P<seal>[0-9a-f]{32})"\}'
)
_SHA256, _KEY = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{16}")


@dataclass(frozen=True)
class Decision:
    """Bound to the content of a picture, wherever its file lies by now."""

    sha256: str  # of the file's bytes
    kind: str  # one of KINDS
    id: str  # where the picture was when it was decided
    label: str | None = None  # the class decided for
    given: str | None = None  # its label then, as text
    copies: tuple[str, ...] = ()  # of a delete of one copy: the other files with these bytes
    undoes: str | None = None  # of an undo: the key of the decision that it takes back
    drawn_from: int = 0  # pictures nobody had looked at, of which this one was drawn at random; 0: it was not
    why: str | None = None
    who: str = ""
    when: str = ""  # UTC, ISO 8601
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    mine: bool = field(default=True, compare=False)  # whether this user's Ursa wrote it

    def __post_init__(self) -> None:
        for text, most in ((self.label, LONGEST_LABEL), (self.why, LONGEST_TEXT), (self.who, LONGEST_TEXT)):
            if text is not None and len(text) > most:
                raise DataError("this is too long for a decision", found=f"{len(text):,} characters", fix=f"{most:,}")

    @property
    def about(self) -> tuple[str, str]:
        """What it is about: all files with these bytes, or one copy of several."""
        return self.sha256, self.id if self.copies else ""

    @property
    def effect(self) -> tuple[str, str, str, str]:
        """What it comes to: two decisions of one effect need no second `ursa apply`."""
        return *self.about, "label" if self.kind in LABELS else self.kind, self.label or ""

    def to_json(self) -> dict[str, Any]:
        """Its fields, less those that are empty."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        fields["copies"] = list(self.copies)
        return {name: value for name, value in fields.items() if value not in (None, [], "", 0)}

    def line(self) -> bytes:
        """The line of the journal: the decision, a checksum for everybody and the seal of this user."""
        text = _canonical(self.to_json())
        return b'{"decision":%b,"check":"%b","seal":"%b"}\n' % (text, _check(text), _seal(text))


def now() -> str:
    """The time, as decisions hold it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def decision_of(line: bytes) -> Decision | None:
    """The decision in a line, `mine` where it has this user's seal; None where it is torn, damaged or none of ours."""
    whole = _LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
    if whole is None or whole["check"] != _check(text := whole["decision"]):
        return None
    decided = from_json(workspace.object_of(text))
    if decided is None or secrets.compare_digest(whole["seal"], _seal(text)):
        return decided
    return replace(decided, mine=False)


def from_json(told: Mapping[str, Any]) -> Decision | None:
    """The decision that `to_json` told; None for anything else, since it may come from a stranger."""
    copies = told.get("copies", [])
    if not {"sha256", "kind", "id", "key"} <= set(told) <= set(_FIELDS):
        return None
    if not isinstance(copies, list) or len(copies) > MOST_COPIES:
        return None
    texts = [value for name, value in told.items() if name not in ("copies", "drawn_from")] + copies
    if not all(isinstance(text, str) for text in texts) or not _is_count(told.get("drawn_from", 0)):
        return None
    if not _SHA256.fullmatch(told["sha256"]) or not _KEY.fullmatch(told["key"]) or told["kind"] not in KINDS:
        return None
    if (told["kind"] in LABELS) != bool(told.get("label")) or (told["kind"] == "undo") != bool(told.get("undoes")):
        return None
    if copies and told["kind"] != "delete":
        return None
    try:
        return Decision(**{**told, "copies": tuple(copies)})
    except DataError:  # too long
        return None


_FIELDS = ("sha256", "kind", "id", "label", "given", "copies", "undoes", "drawn_from", "why", "who", "when", "key")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST_PICTURES


def _canonical(told: Mapping[str, Any]) -> bytes:
    """The same bytes for the same decision, ASCII, on one line."""
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def _check(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:16].encode()


def _seal(text: bytes) -> bytes:
    return seals.seal("decisions.jsonl", text)[:32].encode()
