"""`ursa train`: folder -> probe, fine-tuned classifier, verdict, report, bundle."""

import contextlib
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ursa import workspace
from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.statistics import Estimate
from ursa.core.text import escaped
from ursa.data import test_set_log
from ursa.diagnose import report
from ursa.diagnose.judged import Judged
from ursa.embed.engine import dtype_of
from ursa.embed.probe import Head
from ursa.embed.stored_probe import select
from ursa.prepared.setup import Clock, Data, Options, Prepared, embedded, listed, note
from ursa.prepared.splitting import Parts, parted, probed
from ursa.recipe import Recipe
from ursa.serve.predictor import Predictor
from ursa.workflow import bundle_path, runs
from ursa.workflow.minutes import Limit, Plan, Weighed, planned
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.training.checkpoints.checkpoint_folder import Checkpoints
    from ursa.training.fine_tuning import Outcome
    from ursa.training.fit import Observer


LARGE = 1_000_000  # pixels of a picture on average, from which on decoded ones are kept for the next epoch
CHOSE = "held-out validation pictures, which also chose the epoch"


@dataclass(frozen=True)
class Trained:
    """What `ursa train` came to."""

    probe: Estimate  # held-out accuracy of the probe
    accuracy: Estimate  # held-out accuracy of what was kept
    kept: str  # "probe" or "fine-tuned"
    verdict: Finding
    pictures: dict[str, int]  # by part: train, train-dev, valid, test
    parts: dict[str, Estimate]  # accuracy of what was kept, by part that it did not learn from
    test_set_uses: int  # at this test part so far, this one with them; 0 without a test part
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
            "test_set_uses": self.test_set_uses,
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
    resume: bool | str = False,
) -> Trained:
    """Fit a probe, fine-tune from it, keep the better one, and export it as a bundle to `out`.

    data: a folder of pictures, a table that names them, or a catalog. Accuracy is measured on the test part if there is
    one, else on the validation part. Without `out` the bundle is `FOLDER.ursa` in the current directory. minutes: the
    whole run ends within them; backbone, size of the pictures and epochs are chosen so (see `ursa.workflow.minutes`).
    track: trackers to log to, such as "tensorboard" or "mlflow:http://host:5000" (see `ursa.training.loggers`).
    resume: go on with the run of this name, or where it is True with the one begun last, of those that were not
    finished and nobody is training; on the same pictures with the same recipe. Raises DataError, TrainingError or
    BundleError; after Ctrl-C in training `ursa.training.fit.Interrupted`, a KeyboardInterrupt, with checkpoints kept.
    """
    limit = None if minutes is None else Limit.of(minutes)
    _known(track)
    options, recipe, clock = options or Options(), recipe or Recipe(), Clock()
    out = bundle_path.writable(Path(out) if out is not None else bundle_path.default(data, options))
    plan = None
    if limit is not None:
        with clock.phase("measure"):
            plan = planned(data, options, recipe, limit)
        options, recipe = plan.options, plan.recipe(recipe)
    with clock.phase("list"):
        catalog, space = listed(data, options, classes=True)
    before = _resumed(space, resume, timed=limit is not None)
    if before is not None and before.precision is not None and options.precision == "auto":
        options = replace(options, precision=before.precision)
    ready = embedded(catalog, space, options, clock)
    with clock.phase("split"):
        catalog, poor = parted(ready, recipe)
        parts = Parts.of(catalog)
        bundle_path.require_exportable(parts.labels)
    with clock.phase("probe"):
        probe = probed(parts.learn, parts.labels, ready, recipe)
    with clock.phase("augmentation"):
        harm = _harmed(parts, ready, recipe)
    if plan is not None:
        plan = plan.settled(len(parts.learn), len(parts.valid), parts.aside)
        recipe = plan.recipe(recipe)
    with _held(ready, before) as run:
        folder, checkpoints = ready.space.run(run.name), None
        if plan is None and recipe.optim.epochs:
            checkpoints = runs.checkpoints(run.name, ready, parts.learn, parts.valid, parts.labels)
        with clock.phase("train"):
            observers = _observers(track, folder, ready, recipe)
            outcome = _fine_tuned(parts, probe.head, ready, recipe, options, plan, checkpoints, observers)
        with clock.phase("evaluate"):
            judged = _judged(outcome, probe.head, ready, parts)
            by_part = _by_part(outcome, judged, ready, parts)
        with clock.phase("export"):
            predictor = _export(outcome, judged, ready, parts, recipe, out)
        uses = _uses(predictor, ready, parts)
        findings = [*poor, *harm, *test_set_log.repeated_use(uses, len(parts.test))]
        with clock.phase("report"):
            _report(folder, recipe, outcome, judged, findings)
        if checkpoints is not None:
            checkpoints.clear()
    return Trained(
        probe=judged.probe,
        accuracy=judged.accuracy,
        kept=outcome.kept,
        verdict=outcome.verdict,
        pictures=parts.counts(),
        parts=by_part,
        test_set_uses=uses,
        findings=findings,
        history=folder / "history.json",
        report=folder / "report.html",
        bundle=out,
        parity=float(predictor.bundle.document["parity"]["difference"]),
        seconds=clock.seconds,
        weighed=() if plan is None else plan.weighed,
    )


