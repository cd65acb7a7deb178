"""Files -> facts and views, in order, at the speed of the decoder.

Decoders release the interpreter's lock, so threads serve as well as processes and behave the same on every system.
On a CPU, decoding and the forward pass take turns, each on all cores: run at the same time they fight for the cores and
take 1.4 times as long (measured, docs/decisions.md). For an accelerator the next chunk is decoded meanwhile.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ursa.core.image import Pixels
from ursa.core.prepare import Preparation
from ursa.data.scan import Facts, look

In = TypeVar("In")
Out = TypeVar("Out")

CHUNK = 64  # files decoded at a time: long enough to keep all threads busy, short enough for progress and memory


def looks(
    files: Iterable[Path], preparation: Preparation, *, ahead: bool = False
) -> Iterator[list[tuple[Facts, Pixels | None]]]:
    """files -> chunks of (facts, view), in the order of the files; `ahead` decodes one chunk in advance."""
    return chunks(files, lambda file: look(file, preparation), ahead=ahead)


def chunks(items: Iterable[In], work: Callable[[In], Out], *, size: int = CHUNK, ahead: bool = False) -> Iterator[list[Out]]:
    """work(item) for each item on all cores -> lists of `size` results, in order. Memory stays flat."""
    source = iter(items)
    with ThreadPoolExecutor(cores(), thread_name_prefix="ursa") as pool:

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
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
