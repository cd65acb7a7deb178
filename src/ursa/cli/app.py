"""The commands. Imports that cost time happen inside them, so that `ursa --help` is instant."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ursa.cli.guard import guarded, print_json, say

if TYPE_CHECKING:
    from rich.console import Console

    from ursa.embed.run import Progress
    from ursa.workflow.setup import Options

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

Folder = Annotated[Path, typer.Argument(help="Pictures, one folder a class.", show_default=False)]
Bundle = Annotated[Path, typer.Argument(help="What `ursa train` wrote.", show_default=False)]
BackboneOption = Annotated[
    str, typer.Option("--backbone", help="`pixels`, a timm name, or `torchvision:NAME`.", metavar="NAME")
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", help="A file of weights, instead of the hub's.", metavar="FILE")
]
WorkspaceOption = Annotated[
    Path | None, typer.Option("--workspace", help="Where Ursa keeps its files. [default: FOLDER/.ursa]", metavar="DIR")
]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="Of the embeddings: fp32, bf16, or auto, the faster one here.")
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same run.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda or mps.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]

DEFAULT_BACKBONE = "resnet34.a1_in1k"


def main() -> None:
    """The entry point of the `ursa` command."""
    app()


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
    from ursa.cli import progress
    from ursa.cli.demo import show
    from ursa.workflow.demo import demo as run

    with progress.shown() as bar:
        result = run(to, say=say, progress=bar)
    if json_:
        print_json(result.to_json())
    else:
        show(result, to, _console())


@app.command(epilog="Example: ursa check bears/ --backbone pixels")
@guarded
def check(
    folder: Folder,
    backbone: BackboneOption = DEFAULT_BACKBONE,
    weights: WeightsOption = None,
    workspace: WorkspaceOption = None,
    precision: PrecisionOption = "auto",
    seed: Seed = 0,
    device: Device = "cpu",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """What is in a folder of pictures, what is wrong with it, and how good a model can be."""
    from ursa.cli import progress
    from ursa.workflow.check import check as run

    with progress.shown() as bar:
        result = run(folder, _options(backbone, weights, workspace, precision, device, seed, bar))
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli import show

        show.checked(result, _following("train", folder, backbone, weights, workspace), _console())


@app.command(epilog="Example: ursa train bears/ --out bears.ursa --set epochs=5")
@guarded
def train(
    folder: Folder,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The bundle to write. [default: the folder's name with .ursa]", metavar="FILE.ursa"),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the recipe; may be repeated.", metavar="NAME=VALUE")
    ] = None,
    backbone: BackboneOption = DEFAULT_BACKBONE,
    weights: WeightsOption = None,
    workspace: WorkspaceOption = None,
    precision: PrecisionOption = "auto",
    seed: Seed = 0,
    device: Device = "cpu",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Fit a probe, fine-tune from it, keep the better one, and export it."""
    from ursa.cli import progress
    from ursa.recipe import Recipe
    from ursa.workflow.train import train as run

    recipe = Recipe(seed=seed).with_settings(settings or [])
    with progress.shown() as bar:
        options = _options(backbone, weights, workspace, precision, device, seed, bar)
        result = run(folder, options, recipe, out=out)
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli import show

        show.trained(result, _console())


@app.command(epilog="Example: ursa evaluate bears.ursa other-bears/")
@guarded
def evaluate(bundle: Bundle, folder: Folder, json_: Json = False, debug: Debug = False) -> None:
    """How a model does on other pictures."""
    from ursa.workflow.evaluate import evaluate as run

    result = run(bundle, folder)
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli import show

        show.evaluated(result, _console())


@app.command(epilog="Example: ursa predict bears.ursa one.jpg two.png")
@guarded
def predict(
    bundle: Bundle,
    pictures: Annotated[list[Path], typer.Argument(help="Pictures to classify.", show_default=False)],
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """What pictures show. Exits 1 when one of them could not be read."""
    from ursa.serve.predictor import Prediction, Predictor
    from ursa.workflow.evaluate import predictions

    answers = list(predictions(Predictor(bundle), pictures))
    if json_:
        print_json(
            [
                {"picture": str(path)} | (a.to_json() if isinstance(a, Prediction) else {"problem": a.what})
                for path, a in answers
            ]
        )
    else:
        from ursa.cli import show

        show.predicted([(str(path), a if isinstance(a, Prediction) else a.what) for path, a in answers], _console())
    if any(not isinstance(answer, Prediction) for _, answer in answers):
        raise typer.Exit(1)


@app.command(epilog="Example: ursa serve bears.ursa --port 8080")
@guarded
def serve(
    bundle: Bundle,
    host: Annotated[str, typer.Option("--host", help="0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes any free one.")] = 8000,
    max_mb: Annotated[float, typer.Option("--max-mb", help="Largest upload, in megabytes.")] = 20.0,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """A page to drop pictures on, and a JSON API, until Ctrl-C."""
    from ursa.serve.predictor import Predictor
    from ursa.serve.run import run

    def ready(address: str) -> None:
        if json_:
            print_json({"address": address})
        say(f"Open {address} in a browser. Ctrl-C ends.")

    run(Predictor(bundle), host, port, ready=ready, title=bundle.stem, max_bytes=round(max_mb * 1e6))
    say("Stopped.")


def _following(command: str, folder: Path, backbone: str, weights: Path | None, workspace: Path | None) -> str:
    """The command that comes next, with the options that the last one had."""
    given = {
        "--backbone": None if backbone == DEFAULT_BACKBONE else backbone,
        "--weights": weights,
        "--workspace": workspace,
    }
    options = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return shlex.join(["ursa", command, str(folder), *options])


def _options(
    backbone: str,
    weights: Path | None,
    workspace: Path | None,
    precision: str,
    device: str,
    seed: int,
    progress: "Progress",
) -> "Options":
    from ursa.workflow.setup import Options

    return Options(backbone, weights, workspace, precision, device, seed, progress)


def _console(**settings: Any) -> "Console":
    from rich.console import Console

    return Console(highlight=False, **settings)
