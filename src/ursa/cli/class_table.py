"""A confusion matrix -> the table of classes on a terminal, and its most frequent confusions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from ursa.cli.console import plain
from ursa.core import statistics

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def class_table(counts: Mapping[str, int], confusion: "npt.NDArray[np.int64]", names: Sequence[str]) -> Table:
    """Recall, precision and F1 of each class, each with its 95 % interval."""
    scores = statistics.per_class(confusion, names)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.caption, table.caption_justify = "[dim]95 % intervals[/]", "right"
    table.add_column("class", overflow="fold")
    table.add_column("pictures", justify="right")
    for name in ("recall", "precision", "F1"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, count in counts.items():
        known = scores[name] if name in scores and scores[name]["pictures"] else {}
        cells = (_share(known[key]) if key in known else "" for key in ("recall", "precision", "f1"))
        table.add_row(plain(name), f"{count:,}", *cells)
    return table


def _share(metric: Mapping[str, float | None]) -> str:
    """A metric of a document; nothing where there is no number, as of a class that is never predicted."""
    if metric["value"] is None:
        return ""
    low, value, high = (f"{100 * (metric[key] or 0):.0f}" for key in ("low", "value", "high"))
    return f"{value} % [dim]{f'{low} to {high}':>9}[/]"


def most_confused(confusion: "npt.NDArray[np.int64]", names: Sequence[str]) -> str:
    """The three most frequent confusions, in a sentence."""
    worst = [f"{plain(a)} as {plain(b)} ({n})" for a, b, n in statistics.most_confused(confusion, names, 3)]
    return f"Most confused: {', '.join(worst)}." if worst else "No picture is predicted as another class."
