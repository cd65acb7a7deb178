"""test_set_log.jsonl: who looked at which test pictures, one line a look. The more often, the more optimistic the figure.

A test part is for one look. Whoever changes something after each look and keeps what does best fits the test part by
hand, and the best of many figures is too good (Dwork et al. 2015, "The reusable holdout"). So looks are counted: by
different models on the same pictures, or most of them. The same model on the same pictures says nothing new, and is
the same look. Lines are only ever appended; a torn last line, as a kill leaves it, is not read.
"""

import datetime
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ursa import workspace
from ursa.core.finding import Finding
from ursa.errors import DataError

SKETCH = 64  # smallest hashes kept of a set: enough to tell half of it in common, whatever its size (Broder 1997)


@dataclass(frozen=True)
class TestSetUse:
    """One look at a test part."""

    when: str  # UTC, ISO 8601
    command: str  # "train", "evaluate", ...
    model: str  # what was judged: the hash of its weights, or a name
    pictures: int
    key: str  # hash of the set of pictures
    sketch: tuple[str, ...]  # its SKETCH smallest hashes, by which sets that overlap are recognised

    def overlaps(self, other: "TestSetUse") -> bool:
        """Whether half of the pictures of both together are in both."""
        union = sorted({*self.sketch, *other.sketch})[:SKETCH]
        both = {*self.sketch} & {*other.sketch}
        return self.key == other.key or 2 * sum(hash in both for hash in union) >= len(union) > 0


def record_use(path: Path, command: str, model: str, pictures: Iterable[str]) -> int:
    """pictures: sha256 of each. Writes the look down -> how many there have been at these pictures, with this one.

    Raises DataError where it cannot be written.
    """
    keys = sorted(set(pictures))
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    key = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
    this = TestSetUse(now, command, model, len(keys), key, tuple(key[:12] for key in keys[:SKETCH]))
    before = uses(path)
    if not any((known.model, known.key) == (model, key) for known in before):
        _append(path, this)
        before = [*before, this]
    return len({known.model for known in before if known.overlaps(this)})


def uses(path: Path) -> list[TestSetUse]:
    """The looks so far, the oldest first; what cannot be read is passed over."""
    lines = (workspace.read(path) or b"").splitlines()
    return [known for line in lines if (known := _read(line)) is not None]


def repeated_use(count: int, pictures: int) -> list[Finding]:
    """The finding from the second look on; its score grows with their number."""
    if count < 2:
        return []
    return [
        Finding(
            kind="test-looked-at",
            where=(),
            score=1 - 1 / count,
            evidence=f"This test part of {pictures:,} pictures has been looked at {count} times, each time with "
            "another model.",
            advice="Its figure is optimistic if a look changed what you did next: put new pictures aside for the last "
            "one.",
            numbers={"uses": count, "pictures": pictures},
        )
    ]


def _append(path: Path, this: TestSetUse) -> None:
    try:
        with workspace.appended(path) as file:
            file.write(json.dumps(asdict(this)).encode() + b"\n")  # one write, so that lines never mix
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise DataError(
            f"cannot write {path}",
            found=problem.strerror,
            fix="a look at a test part has to be written down: name a folder that you may write to, --workspace DIR",
        ) from problem


def _read(line: bytes) -> TestSetUse | None:
    told = workspace.object_of(line)
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
