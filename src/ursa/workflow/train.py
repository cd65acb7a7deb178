"""`ursa train`: folder -> probe, fine-tuned classifier, verdict, report, bundle."""

import datetime
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ursa import workspace
from ursa.core import metrics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.metrics import Metric
from ursa.data import looks
from ursa.data.catalog import Catalog
from ursa.data.split import poor_split, remember, remembered, split
from ursa.diagnose import report
from ursa.diagnose.judged import Judged
from ursa.embed.engine import dtype_of
from ursa.embed.neighbours import near_copies
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
    pictures: dict[str, int]  # by part: train, train-dev, valid, test
    parts: dict[str, Metric]  # accuracy of what was kept, by part that it did not learn from
    looks: int  # at this test part so far, this one with them; 0 without a test part
    findings: list[Finding]  # what is to be said of the parts
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
            "parts": {name: {"accuracy": metric.to_json()} for name, metric in self.parts.items()},
            "looks": self.looks,
            "findings": [finding.to_json() for finding in self.findings],
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
    with clock.phase("split"):
        parts, poor = _split(ready, recipe)
    labels = parts.labels
    learn, train_dev, valid, test = (parts.of_split(name) for name in ("train", "train-dev", "valid", "test"))
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
            Views(valid, preparation),
            valid.targets(labels),
            recipe,
            precision=dtype_of(engine.precision),
            progress=options.progress,
        )
    with clock.phase("evaluate"):
        judged = _judged(outcome, probe.head, ready, labels, valid, test)
        by_part = _by_part(outcome, judged, ready, labels, train_dev, valid)
    with clock.phase("export"):
        predictor = _export(outcome, judged, ready, labels, learn, Views(valid, preparation), recipe, out)
    looked = 0
    if len(test):
        model = hashlib.sha256(predictor.bundle.parts["weights.safetensors"]).hexdigest()
        looked = looks.look(ready.space.looks, "train", model, test.rows["sha256"])
    findings = [*poor, *looks.looked_at(looked, len(test))]
    with clock.phase("report"):
        run = ready.space.run(datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S"))
        history = {"recipe": recipe.to_json(), "epochs": outcome.epochs, "steps": outcome.steps}
        workspace.write_json(run / "history.json", history)
        workspace.write_text(run / "report.html", report.train_page(outcome.epochs, outcome.verdict, judged, findings))
    return Trained(
        probe=judged.probe,
        accuracy=judged.accuracy,
        kept=outcome.kept,
        verdict=outcome.verdict,
        pictures={"train": len(learn), "train-dev": len(train_dev), "valid": len(valid), "test": len(test)},
        parts=by_part,
        looks=looked,
        findings=findings,
        history=run / "history.json",
        report=run / "report.html",
        bundle=out,
        parity=float(predictor.bundle.document["parity"]["difference"]),
        seconds=clock.seconds,
    )


def _split(ready: Prepared, recipe: Recipe) -> tuple[Catalog, list[Finding]]:
    """The usable pictures in their parts, which are remembered; copies together, as far as embeddings tell."""
    usable, path = ready.catalog.usable(), ready.space.splits
    ties = near_copies(usable, ready.embeddings).groups
    shares = {"valid": recipe.valid, "test": recipe.test, "train_dev": recipe.train_dev}
    parts = split(
        usable,
        valid=recipe.valid,
        test=recipe.test,
        train_dev=recipe.train_dev,
        seed=recipe.seed,
        ties=ties,
        before=remembered(path, recipe.seed),
    )
    remember(path, parts, recipe.seed)
    given = {"valid": "valid", "test": "test", "train-dev": "train_dev"}
    asked = {name: shares[name] for part, name in given.items() if not (usable.rows["split"] == part).any()}
    return parts, poor_split(parts, ties=ties, **asked)


def _by_part(
    outcome: "Outcome", judged: Judged, ready: Prepared, labels: Labels, train_dev: Catalog, valid: Catalog
) -> dict[str, Metric]:
    """Accuracy of what was kept on each part that it did not learn from."""
    from ursa.training.batches import Views
    from ursa.training.transfer import predict

    found = {}
    if len(train_dev):
        answers = predict(outcome.model, Views(train_dev, ready.engine.about.preparation))
        method = "train-dev pictures, alike those learned from"
        found["train-dev"] = metrics.accuracy(answers, train_dev.targets(labels), method)
    method = "held-out validation pictures, which also chose the epoch"
    found["valid"] = metrics.accuracy(outcome.after, valid.targets(labels), method)
    if judged.catalog is not valid:
        found["test"] = judged.accuracy
    return found


def _judged(outcome: "Outcome", head: Head, ready: Prepared, labels: Labels, valid: Catalog, test: Catalog) -> Judged:
    """The probe and what was kept, on the test part; without one on the validation part."""
    from ursa.training.batches import Views
    from ursa.training.models import Classifier
    from ursa.training.transfer import predict

    if not len(test):
        method = "held-out validation pictures, which also chose the epoch"
        return Judged(valid, labels, outcome.before, outcome.after, method)
    views = Views(test, ready.engine.about.preparation)
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
