"""What is under way, where somebody watches: a bar with rate and time left, and a row for each epoch of training.

with shown(None) as bar:            # None: in a terminal or a notebook; True: anywhere; False: nowhere
    bar("embed", 12, 480)           # a Progress
    bar.epoch({"epoch": 1, "accuracy": 0.9})
"""

import contextlib
import html
import importlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TextIO

from ursa.core.progress import Progress, silent
from ursa.core.text import escaped

OFTEN = 0.1  # seconds between two drawings of the bar
WIDTH = 11  # characters of a column, at least
HIDDEN = ("step",)  # of an epoch's record
WORDS = {
    "load": "Loading",
    "download": "Fetching pictures",
    "embed": "Reading pictures",
    "probe": "Fitting the probe",
    "predict": "Predicting",
    "train": "Fine-tuning, steps",
    "export": "Writing the bundle",
}


class Display(Protocol):
    """Where it is shown."""

    def phase(self, words: str) -> None:
        """What the bar is of from now on."""

    def row(self, record: Mapping[str, float], columns: list[str]) -> None:
        """One epoch is done."""

    def bar(self, done: int, of: int, rate: float, left: float) -> None:
        """Of how many (0: nobody knows), how many a second, seconds left."""

    def close(self) -> None:
        """It is over."""


class ProgressDisplay:
    """A Progress that is drawn as often as one can read it."""

    def __init__(self, display: Display | None, told: Progress = silent) -> None:
        """display: None for silence. told: another Progress that hears everything."""
        self.display, self.told = display, told
        self.columns: list[str] = []
        self.phase: str | None = None
        self.first = 0  # done when the clock started, which is after the first one: that one is slow
        self.started = self.drawn = 0.0

    def __call__(self, phase: str, done: int, of: int) -> None:
        """Called very often, so it does next to nothing most of the time."""
        self.told(phase, done, of)
        if self.display is None:
            return
        now = time.perf_counter()
        if phase != self.phase:
            self.phase, self.first, self.started = phase, done, now
            self.display.phase(WORDS.get(phase, phase))
        elif now - self.drawn <= OFTEN:
            return
        self.drawn = now
        rate = (done - self.first) / max(1e-9, now - self.started)
        self.display.bar(done, of, rate, (of - done) / rate if rate else 0.0)

    def epoch(self, record: Mapping[str, float]) -> None:
        """A row: {"epoch", "train_loss", ..., "seconds"}."""
        if self.display is not None:
            self.columns = self.columns or [name for name in record if name not in HIDDEN]
            self.display.row(record, self.columns)

    def close(self) -> None:
        """Take the bar away; rows stay."""
        if self.display is not None:
            self.display.close()
        self.phase = None


@contextlib.contextmanager
def shown(wanted: "Progress | bool | None" = None) -> Iterator[ProgressDisplay]:
    """On stderr, or in a notebook, while the block lasts. A function of phase, done and of is told instead.

    It says that it is loading at once: importing what computes may take seconds.
    """
    if isinstance(wanted, ProgressDisplay):  # whoever made it closes it
        yield wanted
        return
    if callable(wanted):
        yield ProgressDisplay(None, wanted)
        return
    bar = ProgressDisplay(display(wanted, sys.stderr))
    bar("load", 0, 0)
    try:
        yield bar
    finally:
        bar.close()


def display(wanted: bool | None, stream: TextIO) -> Display | None:
    """wanted: True, False, or None for: where a person looks, in a notebook or a terminal."""
    if wanted is False:
        return None
    if _in_notebook():
        return _Notebook()
    if stream.isatty():
        return _Terminal(stream)
    return _Plain(stream) if wanted else None


class _Plain:
    """One line an epoch."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def phase(self, words: str) -> None:
        pass

    def row(self, record: Mapping[str, float], columns: list[str]) -> None:
        words = "  ".join(f"{_title(name)} {_number(name, record.get(name))}" for name in columns)
        self.stream.write(f"{words}\n")
        self.stream.flush()

    def bar(self, done: int, of: int, rate: float, left: float) -> None:
        pass

    def close(self) -> None:
        pass


class _Terminal:
    """Rows stay, so that long runs scroll; the bar below them is redrawn and goes in the end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.words, self.headed = stream, "steps", False
        self.console: Any = None
        self.live: Any = None

    def phase(self, words: str) -> None:
        self.words = escaped(words)

    def row(self, record: Mapping[str, float], columns: list[str]) -> None:
        from rich.text import Text

        widths = [max(WIDTH, len(_title(name)) + 2) for name in columns]
        if not self.headed:
            self.headed = True
            names = "".join(_title(name).rjust(width) for name, width in zip(columns, widths, strict=True))
            self._console().print(Text(names, style="bold", no_wrap=True, overflow="ellipsis"))
        cells = zip(columns, widths, strict=True)
        line = "".join(_number(name, record.get(name)).rjust(width) for name, width in cells)
        self._console().print(Text(line, no_wrap=True, overflow="ellipsis"))

    def bar(self, done: int, of: int, rate: float, left: float) -> None:
        pace = f"{done:,} of {of:,}, {_pace(rate, left)}" if of else ""
        if self.live is None:
            from rich.progress import BarColumn, Progress, TextColumn

            columns = TextColumn("{task.description}"), BarColumn(bar_width=32), TextColumn("{task.fields[pace]}")
            self.live = Progress(*columns, console=self._console(), transient=True, auto_refresh=False)
            self.task = self.live.add_task("", total=1, pace="")
            self.live.start()
        self.live.update(self.task, description=self.words, completed=done, total=of or None, pace=pace, refresh=True)

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _console(self) -> Any:
        if self.console is None:
            from rich.console import Console

            self.console = Console(file=self.stream, highlight=False, emoji=False)
        return self.console


class _Notebook:
    """An HTML table that is replaced as it grows, in the colors of the page."""

    def __init__(self) -> None:
        shown = importlib.import_module("IPython.display")
        self.html = shown.HTML
        self.rows: list[str] = []
        self.head = self.below = ""
        self.words = "steps"
        self.handle: Any = shown.display(shown.HTML(""), display_id=True)

    def phase(self, words: str) -> None:
        self.words = html.escape(escaped(words))

    def row(self, record: Mapping[str, float], columns: list[str]) -> None:
        cell = '<td style="padding:2px 8px;text-align:right;font-variant-numeric:tabular-nums">'
        self.head = "".join(
            f'<th style="padding:2px 8px;text-align:right">{html.escape(_title(name))}</th>' for name in columns
        )
        cells = "".join(f"{cell}{_number(name, record.get(name))}</td>" for name in columns)
        self.rows.append(f"<tr>{cells}</tr>")
        self._draw()

    def bar(self, done: int, of: int, rate: float, left: float) -> None:
        words = f"{self.words}: {done:,} of {of:,}, {_pace(rate, left)}" if of else self.words
        known = f'value="{done}" max="{of}" ' if of else ""
        self.below = f'<progress {known}style="width:16em"></progress> {words}'
        self._draw()

    def close(self) -> None:
        self.below = ""
        self._draw()

    def _draw(self) -> None:
        head = f"<thead><tr>{self.head}</tr></thead>" if self.head else ""
        below = f"<div>{self.below}</div>" if self.below else ""
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


def _pace(rate: float, left: float) -> str:
    minutes, seconds = divmod(round(left), 60)
    speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
    return f"{speed} a second, {minutes}:{seconds:02} left"
