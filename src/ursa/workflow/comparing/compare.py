"""`ursa compare`: two runs, or two bundles -> which is better on pictures that neither learned from, or that it cannot
be told."""

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.errors import DataError
from ursa.prepared.last_setup import workspace_of
from ursa.workflow.comparing.run_table import RunRow, table_of
from ursa.workflow.results.compared import Compared
from ursa.workflow.training_run.held_out_predictions import HeldOutPredictions
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.prepared.setup import Data

OTHERS = "compare their bundles on pictures that neither learned from: ursa compare A.ursa B.ursa FOLDER"


def compare(
    first: str | int | Path,
    second: str | int | Path,
    data: "Data | None" = None,
    *,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
    progress: Progress | bool | None = None,
) -> Compared:
    """Two runs on what both held out, or two bundles on pictures that neither learned from, picture by picture.

    first, second: runs by number or name (`ursa.runs`), of the folder `data`, the current one where not given; or files
    of bundles, and `data` any labelled pictures, read as by `ursa.evaluate` with pattern and table. The difference has
    Newcombe's paired interval; that one is better is said where McNemar's exact test has p < 0.05, and else how many
    pictures would be enough to tell, with a power of 80 %. Raises DataError where there is nothing to compare,
    BundleError for the bundles.
    """
    bundles = [_is_bundle(name) for name in (first, second)]
    if str(first) == str(second):
        raise DataError("a model is compared with another one", found=f"{first} twice", fix="name two")
    if all(bundles):
        if data is None:
            fix = f"ursa compare {first} {second} FOLDER"
            raise DataError("two bundles are compared on pictures", found="no folder", fix=fix)
        from ursa.workflow.comparing.compared_bundles import compared_bundles

        with shown(progress) as bar:
            return compared_bundles(Path(str(first)), Path(str(second)), data, workspace, pattern, table, bar)
    if isinstance(first, str | Path) and Path(first).is_dir() and not all(bundles):
        raise DataError("the runs come first", found=str(first), fix=f"ursa compare {second} {data or 'RUN'} {first}")
    for name, given in (("pattern", pattern), ("table", table)):
        if given:
            raise DataError(f"runs are compared by what they predicted: no {name} is read", fix=f"leave {name} out")
    space = workspace_of("." if data is None else _place(data), None if workspace is None else Path(workspace))
    if any(bundles):
        raise _of_two_kinds(space, str(first), str(second), bundles[0])
    return _compared_runs(space, str(first), str(second))


def _compared_runs(space: Workspace, first: str, second: str) -> Compared:
    known = table_of(space)
    rows = known.named(first), known.named(second)
    if rows[0].name == rows[1].name:
        raise DataError("a run is compared with another one", found=f"{rows[0].name} twice", fix="name two runs")
    one, other = _held_out(space, rows[0]), _held_out(space, rows[1])
    names = _called(rows[0]), _called(rows[1])
    both, left_out = _in_common(one, other, names)
    if not len(both):
        raise _nothing_in_common(rows, (len(one), len(other)))
    part = "pictures that both held out"
    tested = both.filter((pl.col("part") == "test") & (pl.col("part_b") == "test"))
    if len(tested):
        left_out["not a test picture of both"] = len(both) - len(tested)
        both, part = tested, "test pictures of both"
    elif (both["part"] == "valid").all() and (both["part_b"] == "valid").all():
        part = "validation pictures of both, which also chose what each kept"
    right = both["right"].to_list(), both["right_b"].to_list()
    return Compared.of(names[0], names[1], part, both["id"].to_list(), right, left_out)


def _of_two_kinds(space: Workspace, first: str, second: str, bundle_first: bool) -> DataError:
    """The error for a run and a bundle, with the bundle of the run where it is known."""
    run = table_of(space).named(second if bundle_first else first)
    known = "the run's bundle" if run.result is None else shlex.quote(str(run.result.bundle))
    pair = (first, known) if bundle_first else (known, second)
    what, found = "a run is compared with a run, a bundle with a bundle", f"{first} and {second}"
    return DataError(what, found=found, fix=f"ursa compare {pair[0]} {pair[1]} FOLDER")


def _in_common(one: pl.DataFrame, other: pl.DataFrame, names: tuple[str, str]) -> tuple[pl.DataFrame, "Counter[str]"]:
    """Pictures that both held out and gave one class, each once, and how many are left out by reason."""
    left_out: Counter[str] = Counter()
    a, b = (side.unique("sha256", keep="first", maintain_order=True) for side in (one, other))
    left_out["the same file again"] = len(one) - len(a)
    left_out[f"held out by {names[0]} alone"] = len(a.join(b, on="sha256", how="anti"))
    left_out[f"held out by {names[1]} alone"] = len(b.join(a, on="sha256", how="anti"))
    both = a.join(b, on="sha256", how="inner", suffix="_b", maintain_order="left")
    same = both.filter(pl.col("label") == pl.col("label_b"))
    left_out["under another class in the other run"] = len(both) - len(same)
    return same, left_out


def _held_out(space: Workspace, row: RunRow) -> pl.DataFrame:
    """Part, id, sha256, label and whether it was right, of what a run held out. Raises DataError if not known."""
    found = None if row.result is None else HeldOutPredictions.read(space, row.name, row.result.labels)
    if found is None:
        raise DataError(f"it is not known what {_called(row)} predicted", found=row.status, fix=OTHERS)
    return found.rows.select("part", "id", "sha256", "label").with_columns(right=pl.Series(found.right()))


def _called(row: RunRow) -> str:
    return f"run {row.number or row.name}"


def _nothing_in_common(rows: tuple[RunRow, RunRow], held_out: tuple[int, int]) -> DataError:
    counts = " and ".join(f"{count:,} of {_called(row)}" for count, row in zip(held_out, rows, strict=True))
    seeds = {row.settings.get("seed") for row in rows}
    divided = "; their seeds differ, and so do their parts" if len(seeds) > 1 else ""
    return DataError(
        "no picture was held out by both runs",
        found=f"held out: {counts}, none in common{divided}",
        fix=f"train both with one --seed or a test part, or {OTHERS}",
    )


def _is_bundle(name: str | int | Path) -> bool:
    return str(name).endswith(".ursa") or Path(str(name)).is_file() or (Path(str(name)) / "bundle.json").is_file()


def _place(data: "Data") -> str | Path:
    if isinstance(data, str | Path):
        if not Path(data).exists():
            raise DataError(f"there is no folder {data}", fix="name the folder of pictures that the runs learned from")
        return data
    return data.root