def _report(folder: Path, recipe: Recipe, outcome: "Outcome", judged: Judged, findings: Sequence[Finding]) -> None:
    """history.json and report.html of a run."""
    history = {"recipe": recipe.to_json(), "epochs": outcome.epochs, "steps": outcome.steps}
    workspace.write_json(folder / "history.json", history)
    workspace.write_text(
        folder / "report.html", report.train_page(outcome.epochs, outcome.verdict, judged, list(findings))
    )


def _resumed(space: Workspace, resume: bool | str, *, timed: bool) -> runs.Run | None:
    """The run to go on with, if one is; whose weights come from elsewhere is said."""
    if resume is False:
        return None
    found = runs.resumed(space, resume if isinstance(resume, str) else None, timed=timed)
    if not found.ours:
        note(
            f"The run {escaped(found.name)} was begun elsewhere, or by an earlier Ursa: its weights are taken as they "
            "are, and may have learned from pictures that judge them here."
        )
    return found


def _held(ready: Prepared, before: runs.Run | None) -> contextlib.AbstractContextManager[runs.Run]:
    """The run, a new one or one to go on with, trained by this process alone."""
    return runs.begun(ready.space, ready.engine.precision) if before is None else runs.held(ready.space, before)


def _known(track: Sequence[str]) -> None:
    """Trackers are asked for now, not after an hour of training."""
    if track:
        from ursa.training.loggers import known

        for wanted in track:
            known(wanted)


def _observers(track: Sequence[str], run: Path, ready: Prepared, recipe: Recipe) -> "list[Observer]":
    from ursa.training.loggers import create

    return [create(wanted, run, ready.space.root, recipe.to_json()) for wanted in track]


def _harmed(parts: Parts, ready: Prepared, recipe: Recipe) -> list[Finding]:
    """What the recipe's augmentations do to labels."""
    if not recipe.optim.epochs:
        return []
    from ursa.training.augment.label_safety import harmed

    vectors = select(parts.learn, ready.embeddings).vectors
    return harmed(parts.learn, parts.labels, vectors, ready.engine, ready.engine.about.preparation, recipe)


