"""Progress on the terminal: a bar with rate and time left. Silent where nobody watches."""

import contextlib
import sys
from collections.abc import Iterator

from ursa.core.progress import Progress

WORDS = {
    "download": "Fetching pictures",
    "embed": "Looking at pictures",
    "predict": "Predicting",
    "train": "Fine-tuning, steps",
}


@contextlib.contextmanager
def shown() -> Iterator[Progress]:
    """A Progress that draws on stderr while the context lasts."""
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from ursa.cli.console import Console

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(phase: str, done: int, of: int) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(WORDS.get(phase, phase), total=of, rate="")
            speed = bar.tasks[tasks[phase]].speed
            bar.update(tasks[phase], completed=done, total=of, rate=f"{speed:,.0f}/s" if speed else "")

        yield progress
