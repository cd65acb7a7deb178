"""`ursa check`: pictures -> findings, honest accuracy, report. Trains nothing but a linear probe."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa import workspace
from ursa.clean.audit import CHECKS, Check, audit
from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.statistics import Estimate
from ursa.data.catalog import Catalog
from ursa.data.saved_splits import remembered, with_drawn_test
from ursa.diagnose import report
from ursa.embed.similar_embeddings import near_duplicate_groups
from ursa.embed.stored_probe import fitted_probe, select
from ursa.prepared.setup import Clock, Data, Options, Prepared, prepared
from ursa.recipe import Recipe

NOT_PROBED = {
    "none": "not probed: the pictures have no labels",
    "multi-label": "not probed: pictures have several labels",
    "regression": "not probed: the labels are numbers",
}


@dataclass(frozen=True)
class Checked:
    """What `ursa check` found."""

    catalog: Catalog
    labels: Labels
    findings: list[Finding]
    accuracy: Estimate  # of a cross-validated linear probe; NaN where there was nothing to probe
    confusion: npt.NDArray[np.int64]  # [K, K], rows the given class
    report: Path
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa check --json`."""
        return {
            "pictures": len(self.catalog.readable()),
            "classes": self.catalog.counts(),
            "findings": [finding.to_json() for finding in self.findings],
            "accuracy": self.accuracy.to_json(),
            "per_class": statistics.per_class(self.confusion, self.labels.names),
            "confusion": self.confusion.tolist(),
            "report": str(self.report),
            "seconds": self.seconds,
        }


def check(data: Data, options: Options | None = None, *, checks: Sequence[Check] = CHECKS) -> Checked:
    """Scan, embed, probe and audit pictures; write a report into their workspace.

    data: a folder of pictures, a table that names them, or a catalog. A test part is scanned and audited, but the probe
    neither learns from it nor is judged by it: it stays sealed. Pictures without labels, with several or with numbers
    are checked too, but not probed: the accuracy is then no number, and its method says why.
    Raises DataError when the pictures cannot be used (see `ursa.data.sources`), TrainingError for a backbone that
    cannot be had.
    """
    options, clock = options or Options(), Clock()
    ready = prepared(data, options, clock)
    catalog, embeddings, space = ready.catalog, ready.embeddings, ready.space
    with clock.phase("probe"):
        labels, accuracy, confusion = _probed(ready, options.seed)
    with clock.phase("audit"):
        findings = audit(catalog, embeddings, checks)
    with clock.phase("report"):
        workspace.write_text(space.report, report.check_page(catalog, labels, findings, accuracy, confusion))
    return Checked(catalog, labels, findings, accuracy, confusion, space.report, clock.seconds)


def _probed(ready: Prepared, seed: int) -> tuple[Labels, Estimate, npt.NDArray[np.int64]]:
    """Classes, accuracy and confusion [K, K] of the cross-validated probe, on all but the test part."""
    parts = with_drawn_test(ready.catalog.usable(), remembered(ready.space.splits, seed))
    part = parts.where(pl.col("split").fill_null("train") != "test")
    labels, task = part.labels, ready.catalog.task
    if task != "single-label" or not len(labels):
        why = NOT_PROBED["none" if task == "single-label" else task]
        return labels, Estimate(math.nan, 0.0, 1.0, why, share=True), np.zeros((len(labels),) * 2, np.int64)
    groups = near_duplicate_groups(ready.catalog, ready.embeddings).of(part)
    vectors = select(part, ready.embeddings)
    fitted = fitted_probe(part, labels, vectors, ready.space, seed=seed, folds=Recipe().probe.folds, groups=groups)
    targets = part.targets(labels)
    confusion = statistics.confusion(fitted.probabilities.argmax(1), targets, len(labels))
    return labels, fitted.accuracy(targets), confusion
