"""`ursa export`: a bundle -> what is put online. One thing at a time, and what belongs to another one is refused."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ursa.cli.command_options import Bundle, Debug, Json, PatternOption, PictureOptions, TableOption, WorkspaceOption
from ursa.cli.output import path_word, print_json, say, shell_line

if TYPE_CHECKING:
    from ursa.workflow.results.quantized import Quantized
    from ursa.workflow.shipping.containerize import Containerized
    from ursa.workflow.shipping.export_web import WebExport

WAYS = "--container DIR, --web DIR, --int8 or --fp16"
Container = Annotated[
    Path | None,
    typer.Option("--container", help="Write a folder to build a container from.", metavar="DIR"),
]
Web = Annotated[
    Path | None,
    typer.Option("--web", help="Write a page that runs the model in the browser.", metavar="DIR"),
]
Int8 = Annotated[bool, typer.Option("--int8", help="A smaller, faster model: numbers of 8 bits.")]
Fp16 = Annotated[bool, typer.Option("--fp16", help="A model of half the size: weights of 16 bits.")]
NpmRuntime = Annotated[
    Path | None,
    typer.Option("--runtime", help="For --web: what `npm pack onnxruntime-web` wrote.", metavar="FILE.tgz|DIR"),
]
Title = Annotated[
    str | None,
    typer.Option("--title", help="For --web: at the top of the page.", metavar="TEXT"),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="The pictures it was trained on, to measure the loss.", metavar="FOLDER"),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="The new bundle. [default: the name with -int8 or -fp16]", metavar="FILE.ursa"),
]
MaxLoss = Annotated[
    float | None,
    typer.Option("--max-loss", help="Points of accuracy that it may lose. [default: 1]", metavar="POINTS"),
]


def export(
    bundle: Bundle,
    container: Container = None,
    web: Web = None,
    int8: Int8 = False,
    fp16: Fp16 = False,
    npm: NpmRuntime = None,
    title: Title = None,
    data: Data = None,
    out: Out = None,
    max_loss: MaxLoss = None,
    pattern: PatternOption = None,
    table: TableOption = None,
    workspace: WorkspaceOption = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Put a model online: a container, a page that needs no server, or a smaller model.

    Exits 1 when a smaller one would be of no use.
    """
    from ursa.errors import DataError

    ways = {"--container": container is not None, "--web": web is not None, "--int8": int8, "--fp16": fp16}
    asked = [name for name, given in ways.items() if given]
    if len(asked) != 1:
        what = "one thing is exported at a time" if asked else "say what to export"
        raise DataError(what, found=" and ".join(asked) or None, fix=WAYS)
    others = {"--data": data, "--out": out, "--max-loss": max_loss, "--pattern": pattern, "--table": table}
    others["--workspace"] = workspace
    pages = {"--runtime": npm, "--title": title}
    _require_read(asked[0], others if container or web else {}, "--int8 and --fp16", "a smaller model first, then this")
    _require_read(asked[0], {} if web else pages, "--web", "or add --web DIR" if container is None else "")
    if container is not None or web is not None:
        _online(bundle, container, web, npm, title, json_)
        return
    if data is None:
        fix = f"ursa export BUNDLE {asked[0]} --data FOLDER"
        raise DataError("the loss is measured on pictures", found="no --data", fix=fix)
    result = _quantized(
        bundle,
        asked[0].removeprefix("--"),
        out,
        max_loss,
        PictureOptions(data, workspace=workspace, pattern=pattern, table=table),
    )
    if json_:
        print_json(result.to_json())
    else:
        _measured(result)
    if result.bundle is None:
        raise typer.Exit(1)


def _require_read(asked: str, options: dict[str, Any], whose: str, instead: str) -> None:
    """Raises DataError for an option that would be ignored."""
    from ursa.errors import DataError

    if unread := [name for name, given in options.items() if given is not None]:
        fix = "; ".join(filter(None, ("leave it out", instead)))
        raise DataError(f"{unread[0]} is for {whose}", found=asked, fix=fix)


def _online(
    bundle: Path, container: Path | None, web: Path | None, npm: Path | None, title: str | None, json_: bool
) -> None:
    if container is not None:
        from ursa.workflow.shipping.containerize import containerize

        contained = containerize(bundle, container)
        print_json(contained.to_json()) if json_ else _contained(contained)
    elif web is not None:
        from ursa.workflow.shipping.export_web import export_web

        written = export_web(bundle, web, npm, title=title)
        print_json(written.to_json()) if json_ else _paged(written)


def _quantized(
    bundle: Path, precision: str, out: Path | None, max_loss: float | None, given: PictureOptions
) -> "Quantized":
    from ursa.core import progress_display

    asked: dict[str, Any] = {"precision": precision, "out": out}
    with progress_display.shown() as bar:
        from ursa.workflow.shipping.quantize import quantize

        asked |= given.keywords(resumed=True) | ({} if max_loss is None else {"max_loss": max_loss})
        return quantize(bundle, given.data, progress=bar, **asked)


def _measured(result: "Quantized") -> None:
    from rich.table import Table

    from ursa.cli.console import Console

    console, table = Console(), Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "before", result.precision):
        table.add_column(name, justify="left" if not name else "right")
    sides = (result.before, result.after)
    table.add_row("accuracy", *(f"{100 * side.accuracy.value:.1f} %" for side in sides))
    table.add_row("size of the model", *(f"{side.megabytes:.1f} MB" for side in sides))
    table.add_row("one picture", *(f"{side.ms_one:.1f} ms" for side in sides))
    table.add_row("a picture, in batches", *(f"{side.ms_batch:.1f} ms" for side in sides))
    console.print(table)
    gap = result.difference
    console.print(
        f"\nOn {result.pictures:,} pictures that it did not learn from, {result.changed:,} get another answer: "
        f"{100 * gap.value:+.1f} points (95 % interval {100 * gap.low:+.1f} to {100 * gap.high:+.1f})."
    )
    for text in filter(None, (result.doubt, result.refusal)):
        console.print(text)
    if result.bundle is None:
        console.print("Nothing was written.")
    else:
        console.print(f"\nBundle: {result.bundle}\nNext: {shell_line(['ursa', 'serve', path_word(result.bundle)])}")


def _contained(written: "Containerized") -> None:
    say(f"{written.folder}: {', '.join(written.files)}")
    say(f"The image takes {written.megabytes:.0f} MB besides its base.")
    say(f"Next: {shell_line(['docker', 'build', '--tag', written.image, path_word(written.folder)])}")
    say(f"Other places (Hugging Face, Kubernetes, systemd): {written.folder / 'README.md'}")


def _paged(written: "WebExport") -> None:
    say(f"{written.folder}: {len(written.files)} files. A visitor downloads {written.megabytes:.1f} MB, once.")
    words = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", path_word(written.folder), "8000"]
    say(f"Next: {shell_line(words)}, then open http://localhost:8000")
    say(f"Other places (GitHub Pages, Netlify): {written.folder / 'README.md'}")
