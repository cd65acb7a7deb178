"""`ursa predict`: its arguments, and its exit code."""

from pathlib import Path
from typing import Annotated

import typer

from ursa.cli.command_options import Bundle, Debug, Json
from ursa.cli.output import print_json

Named = Annotated[
    list[str], typer.Argument(help="Pictures, and folders of them.", metavar="PICTURE...", show_default=False)
]
Table = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="A table to write: .csv, .jsonl or .parquet. A run that was stopped goes on with the same command.",
        show_default=False,
    ),
]
SortTo = Annotated[
    Path | None,
    typer.Option("--sort", metavar="DIR", help="A folder for copies of the pictures, by class.", show_default=False),
]
Link = Annotated[bool, typer.Option("--link", help="With --sort: links to the pictures instead of copies.")]
Top = Annotated[
    int | None,
    typer.Option("--top", metavar="K", help="In the table, only the K most probable classes.", show_default=False),
]

Urls = Annotated[bool, typer.Option("--allow-urls", help="Also fetch pictures that are named by http addresses.")]


def predict(
    bundle: Bundle,
    pictures: Named,
    out: Table = None,
    sort: SortTo = None,
    link: Link = False,
    top: Top = None,
    allow_urls: Urls = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """What pictures show: single ones, or whole folders into a table or sorted by class.

    Exits 1 when one of them could not be read.
    """
    from ursa.core import progress_display

    with progress_display.shown() as bar:
        from ursa.workflow.predicting.predict import predict as run

        result = run(bundle, pictures, out=out, sort_to=sort, link=link, top=top, allow_urls=allow_urls, progress=bar)
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli.console import Console
        from ursa.cli.predicted_text import predicted

        predicted(result, Console())
    if result.unreadable:
        raise typer.Exit(1)
