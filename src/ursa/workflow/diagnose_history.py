"""`ursa diagnose`: a file in which a training was logged, by whatever tool -> what is wrong with the training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.core.finding import Finding
from ursa.diagnose.training_verdict import rules
from ursa.diagnose.training_verdict.history_file import read_history
from ursa.diagnose.training_verdict.training_finding import training_verdict
from ursa.errors import DataError
from ursa.workflow.results.short_repr import ShortRepr


@dataclass(frozen=True, repr=False)
class DiagnosedHistory(ShortRepr):
    """What `ursa diagnose` came to."""

    verdict: Finding
    epochs: int
    columns: Mapping[str, str]  # "train_loss", "valid_loss", "metric", "lr" -> the column that was read as it
    notes: tuple[str, ...] = ()

    @property
    def fault(self) -> bool:
        """Whether something is wrong, as far as can be told."""
        return self.verdict.kind not in (rules.FINE, rules.UNCLEAR)

    def _shown(self) -> list[tuple[str, str]]:
        return [("verdict", self.verdict.kind), ("why", self.verdict.evidence), ("next", self.verdict.advice)]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa diagnose --json`."""
        return {
            "verdict": self.verdict.to_json(),
            "fault": self.fault,
            "epochs": self.epochs,
            "columns": dict(self.columns),
            "notes": list(self.notes),
        }


def diagnose_history(
    path: str | Path, *, metric: str | None = None, classes: int | None = None, valid_count: int | None = None
) -> DiagnosedHistory:
    """A CSV or JSON log with training loss, validation loss and a metric by epoch -> the verdict on the training.

    metric: the column that is judged, of the validation part; None: the first that is known, such as val_accuracy.
    classes: how many there are, 2 or more; what guessing costs is known then. valid_count: examples of the validation
    part; how much its error says is known then. Raises DataError for what is no such log.
    """
    for name, value, least in (("classes", classes, 2), ("valid_count", valid_count, 1)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise DataError(f"{name} is a whole number of {least} or more", found=repr(value)[:40])
    logged = read_history(path, metric=metric)
    known = {name: value for name, value in (("classes", classes), ("valid_count", valid_count)) if value is not None}
    history = logged.history.with_facts(**known)
    return DiagnosedHistory(training_verdict(history), len(history), logged.columns, logged.notes)
