"""Files -> facts and views, in order, at the speed of the decoder, and the cores shared with the forward pass.

Both on all cores at once take 1.4 times as long as one after the other (measured, docs/decisions.md), so on a CPU one
core decodes ahead, into a buffer of bounded size, while the others compute; when the buffer is full, or all is decoded,
all compute. No core ever waits, whichever of the two is the slower one, and the network loads while the first pictures
are decoded. Where decoding is the larger part (phone photos, small networks), more cores decode.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ursa.core.image import Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import CHUNK, cores, portions
from ursa.data.scan import MINIATURE, Facts, compared, glance
from ursa.embed import resize

BUFFER_BYTES = 256 << 20  # of views decoded ahead: 1,700 of 224 px


@dataclass(frozen=True)
class Chunk:
    """Some files, looked at."""

    facts: list[Facts]
    views: Pixels  # [n, S, S, 3]; what stands where there is a problem means nothing


def looks(
    files: Iterable[Path], preparation: Preparation, set_threads: Callable[[int], object] | None = None
) -> Iterator[Chunk]:
    """files -> facts and views in chunks, in the order of the files.

    set_threads: tells the forward pass, which is what happens between two chunks, how many threads to use. None: it
    happens on an accelerator, and all cores decode ahead.
    """
    count = cores()
    with ThreadPoolExecutor(count, thread_name_prefix="ursa") as pool:
        ahead = _Ahead(pool, count, files, preparation)
        try:
            if set_threads is None:
                ahead.refill()
                yield from ahead
            else:
                yield from _shared(ahead, count, set_threads)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            if set_threads is not None:
                set_threads(count)


def _shared(ahead: "_Ahead", count: int, set_threads: Callable[[int], object]) -> Iterator[Chunk]:
    """The chunks, while the cores are shared with what happens between them."""
    cpu = time.process_time()
    ahead.refill(1)
    first = next(ahead, None)
    if first is None:
        return
    decode = time.process_time() - cpu  # seconds a chunk, on one core
    ahead.let(1)
    ahead.refill()
    set_threads(max(1, count - ahead.decoders))
    yield first
    for number, chunk in enumerate(ahead):
        set_threads(max(1, count - ahead.decoders) if ahead.busy() else count)
        start = time.perf_counter()
        yield chunk
        if number == 0:
            ahead.let(decoders(decode, time.perf_counter() - start, count))


def decoders(decode: float, forward: float, count: int) -> int:
    """Seconds that a chunk takes to decode on one core and to compute on all -> how many of the cores should decode.

    At least one and not all, if there are two; between that in proportion, so that neither waits for the other.
    """
    share = decode / (decode + forward * count)
    return max(1, min(count - 1, round(share * count)))


class _Ahead:
    """Chunks that are decoded ahead of their reader, by as many threads as it lets, in the order of the files."""

    def __init__(self, pool: ThreadPoolExecutor, count: int, files: Iterable[Path], preparation: Preparation) -> None:
        self.pool, self.count, self.files = pool, count, iter(files)
        self.preparation, self.by = preparation, resize.fastest()
        self.pending: deque[tuple[Pixels, Pixels, list[Future[list[Facts]]]]] = deque()
        self.most = max(2, BUFFER_BYTES // (CHUNK * preparation.size**2 * 3))
        self.decoders = count
        self.turns = threading.Semaphore(count)

    def __iter__(self) -> "_Ahead":
        return self

    def __next__(self) -> Chunk:
        if not self.pending:
            raise StopIteration
        views, small, parts = self.pending.popleft()
        facts = compared([fact for part in parts for fact in part.result()], small)
        if len(self.pending) <= self.most // 2:  # in long stretches, so that the threads are seldom set anew
            self.refill()
        return Chunk(facts, views)

    def refill(self, most: int | None = None) -> None:
        """Have decoded what fits into the buffer."""
        while len(self.pending) < (most or self.most) and (some := list(itertools.islice(self.files, CHUNK))):
            views, small = (
                np.empty((len(some), side, side, 3), np.uint8) for side in (self.preparation.size, MINIATURE)
            )
            work = portions(list(zip(some, views, small, strict=True)), self.count)
            self.pending.append((views, small, [self.pool.submit(self._look, part) for part in work]))

    def let(self, decoders: int) -> None:
        """From now on so many threads decode at a time."""
        for _ in range(self.decoders - decoders):
            self.turns.acquire()
        if decoders > self.decoders:
            self.turns.release(decoders - self.decoders)
        self.decoders = decoders

    def busy(self) -> bool:
        """Whether anything is being decoded."""
        return any(not part.done() for *_, parts in self.pending for part in parts)

    def _look(self, items: list[tuple[Path, Pixels, Pixels]]) -> list[Facts]:
        with self.turns:
            return [glance(file, self.preparation, view, small, self.by) for file, view, small in items]
