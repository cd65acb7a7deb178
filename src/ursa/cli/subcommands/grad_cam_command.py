"""`ursa grad-cam`: its arguments, and the figure that it writes."""

from pathlib import Path
from typing import Annotated

import typer

from ursa.cli.command_options import Bundle, Debug, Json
from ursa.cli.output import print_json, say


def grad_cam(
    bundle: Bundle,
    pictures: Annotated[
        list[Path], typer.Argument(help="Pictures to look at, 32 at most.", metavar="PICTURE", show_default=False)
    ],
    label: Annotated[
        str | None, typer.Option("--label", help="The class to look for. [default: the predicted one]", metavar="CLASS")
    ] = None,
    layer: Annotated[
        str | None, typer.Option("--layer", help="Of the network. [default: the last one with a map]", metavar="NAME")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The figure. [default: the bundle's name with -grad-cam.png]", metavar="FILE"),
    ] = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Where the model sees the class in pictures (Grad-CAM), if random weights destroy these maps.

    Exits 1, without a figure, where they do not: such maps explain nothing; and when a picture could not be read.
    """
    from ursa.core import progress_display
    from ursa.errors import DataError

    file = out or Path(f"{bundle.stem}-grad-cam.png")
    if file.resolve() in [each.resolve() for each in pictures]:
        raise DataError(f"{file} is one of the pictures", fix="name another file to write to")
    with progress_display.shown() as bar:
        from ursa.plots.figure import format_of
        from ursa.workflow.bundle_grad_cam import bundle_grad_cam as run

        format_of(file)  # before the work, not after it
        result = run(bundle, pictures, label, layer=layer, progress=bar)
    written = result.figure().save(file) if result.believable else None
    if json_:
        print_json({**result.to_json(), "file": None if written is None else str(written)})
    else:
        for name, problem in result.problems.items():
            say(f"{name}: {problem}")
        say(f"{str(result.cam.check).capitalize()}." if result.cam.check else "")
        say(f"Written: {written}" if written else "No figure was written.")
    if result.problems or not result.believable:
        raise typer.Exit(1)
