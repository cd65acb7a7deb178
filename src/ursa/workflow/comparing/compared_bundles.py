"""Two bundles and labelled pictures -> both predict those that neither learned from. No torch."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ursa.core.progress import Progress
from ursa.errors import DataError
from ursa.serve.prediction import Prediction
from ursa.serve.predictor import Predictor
from ursa.workflow.evaluate import count_use
from ursa.workflow.predicting.answered_files import predictions
from ursa.workflow.predicting.opened import opened
from ursa.workflow.results.compared import Compared
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.data.catalog import Catalog
    from ursa.prepared.setup import Data

UNKNOWN = "a bundle of an earlier Ursa does not say which of them it learned from"


def compared_bundles(
    first: Path,
    second: Path,
    data: "Data",
    workspace: str | Path | None,
    pattern: str | None,
    table: Mapping[str, str] | None,
    progress: Progress,
) -> Compared:
    """As `ursa.compare`. A look at a test part is counted for both, where a workspace counts them."""
    from ursa.data import scan
    from ursa.data.sources.folder_source import needs_labels
    from ursa.prepared.setup import Setup, catalog_of

    way = "ursa compare A.ursa B.ursa FOLDER"
    models = opened(first, way, [data], single_label="comparing"), opened(second, way, [data], single_label="comparing")
    names = _called(first, second)
    catalog = needs_labels(catalog_of(data, Setup(pattern=pattern, table=table or {}))).labeled()
    space = Workspace.of(catalog.root) if workspace is None else Workspace.open(catalog.root, Path(workspace))
    catalog = scan.hashed(scan.load_scan(catalog, space.catalog))
    catalog, left_out = _neither_learned(catalog, models, names)
    right: tuple[list[bool], list[bool]] = ([], [])
    problems: set[str] = set()
    labels = catalog.rows["label"].to_list()
    for model, some in zip(models, right, strict=True):
        for id, label, (_, said) in zip(
            catalog.ids, labels, predictions(model, catalog.files(), progress), strict=True
        ):
            if not isinstance(said, Prediction):
                problems.add(id)
            some.append(isinstance(said, Prediction) and said.label == label)
    left_out["cannot be read"] += len(problems)
    usable = [id not in problems for id in catalog.ids]
    judged = replace(catalog, rows=catalog.rows.filter(usable))
    if not len(judged):
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items() if count)
        raise DataError(
            "no picture is left to compare both models by",
            found=reasons or f"no labelled picture in {catalog.root}",
            fix="name a folder of pictures that neither learned from",
        )
    _count_uses(space, models, judged)
    known = all(model.bundle.pictures is not None for model in models)
    part = f"{'pictures that neither learned from' if left_out.total() else 'pictures of this folder'}"
    rights = tuple([hit for hit, counts in zip(some, usable, strict=True) if counts] for some in right)
    return Compared.of(*names, part if known else f"{part}; {UNKNOWN}", judged.ids, (rights[0], rights[1]), left_out)


def _neither_learned(
    catalog: "Catalog", models: tuple[Predictor, Predictor], names: tuple[str, str]
) -> "tuple[Catalog, Counter[str]]":
    """Pictures with a class that both know and that neither learned from, each file once; the others by reason."""
    left_out: Counter[str] = Counter()
    known = set(models[0].labels.names) & set(models[1].labels.names)

    def keep(condition: pl.Expr | pl.Series, reason: str) -> None:
        nonlocal catalog
        rows = catalog.rows.filter(condition)
        left_out[reason] += len(catalog) - len(rows)
        catalog = replace(catalog, rows=rows)

    keep(pl.col("sha256").is_not_null(), "cannot be read")
    keep(pl.col("sha256").is_first_distinct(), "the same file again")
    keep(pl.col("label").is_in(list(known)), "of a class that a model does not know")
    for model, name in zip(models, names, strict=True):
        if (pictures := model.bundle.pictures) is not None:
            parts = pictures.part_of(catalog.rows["sha256"].to_list())
            keep(pl.Series([part != "train" for part in parts], dtype=pl.Boolean), f"learned from by {name}")
    return catalog, left_out


def _count_uses(space: Workspace, models: tuple[Predictor, Predictor], judged: "Catalog") -> None:
    """Writes down that both looked at the test pictures among these, if there are any and a workspace counts looks."""
    keys = judged.rows["sha256"].to_list()
    for model in models:
        drawn = [part == "test" for part in model.bundle.pictures.part_of(keys)] if model.bundle.pictures else None
        test = judged.rows["split"] == "test"
        test = test.fill_null(False) if drawn is None else test.fill_null(False) | pl.Series(drawn, dtype=pl.Boolean)
        if test.any() and space.root.is_dir():
            count_use(space, model, replace(judged, rows=judged.rows.filter(test)), "compare")


def _called(first: Path, second: Path) -> tuple[str, str]:
    """The files' names, or as much of their paths as tells them apart."""
    if first.name != second.name:
        return first.name, second.name
    return str(first), str(second)
