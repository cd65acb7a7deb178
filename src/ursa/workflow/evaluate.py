"""`ursa evaluate` and `ursa predict`: a bundle on pictures. No torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import metrics
from ursa.core.image import Pixels
from ursa.core.labels import Labels
from ursa.core.metrics import Metric
from ursa.core.threads import chunks
from ursa.errors import DataError
from ursa.serve.predictor import Prediction, Predictor


@dataclass(frozen=True)
class Evaluated:
    """How a bundle does on labelled pictures."""

    pictures: int
    problems: dict[str, str]  # picture id -> why it could not be judged
    accuracy: Metric
    labels: Labels
    confusion: npt.NDArray[np.int64]  # [K, K], rows the given class

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa evaluate --json`."""
        return {
            "pictures": self.pictures,
            "problems": self.problems,
            "accuracy": self.accuracy.to_json(),
            "per_class": metrics.per_class(self.confusion, self.labels.names),
            "confusion": self.confusion.tolist(),
        }


def evaluate(bundle: str | Path, folder: str | Path) -> Evaluated:
    """Accuracy on the pictures of a folder, which is only read. Raises DataError for classes the model does not know.

    Of a folder with splits the test part is used, else the validation part.
    """
    from ursa.data.sources import from_folder

    predictor, catalog = Predictor(bundle), from_folder(folder)
    catalog = catalog.labelled()
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
    return Evaluated(
        pictures=len(rows),
        problems=problems,
        accuracy=metrics.proportion(int((predicted == given).sum()), len(rows), "pictures of this folder"),
        labels=predictor.labels,
        confusion=metrics.confusion(predicted, given, len(predictor.labels)),
    )


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
