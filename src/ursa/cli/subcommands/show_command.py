"""`ursa show`: its arguments, and where what it found goes to: the terminal, a file, a document."""

from pathlib import Path
from typing import Annotated

import typer

from ursa.cli.command_options import Debug, Json, Seed, WorkspaceOption, settings_of
from ursa.cli.output import print_json, say


def show(
    path: Annotated[
        Path, typer.Argument(help="A folder of pictures, or one picture.", metavar="FOLDER|PICTURE", show_default=False)
    ],
    what: Annotated[
        str | None, typer.Option("--what", help="Of a folder: batch, classes, sizes or means. [default: batch]")
    ] = None,
    patch: Annotated[
        str | None, typer.Option("--patch", help="The numbers of 8 x 8 pixels from there on.", metavar="TOP,LEFT")
    ] = None,
    as_model: Annotated[bool, typer.Option("--as-model", help="Pictures as a model sees them.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="As training shows them, with such a setting, rotate=10.", metavar="NAME=VALUE"),
    ] = None,
    count: Annotated[int, typer.Option("--count", help="Pictures of a batch.")] = 12,
    seed: Seed = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write a figure: .png, .svg, .pdf, .jpg, .webp.", metavar="FILE")
    ] = None,
    terminal: Annotated[
        str, typer.Option("--terminal", help="How to draw here: auto, blocks (colored), none.")
    ] = "auto",
    workspace: WorkspaceOption = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Pictures, counts and sizes, drawn here or into a file. Exits 1 for a broken picture."""
    from ursa.cli import terminal_tiles
    from ursa.cli.console import Console
    from ursa.core import progress_display

    console = Console()
    how = terminal_tiles.way(terminal, console)
    with progress_display.shown() as bar:
        from ursa.workflow.show import show as run

        result = run(
            path,
            what,
            patch=terminal_tiles.corner(patch),
            as_model=as_model,
            count=count,
            seed=seed,
            workspace=workspace,
            recipe=settings_of(settings) or None,
            progress=bar,
        )
    if out is None and how == "none" and not json_ and result.problem is None:
        out = Path(f"{path.stem if path.is_file() else path.resolve().name}-{result.what}.png")
    file = None if out is None else result.save(out)
    if json_:
        print_json({**result.to_json(), "file": None if file is None else str(file)})
    elif file is not None:
        terminal_tiles.told(result, console)
        say(f"Written: {file}")
    else:
        terminal_tiles.shown(result, terminal_tiles.colored(console) if how == "blocks" else console)
    if result.problem is not None:
        raise typer.Exit(1)
