"""Files -> facts and views, in order, at the speed of the decoder, and the cores shared with the forward pass.

On a CPU, decoding and the forward pass either take turns, each on all cores, or run side by side on cores of their own;
both on all cores at once takes 1.4 times as long as taking turns (measured, docs/decisions.md). Which is faster depends
on pictures, network and machine, so the first chunks are timed and the rest goes by what they say.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ursa.core.image import Pixels
from ursa.core.prepare import Preparation
from ursa.core.threads import CHUNK, chunks, cores
from ursa.data.scan import Facts, look

Look = tuple[Facts, Pixels | None]

TIMED = 2  # chunks that take turns before the plan is made; the first of them warms up, the last one is timed


@dataclass(frozen=True)
class Plan:
    """How many threads decode, how many compute, and whether at the same time."""

    decode: int
    forward: int
    side_by_side: bool


def looks(
    files: Iterable[Path], preparation: Preparation, set_threads: Callable[[int], object] | None = None
) -> Iterator[list[Look]]:
    """files -> chunks of (facts, view), in the order of the files.

    set_threads: tells the forward pass, which is what happens between two chunks, how many threads to use. None: it
    happens on an accelerator, and one chunk is decoded ahead meanwhile.
    """

    def work(file: Path) -> Look:
        return look(file, preparation)

    source, count = iter(files), cores()
    if set_threads is None:
        yield from chunks(source, work, ahead=True)
        return
    plan = Plan(count, count, side_by_side=False)
    first = chunks(itertools.islice(source, TIMED * CHUNK), work)
    for _ in range(TIMED):
        wall, cpu = time.perf_counter(), time.process_time()
        chunk = next(first, [])
        if not chunk:
            return
        decode_wall, decode_cpu = time.perf_counter() - wall, time.process_time() - cpu
        wall = time.perf_counter()
        yield chunk
        plan = best_plan(decode_wall, decode_cpu, time.perf_counter() - wall, count)
    set_threads(plan.forward)
    try:
        yield from chunks(source, work, threads=plan.decode, ahead=plan.side_by_side)
    finally:
        set_threads(count)


def best_plan(decode_wall: float, decode_cpu: float, forward_wall: float, cores: int) -> Plan:
    """Seconds that a chunk took in turns -> the plan that should be fastest.

    decode_wall on all cores; decode_cpu of all threads together, which is what one thread alone would need;
    forward_wall on all cores, taken to scale with them.
    """
    turns = decode_wall + forward_wall
    by_split = {k: max(decode_cpu / k, forward_wall * cores / (cores - k)) for k in range(1, cores)}
    best = min(by_split, key=lambda k: by_split[k], default=0)
    if best and by_split[best] < turns:
        return Plan(best, cores - best, side_by_side=True)
    return Plan(cores, cores, side_by_side=False)
