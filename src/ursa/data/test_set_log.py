"""test_set_log.jsonl: which models were judged on which test pictures, one line a use.

A test set is for one use. Whoever changes something after each use and keeps what does best fits the test set by hand,
and the best of many figures is too good (Dwork et al. 2015, "The reusable holdout"). So uses are counted: of different
models on the same pictures, or most of them. The same model on the same pictures says nothing new, and is the same use.
"""

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ursa.core.finding import Finding
from ursa.data import json_lines
from ursa.data.json_lines import Appender

FIX = "each use of a test part has to be written down: name a folder that you may write to, --workspace DIR"
SKETCH = 64  # smallest hashes kept of a set: enough to tell half of it in common, whatever its size (Broder 1997)


@dataclass(frozen=True)
class TestSetUse:
    """One model judged on a test set."""

    when: str  # UTC, ISO 8601
    command: str  # "train", "evaluate", ...
    model: str  # what was judged: the hash of its weights, or a name
    pictures: int
    key: str  # hash of the set of pictures
    sketch: tuple[str, ...]  # its SKETCH smallest hashes, by which sets that overlap are recognized

    def overlaps(self, other: "TestSetUse") -> bool:
        """Whether half of the pictures of both together are in both."""
        union = sorted({*self.sketch, *other.sketch})[:SKETCH]
        both = {*self.sketch} & {*other.sketch}
        return self.key == other.key or 2 * sum(hash in both for hash in union) >= len(union) > 0


def record_use(path: Path, command: str, model: str, pictures: Iterable[str]) -> int:
    """pictures: sha256 of each. Writes the use down -> how many there have been of these pictures, with this one.

    Raises DataError where it cannot be written.
    """
    keys = sorted(set(pictures))
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    key = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
    this = TestSetUse(now, command, model, len(keys), key, tuple(key[:12] for key in keys[:SKETCH]))
    before = uses(path)
    if not any((known.model, known.key) == (model, key) for known in before):
        with Appender(path, fix=FIX, lasting=True) as file:
            file.add(asdict(this))
        before = [*before, this]
    return len({known.model for known in before if known.overlaps(this)})


def uses(path: Path) -> list[TestSetUse]:
    """The uses so far, the oldest first; what cannot be read is passed over."""
    return [known for told in json_lines.read(path) if (known := _use(told)) is not None]


def repeated_use(count: int, pictures: int) -> list[Finding]:
    """The finding from the second use on; its score grows with their number."""
    if count < 2:
        return []
    return [
        Finding(
            kind="test-looked-at",
            where=(),
            score=1 - 1 / count,
            evidence=f"This test set of {pictures:,} pictures was used {count} times, each time for another model.",
            advice="Its accuracy is optimistic if an earlier result changed what you did next: put new pictures aside "
            "for the last one.",
            numbers={"uses": count, "pictures": pictures},
        )
    ]


def _use(told: Mapping[str, Any]) -> TestSetUse | None:
    if (
        set(told) != set(TestSetUse.__annotations__)
        or not isinstance(told["sketch"], list)
        or len(told["sketch"]) > SKETCH
    ):
        return None
    texts = [told[name] for name in ("when", "command", "model", "key")] + told["sketch"]
    if not all(isinstance(text, str) for text in texts) or not isinstance(told["pictures"], int):
        return None
    return TestSetUse(**{**told, "sketch": tuple(told["sketch"])})
