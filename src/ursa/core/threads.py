"""work(item) for each item on all cores, results in order, memory flat.

Decoders and networks release the interpreter's lock, so threads serve as well as processes and behave the same on every
system.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

CHUNK = 64  # items at a time: long enough to keep all threads busy, short enough for progress and memory


def chunks(
    items: Iterable[In],
    work: Callable[[In], Out],
    *,
    size: int = CHUNK,
    threads: int | None = None,
    ahead: bool = False,
) -> Iterator[list[Out]]:
    """work(item) for each item -> lists of at most `size` results, in order; `ahead` works one list in advance."""
    source = iter(items)
    with ThreadPoolExecutor(threads or cores(), thread_name_prefix="ursa") as pool:

        def submit() -> list[Future[Out]]:
            return [pool.submit(work, item) for item in itertools.islice(source, size)]

        pending = submit()
        try:
            while pending:
                following = submit() if ahead else []
                yield [future.result() for future in pending]
                pending = following if ahead else submit()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """Processors that this process may use; no more than OMP_NUM_THREADS, where that is set."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(wanted)) if wanted.isdigit() and int(wanted) else allowed
