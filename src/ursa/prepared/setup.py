"""What every workflow on a picture folder begins with: setup, workspace, scanned catalog, embeddings, a clock."""

import contextlib
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ursa import seals
from ursa.clean.decisions.applied import Followed, followed, read_applied
from ursa.core.decoding.image import DECODERS, sniff
from ursa.core.progress import Progress, silent
from ursa.core.text import escaped
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.data.saved_splits import put_aside_elsewhere
from ursa.data.sources.folder_source import from_folder, needs_labels
from ursa.data.sources.tables import from_table
from ursa.embed.backbone import DEFAULT, Backbone
from ursa.embed.device import available
from ursa.embed.engine import Engine
from ursa.embed.one_pass import embed
from ursa.embed.pretrained.known_backbones import license_words, limits_use
from ursa.embed.runtime import Runtime
from ursa.embed.store import Embeddings
from ursa.embed.stored_probe import select
from ursa.errors import DataError, did_you_mean
from ursa.workspace import Workspace

Data = str | Path | Catalog  # a folder of pictures, a table that names them, or a catalog
TABLE = ("file", "label", "split", "group", "time", "separator", "task", "root")


@dataclass(frozen=True)
class Setup:
    """How pictures are found, read and embedded: the keywords that all workflows on pictures share, as one value.

    Raises DataError for values that there are not, TrainingError for a device that is not there.
    """

    backbone: str = DEFAULT
    weights: Path | None = None  # a file; None: the library's own, from its hub
    workspace: Path | None = None  # default: .ursa/ in the folder
    precision: str = "auto"  # of the embeddings: "fp32", "bf16", or whichever is faster on this machine
    device: str = "cpu"  # or "cuda", "cuda:1", "mps"; "auto" becomes the fastest that is there
    runtime: str = "auto"  # of large passes on a CPU: "torch", "openvino", or "auto", OpenVINO where it is installed
    progress: Progress = silent
    pattern: str | None = None  # labels from file names: see `ursa.data.sources.folder_source.from_folder`
    table: Mapping[str, str] = field(
        default_factory=dict
    )  # how to read a table: see `ursa.data.sources.tables.from_table`
    fresh: bool = False  # compute again what the workspace knows; runs, splits, the test set log and downloads stay
    cache_gb: float = 2.0  # room for decoded pictures in the workspace, used where decoding is slow; 0: none
    named: bool = True  # whether the backbone was asked for; else see `ursa.prepared.default_backbone`

    def __post_init__(self) -> None:
        for name in ("weights", "workspace"):  # text is welcome too
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else Path(value))
        if self.precision not in ("auto", "fp32", "bf16"):
            raise DataError("no such precision", found=self.precision, fix="one of auto, fp32, bf16")
        object.__setattr__(self, "device", available(self.device))
        Runtime(self.runtime)  # refuses a name that there is not
        if self.runtime == "openvino" and self.device != "cpu":
            raise DataError("OpenVINO computes on the CPU", found=f"the device {self.device}", fix="--runtime auto")
        for name in self.table:
            if name not in TABLE:
                raise DataError(f"a table is not read by {name!r}", fix=did_you_mean(name, TABLE))

    @classmethod
    def of(
        cls,
        *,
        backbone: str | None = DEFAULT,
        weights: str | Path | None = None,
        workspace: str | Path | None = None,
        table: Mapping[str, str] | None = None,
        **others: Any,
    ) -> "Setup":
        """From keywords as they are typed; backbone None: none was named."""
        places: Any = {"weights": weights, "workspace": workspace}  # made paths when it is made
        named: Any = {"backbone": backbone or DEFAULT, "named": backbone is not None}
        return cls(**named, **places, table=table or {}, **others)

    def engine(self, space: Workspace) -> Engine:
        """The backbone at work, as it was asked for."""
        backbone = Backbone(self.backbone, self.weights)
        return Engine(backbone, space, self.precision, self.device, Runtime(self.runtime))


