"""What is fuzzed: a function that makes a case, and one that puts it through Ursa."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


class LawError(Exception):
    """Ursa answered, and the answer cannot be right."""


def _no_kind(_: bytes) -> str:
    return ""


@dataclass(frozen=True)
class Target:
    """`run` returns, or raises an UrsaError for what it refuses; anything else is a finding."""

    name: str
    case: Callable[[Random], bytes]  # the same numbers make the same case
    run: Callable[[bytes], None]
    warm: Callable[[], None]  # imports and keeps what `run` needs, so that its memory and time are no case's
    kind: Callable[[bytes], str] = _no_kind  # what a case is, to tell findings apart
    seconds: float = 2.0  # of CPU that a case may take
    megabytes: int = 600  # that resident memory may grow during a case
    weight: int = 1  # its share of the time
    ours: bool = True  # whether its seeds are made here, so that its cases may be kept in the repository
    suffix: str = ".bin"