def _fine_tuned(
    parts: Parts,
    head: Head,
    ready: Prepared,
    recipe: Recipe,
    options: Options,
    plan: Plan | None,
    checkpoints: "Checkpoints | None",
    observers: "list[Observer]",
) -> "Outcome":
    """From the probe, with a limit of time on pictures of the plan's size; decoded ones are kept where that pays."""
    from ursa.training.batches.picture_batches import PictureBatches, Views, side_for
    from ursa.training.batches.picture_reader import cached
    from ursa.training.classifier import Classifier
    from ursa.training.fine_tuning import fine_tune

    engine, preparation = ready.engine, ready.engine.about.preparation
    at = preparation if plan is None else replace(preparation, size=plan.size)  # of the pictures learned from
    targets, classes = parts.learn.targets(parts.labels), len(parts.labels)
    room = _room_for_pixels(ready, recipe, options)
    with (
        cached(ready.space, side_for(at, recipe), at.fit, room * 3 // 4) as of_learn,
        cached(ready.space, preparation.size, preparation.fit, room // 4) as of_valid,
    ):
        return fine_tune(
            Classifier.from_probe(engine.backbone.load(), head, recipe.augment.tta).to(options.device),
            PictureBatches(parts.learn, targets, at, recipe, options.device, of_learn, classes),
            Views(parts.valid, preparation, of_valid),
            parts.valid.targets(parts.labels),
            recipe,
            precision=dtype_of(engine.precision),
            deadline=None if plan is None else plan.deadline(len(parts.valid), parts.aside, recipe.optim.batch_size),
            checkpoints=checkpoints,
            observers=observers,
            progress=options.progress,
        )


def _uses(predictor: Predictor, ready: Prepared, parts: Parts) -> int:
    """Looks at this test part so far, this one with them; 0 without a test part."""
    if not len(parts.test):
        return 0
    model = hashlib.sha256(predictor.bundle.parts["weights.safetensors"]).hexdigest()
    return test_set_log.record_use(ready.space.test_set_log, "train", model, parts.test.rows["sha256"])


def _by_part(outcome: "Outcome", judged: Judged, ready: Prepared, parts: Parts) -> dict[str, Estimate]:
    """Accuracy of what was kept on each part that it did not learn from."""
    from ursa.training.batches.picture_batches import Views
    from ursa.training.fine_tuning import predict

    found = {}
    if len(parts.train_dev):
        answers = predict(outcome.model, Views(parts.train_dev, ready.engine.about.preparation))
        method = "train-dev pictures, alike those learned from"
        found["train-dev"] = statistics.accuracy(answers, parts.train_dev.targets(parts.labels), method)
    found["valid"] = statistics.accuracy(outcome.after, parts.valid.targets(parts.labels), CHOSE)
    if judged.catalog is not parts.valid:
        found["test"] = judged.accuracy
    return found


def _judged(outcome: "Outcome", head: Head, ready: Prepared, parts: Parts) -> Judged:
    """The probe and what was kept, on the test part; without one on the validation part."""
    from ursa.training.batches.picture_batches import Views
    from ursa.training.classifier import Classifier
    from ursa.training.fine_tuning import predict

    test, labels = parts.test, parts.labels
    if not len(test):
        return Judged(parts.valid, labels, outcome.before, outcome.after, CHOSE)
    views = Views(test, ready.engine.about.preparation)
    after = predict(outcome.model, views)
    if outcome.kept == "probe":
        return Judged(test, labels, after, after, "held-out test pictures")
    before = predict(Classifier.from_probe(ready.engine.backbone.load(), head, outcome.model.views), views)
    return Judged(test, labels, before, after, "held-out test pictures")


def _export(outcome: "Outcome", judged: Judged, ready: Prepared, parts: Parts, recipe: Recipe, out: Path) -> Predictor:
    """Write the bundle; refused unless it predicts what the learner predicts on all validation pictures."""
    from ursa.export.write_bundle import export
    from ursa.training.batches.picture_batches import Views

    counts, preparation = parts.learn.counts(), ready.engine.about.preparation
    return export(
        outcome.model.cpu(),
        parts.labels,
        preparation,
        out,
        views=Views(parts.valid, preparation),
        learned=outcome.after,
        training={
            "backbone": ready.engine.backbone.name,
            "kept": outcome.kept,
            "pictures": {name: counts.get(name, 0) for name in parts.labels.names},
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
    return room if slow and recipe.optim.epochs > 1 else 0
