"""`ursa evaluate`: a bundle on labelled pictures. No torch."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.labels import Labels
from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.data import test_set_log
from ursa.errors import DataError
from ursa.serve.prediction import Prediction
from ursa.serve.predictor import Predictor
from ursa.workflow import evaluation_files
from ursa.workflow.chosen_thresholds import WantedThresholds, with_operating_points
from ursa.workflow.predicting.answered_files import predictions
from ursa.workflow.predicting.opened import opened
from ursa.workflow.results.evaluated import Evaluated, accuracy_of_new, learned_from
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.data.catalog import Catalog
    from ursa.prepared.setup import Data


def evaluate(
    bundle: str | Path,
    data: "Data",
    *,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
    report: str | Path | None = None,
    costs: Mapping[str, tuple[float, float]] | None = None,
    max_error: float | None = None,
    out: str | Path | None = None,
    progress: Progress | bool | None = None,
) -> Evaluated:
    """Accuracy on labelled pictures: those of a folder, of a table, or of a catalog. They are only read.

    Of pictures with splits the test part is used, else the validation part; of those that the bundle's run drew a test
    part from, that part. The accuracy is that of pictures that were not learned from: a bundle knows those by the
    sha256 of their files. Where there is a workspace, a look at its test part is counted there: `workspace`, made if it
    is not there, or `.ursa/` beside the pictures. report: an HTML page to write, with the pictures that are predicted
    wrongly, and beside it a sheet to tag them. pattern, table, progress: as of `ursa.check`.

    costs: of a miss and of a false alarm, by class, as in {"grizzly": (10, 1)}: what the thresholds that they imply do
    on these pictures. max_error: the share of answers that may be wrong, which gives the probability from which on to
    answer; below it the model is "unsure". out: the bundle with these costs and this threshold, by which `predict` and
    `serve` then answer; it is not written where no threshold can promise `max_error`. All of this is measured on
    pictures that were not learned from, and refused where there are none.

    Raises DataError for classes that the model does not know and for pictures that cannot be used, BundleError for the
    bundle.
    """
    from ursa.data.sources.folder_source import needs_labels
    from ursa.prepared.setup import Setup, catalog_of

    predictor = opened(bundle, "ursa evaluate BUNDLE FOLDER", [data], single_label="ursa evaluate")
    wanted = WantedThresholds.of(costs, max_error, out, predictor.labels)
    at, page = (None if place is None else Path(place) for place in (workspace, report))
    setup = Setup(pattern=pattern, table=table or {}, workspace=at)
    catalog = needs_labels(catalog_of(data, setup))
    if page is not None:
        evaluation_files.require_writable(page)
    space = Workspace.of(catalog.root) if at is None else Workspace.open(catalog.root, at)
    catalog, is_test = _scored(catalog.labeled(), space, predictor)
    targets, known = catalog.targets(predictor.labels), predictor.bundle.pictures
    rows, problems, likely = [], {}, []
    with shown(progress) as bar:
        answers = predictions(predictor, catalog.files(), bar)
        for id, target, (_, answer) in zip(catalog.ids, targets, answers, strict=True):
            if isinstance(answer, Prediction):
                rows.append((predictor.labels.names.index(answer.label), int(target)))
                likely.append(list(answer.probabilities.values()))
            elif isinstance(answer, DataError):
                problems[id] = answer.what
    if not rows:
        raise DataError(
            f"none of the {len(catalog)} files in {catalog.root} is a picture that can be used",
            found=_commonest(problems),
        )
    judged = catalog.without(problems)
    parts = None if known is None else known.part_of(judged.rows["sha256"].to_list())
    uses = count_use(space, predictor, judged, "evaluate") if is_test and space.root.is_dir() else 0
    found = _evaluated(judged.ids, np.array(rows), parts, predictor.labels, problems, uses)
    new = np.array([part != "train" for part in parts or [None] * len(rows)])
    result = with_operating_points(found, np.array(likely)[new], np.array(rows)[new, 1], wanted, predictor.bundle)
    if page is None:
        return result
    others = judged.without({id for id, seen in zip(judged.ids, ~new, strict=True) if seen})
    sure = np.array(likely, np.float32)[new].reshape(len(others), len(predictor.labels))
    return evaluation_files.write_evaluation(result, others, sure, Path(bundle), data, setup, page)


def _scored(catalog: "Catalog", space: Workspace, predictor: Predictor) -> "tuple[Catalog, bool]":
    """The pictures to judge, with their sha256, and whether they are a test part."""
    from ursa.data import scan
    from ursa.data.saved_splits import load_splits, with_drawn_test

    given = [split for split in ("test", "valid") if (catalog.rows["split"] == split).any()]
    catalog = catalog.of_split(given[0]) if given else catalog
    known = predictor.bundle.pictures
    if known is None and (given or not space.splits.exists()):
        return catalog, given[:1] == ["test"]
    catalog = scan.hashed(scan.load_scan(catalog, space.catalog))
    if given:
        return catalog, given[0] == "test"
    if known is None:  # of an Ursa that did not write it into the bundle: what was drawn with its seed since
        seed = predictor.bundle.document.get("training", {}).get("recipe", {}).get("seed", 0)
        drawn = with_drawn_test(catalog, load_splits(space.splits, seed)).of_split("test")
    else:
        test = [part == "test" for part in known.part_of(catalog.rows["sha256"].to_list())]
        drawn = replace(catalog, rows=catalog.rows.filter(test))
    return (drawn, True) if len(drawn) else (catalog, False)


def _evaluated(
    ids: Sequence[str],
    rows: npt.NDArray[np.int64],
    parts: Sequence[str | None] | None,
    labels: Labels,
    problems: dict[str, str],
    uses: int,
) -> Evaluated:
    """rows [N, 2]: predicted and given class; parts [N]: of the bundle's run."""
    learned = np.array([part == "train" for part in parts or [None] * len(ids)])
    right, new = rows[:, 0] == rows[:, 1], rows[~learned]
    hits, validated = int(right[~learned].sum()), (parts or []).count("valid")
    count = None if parts is None else int(learned.sum())
    accuracy = accuracy_of_new(hits, len(new), count, validated)
    of_all = statistics.proportion(int(right.sum()), len(rows), "all pictures, whether learned from or not")
    known = learned_from(tuple(np.array(ids, object)[learned]), accuracy, hits, len(new), of_all)
    return Evaluated(
        pictures=len(rows),
        problems=problems,
        accuracy=accuracy,
        accuracy_of_all=of_all,
        learned_from=count,
        validated_on=validated,
        labels=labels,
        confusion=statistics.confusion(new[:, 0], new[:, 1], len(labels)),
        test_set_uses=uses,
        findings=(*known, *test_set_log.repeated_use(uses, len(rows))),
    )


def _commonest(problems: Mapping[str, str]) -> str:
    return "; ".join(f"{count} x {reason}" for reason, count in Counter(problems.values()).most_common(3))


def count_use(space: Workspace, predictor: Predictor, catalog: "Catalog", command: str) -> int:
    """Writes a command's look at test pictures down -> how many there have been."""
    from ursa.data import scan

    keys = catalog.rows["sha256"]
    if keys.null_count():  # nothing else asked for them
        keys = scan.hashed(catalog).rows["sha256"].drop_nulls()
    model = hashlib.sha256(predictor.bundle.parts["weights.safetensors"]).hexdigest()
    return test_set_log.record_use(space.test_set_log, command, model, keys)
