"""`ursa check`: folder -> findings, honest accuracy, report. Trains nothing but a linear probe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa import workspace
from ursa.clean.audit import CHECKS, Check, audit
from ursa.core import metrics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.metrics import Metric
from ursa.data.catalog import Catalog
from ursa.data.split import remembered, with_drawn_test
from ursa.diagnose import report
from ursa.embed.predictions import fitted_probe, select
from ursa.recipe import Recipe
from ursa.workflow.setup import Clock, Options, prepared


@dataclass(frozen=True)
class Checked:
    """What `ursa check` found."""

    catalog: Catalog
    labels: Labels
    findings: list[Finding]
    accuracy: Metric  # of a cross-validated linear probe
    confusion: npt.NDArray[np.int64]  # [K, K], rows the given class
    report: Path
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa check --json`."""
        return {
            "pictures": len(self.catalog),
            "classes": self.catalog.counts(),
            "findings": [finding.to_json() for finding in self.findings],
            "accuracy": self.accuracy.to_json(),
            "per_class": metrics.per_class(self.confusion, self.labels.names),
            "confusion": self.confusion.tolist(),
            "report": str(self.report),
            "seconds": self.seconds,
        }


def check(folder: str | Path, options: Options | None = None, *, checks: Sequence[Check] = CHECKS) -> Checked:
    """Scan, embed, probe and audit a folder of pictures; write a report into its workspace.

    A test part is scanned and audited, but the probe neither learns from it nor is judged by it: it stays sealed.
    Raises DataError when the folder cannot be used (see `ursa.data.sources.from_folder`), TrainingError for a backbone
    that cannot be had.
    """
    folder, options, clock = Path(folder), options or Options(), Clock()
    ready = prepared(folder, options, clock)
    catalog, embeddings, space = ready.catalog, ready.embeddings, ready.space
    with clock.phase("probe"):
        parts = with_drawn_test(catalog.usable(), remembered(space.splits, options.seed))
        part = parts.where(pl.col("split").fill_null("train") != "test")
        labels = part.labels
        fitted = fitted_probe(part, labels, select(part, embeddings), space, seed=options.seed, folds=Recipe().folds)
        targets = part.targets(labels)
        accuracy = fitted.accuracy(targets)
        confusion = metrics.confusion(fitted.probabilities.argmax(1), targets, len(labels))
    with clock.phase("audit"):
        findings = audit(catalog, embeddings, checks)
    with clock.phase("report"):
        workspace.write_text(space.report, report.check_page(catalog, labels, findings, accuracy, confusion))
    return Checked(catalog, labels, findings, accuracy, confusion, space.report, clock.seconds)
