"""What commands take: arguments and options as Typer reads them, and what those of a picture command come to."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ursa.cli.output import path_word, shell_line

if TYPE_CHECKING:
    from ursa.core.progress import Progress
    from ursa.prepared.setup import Options

DEFAULT_BACKBONE = "resnet34.a1_in1k"

Pictures = Annotated[
    Path,
    typer.Argument(
        help="A folder of pictures, or a table (CSV, Parquet) that names them.", metavar="FOLDER", show_default=False
    ),
]
PatternOption = Annotated[
    str | None, typer.Option("--pattern", help="Labels from file names, such as '{label}.{}.jpg'.", metavar="TEMPLATE")
]
TableOption = Annotated[
    list[str] | None,
    typer.Option("--table", help="How to read a table: label=COLUMN, file=, split=, group=, ...", metavar="KEY=VALUE"),
]
Bundle = Annotated[Path, typer.Argument(help="What `ursa train` wrote.", metavar="BUNDLE", show_default=False)]
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
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, mps, or auto for the fastest there is.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]

Out = Annotated[
    Path | None,
    typer.Option("--out", help="The bundle to write. [default: the folder's name with .ursa]", metavar="FILE.ursa"),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of the recipe; may be repeated.", metavar="NAME=VALUE")
]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", help="Choose what gives the best model in this time.", metavar="M", show_default=False),
]
Track = Annotated[
    list[str] | None,
    typer.Option("--track", help="Log to tensorboard or mlflow, in the workspace or there.", metavar="NAME[:PLACE]"),
]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option("--allowed-host", help="A name under which it may be asked; may be repeated.", metavar="NAME"),
]
ForwardedAllowIps = Annotated[
    str,
    typer.Option(
        "--forwarded-allow-ips",
        help="Proxies whose X-Forwarded-For is believed, separated by commas.",
        metavar="ADDRESSES",
        show_default=False,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run that was stopped or killed.")]
ResumedRun = Annotated[
    str | None, typer.Option("--run", help="The run to go on with, if not the one begun last.", metavar="NAME")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Compute again what the workspace knows.")]


@dataclass(frozen=True)
class PictureOptions:
    """The options of a command on pictures, as they were given."""

    backbone: str
    weights: Path | None
    workspace: Path | None
    precision: str
    device: str
    seed: int
    pattern: str | None
    table: list[str] | None
    fresh: bool = False

    def options(self, progress: "Progress") -> "Options":
        """The same for the workflow. Raises DataError where a table is not described as KEY=VALUE."""
        from ursa.prepared.setup import Options

        return Options(
            self.backbone,
            self.weights,
            self.workspace,
            self.precision,
            self.device,
            self.seed,
            progress,
            self.pattern,
            table_options(self.table),
            self.fresh,
        )

    def following(self, command: str, data: Path) -> str:
        """The command that comes next, with the options that this one had."""
        given = {
            "--backbone": None if self.backbone == DEFAULT_BACKBONE else self.backbone,
            "--weights": self.weights,
            "--workspace": self.workspace,
            "--pattern": self.pattern,
        }
        words = [word for name, value in given.items() if value is not None for word in (name, str(value))]
        words += [word for entry in self.table or [] for word in ("--table", entry)]
        return shell_line(["ursa", command, path_word(data), *words])


def table_options(entries: list[str] | None) -> dict[str, str]:
    """["label=species"] -> {"label": "species"}. Raises DataError for anything else than KEY=VALUE."""
    return dict(_pair(entry) for entry in entries or [])


def _pair(entry: str) -> tuple[str, str]:
    from ursa.errors import DataError

    key, equals, value = entry.partition("=")
    if not equals:
        raise DataError("how to read a table is said as KEY=VALUE", found=repr(entry), fix="--table label=COLUMN")
    return key.strip(), value
