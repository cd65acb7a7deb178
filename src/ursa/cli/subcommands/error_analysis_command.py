"""`ursa error-analysis`: its arguments, and its result as a table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ursa.cli.command_options import Debug, Json, Pictures, WorkspaceOption
from ursa.cli.output import path_word, print_json, say, shell_line

if TYPE_CHECKING:
    from ursa.cli.console import Console
    from ursa.workflow.error_analysis import ErrorAnalysis


def error_analysis(
    data: Pictures,
    tags: Annotated[
        Path | None,
        typer.Option("--tags", help="The tagged sheet. [default: mistakes.csv of the last check]", metavar="FILE.csv"),
    ] = None,
    workspace: WorkspaceOption = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Why a model is wrong: the share of each cause that mistakes were tagged with. Exits 1 when none is tagged.

    Tag the mistakes in the page of `ursa check`, `train` or `evaluate --report`, or in the CSV file beside it.
    """
    from ursa.workflow.error_analysis import error_analysis as run

    result = run(data, tags=tags, workspace=workspace)
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli.console import Console

        _told(result, shell_line(["ursa", "check", path_word(data)]), Console())
    if not result.tagged:
        say(f"Nothing is tagged in {result.sheet}: fill in its column tags, several split by semicolons.")
        raise typer.Exit(1)


def _told(result: "ErrorAnalysis", again: str, console: "Console") -> None:
    from rich.table import Table

    from ursa.cli.console import plain
    from ursa.diagnose.error_causes import WRONG_LABEL

    count = result.tagged + result.untagged
    console.print(
        f"[bold]{result.tagged:,} of {count:,} mistakes tagged[/], {result.mistakes:,} mistakes in "
        f"{result.pictures:,} pictures: accuracy {_percent(result.accuracy.value)}"
    )
    if result.gone:
        names = ", ".join(result.gone[:3])
        console.print(f"[dim]{len(result.gone):,} left out, the picture is gone: {plain(names)}[/]")
    if not result.causes:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("cause", overflow="fold")
    for name in ("mistakes", "share", "95 % interval", "accuracy at most", "95 % interval"):
        table.add_column(name, justify="right", style="dim" if "interval" in name else None)
    for cause in result.causes:
        share, ceiling = cause.share, cause.ceiling
        table.add_row(
            plain(cause.name),
            f"{cause.count:,}",
            f"{100 * share.value:.0f} %",
            f"{100 * share.low:.0f} to {100 * share.high:.0f}",
            _percent(ceiling.value),
            f"{100 * ceiling.low:.1f} to {100 * ceiling.high:.1f}",
        )
    console.print()
    console.print(table)
    console.print(f"\nI{plain(str(result.causes[0])[1:])}.")
    if any(cause.name == WRONG_LABEL for cause in result.causes):
        console.print("[dim]Mistakes whose label is wrong are none of the model's: mend the labels, then[/]")
        console.print(f"[dim]{plain(again)}[/]", soft_wrap=True)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
