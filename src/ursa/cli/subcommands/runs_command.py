"""`ursa runs` and `ursa compare`: their arguments, the table of runs, and the sentence on two of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ursa.cli.command_options import (
    Debug,
    Json,
    PatternOption,
    PictureOptions,
    TableOption,
    WorkspaceOption,
    table_options,
)
from ursa.cli.output import print_json

if TYPE_CHECKING:
    from rich.padding import Padding

    from ursa.cli.console import Console
    from ursa.core.statistics import Estimate
    from ursa.workflow.comparing.run_table import RunRow, RunTable
    from ursa.workflow.results.compared import Compared

Trained = Annotated[
    Path,
    typer.Argument(
        help="The pictures, a folder or a table, that the runs learned from.", metavar="FOLDER", show_default=False
    ),
]
Model = Annotated[
    str,
    typer.Argument(help="A run by its number or name, or a bundle's file.", metavar="MODEL", show_default=False),
]


def runs(data: Trained, workspace: WorkspaceOption = None, json_: Json = False, debug: Debug = False) -> None:
    """All training runs so far: what differed, and how they did."""
    from ursa.workflow.comparing.run_table import runs as run

    result = run(data, workspace=workspace)
    if json_:
        print_json(result.to_json())
        return
    from ursa.cli.console import Console

    show_runs(result, PictureOptions(data, workspace=workspace), Console())


def compare(
    first: Model,
    second: Model,
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Of runs what they learned from [default: the current folder]; of bundles any labelled pictures.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    pattern: PatternOption = None,
    table: TableOption = None,
    workspace: WorkspaceOption = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Whether one of two runs or bundles is better, on the same pictures, or whether that may be chance."""
    from ursa.core import progress_display
    from ursa.workflow.comparing.compare import compare as run

    options: dict[str, Any] = {"pattern": pattern, "table": table_options(table) or None, "workspace": workspace}
    with progress_display.shown() as bar:
        result = run(first, second, data, progress=bar, **options)
    if json_:
        print_json(result.to_json())
        return
    from ursa.cli.console import Console

    show_comparison(result, Console())


def show_runs(result: "RunTable", given: PictureOptions, console: "Console") -> None:
    """The table, what the states in it mean, and the next command."""
    from ursa.cli.console import plain
    from ursa.workflow.comparing.run_table import FINISHED, STATES

    if not result.rows:
        console.print(f"There are no runs in {plain(str(result.folder))} yet.", soft_wrap=True)
        console.print(f"\n[dim]Next:   [/] {plain(given.following('train'))}", soft_wrap=True)
        return
    names, notes = short_names(result.differing), []
    for line in _lines(result, names, console.width):
        console.print(line)
    if len(result.rows) > 1 and not names:
        notes.append("All their settings are the same.")
    met = dict.fromkeys(row.status for row in result.rows)
    notes += [f"{status}: {STATES[status]}." for status in met if status != FINISHED]
    for note in notes:
        console.print(f"\n[dim]{plain(note)}[/]")
    finished = [row for row in result.rows if row.result is not None]
    if len(finished) > 1:
        best = sorted(finished, key=lambda row: -row.result.accuracy.value if row.result else 0.0)[:2]
        words = [str(row.number or row.name) for row in best]
        at = [] if given.workspace is None else ["--workspace", str(given.workspace)]
        console.print("\nWhether the best is better than the next, or only luckier:")
        console.print(f"[dim]Next:   [/] {plain(_line(['ursa', 'compare', *words], given.data, at))}", soft_wrap=True)


def show_comparison(result: "Compared", console: "Console") -> None:
    """Both on the same pictures, the difference, and what follows from it."""
    from rich.table import Table

    from ursa.cli.console import plain

    paired = result.paired
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model", overflow="fold")
    for name in ("accuracy", "95 % interval", "right alone"):
        table.add_column(name, justify="right", no_wrap=True, style="dim" if name == "95 % interval" else "")
    alone = (paired.only_first, paired.only_second)
    for name, accuracy, count in zip((result.first, result.second), result.accuracies, alone, strict=True):
        winner = paired.told and (result.difference.value > 0) == (name == result.first)
        table.add_row(f"[bold]{plain(name)}[/]" if winner else plain(name), *_metric(accuracy), f"{count:,}")
    difference = result.difference
    value, low, high = (f"{100 * part:+.1f}" for part in (difference.value, difference.low, difference.high))
    table.add_row("[dim]difference[/]", f"{value} points", f"{low} to {high}")
    console.print(f"On {paired.pictures:,} {plain(result.part)}:\n")
    console.print(table)
    console.print(f"\n{plain(result.verdict.evidence)}\n[dim]{plain(result.verdict.advice)}[/]")
    if result.left_out:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in result.left_out.items())
        console.print(f"\n[dim]Left out: {plain(reasons)}.[/]")


def short_names(names: Sequence[str]) -> list[str]:
    """Settings without their group, where that tells them apart: "optim.epochs" is "epochs"."""
    last = [name.rpartition(".")[2] for name in names]
    return [short if last.count(short) == 1 else name for short, name in zip(last, names, strict=True)]


def _cells(row: "RunRow", differing: Sequence[str]) -> list[str]:
    """number, begun, status or what was kept; the settings; accuracy, interval, measured on, time."""
    from ursa.cli.console import plain

    begun = "" if row.begun is None else f"{row.begun.astimezone():%m-%d %H:%M}"
    settings = [plain(_text(row.settings.get(name))) for name in differing]
    if row.result is None:
        about = [f"[dim]{plain(row.status)}[/]", *settings, "", "", "", ""]
    else:
        count = row.result.pictures.get(row.result.part, 0)
        on = f"{count:,} {plain(row.result.part)}"
        about = [plain(row.result.kept), *settings, *_metric(row.result.accuracy), on, _seconds(row.result.seconds)]
    return [str(row.number) if row.number else plain(row.name), begun, *about]


def _lines(result: "RunTable", names: list[str], width: int) -> Iterator["Padding"]:
    """The table: settings in columns of their own where there is room for all, else in a line below each run."""
    from rich.cells import cell_len
    from rich.padding import Padding
    from rich.text import Text

    from ursa.cli.console import plain

    cells = [_cells(row, result.differing) for row in result.rows]
    heads = ["#", "begun", "kept", *map(plain, names), "accuracy", "95 % interval", "of", "time"]
    rows = [[f"[dim]{head}[/]" for head in heads], *cells]
    widths = [max(cell_len(Text.from_markup(row[column]).plain) for row in rows) for column in range(len(heads))]
    of_settings = range(3, 3 + len(names))
    apart = sum(widths) + 2 * (len(widths) - 1) > width
    for number, row in enumerate(rows):
        shown = []
        for column, cell in enumerate(row):
            if not (apart and column in of_settings):
                blanks = " " * (widths[column] - cell_len(Text.from_markup(cell).plain))
                shown.append(cell + blanks if column < 3 else blanks + cell)
        yield Padding("  ".join(shown), 0)
        if apart and number:
            words = ", ".join(f"{heads[column]} {row[column]}" for column in of_settings if row[column])
            yield Padding(f"[dim]{words}[/]", (0, 0, 0, widths[0] + 2))


def _metric(estimate: "Estimate") -> tuple[str, str]:
    return f"{100 * estimate.value:.1f} %", f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _text(value: object) -> str:
    """A setting as one would type it; nothing where it is not known."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _line(words: list[str], data: Path, at: list[str]) -> str:
    from ursa.cli.output import path_word, shell_line

    return shell_line([*words, path_word(data), *at])
