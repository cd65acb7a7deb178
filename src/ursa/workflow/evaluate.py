"""`ursa evaluate` and `ursa predict`: a bundle on pictures. No torch."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ursa.core import picture_file, statistics
from ursa.core.decoding.image import Pixels
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.progress import Progress, silent
from ursa.core.progress_display import shown
from ursa.core.statistics import Estimate
from ursa.core.threads import chunks
from ursa.data import test_set_log
from ursa.errors import BundleError, DataError
from ursa.serve.predictor import Prediction, Predictor
from ursa.workflow.short_repr import ShortRepr, interval_text
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.data.catalog import Catalog
    from ursa.prepared.setup import Data


@dataclass(frozen=True, repr=False)
class Evaluated(ShortRepr):
    """How a bundle does on labelled pictures."""

    pictures: int
    problems: dict[str, str]  # picture id -> why it could not be judged
    accuracy: Estimate
    labels: Labels
    confusion: npt.NDArray[np.int64]  # [K, K], rows the given class
    test_set_uses: int = 0  # at these test pictures so far; 0 where they are no test part, or no workspace counts them
    findings: tuple[Finding, ...] = ()

    def _shown(self) -> list[tuple[str, str]]:
        rows = [("pictures", f"{self.pictures:,}"), ("accuracy", interval_text(self.accuracy))]
        return [*rows, *([("unusable files", f"{len(self.problems):,}")] if self.problems else [])]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa evaluate --json`."""
        return {
            "pictures": self.pictures,
            "problems": self.problems,
            "accuracy": self.accuracy.to_json(),
            "per_class": statistics.per_class(self.confusion, self.labels.names),
            "confusion": self.confusion.tolist(),
            "test_set_uses": self.test_set_uses,
            "findings": [finding.to_json() for finding in self.findings],
        }


def evaluate(
    bundle: str | Path,
    data: "Data",
    *,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
    progress: Progress | bool | None = None,
) -> Evaluated:
    """Accuracy on labelled pictures: those of a folder, of a table, or of a catalog. They are only read.

    Of pictures with splits the test part is used, else the validation part; of those that Ursa drew a test part from,
    that part. Where there is a workspace, a look at its test part is counted there: `workspace`, made if it is not
    there, or `.ursa/` beside the pictures. pattern, table, progress: as of `ursa.check`. Raises DataError for classes
    that the model does not know and for pictures that cannot be used, BundleError for the bundle.
    """
    from ursa.data.sources.folder_source import needs_labels
    from ursa.prepared.setup import Setup, catalog_of

    predictor = opened(bundle, "ursa evaluate BUNDLE FOLDER", [data])
    catalog = needs_labels(catalog_of(data, Setup(pattern=pattern, table=table or {})))
    at = None if workspace is None else Path(workspace)
    space = Workspace.of(catalog.root) if at is None else Workspace.open(catalog.root, at)
    catalog = _with_drawn_test(catalog.labeled(), space, predictor)
    for split in ("test", "valid"):
        if (catalog.rows["split"] == split).any():
            catalog = catalog.of_split(split)
            break
    targets = catalog.targets(predictor.labels)
    rows, problems = [], {}
    with shown(progress) as bar:
        answers = predictions(predictor, catalog.files(), bar)
        for id, target, (_, answer) in zip(catalog.ids, targets, answers, strict=True):
            if isinstance(answer, Prediction):
                rows.append((predictor.labels.names.index(answer.label), int(target)))
            else:
                problems[id] = answer.what
    if not rows:
        raise DataError(
            f"none of the {len(catalog)} files in {catalog.root} is a picture that can be used",
            found=_commonest(problems),
        )
    predicted, given = np.array(rows).T
    uses = 0
    if space.root.is_dir() and (catalog.rows["split"] == "test").all():
        uses = _counted(space, predictor, catalog.without(problems))
    return Evaluated(
        pictures=len(rows),
        problems=problems,
        accuracy=statistics.proportion(int((predicted == given).sum()), len(rows), "pictures of this folder"),
        labels=predictor.labels,
        confusion=statistics.confusion(predicted, given, len(predictor.labels)),
        test_set_uses=uses,
        findings=tuple(test_set_log.repeated_use(uses, len(rows))),
    )


def opened(bundle: str | Path, other_way: str, others: Sequence[object]) -> Predictor:
    """The predictor of a bundle; where the bundle is among the `others`, the error says the order of arguments."""
    try:
        return Predictor(bundle)
    except BundleError as problem:
        if not any(isinstance(other, str | Path) and str(other).endswith(".ursa") for other in others):
            raise
        raise BundleError(problem.what, found=problem.found, fix=f"the bundle comes first: {other_way}") from problem


def _commonest(problems: Mapping[str, str]) -> str:
    return "; ".join(f"{count} x {reason}" for reason, count in Counter(problems.values()).most_common(3))


def _with_drawn_test(catalog: "Catalog", space: Workspace, predictor: Predictor) -> "Catalog":
    """The test part that was drawn when the bundle's model was trained on this folder, if one was."""
    from ursa.data import scan
    from ursa.data.saved_splits import load_splits, with_drawn_test

    if (catalog.rows["split"] == "test").any() or not space.splits.exists():
        return catalog
    known = scan.hashed(scan.load_scan(catalog, space.catalog))
    seed = predictor.bundle.document.get("training", {}).get("recipe", {}).get("seed", 0)
    return with_drawn_test(known, load_splits(space.splits, seed))


def _counted(space: Workspace, predictor: Predictor, catalog: "Catalog") -> int:
    """Writes the look down -> how many there have been."""
    keys = [hashlib.sha256(picture_file.read(file)).hexdigest() for file in catalog.files()]
    model = hashlib.sha256(predictor.bundle.parts["weights.safetensors"]).hexdigest()
    return test_set_log.record_use(space.test_set_log, "evaluate", model, keys)


def predictions(
    predictor: Predictor, files: Sequence[Path], progress: Progress = silent
) -> Iterator[tuple[Path, Prediction | DataError]]:
    """Each file, in order, with its prediction or with what is wrong with it; decoded on all cores, memory flat."""

    def view(file: Path) -> Pixels | DataError:
        try:
            return predictor.view(_read(file))
        except DataError as problem:
            return problem

    source, done = iter(files), 0
    for views in chunks(files, view):
        answers = iter(predictor.predictions(seen for seen in views if not isinstance(seen, DataError)))
        done += len(views)
        progress("predict", done, len(files))
        for seen in views:
            yield next(source), seen if isinstance(seen, DataError) else next(answers)


def _read(file: Path) -> bytes:
    if str(file).startswith(("http:/", "https:/")) and not Path(file).exists():
        raise DataError("cannot be opened: it is an address, not a file: fetch it first")
    return picture_file.read(file)
