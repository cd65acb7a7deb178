"""`ursa evaluate` and `ursa predict`: a bundle on pictures. No torch."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ursa.core import metrics
from ursa.core.finding import Finding
from ursa.core.image import Pixels
from ursa.core.labels import Labels
from ursa.core.metrics import Metric
from ursa.core.threads import chunks
from ursa.data import looks
from ursa.errors import DataError
from ursa.serve.predictor import Prediction, Predictor
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.data.catalog import Catalog


@dataclass(frozen=True)
class Evaluated:
    """How a bundle does on labelled pictures."""

    pictures: int
    problems: dict[str, str]  # picture id -> why it could not be judged
    accuracy: Metric
    labels: Labels
    confusion: npt.NDArray[np.int64]  # [K, K], rows the given class
    looks: int = 0  # at these test pictures so far; 0 where they are no test part, or no workspace counts them
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa evaluate --json`."""
        return {
            "pictures": self.pictures,
            "problems": self.problems,
            "accuracy": self.accuracy.to_json(),
            "per_class": metrics.per_class(self.confusion, self.labels.names),
            "confusion": self.confusion.tolist(),
            "looks": self.looks,
            "findings": [finding.to_json() for finding in self.findings],
        }


def evaluate(bundle: str | Path, folder: str | Path) -> Evaluated:
    """Accuracy on the pictures of a folder, which is only read. Raises DataError for classes the model does not know.

    Of a folder with splits the test part is used, else the validation part; of one that Ursa drew a test part from,
    that part. Where the folder has a workspace, a look at its test part is counted there.
    """
    from ursa.data.sources import from_folder, needs_labels

    predictor, catalog = Predictor(bundle), needs_labels(from_folder(folder))
    space = Workspace.of(folder)
    catalog = _with_drawn_test(catalog.labelled(), space, predictor)
    for split in ("test", "valid"):
        if (catalog.rows["split"] == split).any():
            catalog = catalog.of_split(split)
            break
    targets = catalog.targets(predictor.labels)
    rows, problems = [], {}
    for id, target, (_, answer) in zip(catalog.ids, targets, predictions(predictor, catalog.files()), strict=True):
        if isinstance(answer, Prediction):
            rows.append((predictor.labels.names.index(answer.label), int(target)))
        else:
            problems[id] = answer.what
    if not rows:
        raise DataError(f"none of the {len(catalog)} files in {folder} is a picture that can be used")
    predicted, given = np.array(rows).T
    looked = 0
    if space.root.is_dir() and (catalog.rows["split"] == "test").all():
        looked = _counted(space, predictor, catalog.without(problems))
    return Evaluated(
        pictures=len(rows),
        problems=problems,
        accuracy=metrics.proportion(int((predicted == given).sum()), len(rows), "pictures of this folder"),
        labels=predictor.labels,
        confusion=metrics.confusion(predicted, given, len(predictor.labels)),
        looks=looked,
        findings=tuple(looks.looked_at(looked, len(rows))),
    )


def _with_drawn_test(catalog: "Catalog", space: Workspace, predictor: Predictor) -> "Catalog":
    """The test part that was drawn when the bundle's model was trained on this folder, if one was."""
    from ursa.data import scan
    from ursa.data.split import remembered, with_drawn_test

    if (catalog.rows["split"] == "test").any() or not space.splits.exists():
        return catalog
    known = scan.hashed(scan.recalled(catalog, space.catalog))
    seed = predictor.bundle.document.get("training", {}).get("recipe", {}).get("seed", 0)
    return with_drawn_test(known, remembered(space.splits, seed))


def _counted(space: Workspace, predictor: Predictor, catalog: "Catalog") -> int:
    """Writes the look down -> how many there have been."""
    keys = [hashlib.sha256(file.read_bytes()).hexdigest() for file in catalog.files()]
    model = hashlib.sha256(predictor.bundle.parts["weights.safetensors"]).hexdigest()
    return looks.look(space.looks, "evaluate", model, keys)


def predictions(predictor: Predictor, files: Sequence[Path]) -> Iterator[tuple[Path, Prediction | DataError]]:
    """Each file, in order, with its prediction or with what is wrong with it; decoded on all cores, memory flat."""

    def view(file: Path) -> Pixels | DataError:
        try:
            return predictor.view(file)
        except DataError as problem:
            return problem

    source = iter(files)
    for views in chunks(files, view):
        answers = iter(predictor.predictions(seen for seen in views if not isinstance(seen, DataError)))
        for seen in views:
            yield next(source), seen if isinstance(seen, DataError) else next(answers)
