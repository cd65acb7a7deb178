"""Catalog before and after corrections -> what they changed, from the store: no picture is read, none runs again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from ursa.data.catalog import Catalog
from ursa.diagnose.corrections_effect import CorrectionsEffect
from ursa.embed.store import Embeddings, Store
from ursa.embed.stored_probe import fitted_probe
from ursa.errors import DataError, TrainingError
from ursa.prepared import last_setup
from ursa.prepared.setup import Prepared, Setup
from ursa.prepared.splitting import probe_inputs, unsealed
from ursa.recipe import Recipe
from ursa.workspace import Workspace

CHECK = "run `ursa check` before `ursa apply` to have it measured"


def measured_effect(before: Catalog, after: Catalog, space: Workspace, data: str | Path) -> CorrectionsEffect | str:
    """before: with what the last scan knows. Why it cannot be measured, where that is so."""
    if before.task != "single-label":
        return "measured where each picture has one class"
    if not len(before.labeled()):
        return "there were no labels before"
    known = last_setup.recall(data, space.root)
    if not known:
        return CHECK
    setup = Setup.of(backbone=known.get("backbone"), weights=known.get("weights"), workspace=space.root)
    try:
        engine = setup.engine(space)
        with Store(space.embeddings(engine.key)) as store:
            stored = [key is not None and key in store for key in before.rows["sha256"]]
            readable = replace(before, rows=before.rows.filter(stored)).readable().usable()
            vectors = store.vectors(readable.rows["sha256"].to_list()) if len(readable) else None
        if vectors is None:
            return CHECK
        embeddings = Embeddings(tuple(readable.ids), vectors, engine.key)
        ready = Prepared(readable, embeddings, engine, space)
        corrected = readable.where(pl.col("id").is_in(after.ids)).with_columns(label=_labels(after))
        old, predicted_before = _predictions(ready)
        new, predicted_after = _predictions(replace(ready, catalog=corrected))
    except (DataError, TrainingError) as problem:  # a class alone, weights that are gone: all is applied nevertheless
        return problem.what
    ids = [id for id in old if id in new]
    if not ids:
        return "no picture is left to judge by"
    columns = [np.array([some[id] for id in ids], np.str_) for some in (old, new, predicted_before, predicted_after)]
    return CorrectionsEffect.of(columns[0], columns[1], columns[2], columns[3], len(readable) - len(corrected))


def _labels(after: Catalog) -> pl.Expr:
    new = dict(after.labeled().rows.select("id", "label").iter_rows())
    return pl.col("id").replace_strict(new, default=None, return_dtype=pl.String)


def _predictions(ready: Prepared) -> tuple[dict[str, str], dict[str, str]]:
    """Label and out-of-sample prediction of each picture but those of the test part."""
    recipe = Recipe()
    part = unsealed(ready, recipe.seed)
    labels = part.labels
    probe = fitted_probe(probe_inputs(part, labels, ready, recipe), ready.space)
    said = labels.decode(probe.probabilities.argmax(1).tolist())
    return dict(zip(part.ids, part.rows["label"], strict=True)), dict(zip(part.ids, said, strict=True))
