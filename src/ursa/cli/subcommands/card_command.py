"""`ursa card`: its arguments."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ursa.cli.command_options import Bundle, Debug, Json
from ursa.cli.output import print_json, say
from ursa.core.text import escaped


def _text(help: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(metavar="TEXT", help=help, show_default=False)
    return option


IntendedUse = Annotated[str | None, _text("What it was made for, and what it must not be used for.")]
Limitations = Annotated[str | None, _text("What it cannot do that people may expect.")]
License = Annotated[str | None, _text("Under which others may use it.")]
Authors = Annotated[str | None, _text("Who made it.")]
Contact = Annotated[str | None, _text("Where to ask.")]
Citation = Annotated[str | None, _text("How to cite it, instead of the usual line.")]
Examples = Annotated[
    list[Path] | None,
    typer.Option(
        "--example",
        metavar="PICTURE",
        help="A picture for visitors of `ursa serve` to try; can be repeated. It becomes a part of the bundle.",
        show_default=False,
    ),
]
NoExamples = Annotated[bool, typer.Option("--no-examples", help="Take the example pictures out again.")]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE.ursa", help="[default: the bundle itself]", show_default=False)
]


def card(
    bundle: Bundle,
    intended_use: IntendedUse = None,
    limitations: Limitations = None,
    license: License = None,
    authors: Authors = None,
    contact: Contact = None,
    citation: Citation = None,
    example: Examples = None,
    no_examples: NoExamples = False,
    out: Out = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """The model card of a bundle; and what only you can say in it.

    An empty text ("") takes a statement out again.
    """
    from ursa.errors import DataError
    from ursa.workflow.shipping.bundle_card import card as run

    if example and no_examples:
        raise DataError("examples cannot be put in and taken out at once", fix="leave out --example or --no-examples")
    given = {
        "intended_use": intended_use,
        "limitations": limitations,
        "license": license,
        "authors": authors,
        "contact": contact,
        "citation": citation,
    }
    about = {name: text for name, text in given.items() if text is not None}
    found = run(bundle, about or None, examples=[] if no_examples else example or None, out=out)
    if json_:
        print_json(found.to_json())
        return
    sys.stdout.write(escaped(found.text, lines=True))
    if about or example or no_examples:
        say(f"Written to {escaped(found.bundle)}")
