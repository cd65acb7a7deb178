"""Two sets of predictions for the same held-out pictures, side by side."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.labels import Labels
from ursa.core.statistics import Estimate
from ursa.data.catalog import Catalog

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """What the probe (`before`) and the kept model (`after`) predict for held-out pictures."""

    catalog: Catalog
    labels: Labels
    before: F32  # [N, K]
    after: F32  # [N, K]
    method: str  # which pictures these are
    corrected: Estimate | None = None  # accuracy of the kept model, where these pictures had a say in what was kept

    @property
    def targets(self) -> npt.NDArray[np.int64]:
        """[N] given classes."""
        return self.catalog.targets(self.labels)

    @property
    def probe(self) -> Estimate:
        """Accuracy of the probe."""
        return statistics.accuracy(self.before, self.targets, self.method)

    @property
    def accuracy(self) -> Estimate:
        """Accuracy of the kept model."""
        return self.corrected or statistics.accuracy(self.after, self.targets, self.method)

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """[K, K] of the kept model, rows the given class."""
        return statistics.confusion(self.after.argmax(1), self.targets, len(self.labels))

    def top_losses(self, count: int) -> list[tuple[str, str, str, float]]:
        """The mistakes with the highest loss: (picture id, given, predicted, probability of the predicted)."""
        wrong = np.flatnonzero(self.after.argmax(1) != self.targets)
        losses = self.after[wrong, self.targets[wrong]]
        names, ids = self.labels.names, self.catalog.ids
        return [
            (ids[i], names[self.targets[i]], names[int(self.after[i].argmax())], float(self.after[i].max()))
            for i in wrong[np.argsort(losses, kind="stable")][:count]
        ]
