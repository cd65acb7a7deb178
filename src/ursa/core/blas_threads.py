"""How many threads NumPy's linear algebra takes.

Its threads wait for each other inside a call, in a loop. On a machine that is busy with something else, or in a
container with fewer cores than it sees, a call of a millisecond then takes a hundred: the probe of 1,399 pictures took
18 to 44 seconds instead of one (docs/decisions.md). With one thread it takes a fifth longer at most, and half the CPU.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

LARGE = 8_000_000  # numbers of a matrix from which on all threads pay, whatever else the machine does


@contextlib.contextmanager
def blas_threads(numbers: int) -> Iterator[None]:
    """Inside, one thread works on matrices of so many numbers, where that is fewer than LARGE. Also a decorator."""
    if numbers >= LARGE:
        yield
        return
    with _controller().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _controller() -> "ThreadpoolController":
    """Of NumPy's library, which is loaded by now; finding it takes 3 ms."""
    import numpy as np  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
