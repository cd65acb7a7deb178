"""Catalog -> scanned catalog and embeddings. Each picture is decoded once and goes through the backbone once."""

from collections.abc import Callable

from ursa.core.image import Pixels
from ursa.core.prepare import stacks
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.embed import pipeline
from ursa.embed.engine import Engine
from ursa.embed.store import Embeddings, Store

Progress = Callable[[str, int, int], None]  # phase, done, of


def silent(phase: str, done: int, of: int) -> None:
    """A Progress that says nothing."""


def embed(catalog: Catalog, engine: Engine, progress: Progress = silent) -> tuple[Catalog, Embeddings]:
    """catalog -> the catalog with every file scanned, and the embeddings of its usable pictures.

    Only what is missing is computed: files whose size and time have not changed since the last scan are not opened,
    pictures whose bytes are in the store do not go through the backbone. When this is interrupted, everything that was
    finished is on disk and the next call goes on from there.
    """
    with Store(engine.space.embeddings(engine.key)) as store:
        known = zip(catalog.rows["sha256"], catalog.rows["problem"], strict=True)
        todo = [i for i, (key, problem) in enumerate(known) if problem is None and (key is None or key not in store)]
        if todo:
            catalog = _through(catalog, todo, engine, store, progress)
        catalog.write(engine.space.catalog)
        usable = catalog.usable()
        return catalog, Embeddings(tuple(usable.ids), store.vectors(usable.rows["sha256"].to_list()), engine.key)


def _through(catalog: Catalog, todo: list[int], engine: Engine, store: Store, progress: Progress) -> Catalog:
    """Look at the files of these rows; put their vectors into the store, their facts into the catalog."""
    facts = [scan.Facts(*row) for row in catalog.rows.select(scan.FACTS).iter_rows()]
    files, rows, done = catalog.files(), iter(todo), 0
    progress("embed", 0, len(todo))
    try:
        for chunk in pipeline.looks((files[i] for i in todo), engine.about.preparation, engine.set_threads):
            _add([(fact.sha256, view) for fact, view in chunk if fact.sha256 and view is not None], engine, store)
            for (fact, _), i in zip(chunk, rows, strict=False):
                facts[i] = fact
            done += len(chunk)
            progress("embed", done, len(todo))
    except BaseException:  # a Ctrl-C too: what was scanned stays known, and the store writes what was embedded
        scan.filled(catalog, facts).write(engine.space.catalog)
        raise
    return scan.filled(catalog, facts)


def _add(views: list[tuple[str, Pixels]], engine: Engine, store: Store) -> None:
    """(sha256, view [S, S, 3]) -> their vectors into the store; the same bytes go through once."""
    new = {key: view for key, view in views if key not in store}
    keys = list(new)
    for pictures in stacks(new.values(), engine.batch):
        store.add([keys.pop(0) for _ in pictures], engine(pictures))
