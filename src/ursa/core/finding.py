"""Finding: the one type in which every part of Ursa reports what it saw."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something worth a look: what, where, why we say so, and what to do about it.

    `where` holds picture ids; `score` is in [0, 1], 1 the surest or most pressing; `evidence` is the observation and
    `advice` the next step, each one sentence. `numbers` holds measured values for programs.
    """

    kind: str
    where: tuple[str, ...]
    score: float
    evidence: str
    advice: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The document of the command line's contract: kind, where, score, evidence, advice (and numbers, if any)."""
        document = asdict(self)
        document["where"] = list(self.where)
        if not self.numbers:
            del document["numbers"]
        return document
