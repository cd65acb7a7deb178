"""`ursa train`: folder -> probe, fine-tuned classifier, verdict, report, bundle."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

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
from ursa.workflow import runs
from ursa.workflow.minutes import Limit, Weighed, planned
from ursa.workflow.setup import Clock, Data, Options, Prepared, prepared

if TYPE_CHECKING:
    from ursa.training.picture_batches import Views
    from ursa.training.transfer import Outcome


LARGE = 1_000_000  # pixels of a picture on average, from which on decoded ones are kept for the next epoch


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
    weighed: tuple[Weighed, ...] = ()  # with a limit of time: the ways to spend it, one of them chosen

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
            "weighed": [way.to_json() for way in self.weighed],
        }


def train(
    data: Data,
    options: Options | None = None,
    recipe: Recipe | None = None,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    track: Sequence[str] = (),
    resume: bool = False,
) -> Trained:
    """Fit a probe, fine-tune from it, keep the better one, and export it as a bundle to `out`.

    data: a folder of pictures, a table that names them, or a catalog. Accuracy is measured on the test part if there is
    one, else on the validation part. Without `out` the bundle is `FOLDER.ursa` in the current directory. minutes: the
    whole run ends within them; backbone, size of the pictures and epochs are chosen so (see `ursa.workflow.minutes`).
    track: trackers to log to, such as "tensorboard" or "mlflow:http://host:5000" (see `ursa.training.trackers`).
    resume: go on with the newest run that was not finished, on the same pictures with the same recipe. Raises
    DataError, TrainingError or BundleError; after Ctrl-C in training `ursa.training.fit.Interrupted`, a
    KeyboardInterrupt, with checkpoints kept.
    """
    limit = None if minutes is None else Limit.of(minutes)
    if track:
        from ursa.training.trackers import known

        for wanted in track:
            known(wanted)
    options, recipe, clock = options or Options(), recipe or Recipe(), Clock()
    out = _writable(Path(out) if out is not None else _default_out(data, options))
    plan = None
    if limit is not None:
        with clock.phase("measure"):
            plan = planned(data, options, recipe, limit)
        options, recipe = plan.options, plan.recipe(recipe)
    ready = prepared(data, options, clock, classes=True)
    name = runs.chosen(ready.space, resume=resume, timed=limit is not None)
    with clock.phase("split"):
        parts, poor = _split(ready, recipe)
    labels = parts.labels
    learn, train_dev, valid, test = (parts.of_split(name) for name in ("train", "train-dev", "valid", "test"))
    with clock.phase("probe"):
        vectors = select(learn, ready.embeddings)
        ties = near_copies(ready.catalog, ready.embeddings).of(learn)
        probe = fitted_probe(learn, labels, vectors, ready.space, seed=recipe.seed, folds=recipe.folds, ties=ties)

    from ursa.training.harm import harmed
    from ursa.training.models import Classifier
    from ursa.training.picture_batches import PictureBatches, Views, side_for  # torch from here on
    from ursa.training.pictures import cached
    from ursa.training.trackers import tracker
    from ursa.training.transfer import fine_tune

    engine, preparation = ready.engine, ready.engine.about.preparation
    harm: list[Finding] = []
    if recipe.epochs:
        with clock.phase("augmentation"):
            harm = harmed(learn, labels, vectors.vectors, engine, preparation, recipe)
    run = ready.space.run(name)
    observers = [tracker(wanted, run, ready.space.root, recipe.to_json()) for wanted in track]
    at = preparation  # of the pictures learned from
    if plan is not None:
        plan = plan.settled(len(learn), len(valid), len(train_dev) + len(test))
        recipe, at = plan.recipe(recipe), replace(preparation, size=plan.size)
    room = _room_for_pixels(ready, recipe, options)
    checkpoints = runs.checkpoints(name, ready, learn, valid, labels) if plan is None and recipe.epochs else None
    with (
        clock.phase("train"),
        cached(ready.space, side_for(at, recipe), at.fit, room * 3 // 4) as of_learn,
        cached(ready.space, preparation.size, preparation.fit, room // 4) as of_valid,
    ):
        start = Classifier.from_probe(engine.backbone.load(), probe.head, recipe.tta).to(options.device)
        outcome = fine_tune(
            start,
            PictureBatches(learn, learn.targets(labels), at, recipe, options.device, of_learn, len(labels)),
            Views(valid, preparation, of_valid),
            valid.targets(labels),
            recipe,
            precision=dtype_of(engine.precision),
            observers=observers,
            pace=None if plan is None else plan.pace(len(valid), len(train_dev) + len(test), recipe.batch),
            checkpoints=checkpoints,
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
    findings = [*poor, *harm, *looks.looked_at(looked, len(test))]
    with clock.phase("report"):
        history = {"recipe": recipe.to_json(), "epochs": outcome.epochs, "steps": outcome.steps}
        workspace.write_json(run / "history.json", history)
        workspace.write_text(run / "report.html", report.train_page(outcome.epochs, outcome.verdict, judged, findings))
    if checkpoints is not None:
        checkpoints.clear()
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
        weighed=() if plan is None else plan.weighed,
    )


def _split(ready: Prepared, recipe: Recipe) -> tuple[Catalog, list[Finding]]:
    """The usable pictures in their parts, which are remembered; copies together, as far as embeddings tell."""
    usable, path = ready.catalog.usable(), ready.space.splits
    ties = near_copies(ready.catalog, ready.embeddings).of(usable)
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
    from ursa.training.picture_batches import Views
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
    from ursa.training.models import Classifier
    from ursa.training.picture_batches import Views
    from ursa.training.transfer import predict

    if not len(test):
        method = "held-out validation pictures, which also chose the epoch"
        return Judged(valid, labels, outcome.before, outcome.after, method)
    views = Views(test, ready.engine.about.preparation)
    after = predict(outcome.model, views)
    if outcome.kept == "probe":
        return Judged(test, labels, after, after, "held-out test pictures")
    before = predict(Classifier.from_probe(ready.engine.backbone.load(), head, outcome.model.views), views)
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


def _room_for_pixels(ready: Prepared, recipe: Recipe, options: Options) -> int:
    """Bytes for decoded pictures in the workspace; none where decoding again costs little.

    Beside a step on a CPU it does for pictures of less than a megapixel (docs/benchmarks.md, files to batches).
    """
    pixels = ready.catalog.usable().rows.select(pl.col("width") * pl.col("height")).to_series().mean()
    slow = options.device != "cpu" or float(str(pixels or 0)) >= LARGE
    room = min(int(options.cache_gb * 1e9), shutil.disk_usage(ready.space.root).free // 4)
    return room if slow and recipe.epochs > 1 else 0


def _default_out(data: Data, options: Options) -> Path:
    """FOLDER.ursa where the user stands; in the workspace for those who stand among their pictures."""
    place = data.root if isinstance(data, Catalog) else Path(data)
    root, here = (place if place.is_dir() else place.parent).resolve(), Path.cwd()
    if place.is_dir() and (here == root or root in here.parents):
        return (options.workspace or root / workspace.NAME) / "model.ursa"
    return Path(f"{place.resolve().stem if place.is_file() else root.name}.ursa")


def _writable(out: Path) -> Path:
    """`out`, if a bundle can be written there: known before an hour of training, not after it."""
    above = next(place for place in out.absolute().parents if place.exists())
    if not os.access(above, os.W_OK) or (out.is_dir() and out.suffix == ".ursa"):
        raise DataError(f"cannot write the bundle {out}", fix="name another file: --out FILE.ursa")
    return out
