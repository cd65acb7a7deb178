"""Class names <-> indices. The order is by name, fixed once, and travels with every file that Ursa writes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Labels:
    """The classes of a data set, sorted by name."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, labels: Iterable[str]) -> "Labels":
        """The classes that occur in `labels`."""
        return cls(tuple(sorted(set(labels))))

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, labels: Sequence[str]) -> npt.NDArray[np.int64]:
        """labels [N] text -> [N] indices. Raises DataError for a class that is not one of ours."""
        index = self._index(labels)
        return np.array([index[label] for label in labels], dtype=np.int64)

    def one_hot(self, labels: Sequence[Sequence[str]]) -> npt.NDArray[np.float32]:
        """labels [N] lists of classes -> [N, K], 1 for each class that a picture has. Raises DataError as `encode`."""
        index = self._index([label for several in labels for label in several])
        out = np.zeros((len(labels), len(self.names)), np.float32)
        for row, several in zip(out, labels, strict=True):
            row[[index[label] for label in several]] = 1
        return out

    def decode(self, indices: Iterable[int]) -> list[str]:
        """[N] indices -> [N] names."""
        return [self.names[i] for i in indices]

    def _index(self, labels: Sequence[str]) -> dict[str, int]:
        index = {name: i for i, name in enumerate(self.names)}
        unknown = [label for label in labels if label not in index]
        if unknown:
            raise DataError(
                "these pictures have a class that the model does not know",
                found=", ".join(sorted(set(unknown))[:5]),
                fix=did_you_mean(unknown[0], self.names),
            )
        return index
