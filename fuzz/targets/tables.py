"""Tables through `from_table`: CSV, TSV and Parquet."""

import io
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal

from fuzz.target import Target
from fuzz.values import blob, bytes_changed, number, put, rearranged

NAMES = (
    "file",
    "label",
    "split",
    "group",
    "time",
    "image",
    "id",
    "class",
    "is_valid",
    "Date",
    "",
    "x",
    "labels",
    "url",
    "\ud7ff",
)
PACKINGS: tuple[Literal["zstd", "snappy", "uncompressed"], ...] = ("zstd", "snappy", "uncompressed")
CELLS = (
    *("a.jpg", "b.jpg", "./a.jpg", "sub/../a.jpg", "sub\\c.jpg", "/etc/passwd", "../a.jpg", "http://x/a.jpg", "", " "),
    *("cat", "dog", "cat|dog", "0", "1", "0.5", "-1e400", "nan", "NaN", "true", "train", "valid", "test", "2024-05-31"),
    *("31.05.2024", "2024-05-31T12:30:00Z", "9999999-99-99", '"', '""', "\0", "é", "\u202e", "\x1b[31m", "x" * 5000),
    "a.jpg" + "/b" * 3000,
)


def case(rng: Random) -> bytes:
    """A table, one in two of them damaged."""
    if rng.random() < 0.35:
        data = _parquet(rng)
        if rng.random() < 0.3:  # the footer says what everything means
            at = rng.randrange(max(1, len(data) - 400), len(data))
            return put(data, at, bytes([number(rng, 8)]))
        return bytes_changed(data, rng)
    count = rng.choice((1, 2, 3, 5, 300))
    names = [*rng.choice((("file", "label"), ("file",), ("image", "class"), ())), *rng.choices(NAMES, k=count - 1)]
    separator = rng.choice((",", ",", ",", "\t", ";"))
    lines = [separator.join(names)]
    for _ in range(rng.choice((0, 1, 3, 10))):
        cells = [rng.choice(CELLS[:2]), *rng.choices(CELLS, k=max(0, len(names) - 1))]
        lines.append(separator.join(cells))
    if rng.random() < 0.3:
        lines = rearranged(lines, rng, lambda: '"' + "x" * rng.choice((1, 200000)))
    data = rng.choice(("\n", "\r\n")).join(lines).encode(rng.choice(("utf-8", "utf-8", "utf-16", "latin-1")), "replace")
    return bytes_changed(data, rng) if rng.random() < 0.4 else data


@cache
def _tables() -> list[bytes]:
    """Parquet files with columns of many kinds."""
    import datetime

    import polars as pl

    files = ["a.jpg", "b.jpg", "c.jpg"]
    day = datetime.datetime(2024, 5, 31, 12, 30)
    columns: list[dict[str, Any]] = [
        {"file": files, "label": ["cat", "dog", None]},
        {"file": files, "label": [["cat"], ["dog", "cat"], []]},
        {"file": files, "label": [1.5, None, float("nan")], "split": ["train", "valid", "test"], "time": [day] * 3},
        {"file": files, "label": [b"a", b"\xff", b""], "group": [1, 2, 3]},
        {"file": files, "label": [{"a": 1}, {"a": 2}, None]},
        {"file": files, "label": [True, False, None], "x": [datetime.timedelta(1)] * 3, "time": [day.time()] * 3},
        {"file": [], "label": []},
    ]
    out = []
    for each in columns:
        for packing in PACKINGS:
            buffer = io.BytesIO()
            pl.DataFrame(each).write_parquet(buffer, compression=packing)
            out.append(buffer.getvalue())
    buffer = io.BytesIO()
    odd = pl.DataFrame({"file": files, "label": pl.Series(files, dtype=pl.Categorical)})
    odd.with_columns(time=pl.lit(day).dt.replace_time_zone("Europe/Berlin")).write_parquet(buffer)
    return [*out, buffer.getvalue()]


def _parquet(rng: Random) -> bytes:
    data = rng.choice(_tables())
    return data if rng.random() < 0.9 else data + blob(rng)


def run(data: bytes) -> None:
    """Put it beside two files that it may name, and read it."""
    from ursa.data.sources.tables import from_table

    for name in ("a.jpg", "b.jpg"):
        if not Path(name).exists():
            Path(name).write_bytes(b"x")
    name = "table.parquet" if data.startswith(b"PAR1") else "table.tsv" if b"\t" in data[:40] else "table.csv"
    Path(name).write_bytes(data)
    from_table(Path(name))


@cache
def warm() -> None:
    """Two sound tables."""
    run(_tables()[0])
    run(b"file,label\na.jpg,cat\nb.jpg,dog\n")


TARGETS = (Target("tables", case, run, warm, weight=3),)
