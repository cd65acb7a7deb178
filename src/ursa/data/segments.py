"""Arrays in a workspace, mapped into memory rather than read."""

import io
import mmap
import tokenize
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import files
from ursa.errors import DataError

HEADER = 1 << 16  # bytes of a .npy file's header, at most

# What reading raises for a file that is damaged, or is none of ours.
DAMAGE = (OSError, DataError, ValueError, EOFError, TypeError, SyntaxError, tokenize.TokenError, MemoryError)


def mapped(path: Path) -> mmap.mmap:
    """The content of a regular file. Raises what DAMAGE names."""
    with files.opened(path, follow=False) as (descriptor, _):
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)


def array(content: mmap.mmap) -> npt.NDArray[Any]:
    """The one-dimensional array of a mapped .npy file, not to be written to. Raises what DAMAGE names."""
    stream = io.BytesIO(content[:HEADER])
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("another version of .npy")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if len(shape) != 1 or dtype.hasobject:
        raise ValueError("not an array of ours")
    return np.frombuffer(content, dtype, count=shape[0], offset=stream.tell())