@dataclass
class Clock:
    """Seconds by phase."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to a phase."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Prepared:
    """A folder, ready for whatever is asked of it."""

    catalog: Catalog  # scanned
    embeddings: Embeddings  # of its usable pictures
    engine: Engine
    space: Workspace
    decisions: Followed | None = None  # what of the catalog comes from people's decisions


def catalog_of(data: Data, setup: Setup) -> Catalog:
    """What a command was given -> its pictures. Raises DataError where it is neither folder nor table nor catalog."""
    if str(data).startswith(("http:/", "https:/")):
        fix = "fetch the pictures first: ursa download LIST.txt --to FOLDER"
        raise DataError("pictures are read from a folder, not from an address", found=data, fix=fix)
    is_table = not isinstance(data, Catalog) and Path(data).is_file()
    if setup.table and (isinstance(data, Catalog) or Path(data).is_dir()):
        raise DataError(f"only a table is read by {', '.join(setup.table)}", found=_kind(data), fix="name a table")
    if setup.pattern is not None and (is_table or isinstance(data, Catalog)):
        fix = "leave the pattern out; a table names its labels by label=COLUMN"
        raise DataError("a pattern is for the names in a folder", found=_kind(data), fix=fix)
    if isinstance(data, Catalog):
        return data
    if is_table:
        with Path(data).open("rb") as file:
            kind = sniff(file.read(512))
        if kind in DECODERS:
            raise DataError(
                f"{data} is a single picture", found=kind, fix="name the folder that it lies in, or a table of pictures"
            )
        if kind == "a zip archive" and not str(data).lower().endswith((".xlsx", ".ods")):
            if str(data).endswith(".ursa"):
                fix = f"name the folder of pictures; a model on pictures: ursa evaluate {shlex.quote(str(data))} FOLDER"
                raise DataError(f"{data} is a bundle, a model", found=kind, fix=fix)
            words = shlex.join(["python", "-m", "zipfile", "-e", str(data), Path(data).stem])
            fix = f"unpack it, and name the folder that comes out: {words}"
            raise DataError(f"{data} is a zip archive", found="pictures are read from folders", fix=fix)
        return from_table(Path(data), **setup.table)
    return from_folder(data, pattern=setup.pattern)


def _kind(data: Data) -> str:
    if isinstance(data, Catalog):
        return "a catalog"
    return f"{data} is {'a file' if Path(data).is_file() else 'a folder'}"


def prepared(data: Data, setup: Setup, clock: Clock, *, classes: bool = False) -> Prepared:
    """List, scan and embed pictures, as far as their workspace does not know them yet.

    Raises DataError when none of them can be read; with `classes` also where they have not one class each.
    """
    with clock.phase("list"):
        catalog, space = listed(data, setup, classes=classes)
    return embedded(catalog, space, setup, clock)


def listed(data: Data, setup: Setup, *, classes: bool = False) -> tuple[Catalog, Workspace]:
    """Pictures, with what their workspace knows of them, and the workspace; one made elsewhere is said to be so."""
    catalog = catalog_of(data, setup)
    if classes:
        catalog.where(pl.lit(False)).targets()  # raises for labels of another kind
        if not any(decided.label for decided in read_applied(Workspace.of(catalog.root, setup.workspace)).decisions):
            needs_labels(catalog)
    space = Workspace.open(catalog.root, setup.workspace)
    if setup.fresh:
        space.clear()
    elif space.elsewhere:
        note(_made_elsewhere(space))
    aside = put_aside_elsewhere(space.splits)
    if aside:
        note(
            f"{aside:,} pictures are put aside for testing by a list that was made or changed elsewhere: "
            f"{escaped(space.splits)}. Without that file they are drawn anew."
        )
    return scan.load_scan(catalog, space.catalog), space


def _made_elsewhere(space: Workspace) -> str:
    if not seals.lasting():
        return (
            f"What {escaped(space.root)} knows is computed again: there is no place to keep the key that would tell "
            "that it is yours; set XDG_STATE_HOME to a folder that lasts."
        )
    return (
        f"The workspace {escaped(space.root)} was made elsewhere, or by an earlier Ursa: what it says of the pictures "
        "is not believed and computed again."
    )


def note(text: str) -> None:
    """A line for people that is no result: on stderr, whoever calls."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def embedded(catalog: Catalog, space: Workspace, setup: Setup, clock: Clock, *, told: bool = False) -> Prepared:
    """Scan and embed what was listed, and follow the decisions that were applied. told: they were mentioned.

    Raises DataError when none of it can be read.
    """
    with clock.phase("embed"):
        engine = setup.engine(space)
        catalog, embeddings = embed(catalog, engine, setup.progress)
        decided = followed(catalog, space)
        if len(decided.corrected.catalog) < len(catalog) and embeddings.ids:
            embeddings = select(decided.corrected.catalog.readable(), embeddings)
    if (license := engine.about.license) is not None and limits_use(license):
        note(license_words(setup.backbone, license))
    if not embeddings.ids:
        if len(catalog.readable()):
            raise DataError(
                f"none of the {len(catalog.readable()):,} pictures in {catalog.root} is left",
                found="all of them were deleted by decisions",
                fix="ursa revert brings them back",
            )
        reasons = catalog.rows["problem"].drop_nulls().value_counts(sort=True)
        listed = "; ".join(f"{count} x {reason}" for reason, count in reasons.head(3).iter_rows())
        raise DataError(
            f"none of the {len(catalog)} files in {catalog.root} is a picture that can be used",
            found=listed,
            fix="fetch the pictures again, or name another folder",
        )
    for line in () if told else decided.words:
        note(escaped(line))
    return Prepared(decided.corrected.catalog, embeddings, engine, space, decided)
