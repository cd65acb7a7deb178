"""`ursa train`: folder -> probe, fine-tuned classifier, verdict, report, bundle."""

import datetime
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ursa import workspace
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.metrics import Metric
from ursa.data.catalog import Catalog
from ursa.data.split import with_valid
from ursa.diagnose import report
from ursa.diagnose.judged import Judged
from ursa.embed.engine import dtype_of
from ursa.embed.predictions import fitted_probe, select
from ursa.embed.probe import Head
from ursa.errors import DataError
from ursa.recipe import Recipe
from ursa.serve.predictor import Predictor
from ursa.workflow.setup import Clock, Options, Prepared, prepared

if TYPE_CHECKING:
    from ursa.training.batches import Views
    from ursa.training.transfer import Outcome


@dataclass(frozen=True)
class Trained:
    """What `ursa train` came to."""

    probe: Metric  # held-out accuracy of the probe
    accuracy: Metric  # held-out accuracy of what was kept
    kept: str  # "probe" or "fine-tuned"
    verdict: Finding
    pictures: dict[str, int]  # by part: train, valid, test
    history: Path
    report: Path
    bundle: Path
    parity: float  # largest difference of any probability between learner and exported model
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa train --json`."""
        return {
            "probe": self.probe.to_json(),
            "accuracy": self.accuracy.to_json(),
            "kept": self.kept,
            "verdict": self.verdict.to_json(),
            "pictures": self.pictures,
            "history": str(self.history),
            "report": str(self.report),
            "bundle": str(self.bundle),
            "parity": self.parity,
            "seconds": self.seconds,
        }


def train(
    folder: str | Path,
    options: Options | None = None,
    recipe: Recipe | None = None,
    *,
    out: str | Path | None = None,
) -> Trained:
    """Fit a probe, fine-tune from it, keep the better one, and export it as a bundle to `out`.

    Accuracy is measured on the test part if the folder has one, else on the validation part. Without `out` the bundle
    is `FOLDER.ursa` in the current directory. Raises DataError, TrainingError or BundleError.
    """
    folder, options, recipe, clock = Path(folder), options or Options(), recipe or Recipe(), Clock()
    out = _writable(Path(out) if out is not None else _default_out(folder, options))
    ready = prepared(folder, options, clock)
    parts = with_valid(ready.catalog.usable(), share=recipe.valid, seed=recipe.seed)
    labels = parts.labels
    learn, valid, test = (parts.of_split(name) for name in ("train", "valid", "test"))
    with clock.phase("probe"):
        vectors = select(learn, ready.embeddings)
        probe = fitted_probe(learn, labels, vectors, ready.space, seed=recipe.seed, folds=recipe.folds)

    from ursa.training.batches import Batches, Views  # torch from here on
    from ursa.training.models import Classifier
    from ursa.training.transfer import fine_tune

    engine, preparation = ready.engine, ready.engine.about.preparation
    with clock.phase("train"):
        start = Classifier.from_probe(engine.backbone.load(), probe.head).to(options.device)
        batches = Batches(learn, learn.targets(labels), preparation, recipe, options.device)
        outcome = fine_tune(
            start,
            batches,
            Views(valid.files(), preparation),
            valid.targets(labels),
            recipe,
            precision=dtype_of(engine.precision),
            progress=options.progress,
        )
    with clock.phase("evaluate"):
        judged = _judged(outcome, probe.head, ready, labels, valid, test)
    with clock.phase("export"):
        predictor = _export(outcome, judged, ready, labels, learn, Views(valid.files(), preparation), recipe, out)
    with clock.phase("report"):
        run = ready.space.run(datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S"))
        history = {"recipe": recipe.to_json(), "epochs": outcome.epochs, "steps": outcome.steps}
        workspace.write_json(run / "history.json", history)
        workspace.write_text(run / "report.html", report.train_page(outcome.epochs, outcome.verdict, judged))
    return Trained(
        probe=judged.probe,
        accuracy=judged.accuracy,
        kept=outcome.kept,
        verdict=outcome.verdict,
        pictures={"train": len(learn), "valid": len(valid), "test": len(test)},
        history=run / "history.json",
        report=run / "report.html",
        bundle=out,
        parity=float(predictor.bundle.document["parity"]["difference"]),
        seconds=clock.seconds,
    )


def _judged(outcome: "Outcome", head: Head, ready: Prepared, labels: Labels, valid: Catalog, test: Catalog) -> Judged:
    """The probe and what was kept, on the test part; without one on the validation part."""
    from ursa.training.batches import Views
    from ursa.training.models import Classifier
    from ursa.training.transfer import predict

    if not len(test):
        method = "held-out validation pictures, which also chose the epoch"
        return Judged(valid, labels, outcome.before, outcome.after, method)
    views = Views(test.files(), ready.engine.about.preparation)
    after = predict(outcome.model, views)
    if outcome.kept == "probe":
        return Judged(test, labels, after, after, "held-out test pictures")
    before = predict(Classifier.from_probe(ready.engine.backbone.load(), head), views)
    return Judged(test, labels, before, after, "held-out test pictures")


def _export(
    outcome: "Outcome",
    judged: Judged,
    ready: Prepared,
    labels: Labels,
    learn: Catalog,
    views: "Views",
    recipe: Recipe,
    out: Path,
) -> Predictor:
    """Write the bundle; refused unless it predicts what the learner predicts on all validation pictures."""
    from ursa.export.bundle import export

    counts = learn.counts()
    return export(
        outcome.model.cpu(),
        labels,
        ready.engine.about.preparation,
        out,
        views=views,
        learned=outcome.after,
        training={
            "backbone": ready.engine.backbone.name,
            "kept": outcome.kept,
            "pictures": {name: counts.get(name, 0) for name in labels.names},
            "recipe": recipe.to_json(),
        },
        metrics={"accuracy": judged.accuracy.to_json(), "probe": judged.probe.to_json()},
    )


def _default_out(folder: Path, options: Options) -> Path:
    """FOLDER.ursa where the user stands; in the workspace for those who stand among their pictures."""
    root, here = folder.resolve(), Path.cwd()
    if here == root or root in here.parents:
        return (options.workspace or folder / workspace.NAME) / "model.ursa"
    return Path(f"{root.name}.ursa")


def _writable(out: Path) -> Path:
    """`out`, if a bundle can be written there: known before an hour of training, not after it."""
    above = next(place for place in out.absolute().parents if place.exists())
    if not os.access(above, os.W_OK) or (out.is_dir() and out.suffix == ".ursa"):
        raise DataError(f"cannot write the bundle {out}", fix="name another file: --out FILE.ursa")
    return out
