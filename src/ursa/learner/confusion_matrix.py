"""How often a class is taken for another."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core import statistics

WIDEST = 12  # characters of a class in a text


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """counts[i, j]: examples of class i that are predicted as class j."""

    counts: npt.NDArray[np.int64]  # [K, K]
    names: tuple[str, ...]  # of the classes, in order

    @classmethod
    def of(
        cls, predicted: npt.NDArray[np.int64], true: npt.NDArray[np.int64], names: Sequence[str]
    ) -> "ConfusionMatrix":
        """predicted [N], true [N] class numbers."""
        return cls(statistics.confusion(predicted, true, len(names)), tuple(names))

    def most_confused(self, most: int = 10) -> list[tuple[str, str, int]]:
        """(true class, predicted class, how often), the most frequent first."""
        return statistics.most_confused(self.counts, self.names, most)

    def __str__(self) -> str:
        names = [name[:WIDEST] for name in self.names]
        width = max([len(name) for name in names] + [len(str(self.counts.max(initial=0)))]) + 2
        head = " " * width + "".join(name.rjust(width) for name in names)
        rows = zip(names, self.counts.tolist(), strict=True)
        lines = [name.ljust(width) + "".join(str(count).rjust(width) for count in row) for name, row in rows]
        return "\n".join(["true class below, predicted class beside:", head, *lines])

    def __repr__(self) -> str:
        wrong = int(self.counts.sum() - np.trace(self.counts))
        return f"ConfusionMatrix({len(self.names)} classes; {wrong:,} of {int(self.counts.sum()):,} examples wrong)"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.names)
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th>" + "".join(f"<td>{count}</td>" for count in row) + "</tr>"
            for name, row in zip(self.names, self.counts.tolist(), strict=True)
        )
        return f"<table><thead><tr><th>true \\ predicted</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
