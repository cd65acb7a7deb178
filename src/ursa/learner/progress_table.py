"""A run while it happens: an observer of `fit`, and its `progress`, on the progress display."""

import sys

from ursa.core.progress_display import Display, ProgressDisplay, display
from ursa.training.fit import Observer


class ProgressTable(Observer):
    """Shows epochs as they come. `progress` is what `fit` calls after each step."""

    def __init__(self, where: "Display | ProgressDisplay | None", epochs: int = 0) -> None:
        """where: None for silence. epochs: of the run."""
        self.epochs = epochs
        self.progress = where if isinstance(where, ProgressDisplay) else ProgressDisplay(where)

    @property
    def observers(self) -> "tuple[ProgressTable, ...]":
        """Itself, or nobody where it is silent, so that silence costs nothing."""
        return () if self.progress.display is None else (self,)

    def epoch(self, record: dict[str, float]) -> None:
        self.progress.epoch(record)

    def close(self) -> None:
        self.progress.close()


def table(wanted: bool | None, epochs: int) -> ProgressTable:
    """wanted: True, False, or None for: where a person looks, in a notebook or a terminal."""
    return ProgressTable(display(wanted, sys.stdout), epochs)
