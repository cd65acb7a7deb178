"""What the benchmarks share: where pictures and weights lie, medians, tables, and the page that they all write.

Each script measures one thing, prints a table, writes `results/NAME.json`, and rewrites docs/benchmarks.md from all
results. Ratios are taken interleaved in one run, so that a drifting machine changes both sides alike.
"""

import json
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
RESULTS = ROOT / "benchmarks" / "results"
SQUEEZENET = SHARED / "weights" / "squeezenet1_0-imagenet.safetensors"
BACKBONE = "torchvision:squeezenet1_0"
SETS = ("dogs_cats", "bears_thumbs", "bears_messy", "clothing")


def shared(name: str) -> Path:
    """A shared picture folder; ends the script, without failing, where there is none."""
    folder = SHARED / "data" / name
    if not folder.exists() or not SQUEEZENET.exists():
        print(f"skipped: it needs {folder.name} and the SqueezeNet weights in ../shared")
        sys.exit(0)
    return folder


def interleaved(rounds: int, **actions: Callable[[], float]) -> dict[str, list[float]]:
    """Seconds of each action in each round, the actions taking turns. An action returns its own seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            seconds[name].append(action())
    return seconds


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios round by round."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def report(name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    """Print the table, keep it as JSON, and rewrite the page."""
    machine = f"{_cpu()}, {len(os.sched_getaffinity(0))} cores; torch {version('torch').split('+')[0]}"
    document: dict[str, Any] = {"title": title, "columns": columns, "rows": rows, "note": note, "machine": machine}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    print(_table(document))
    (ROOT / "docs" / "benchmarks.md").write_text(page())


def page() -> str:
    """docs/benchmarks.md, from all results."""
    parts = [
        "# Benchmarks\n\nWritten by the scripts that measured: `make bench`. Medians; ratios interleaved in one run.\n"
    ]
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        parts.append(f"## {result['title']}\n\n`benchmarks/{path.stem}.py`, {result['machine']}.\n\n{_table(result)}")
    return "\n".join(parts)


def _table(document: dict[str, Any]) -> str:
    lines = [document["columns"], ["---"] * len(document["columns"]), *document["rows"]]
    text = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
    return f"{text}\n" + (f"\n{document['note']}\n" if document["note"] else "")


def _cpu() -> str:
    from ursa.embed.engine import machine

    return machine().split(" ", 1)[1]
