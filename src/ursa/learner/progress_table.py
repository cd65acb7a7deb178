"""A run while it happens: a row for each epoch, and a bar with rate and time left. In a terminal, a notebook, or plain.

The table watches a fit from outside (`fit.Observer`, and `progress` for the bar); it is silent where nobody reads it.
"""

import html
import importlib
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol

from ursa.core.text import escaped
from ursa.training.fit import Observer

OFTEN = 0.1  # seconds between two drawings of the bar
WIDTH = 11  # characters of a column, at least
HIDDEN = ("step",)  # of an epoch's record


class Display(Protocol):
    """Where the table is shown."""

    def row(self, record: Mapping[str, float], columns: list[str]) -> None:
        """One epoch is done."""

    def bar(self, done: int, of: int, lr: float, left: float) -> None:
        """Steps, steps a second, seconds."""

    def close(self) -> None:
        """The run is over."""


class ProgressTable(Observer):
    """Shows epochs as they come. `progress` is what `fit` calls after each step."""

    def __init__(self, display: Display | None, epochs: int) -> None:
        """display: None for silence."""
        self.display, self.epochs = display, epochs
        self.columns: list[str] = []
        self.first = 0  # steps done when the clock started, which is after the first one: that one is slow
        self.started = self.drawn = 0.0

    @property
    def observers(self) -> "tuple[ProgressTable, ...]":
        """Itself, or nobody where it is silent, so that silence costs nothing."""
        return () if self.display is None else (self,)

    def epoch(self, record: dict[str, float]) -> None:
        if self.display is not None:
            self.columns = self.columns or [name for name in record if name not in HIDDEN]
            self.display.row(record, self.columns)

    def close(self) -> None:
        if self.display is not None:
            self.display.close()

    def progress(self, phase: str, done: int, of: int) -> None:  # noqa: ARG002, a Progress
        """Called after each step, so it does next to nothing most of the time."""
        now = time.perf_counter()
        if not self.first:
            self.first, self.started, self.drawn = done, now, now
        if self.display is None or now - self.drawn <= OFTEN:
            return
        self.drawn = now
        lr = (done - self.first) / (now - self.started)
        self.display.bar(done, of, lr, (of - done) / max(1e-9, lr))


def table(wanted: bool | None, epochs: int) -> ProgressTable:
    """wanted: True, False, or None for: where a person looks, in a notebook or a terminal."""
    if wanted is False:
        return ProgressTable(None, epochs)
    if _in_notebook():
        return ProgressTable(_Notebook(), epochs)
    if sys.stdout.isatty():
        return ProgressTable(_Terminal(), epochs)
    return ProgressTable(_Plain() if wanted else None, epochs)


class _Plain:
    """One line an epoch."""

    def row(self, record: Mapping[str, float], columns: list[str]) -> None:
        words = "  ".join(f"{_title(name)} {_number(name, record.get(name))}" for name in columns)
        sys.stdout.write(f"{words}\n")
        sys.stdout.flush()

    def bar(self, done: int, of: int, lr: float, left: float) -> None:
        pass

    def close(self) -> None:
        pass


class _Terminal:
    """Rows stay, so that long runs scroll; the bar below them is redrawn and goes in the end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.console = Console()
        columns = (BarColumn(bar_width=32), MofNCompleteColumn(), TextColumn("steps  {task.fields[words]}"))
        self.live = Progress(*columns, console=self.console, transient=True, auto_refresh=False)
        self.task = self.live.add_task("", total=1, words="")
        self.started = self.headed = False

    def row(self, record: Mapping[str, float], columns: list[str]) -> None:
        from rich.text import Text

        widths = [max(WIDTH, len(_title(name)) + 2) for name in columns]
        if not self.headed:
            self.headed = True
            names = "".join(_title(name).rjust(width) for name, width in zip(columns, widths, strict=True))
            self.console.print(Text(names, style="bold", no_wrap=True, overflow="ellipsis"))
        cells = zip(columns, widths, strict=True)
        line = "".join(_number(name, record.get(name)).rjust(width) for name, width in cells)
        self.console.print(Text(line, no_wrap=True, overflow="ellipsis"))

    def bar(self, done: int, of: int, lr: float, left: float) -> None:
        if not self.started:
            self.started = True
            self.live.update(self.task, completed=done, total=of, words=_pace(lr, left))
            self.live.start()
        self.live.update(self.task, completed=done, total=of, words=_pace(lr, left), refresh=True)

    def close(self) -> None:
        if self.started:
            self.live.stop()


class _Notebook:
    """An HTML table that is replaced as it grows, in the colours of the page."""

    def __init__(self) -> None:
        shown = importlib.import_module("IPython.display")
        self.html = shown.HTML
        self.rows: list[str] = []
        self.head = self.words = ""
        self.handle: Any = shown.display(shown.HTML(""), display_id=True)

    def row(self, record: Mapping[str, float], columns: list[str]) -> None:
        cell = '<td style="padding:2px 8px;text-align:right;font-variant-numeric:tabular-nums">'
        self.head = "".join(
            f'<th style="padding:2px 8px;text-align:right">{html.escape(_title(name))}</th>' for name in columns
        )
        cells = "".join(f"{cell}{_number(name, record.get(name))}</td>" for name in columns)
        self.rows.append(f"<tr>{cells}</tr>")
        self._draw()

    def bar(self, done: int, of: int, lr: float, left: float) -> None:
        words = f"{done:,} of {of:,} steps, {_pace(lr, left)}"
        self.words = f'<progress value="{done}" max="{of}" style="width:16em"></progress> {words}'
        self._draw()

    def close(self) -> None:
        self.words = ""
        self._draw()

    def _draw(self) -> None:
        head = f"<thead><tr>{self.head}</tr></thead>" if self.head else ""
        below = f"<div>{self.words}</div>" if self.words else ""
        self.handle.update(self.html(f"<table>{head}<tbody>{''.join(self.rows)}</tbody></table>{below}"))


def _in_notebook() -> bool:
    """Whether this runs in a kernel that shows HTML. IPython is looked at only where it is loaded already."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def _title(name: str) -> str:
    named = {"train_loss": "training", "valid_loss": "validation", "seconds": "time"}
    return escaped(named.get(name, name.replace("_", " ")))


def _number(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == "epoch":
        return f"{value:.0f}"
    if name == "seconds":
        return f"{value:.1f} s" if value < 60 else f"{value // 60:.0f}:{value % 60:02.0f}"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.5g}"


def _pace(lr: float, left: float) -> str:
    minutes, seconds = divmod(round(left), 60)
    speed = f"{lr:,.0f}" if lr >= 10 else f"{lr:.2g}"
    return f"{speed} a second, {minutes}:{seconds:02} left"
