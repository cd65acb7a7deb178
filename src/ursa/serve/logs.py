"""A log that cannot be flooded: of each kind of message so many a minute, the others are counted. Escaped, too."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ursa.core.text import escaped

NAMES = ("ursa.serve", "uvicorn.error", "asyncio", "python_multipart.multipart", "concurrent.futures")
BURST = 10  # messages of a kind
EVERY = 60.0  # seconds
LONGEST = 10_000  # characters of a message or traceback


@dataclass
class _Kind:
    began: float
    passed: int = 0
    dropped: int = 0


class RateLimit(logging.Filter):
    """A kind is the line of code that logs: messages hold what clients sent, so there is no end of those."""

    def __init__(self, burst: int = BURST, every: float = EVERY, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.burst, self.every, self.clock = burst, every, clock
        self._kinds: dict[tuple[str, int], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written; then without control characters, and with the number of those that were not."""
        now = self.clock()
        kind = self._kinds.setdefault((record.pathname, record.lineno), _Kind(now))
        dropped = 0
        if now - kind.began >= self.every:
            dropped = kind.dropped
            kind.began, kind.passed, kind.dropped = now, 0, 0
        if kind.passed >= self.burst:
            kind.dropped += 1
            return False
        kind.passed += 1
        more = f" ({dropped} like this were not written)" if dropped else ""
        record.msg, record.args = escaped(record.getMessage()[:LONGEST], lines=True) + more, ()
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
            record.exc_text = escaped(trace[-LONGEST:], lines=True)
        return True


class JsonFormatter(logging.Formatter):
    """One line of JSON a message, with its traceback inside."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        known = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_text or record.exc_info:
            known["traceback"] = record.exc_text or self.formatException(record.exc_info or (None, None, None))
        return json.dumps(known, ensure_ascii=False)


@contextmanager
def written(*, as_json: bool) -> Iterator[None]:
    """Inside, what the server has to say goes to stderr, unless the program around it has a log of its own."""
    if logging.getLogger().handlers:
        yield
        return
    handler, ours = logging.StreamHandler(), logging.getLogger("ursa.serve")
    if as_json:
        handler.setFormatter(JsonFormatter())
    before = ours.level
    ours.setLevel(logging.INFO)
    for name in NAMES:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        ours.setLevel(before)
        for name in NAMES:
            logging.getLogger(name).removeHandler(handler)


@contextmanager
def limited() -> Iterator[None]:
    """Inside, no logger that a client can make write is without the limit."""
    limit = RateLimit()
    for name in NAMES:
        logging.getLogger(name).addFilter(limit)
    try:
        yield
    finally:
        for name in NAMES:
            logging.getLogger(name).removeFilter(limit)
