"""`ursa backbones`: its arguments, and the table of what was measured."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ursa.cli.command_options import (
    Debug,
    Device,
    Fresh,
    Json,
    PatternOption,
    PictureOptions,
    Pictures,
    PrecisionOption,
    RuntimeOption,
    Seed,
    TableOption,
    WorkspaceOption,
)
from ursa.cli.output import print_json

if TYPE_CHECKING:
    from rich.table import Table

    from ursa.cli.console import Console
    from ursa.workflow.backbones import ComparedBackbones
    from ursa.workflow.results.backbone_pick import MeasuredBackbone


def backbones(
    data: Pictures,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Backbones to measure, each with a file of its weights if you have one. [default: pixels, and a list]",
            metavar="NAME[=FILE]",
            show_default=False,
        ),
    ] = None,
    max_ms: Annotated[
        float | None, typer.Option("--max-ms", help="Most milliseconds of predicting a picture.", metavar="MS")
    ] = None,
    max_mb: Annotated[
        float | None, typer.Option("--max-mb", help="Most megabytes of the exported model.", metavar="MB")
    ] = None,
    pattern: PatternOption = None,
    table: TableOption = None,
    workspace: WorkspaceOption = None,
    precision: PrecisionOption = "auto",
    runtime: RuntimeOption = "auto",
    seed: Seed = None,
    device: Device = "cpu",
    fresh: Fresh = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Measure backbones on your pictures, and pick one. Exits 1 when none fits the limits.

    Each costs one pass over the pictures, which a later check need not do again.
    """
    from ursa.core import progress_display

    given = PictureOptions(data, workspace=workspace, pattern=pattern, table=table)
    with progress_display.shown() as bar:
        from ursa.workflow.backbones import backbones as run

        keywords: dict[str, Any] = given.keywords(resumed=True)  # the backbone that was used last is one of many here
        keywords |= {"precision": precision, "runtime": runtime, "device": device, "seed": seed, "fresh": fresh}
        result = run(data, names or (), max_ms=max_ms, max_mb=max_mb, progress=bar, **keywords)
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli.console import Console

        show_compared(result, given, Console())
    if result.pick.row is None:
        raise typer.Exit(1)


def show_compared(result: "ComparedBackbones", given: PictureOptions, console: "Console") -> None:
    """The table, the reasons of what is missing in it, the pick, and the next command."""
    from ursa.cli.console import plain

    console.print(_table(result, console.width))
    problems: dict[str, list[str]] = {}
    for row in result.rows:
        if row.problem is not None:
            problems.setdefault(row.problem, []).append(row.name)
    for problem, names in problems.items():
        console.print(f"\n[yellow]![/] {plain(', '.join(names))}: [dim]{plain(problem)}[/]")
    over = [(row.name, failed) for row in result.rows if (failed := result.limits.failed(row))]
    if over:
        listed = "; ".join(f"{name}: {' and '.join(LIMITS[limit] for limit in failed)}" for name, failed in over)
        console.print(f"\n[dim]Over a limit: {plain(listed)}.[/]")
    console.print(f"\n{plain(result.pick.why)}")
    if result.pick.row is not None:
        following = given.following("train", *next_words(result), *given.as_read())
        console.print(f"\n[dim]Next:   [/] {plain(following)}", soft_wrap=True)


def next_words(result: "ComparedBackbones") -> list[str]:
    """Options of the next command: the backbone that was picked, and its file."""
    row = result.pick.row
    if row is None:
        return []
    return ["--backbone", row.name, *(["--weights", str(row.weights)] if row.weights is not None else [])]


def _table(result: "ComparedBackbones", width: int) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("backbone", overflow="fold")
    for name in ("accuracy", "95 % interval", "pass", "predict", "model"):
        table.add_column(name, justify="right", no_wrap=True, style="dim" if name == "95 % interval" else "")
    if width >= WIDE:
        table.add_column("license", overflow="fold", style="dim")
    for row in result.rows:
        table.add_row(*_cells(row, result, width))
    return table


LIMITS = {"max_ms": "takes too long", "max_mb": "is too large"}
WIDE = 100  # columns of a terminal from which on the license has one of its own


def _cells(row: "MeasuredBackbone", result: "ComparedBackbones", width: int) -> list[str]:
    from ursa.cli.console import plain

    picked = row is result.pick.row
    name = f"[bold]{plain(row.name)}[/] [bold green]picked[/]" if picked else plain(row.name)
    license = [plain(row.license or "")] if width >= WIDE else []
    if row.accuracy is None:
        return [name, "[dim]none[/]", "", "", "", "", *license]
    value, low, high = (100 * part for part in (row.accuracy.value, row.accuracy.low, row.accuracy.high))
    costs = [_number(row.pass_ms, "ms"), _over(row.predict_ms, result.limits.ms, "ms")]
    return [
        name,
        f"{value:.1f} %",
        f"{low:.1f} to {high:.1f}",
        *costs,
        _over(row.megabytes, result.limits.mb, "MB"),
        *license,
    ]


def _over(value: float | None, limit: float | None, unit: str) -> str:
    """A cost, red where it is over its limit."""
    text = _number(value, unit)
    return f"[red]{text}[/]" if value is not None and limit is not None and value > limit else text


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
