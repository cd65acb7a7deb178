"""Catalog -> scanned catalog and embeddings. Each picture is decoded once and goes through the backbone once."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ursa import workspace
from ursa.core.image import Pixels
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.embed import pipeline
from ursa.embed.backbone import Backbone, Description, dtype_of, fastest_precision, machine
from ursa.embed.store import Embeddings, Store

if TYPE_CHECKING:
    import torch

    from ursa.embed.extractor import Extractor

Progress = Callable[[str, int, int], None]  # phase, done, of

BATCH = 8  # pictures a forward pass on a CPU: activations stay in the cache; 32 took 1.4 to 2 times as long (measured)
BATCH_ACCELERATOR = 64


def silent(phase: str, done: int, of: int) -> None:
    """A Progress that says nothing."""


def embed(
    catalog: Catalog,
    backbone: Backbone,
    space: workspace.Workspace,
    *,
    precision: str = "auto",
    device: str = "cpu",
    progress: Progress = silent,
) -> tuple[Catalog, Embeddings]:
    """catalog -> the catalog with every file scanned, and the embeddings of its usable pictures.

    Only what is missing is computed: files whose size and time have not changed since the last scan are not opened,
    pictures whose bytes are in the store do not go through the backbone. When this is interrupted, everything that was
    finished is on disk and the next call goes on from there.
    """
    about = backbone.describe(space)
    extractor: Extractor | None = None
    if precision == "auto":
        choices = space.root / "precision.json"
        key = f"{about.fingerprint} {device} {machine()}"

        def measure() -> str:
            nonlocal extractor
            extractor = backbone.load()
            return fastest_precision(extractor, _trial_views(about)) if device == "cpu" else "fp32"

        precision = workspace.remember(choices, key, measure)
    with Store(space.embeddings(about.key(precision))) as store:
        keys = catalog.rows["sha256"].to_list()
        problems = catalog.rows["problem"].to_list()
        todo = [i for i, key in enumerate(keys) if problems[i] is None and (key is None or key not in store)]
        if todo:
            run = _Pass(extractor or backbone.load(), precision, device, store)
            catalog = _through(catalog, todo, run, about, space, progress)
        catalog.write(space.catalog)
        usable = catalog.usable()
        vectors = store.vectors(usable.rows["sha256"].to_list())
    return catalog, Embeddings(tuple(usable.ids), vectors, about.key(precision))


def _through(
    catalog: Catalog,
    todo: list[int],
    run: "_Pass",
    about: Description,
    space: workspace.Workspace,
    progress: Progress,
) -> Catalog:
    """Look at the files of these rows, put their vectors into the store, their facts into the catalog."""
    facts = [scan.Facts(*row) for row in catalog.rows.select(scan.FACTS).iter_rows()]
    files, done = catalog.files(), 0
    progress("embed", 0, len(todo))
    try:
        for chunk in pipeline.looks((files[i] for i in todo), about.preparation, ahead=run.device != "cpu"):
            run.add([(fact.sha256, view) for fact, view in chunk if fact.sha256 and view is not None])
            for (fact, _), i in zip(chunk, todo[done : done + len(chunk)], strict=True):
                facts[i] = fact
            done += len(chunk)
            progress("embed", done, len(todo))
    except BaseException:  # a Ctrl-C too: what was scanned stays known, the store's context writes what was embedded
        scan.filled(catalog, facts).write(space.catalog)
        raise
    return scan.filled(catalog, facts)


class _Pass:
    """The forward pass, in batches, for what the store does not have yet."""

    def __init__(self, extractor: "Extractor", precision: str, device: str, store: Store) -> None:
        self.extractor = extractor.in_precision(dtype_of(precision)).to(device)
        self.device = device
        self.batch = BATCH if device == "cpu" else BATCH_ACCELERATOR
        self.store = store

    def add(self, views: list[tuple[str, Pixels]]) -> None:
        """(sha256, view [S, S, 3]) pairs; copies go through once."""
        new = list({key: view for key, view in views if key not in self.store}.items())
        for start in range(0, len(new), self.batch):
            batch = new[start : start + self.batch]
            vectors = self.forward(np.stack([view for _, view in batch]))
            self.store.add([key for key, _ in batch], vectors.cpu().numpy())

    def forward(self, views: Pixels) -> "torch.Tensor":
        """views [N, S, S, 3] -> [N, D]."""
        import torch

        with torch.inference_mode():
            return self.extractor(torch.from_numpy(views).to(self.device))


def _trial_views(about: Description) -> "torch.Tensor":
    import torch

    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (BATCH, about.size, about.size, 3), dtype=torch.uint8, generator=generator)
