"""work(item) for each item on all cores, results in order, memory flat; and how many threads linear algebra takes.

Decoders and networks release the interpreter's lock, so threads serve as well as processes and behave the same on every
system. Threads inside NumPy's linear algebra wait for each other in a loop: on a machine that is busy with something
else, or in a container with fewer cores than it sees, a call of a millisecond then takes a hundred. The probe of 1,399
pictures took 18 to 44 seconds instead of one; on one thread it takes a fifth longer at most, and half the CPU.
"""

import contextlib
import functools
import itertools
import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

In = TypeVar("In")
Out = TypeVar("Out")

CHUNK = 64  # items at a time: long enough to keep all threads busy, short enough for progress and memory
LARGE = 8_000_000  # numbers of a matrix from which on all threads pay, whatever else the machine does
PORTIONS = 4  # groups of items a thread and chunk: handing items over one by one costs up to a fifth (measured)


def chunks(
    items: Iterable[In],
    work: Callable[[In], Out],
    *,
    size: int = CHUNK,
    threads: int | None = None,
    ahead: int = 0,
    begin: Callable[[], object] | None = None,
) -> Iterator[list[Out]]:
    """work(item) for each item -> lists of at most `size` results, in order.

    ahead: so many lists are worked in advance; begin: what each thread does first.
    """
    lists, count = batched(items, size), threads or cores()
    with ThreadPoolExecutor(count, thread_name_prefix="ursa", initializer=begin) as pool:

        def submit() -> list[Future[list[Out]]]:
            return [pool.submit(_each, work, some) for some in portions(next(lists, []), count)]

        pending: deque[list[Future[list[Out]]]] = deque()
        try:
            while True:
                while len(pending) <= ahead and (some := submit()):
                    pending.append(some)
                if not pending:
                    return
                yield [result for future in pending.popleft() for result in future.result()]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def batched(items: Iterable[In], size: int) -> Iterator[list[In]]:
    """Items, taken as they come, in lists of at most `size`."""
    source = iter(items)
    return iter(lambda: list(itertools.islice(source, size)), [])


def portions(items: list[In], threads: int) -> list[list[In]]:
    """Items -> groups to be handed to threads, in order."""
    size = max(1, len(items) // (threads * PORTIONS))
    return [items[i : i + size] for i in range(0, len(items), size)]


def _each(work: Callable[[In], Out], items: list[In]) -> list[Out]:
    return [work(item) for item in items]


def cores() -> int:
    """Processors that this process may use; no more than its container has, or than a set OMP_NUM_THREADS."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = min(allowed, _quota() or allowed)
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(wanted)) if wanted.isdigit() and int(wanted) else allowed


@functools.cache
def _quota(path: str = "/sys/fs/cgroup/cpu.max") -> int | None:
    """Processors that the container's share of time comes to, rounded up ("150000 100000" is 2); None without a limit.

    More threads than that are stopped in the middle of each period, all at once.
    """
    try:
        with open(path) as file:
            most, period = file.read(100).split()
        return max(1, math.ceil(int(most) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):  # another system, or "max"
        return None


@contextlib.contextmanager
def blas_threads(numbers: int) -> Iterator[None]:
    """Inside, one thread works on matrices of so many numbers, where that is fewer than LARGE. Also a decorator."""
    if numbers >= LARGE:
        yield
        return
    with _controller("scipy.linalg" in sys.modules).limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _controller(with_scipy: bool) -> "ThreadpoolController":  # noqa: ARG001  what is cached is found anew with it
    """Of the libraries that are loaded by now, NumPy's and perhaps SciPy's own; finding them takes 3 ms."""
    import numpy as np  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
