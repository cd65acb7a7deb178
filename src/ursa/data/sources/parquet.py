"""Parquet from outside -> a polars frame, read in a process of its own, which may die.

A few changed bytes make polars 2.1.0 panic in one of its threads, and now and then abort: a loop over mutants of a
small table ended that way, with the whole process. So a child reads the file, under limits of memory and time, and
hands the frame over as Arrow; that takes up to a second, most of it to start. Ursa's own files are not read here.
"""

import io
import os
import subprocess
import sys

import polars as pl

from ursa.core.text import escaped
from ursa.errors import DataError

ROWS = 10_000_000  # a row is a picture; 300 kB of Parquet can hold five times as many
COLUMNS = 10_000
MEMORY = 16 << 30  # bytes of address space, not of what is really used
SECONDS = 120
SAID = 200  # characters of what polars says

_REFUSED = 3

# Standard input -> standard output. Metadata first: a small file may say that it holds billions of rows.
_CHILD = """
import io, sys
memory, seconds, most_rows, most_columns, refused = map(int, sys.argv[1:])
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass  # not on this system
import polars as pl
data, out, said = sys.stdin.buffer.read(), io.BytesIO(), ""
try:
    lazy = pl.scan_parquet(io.BytesIO(data))
    columns, rows = len(lazy.collect_schema()), lazy.select(pl.len()).collect().item()
    if rows > most_rows or columns > most_columns:
        said = f"{rows:,} rows and {columns:,} columns, the limits are {most_rows:,} and {most_columns:,}"
    else:
        pl.read_parquet(io.BytesIO(data)).write_ipc(out)
except BaseException as problem:
    said = f"{type(problem).__name__}: {problem}"
if said:
    sys.stdout.buffer.write(said.splitlines()[0].encode("utf-8", "replace"))
    sys.exit(refused)
sys.stdout.buffer.write(out.getbuffer())
"""


def read(data: bytes, path: object) -> pl.DataFrame:
    """The frame in these bytes; `path` is for messages. Raises DataError for what cannot be read, whatever it does."""
    limits = (MEMORY, SECONDS, ROWS, COLUMNS, _REFUSED)
    # -P: a `polars.py` in the current folder is not imported. What is importable here is so there.
    command = [sys.executable, "-P", "-c", _CHILD, *map(str, limits)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "POLARS_MAX_THREADS": "2"}
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, env=environment, check=False)
    except subprocess.TimeoutExpired:
        raise _damaged(path, f"it cannot be read within {SECONDS} s") from None
    if done.returncode == _REFUSED:
        raise _damaged(path, escaped(done.stdout.decode("utf-8", "replace"))[:SAID])
    if done.returncode != 0:
        raise _damaged(path, f"it ends the process that reads it ({done.returncode})")
    try:
        return pl.read_ipc(io.BytesIO(done.stdout))
    except (pl.exceptions.PolarsError, OSError) as problem:
        raise _damaged(path, "it ends the process that reads it") from problem


def _damaged(path: object, found: str) -> DataError:
    return DataError(f"{path} is a damaged Parquet file", found=found, fix="write it again, or save the table as CSV")
