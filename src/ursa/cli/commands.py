"""The commands. Imports that cost time happen inside them, so that `ursa --help` is instant."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ursa.cli import output
from ursa.cli.command_options import (
    BackboneOption,
    BatchSize,
    Confirm,
    Debug,
    Device,
    Epochs,
    Fresh,
    HumanError,
    Json,
    LearningRate,
    Minutes,
    Out,
    PatternOption,
    PictureOptions,
    Pictures,
    PrecisionOption,
    Resume,
    ResumedRun,
    RuntimeOption,
    Seed,
    Settings,
    TableOption,
    Track,
    WeightsOption,
    WorkspaceOption,
    settings_of,
)
from ursa.cli.guard import fail, guarded, misuse_of
from ursa.cli.interrupts import INTERRUPTED
from ursa.cli.output import path_word, print_json, say, shell_line
from ursa.cli.subcommands.backbones_command import backbones
from ursa.cli.subcommands.card_command import card
from ursa.cli.subcommands.decision_commands import apply, decide, revert
from ursa.cli.subcommands.diagnose_command import diagnose
from ursa.cli.subcommands.error_analysis_command import error_analysis
from ursa.cli.subcommands.evaluate_command import evaluate
from ursa.cli.subcommands.export_command import export
from ursa.cli.subcommands.grad_cam_command import grad_cam
from ursa.cli.subcommands.predict_command import predict
from ursa.cli.subcommands.review_command import review
from ursa.cli.subcommands.runs_command import compare, runs
from ursa.cli.subcommands.serve_command import serve
from ursa.cli.subcommands.show_command import show

if TYPE_CHECKING:
    from ursa.cli.console import Console


app = typer.Typer(
    name="ursa",
    help="From a folder of pictures to a classifier you can trust.",
    epilog="Start with: ursa demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run() -> None:
    """Parse the arguments, run the command, exit."""
    output.prepare()
    try:
        code = app(standalone_mode=False)  # so that what Typer finds wrong is told as everything else
        sys.stdout.flush()
    except BrokenPipeError:
        output.abandon(sys.stdout)
        code = 1
    except Exception as problem:  # noqa: BLE001  # told, never swallowed
        fail(misuse_of(problem), as_json="--json" in sys.argv, debug="--debug" in sys.argv)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"ursa {installed('ursa-learn')}")
        raise typer.Exit


@app.command(epilog="Example: ursa demo")
@guarded
def demo(
    to: Annotated[Path, typer.Option("--to", help="Where to put pictures and model.", metavar="DIR")] = Path(
        "ursa-demo"
    ),
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """The whole loop on handwritten digits, without a network."""
    from ursa.cli.results_text import demonstrated
    from ursa.core import progress_display

    with progress_display.shown() as bar:
        from ursa.workflow.demo import demo as run

        result = run(to, say=say, progress=bar)
    if json_:
        print_json(result.to_json())
    else:
        demonstrated(result, to, _console())


@app.command(epilog="Example: ursa download teddy.txt grizzly.txt black.txt --to bears/")
@guarded
def download(
    lists: Annotated[
        list[Path],
        typer.Argument(
            help="Text files with one URL a line, named after the class; or CSV files with columns url,label.",
            metavar="LIST",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option("--to", help="Where the class folders go.", metavar="FOLDER", show_default=False)],
    workers: Annotated[int, typer.Option("--workers", help="Requests at a time; 1 goes in the lists' order.")] = 16,
    per_host: Annotated[int, typer.Option("--per-host", help="Requests at a time to one host.")] = 4,
    max_mb: Annotated[float, typer.Option("--max-mb", help="Largest picture, in megabytes.")] = 20.0,
    timeout: Annotated[float, typer.Option("--timeout", help="Longest time for one picture, in seconds.")] = 60.0,
    retries: Annotated[int, typer.Option("--retries", help="After a failure that may pass.")] = 3,
    again: Annotated[bool, typer.Option("--again", help="Also try what failed for good before.")] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Let in addresses of this machine and of private networks.")
    ] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Fetch lists of URLs into class folders. Exits 1 when there is no picture in the end.

    What was fetched, or failed for good, is not asked for again: run it again to go on after Ctrl-C.
    """
    from ursa.core import progress_display
    from ursa.data.download.fetch import DownloadLimits
    from ursa.workflow.download import download as run
    from ursa.workflow.download import kept

    limits = DownloadLimits(total=timeout, max_bytes=round(max_mb * 1e6), retries=retries, per_host=per_host)
    try:
        with progress_display.shown() as bar:
            result = run(
                lists, to, workers=workers, again=again, allow_private=allow_private, limits=limits, progress=bar
            )
    except KeyboardInterrupt:
        say(f"\n{kept(to):,} pictures are in {to}.")
        raise
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli import results_text as shows

        shows.downloaded(result, shell_line(["ursa", "check", path_word(to)]), _console())
    if not result.pictures:
        raise typer.Exit(1)


