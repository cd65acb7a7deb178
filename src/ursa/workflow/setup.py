"""What every workflow on a picture folder begins with: options, workspace, scanned catalog, embeddings, a clock."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.data.sources import from_folder
from ursa.embed.backbone import DEFAULT, Backbone
from ursa.embed.engine import Engine
from ursa.embed.run import Progress, embed, silent
from ursa.embed.store import Embeddings
from ursa.errors import DataError
from ursa.workspace import Workspace


@dataclass(frozen=True)
class Options:
    """The options that all commands on a picture folder share."""

    backbone: str = DEFAULT
    weights: Path | None = None  # a file; None: the library's own, from its hub
    workspace: Path | None = None  # default: .ursa/ in the folder
    precision: str = "auto"  # of the embeddings: "fp32", "bf16", or whichever is faster on this machine
    device: str = "cpu"
    seed: int = 0
    progress: Progress = silent

    def __post_init__(self) -> None:
        for name in ("weights", "workspace"):  # text is welcome too
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else Path(value))
        if self.precision not in ("auto", "fp32", "bf16"):
            raise DataError("no such precision", found=self.precision, fix="one of auto, fp32, bf16")
        if self.device.split(":")[0] not in ("cpu", "cuda", "mps"):
            raise DataError("no such device", found=self.device, fix="one of cpu, cuda, mps")


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


def prepared(folder: Path, options: Options, clock: Clock) -> Prepared:
    """List, scan and embed a folder, as far as its workspace does not know it yet.

    Raises DataError when no picture can be read, or none has a label.
    """
    with clock.phase("list"):
        catalog = from_folder(folder)
        space = Workspace.open(folder, options.workspace)
        if space.catalog.exists():
            catalog = scan.remembered(catalog, _before(space, folder))
    with clock.phase("embed"):
        engine = Engine(Backbone(options.backbone, options.weights), space, options.precision, options.device)
        catalog, embeddings = embed(catalog, engine, options.progress)
    if not embeddings.ids:
        reasons = catalog.rows["problem"].drop_nulls().value_counts(sort=True)
        listed = "; ".join(f"{count} x {reason}" for reason, count in reasons.head(3).iter_rows())
        raise DataError(
            f"none of the {len(catalog)} files in {folder} is a picture that can be used",
            found=listed,
            fix="fetch the pictures again, or name another folder",
        )
    return Prepared(catalog, embeddings, engine, space)


def _before(space: Workspace, folder: Path) -> Catalog:
    """The catalog of the last scan; an unreadable one counts as none, since a scan makes it anew."""
    try:
        return Catalog.read(space.catalog, folder)
    except DataError:
        return Catalog.of(folder, {"id": []})
