"""What commands take: arguments and options as Typer reads them, and what those of a picture command come to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ursa.cli.output import path_word, say, shell_line

DEFAULT_BACKBONE = "convnext_nano.in12k_ft_in1k"

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
Bundles = Annotated[
    list[Path],
    typer.Argument(help="What `ursa train` wrote; several stand side by side.", metavar="BUNDLE", show_default=False),
]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        help="`pixels`, `small_cnn`, a timm name, or `torchvision:NAME`. "
        f"[default: the last one here, or {DEFAULT_BACKBONE}]",
        metavar="NAME",
    ),
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
RuntimeOption = Annotated[
    str,
    typer.Option("--runtime", help="Of the embeddings on a CPU: torch, openvino, or auto, the faster one there is."),
]
Seed = Annotated[int | None, typer.Option("--seed", help="The same seed gives the same run. [default: 0]")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, mps, or auto for the fastest there is.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]

Out = Annotated[
    Path | None,
    typer.Option("--out", help="The bundle to write. [default: the folder's name with .ursa]", metavar="FILE.ursa"),
]


def _list_settings(given: list[str] | None) -> list[str] | None:
    """`--set help` lists all of them and ends."""
    if given and "help" in given:
        from ursa.recipe import settings_table

        for name, default, limits, does in settings_table():
            print(f"{name}={default}  ({limits})\n    {does}")
        raise typer.Exit
    return given


Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A setting of the recipe; may be repeated. `--set help` lists them.",
        metavar="NAME=VALUE",
        callback=_list_settings,
        is_eager=True,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", help="Write a page with the mistakes, and a sheet to tag them.", metavar="FILE.html"),
]
Epochs = Annotated[
    int | None, typer.Option("--epochs", help="Passes over the training pictures. [default: 5; small_cnn: 20]")
]
LearningRate = Annotated[
    float | None,
    typer.Option("--lr", help="Largest learning rate of the head; the body's in proportion. [default: 0.001]"),
]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="Pictures a step. [default: 32]")]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", help="Choose what gives the best model in this time.", metavar="M", show_default=False),
]
HumanError = Annotated[
    float | None,
    typer.Option("--human-error", help="Share of such pictures that people get wrong. [default: 0]", metavar="SHARE"),
]
Track = Annotated[
    list[str] | None,
    typer.Option("--track", help="Log to tensorboard or mlflow, in the workspace or there.", metavar="NAME[:PLACE]"),
]
CostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cost", help="Of a miss and of a false alarm of a class; may be repeated.", metavar="CLASS=MISS:FALSE_ALARM"
    ),
]
MaxError = Annotated[
    float | None,
    typer.Option("--max-error", help="Share of answers that may be wrong; else unsure.", show_default=False),
]
OutWithThresholds = Annotated[
    Path | None, typer.Option("--out", help="Write the bundle with these costs and thresholds.", metavar="FILE.ursa")
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
Resume = Annotated[bool, typer.Option("--resume", help="Resume the run that was stopped or killed.")]
ResumedRun = Annotated[
    str | None, typer.Option("--run", help="The run to resume, if not the one begun last.", metavar="NAME")
]
Confirm = Annotated[
    bool, typer.Option("--confirm", help="Show by a second run what the training's verdict suspects of rate or epochs.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Compute again what the workspace knows.")]


@dataclass(frozen=True)
class PictureOptions:
    """The options of a command on pictures, as they were given; None where they were not."""

    data: Path
    backbone: str | None = None
    weights: Path | None = None
    workspace: Path | None = None
    pattern: str | None = None
    table: list[str] | None = None

    def keywords(self, *, resumed: bool = False) -> dict[str, Any]:
        """The same for the workflow. What was not given is as it was last time for these pictures, which is said.

        resumed: a run, which knows its own backbone. Raises DataError where a table is not described as KEY=VALUE.
        """
        from ursa.prepared.last_setup import recall

        given: dict[str, Any] = {
            "backbone": self.backbone,
            "weights": self.weights,
            "pattern": self.pattern,
            "table": table_options(self.table) or None,
        }
        given = {name: value for name, value in given.items() if value is not None}
        known = recall(self.data, self.workspace)
        usual = {"backbone": DEFAULT_BACKBONE}
        for name, value in given.items():
            before = known.get(name, usual.get(name))
            if known and str(value) != str(before) and before is not None and name != "table":
                say(f"--{name} {value} instead of {before}, which was used last for these pictures.")
        if resumed or "backbone" in given or "weights" in given:  # weights are those of one backbone
            known = {name: value for name, value in known.items() if name not in ("backbone", "weights")}
        filled = {name: value for name, value in known.items() if name not in given and value != usual.get(name)}
        if filled:
            say(f"As last time for these pictures: {shell_line(_words(filled))}")
        return {**filled, **given, "workspace": self.workspace}

    def following(self, command: str, *more: str) -> str:
        """A command on the same pictures, which need not be told again how they are read."""
        at = [] if self.workspace is None else ["--workspace", str(self.workspace)]
        return shell_line(["ursa", command, path_word(self.data), *at, *more])

    def as_read(self) -> list[str]:
        """Words of a command that say how the pictures are read, for one that nothing is remembered for."""
        options = {"pattern": self.pattern} if self.pattern is not None else {}
        return _words({**options, "table": table_options(self.table)})

    def offer_to_resume(self) -> None:
        """Says that a run on these pictures was stopped before its end, and how to resume it."""
        from ursa.prepared.last_setup import workspace_of
        from ursa.workflow import runs

        stopped = runs.free(workspace_of(self.data, self.workspace))
        if stopped:
            line = self.following("train", "--resume")
            say(f"The run {stopped[-1].name} was stopped before its end; this begins a new one. To resume it: {line}")


def settings_of(entries: list[str] | None) -> dict[str, str]:
    """["epochs=5"] -> {"epochs": "5"}. Raises TrainingError for anything else than NAME=VALUE."""
    from ursa.recipe import setting_pair

    return dict(setting_pair(entry) for entry in entries or [])


def costs_of(entries: list[str] | None) -> dict[str, tuple[float, float]]:
    """["grizzly=10:1"] -> {"grizzly": (10.0, 1.0)}. Raises DataError for anything else than CLASS=MISS:FALSE_ALARM."""
    return dict(_cost(entry) for entry in entries or [])


def _cost(entry: str) -> tuple[str, tuple[float, float]]:
    from ursa.errors import DataError

    name, _, pair = entry.rpartition("=")  # a class may have = in its name
    miss, _, alarm = pair.partition(":")
    try:
        return name, (float(miss), float(alarm))
    except ValueError:
        fix = "--cost grizzly=10:1 where a missed grizzly is ten times as bad as a false one"
        raise DataError("costs are said as CLASS=MISS:FALSE_ALARM", found=repr(entry), fix=fix) from None


def _words(options: dict[str, Any]) -> list[str]:
    """As words of a command line."""
    words = [word for name, value in options.items() if name != "table" for word in (f"--{name}", str(value))]
    return words + [word for key, value in options.get("table", {}).items() for word in ("--table", f"{key}={value}")]


def table_options(entries: list[str] | None) -> dict[str, str]:
    """["label=species"] -> {"label": "species"}. Raises DataError for anything else than KEY=VALUE."""
    return dict(_pair(entry) for entry in entries or [])


def _pair(entry: str) -> tuple[str, str]:
    from ursa.errors import DataError

    key, equals, value = entry.partition("=")
    if not equals:
        raise DataError("how to read a table is said as KEY=VALUE", found=repr(entry), fix="--table label=COLUMN")
    return key.strip(), value