@app.command(epilog="Example: ursa check bears/ --backbone pixels")
@guarded
def check(
    data: Pictures,
    backbone: BackboneOption = None,
    weights: WeightsOption = None,
    pattern: PatternOption = None,
    table: TableOption = None,
    workspace: WorkspaceOption = None,
    precision: PrecisionOption = "auto",
    runtime: RuntimeOption = "auto",
    settings: Settings = None,
    seed: Seed = None,
    device: Device = "cpu",
    fresh: Fresh = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """What is in a folder of pictures, what is wrong with it, and how good a model can be."""
    from ursa.core import progress_display

    given = PictureOptions(data, backbone, weights, workspace, pattern, table)
    with progress_display.shown() as bar:
        from ursa.workflow.check import check as run

        keywords: dict[str, Any] = given.keywords() | {
            "precision": precision,
            "runtime": runtime,
            "device": device,
            "fresh": fresh,
        }
        result = run(data, recipe=settings_of(settings), seed=seed, progress=bar, **keywords)
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli import results_text as shows

        labeled = bool(result.labels) or result.catalog.task != "single-label"
        following = given.following("train" if labeled else "review")
        shows.checked(result, following, _console(), given.following("review"))


app.command(epilog="Example: ursa review bears/")(guarded(review))
app.command(epilog="Example: ursa decide bears/ bears/black/7.jpg --label brown")(guarded(decide))
app.command(epilog="Example: ursa apply bears/ --dry-run")(guarded(apply))
app.command(epilog="Example: ursa revert bears/")(guarded(revert))
app.command(epilog="Example: ursa backbones bears/ --max-ms 20")(guarded(backbones))


@app.command(epilog="Example: ursa train bears/ --out bears.ursa --epochs 5")
@guarded
def train(
    data: Pictures,
    out: Out = None,
    epochs: Epochs = None,
    lr: LearningRate = None,
    batch_size: BatchSize = None,
    settings: Settings = None,
    minutes: Minutes = None,
    human_error: HumanError = None,
    track: Track = None,
    resume: Resume = False,
    run_: ResumedRun = None,
    confirm: Confirm = False,
    backbone: BackboneOption = None,
    weights: WeightsOption = None,
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
    """Fit a probe, fine-tune from it, keep the better one, and export it."""
    from ursa.core import progress_display

    given = PictureOptions(data, backbone, weights, workspace, pattern, table)
    resumed: bool | str = run_ or resume
    asked: dict[str, Any] = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "seed": seed, "minutes": minutes}
    try:
        with progress_display.shown() as bar:
            from ursa.workflow.train import train as run

            keywords: dict[str, Any] = given.keywords(resumed=bool(resumed)) | asked
            keywords |= {"precision": precision, "runtime": runtime, "device": device}
            keywords |= {"fresh": fresh, "track": track or (), "human_error": human_error, "confirm": confirm}
            if not resumed:
                given.offer_to_resume()
            result = run(data, out=out, recipe=settings_of(settings), resume=resumed, progress=bar, **keywords)
    except KeyboardInterrupt as stopped:
        if not str(stopped):  # before or after training, which alone says where it stopped
            raise
        say(f"\n{stopped}; to resume: {given.following('train', '--resume')}")
        raise typer.Exit(INTERRUPTED) from None
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli import results_text as shows

        shows.trained(result, _console())


app.command(epilog="Example: ursa runs bears/")(guarded(runs))
app.command(epilog="Example: ursa compare 1 2 bears/")(guarded(compare))
app.command(epilog="Example: ursa evaluate bears.ursa other-bears/")(guarded(evaluate))


app.command(epilog="Example: ursa card bears.ursa --intended-use 'Bears in the Rockies, not elsewhere.'")(guarded(card))
app.command(epilog="Example: ursa predict bears.ursa new/ --out bears.csv")(guarded(predict))
app.command(epilog="Example: ursa export bears.ursa --container online/")(guarded(export))
app.command("error-analysis", epilog="Example: ursa error-analysis bears/")(guarded(error_analysis))
app.command(epilog="Example: ursa diagnose log.csv --classes 10 --valid-count 500")(guarded(diagnose))
app.command(epilog="Example: ursa grad-cam bears.ursa one.jpg")(guarded(grad_cam))
app.command(epilog="Example: ursa serve bears.ursa --port 8080")(guarded(serve))
app.command(epilog="Example: ursa show bears/ --what classes")(guarded(show))


def _console(**settings: Any) -> "Console":
    from ursa.cli.console import Console

    return Console(**settings)
