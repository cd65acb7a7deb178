"""Catalog -> scanned catalog and embeddings. Each picture is decoded once and goes through the backbone once."""

import numpy as np

from ursa.core.progress import Progress, silent
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.embed.engine import Engine
from ursa.embed.store import Embeddings, Store


def embed(catalog: Catalog, engine: Engine, progress: Progress = silent) -> tuple[Catalog, Embeddings]:
    """catalog -> the catalog with every file scanned, and the embeddings of all that could be read.

    Only what is missing is computed: files whose size and time have not changed since the last scan are not opened,
    pictures whose bytes are in the store do not go through the backbone. When this is interrupted, everything that was
    finished is on disk and the next call goes on from there.
    """
    with Store(engine.space.embeddings(engine.key)) as store:
        known = zip(catalog.rows["sha256"], catalog.rows["problem"], strict=True)
        todo = [i for i, (key, problem) in enumerate(known) if problem is None and (key is None or key not in store)]
        if todo:
            catalog = _through(catalog, todo, engine, store, progress)
        scan.keep(catalog, engine.space.catalog)
        readable = catalog.readable()
        return catalog, Embeddings(tuple(readable.ids), store.vectors(readable.rows["sha256"].to_list()), engine.key)


def _through(catalog: Catalog, todo: list[int], engine: Engine, store: Store, progress: Progress) -> Catalog:
    """Look at the files of these rows; put their vectors into the store, their facts into the catalog."""
    facts = [scan.FileInfo(*row) for row in catalog.rows.select(scan.FACTS).iter_rows()]
    files, rows, done = catalog.files(), iter(todo), 0
    progress("embed", 0, len(todo))
    try:
        for chunk in engine.embedded([files[i] for i in todo], known=store.__contains__):
            if chunk.vectors:
                store.add([*chunk.vectors], np.stack([*chunk.vectors.values()]))
            for fact, i in zip(chunk.facts, rows, strict=False):
                facts[i] = fact
            done += len(chunk.facts)
            progress("embed", done, len(todo))
    except BaseException:  # a Ctrl-C too: what was scanned stays known, and the store writes what was embedded
        scan.keep(scan.with_facts(catalog, facts), engine.space.catalog)
        raise
    return scan.with_facts(catalog, facts)
