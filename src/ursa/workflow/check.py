"""`ursa check`: pictures -> findings, honest accuracy, report. Trains nothing but a linear probe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.clean.audit import CHECKS, Check, audit
from ursa.clean.kept_findings import write_findings
from ursa.clean.wrong_labels.label_audit import LabelAudit
from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.core.statistics import Estimate
from ursa.data.catalog import Catalog
from ursa.diagnose import report
from ursa.diagnose.abstain import Threshold
from ursa.diagnose.calibration import Reliability
from ursa.diagnose.more_data.more_pictures import MorePictures
from ursa.prepared import last_setup
from ursa.prepared.default_backbone import with_backbone
from ursa.prepared.setup import Clock, Data, Setup, embedded, listed
from ursa.recipe import PLACES, Recipe, recipe_from
from ursa.workflow.checked_probe import checked_probe
from ursa.workflow.mistake_sheet import write_mistakes
from ursa.workflow.report_source import report_info
from ursa.workflow.results.short_repr import ShortRepr, interval_text
from ursa.workspace import write_text


@dataclass(frozen=True, repr=False)
class Checked(ShortRepr):
    """What `ursa check` found."""

    catalog: Catalog
    labels: Labels
    findings: list[Finding]
    accuracy: Estimate  # of a cross-validated linear probe; NaN where there was nothing to probe
    confusion: npt.NDArray[np.int64]  # [K, K], rows the given class
    more_pictures: MorePictures  # whether they would help: the probe's learning curve, and its forecast
    calibration: Reliability | None  # of the probe; None where there was nothing to probe
    thresholds: tuple[Threshold, ...]  # from what probability of the probe on to answer
    report: Path
    seconds: dict[str, float]
    label_audit: LabelAudit  # labels for which the probe prefers another class
    engine: Mapping[str, Any]  # what took the pictures forward: backbone, precision, runtime, problem of the runtime
    decisions: Mapping[str, int] = field(default_factory=dict)  # relabeled, removed, open, others

    def _shown(self) -> list[tuple[str, str]]:
        counts = f"{len(self.catalog.readable()):,} in {len(self.labels):,} classes"
        rows = [
            ("pictures", counts),
            ("accuracy", interval_text(self.accuracy)),
            ("findings", f"{len(self.findings):,}"),
        ]
        return [*rows, ("report", str(self.report))]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa check --json`."""
        return {
            "pictures": len(self.catalog.readable()),
            "classes": self.catalog.counts(),
            "findings": [finding.to_json() for finding in self.findings],
            "accuracy": self.accuracy.to_json(),
            "per_class": statistics.per_class(self.confusion, self.labels.names),
            "confusion": self.confusion.tolist(),
            "learning_curve": self.more_pictures.to_json(),
            "calibration": self.calibration.to_json() if self.calibration else None,
            "abstain": [each.to_json() for each in self.thresholds],
            "doubtful_labels": [label.to_json() for label in self.label_audit.doubtful],
            "report": str(self.report),
            "engine": dict(self.engine),
            "decisions": dict(self.decisions),
            "seconds": self.seconds,
        }


READ = ("seed", "probe.folds")  # of the recipe's settings


def check(
    data: Data,
    *,
    backbone: str | None = None,
    weights: str | Path | None = None,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
    precision: str = "auto",
    runtime: str = "auto",
    device: str = "cpu",
    seed: int | None = None,
    recipe: Recipe | Mapping[str, Any] | None = None,
    fresh: bool = False,
    checks: Sequence[Check] = CHECKS,
    progress: Progress | bool | None = None,
) -> Checked:
    """Scan, embed, probe and audit pictures; write a report into their workspace.

    data: a folder of pictures, a table that names them, or a catalog. A test part is scanned and audited, but the probe
    neither learns from it nor is judged by it: it stays sealed. Pictures without labels, with several or with numbers
    are checked too, but not probed: the accuracy is then no number, and its method says why.

    backbone: "pixels", "small_cnn", a timm name, or "torchvision:NAME"; None: the default one, or "pixels" where its
    weights cannot be had and the pictures are small. weights: a file of them, instead of the hub's. workspace: where
    Ursa keeps its files, `.ursa/` in the folder where not given. pattern: labels from file names, such as
    "{label}.{}.jpg"; table: how to read a table, {"label": COLUMN, ...}. precision: of the embeddings, "fp32", "bf16",
    or "auto", the faster one here. runtime: what computes them on a CPU, "torch", "openvino", or "auto": OpenVINO for
    512 pictures or more where it is installed (`pip install "ursa-learn[fast]"`). device: "cpu", "cuda", "mps", "auto".
    recipe: of its settings only seed and folds mean something here. fresh: compute again what the workspace knows.
    progress: shown where somebody watches (None), always (True), never (False), or told to a function of phase, done,
    of.

    Raises DataError when the pictures cannot be used (see `ursa.data.sources`), TrainingError for a backbone that
    cannot be had and for settings that have no meaning here.
    """
    settings, clock = recipe_from(recipe, seed=seed), Clock()
    unread = [name for name in PLACES if name not in READ]
    settings.refuse(unread, "for a check, which fits nothing but a probe", "give it to ursa.train")
    with shown(progress) as bar:
        setup = Setup.of(
            backbone=backbone,
            weights=weights,
            workspace=workspace,
            precision=precision,
            runtime=runtime,
            device=device,
            progress=bar,
            pattern=pattern,
            table=table,
            fresh=fresh,
        )
        return _checked(data, setup, settings, checks, clock)


def _checked(data: Data, setup: Setup, recipe: Recipe, checks: Sequence[Check], clock: Clock) -> Checked:
    with clock.phase("list"):
        listed_pictures, place = listed(data, setup)
    with clock.phase("embed"):
        setup = with_backbone(setup, listed_pictures, place, trains=False)
    ready = embedded(listed_pictures, place, setup, clock)
    last_setup.remember(ready.space, data, setup)
    catalog, embeddings = ready.catalog, ready.embeddings
    with clock.phase("probe"):
        found = checked_probe(ready, recipe)
    with clock.phase("audit"):
        findings = [*audit(catalog, embeddings, checks), *found.findings]
    space = ready.space
    labels, accuracy, confusion, more = found.labels, found.accuracy, found.confusion, found.more_pictures
    calibration, thresholds = found.calibration, found.thresholds
    with clock.phase("report"):
        changed = recipe.changed()
        info = report_info("check", data, setup, space.report, changed, thumbnails=space.thumbnails)
        page = report.check_page(
            catalog,
            labels,
            findings,
            accuracy,
            confusion,
            more,
            calibration,
            thresholds,
            judged=found.judged,
            embeddings=embeddings,
            info=info,
        )
        write_text(space.report, page)
        write_findings(space, findings, found.label_audit)
        if found.judged is not None:
            write_mistakes(found.judged, space.mistakes)
    return Checked(
        catalog,
        labels,
        findings,
        accuracy,
        confusion,
        more,
        calibration,
        thresholds,
        space.report,
        clock.seconds,
        found.label_audit,
        ready.engine.described(),
        ready.decisions.to_json() if ready.decisions else {},
    )
