"""`ursa diagnose`: its arguments, and the verdict in a few lines."""

from pathlib import Path
from typing import Annotated

import typer

from ursa.cli.command_options import Debug, Json
from ursa.cli.output import print_json


def diagnose(
    history: Annotated[
        Path,
        typer.Argument(
            help="A log of a training: CSV of fastai, Keras or Lightning, Ursa's history.json, trainer_state.json.",
            metavar="HISTORY",
            show_default=False,
        ),
    ],
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric", help="The column that is judged. [default: val_accuracy or the like]", metavar="COLUMN"
        ),
    ] = None,
    classes: Annotated[
        int | None, typer.Option("--classes", help="How many classes there are: says what guessing costs.", metavar="K")
    ] = None,
    valid_count: Annotated[
        int | None,
        typer.Option("--valid-count", help="Examples of the validation part: say how sure its error is.", metavar="N"),
    ] = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """What is wrong with a training, from its log. Exits 1 when something is.

    One of: learning rate too high or too low, too few epochs, overfitting, one class predicted for all, a dead network,
    no better than chance; or fine; or that it cannot be told.
    """
    from ursa.workflow.diagnose_history import diagnose_history

    result = diagnose_history(history, metric=metric, classes=classes, valid_count=valid_count)
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli.console import Console, plain
        from ursa.cli.results_text import training_verdict

        console = Console()
        training_verdict(result.verdict, console)
        read = ", ".join(f"{name} as {role}" if name != role else name for role, name in result.columns.items())
        console.print(
            f"\n[dim]Read from {result.epochs:,} {'epoch' if result.epochs == 1 else 'epochs'}: {plain(read)}.[/]"
        )
        for note in result.notes:
            console.print(f"[dim]{plain(note)}.[/]")
    if result.fault:
        raise typer.Exit(1)
