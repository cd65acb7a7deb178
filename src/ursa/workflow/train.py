"""`ursa train`: folder -> probe, fine-tuned classifier, verdict, report, bundle."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ursa.core.finding import Finding
from ursa.core.progress import Progress
from ursa.core.progress_display import ProgressDisplay, shown
from ursa.data import test_set_log
from ursa.data.catalog import Catalog
from ursa.diagnose.gaps import human_error as share_of_people
from ursa.diagnose.report import ReportInfo
from ursa.embed.backbone import DEFAULT
from ursa.embed.stored_probe import select
from ursa.prepared import last_setup
from ursa.prepared.default_backbone import with_backbone
from ursa.prepared.setup import Clock, Data, Prepared, Setup, embedded, listed
from ursa.prepared.splitting import Parts, parted, probed
from ursa.recipe import Recipe
from ursa.serve.predictor import Predictor
from ursa.workflow import runs
from ursa.workflow.report_source import report_info
from ursa.workflow.results.trained import Trained
from ursa.workflow.training_run import bundle_path, training_diagnosed, unread_settings
from ursa.workflow.training_run.asked_settings import AskedSettings
from ursa.workflow.training_run.exported import exported
from ursa.workflow.training_run.fine_tuned import fine_tuned
from ursa.workflow.training_run.held_out import HeldOut
from ursa.workflow.training_run.measured_parts import MeasuredParts
from ursa.workflow.training_run.minutes import Limit, Plan, planned
from ursa.workflow.training_run.run_report import write_run_report
from ursa.workflow.training_run.run_result import RunResult
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.training.checkpoints.checkpoint_folder import Checkpoints
    from ursa.training.fine_tuning import Outcome


def train(
    data: Data,
    *,
    out: str | Path | None = None,
    recipe: Recipe | Mapping[str, Any] | None = None,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    minutes: float | None = None,
    human_error: float | None = None,
    track: Sequence[str] = (),
    resume: bool | str = False,
    confirm: bool = False,
    backbone: str | None = None,
    weights: str | Path | None = None,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
    precision: str = "auto",
    runtime: str = "auto",
    device: str = "cpu",
    fresh: bool = False,
    cache_gb: float = 2.0,
    progress: Progress | bool | None = None,
) -> Trained:
    """Fit a probe, fine-tune from it, keep the better one, and export it as a bundle to `out`.

    data: a folder of pictures, a table that names them, or a catalog. Accuracy is measured on the test part if there is
    one, else on the validation part. Without `out` the bundle is `FOLDER.ursa` in the current directory.

    recipe: a whole one, or the settings that differ from the usual ones of this backbone (`Recipe.for_backbone`), as in
    {"rotate": 10}; epochs, lr (of the head; the body's keeps its proportion), batch_size, seed: its commonest settings.
    minutes: the whole run ends within them; backbone, size of the pictures and epochs are chosen so (`training_run`).
    human_error: share of such pictures that people get wrong, 0 where not given, which the gap to the training error is
    measured from. track: loggers, such as "tensorboard" or "mlflow:http://host:5000" (see `ursa.training.loggers`).
    resume: continue the run of this name, or where it is True the one begun last, of those that were not finished and
    nobody is training; with its recipe, its backbone (None) and its `out`, and more epochs if `epochs` says so.
    confirm: where rate or epochs are suspected (`training`), a second run shows it, at up to three times the cost, on a
    slice where that is long. cache_gb: room for decoded pictures in the workspace, used where decoding is slow; 0:
    none. The others: as of `ursa.check`.

    Raises DataError, TrainingError or BundleError; a setting that has no meaning here is refused. After Ctrl-C in
    training `ursa.training.fit.Interrupted`, a KeyboardInterrupt, with checkpoints kept.
    """
    limit = None if minutes is None else Limit.of(minutes)
    share_of_people(human_error)
    short = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "seed": seed}
    asked = AskedSettings(recipe, short, minutes, device, confirm)
    asked.recipe(backbone or DEFAULT)  # what is wrong with it is told before the pictures are looked at
    runs.known_loggers(track)
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
            cache_gb=cache_gb,
        )
        job = _Job(data, setup, asked, None if out is None else Path(out), limit, track, bar, human_error)
        return _trained(job, resume)


@dataclass(frozen=True)
class _Job:
    """What was asked for."""

    data: Data
    setup: Setup
    asked: AskedSettings
    out: Path | None
    limit: Limit | None
    track: Sequence[str]
    bar: ProgressDisplay
    human_error: float | None

    @property
    def hurry(self) -> bool:
        """Whether there is a limit of time."""
        return self.limit is not None


def _trained(job: _Job, resume: bool | str) -> Trained:
    clock = Clock()
    with clock.phase("list"):
        catalog, space = listed(job.data, job.setup, classes=True)
    before = runs.to_resume(space, resume, timed=job.limit is not None)
    with clock.phase("embed"):
        setup, recipe = _settled(job, catalog, space, before)
    unread_settings.refuse_given_splits(recipe, catalog)
    out = bundle_path.writable(job.out or (before and before.out) or bundle_path.default(job.data, setup))
    plan, setup, recipe = _planned(job, setup, recipe, clock)
    ready = _embedded(job, catalog, space, setup, clock)
    with clock.phase("split"):
        parts, poor = _parts(ready, recipe)
    with clock.phase("probe"):
        job.bar("probe", 0, 0)
        probe = probed(parts.learn, parts.labels, ready, recipe)
    with clock.phase("augmentation"):
        unsafe = _unsafe(parts, ready, recipe)
    held_out = HeldOut(ready, parts, probe.head, recipe.augment.tta)
    plan, recipe = _for_parts(plan, parts, recipe)
    with runs.in_hand(ready, before, setup, recipe, out) as run:
        folder = ready.space.run(run.name)
        checkpoints = _checkpoints(run, ready, parts) if plan is None and recipe.optim.epochs else None
        with clock.phase("train"):
            loggers = runs.observers(job.track, folder, ready, recipe, job.bar)
            outcome = fine_tuned(held_out, recipe, setup, plan, checkpoints, loggers)
        training = _diagnosed(job, outcome, held_out, recipe, setup, clock)
        with clock.phase("evaluate"):
            measured = MeasuredParts.of(held_out, outcome, probe, recipe, job.human_error, hurry=job.hurry)
        with clock.phase("export"):
            job.bar("export", 0, 0)
            predictor = exported(outcome, measured, training, ready, parts, recipe, out)
            uses = _uses(predictor, ready, parts)
        findings = [*poor, *unsafe, *test_set_log.repeated_use(uses, len(parts.test))]
        with clock.phase("report"):
            info, found = _info(job, setup, recipe, folder / "report.html", out), (measured, findings, training)
            write_run_report(ready, run.name, info, parts, recipe, outcome, *found, hurry=job.hurry)
        result = Trained(
            probe=measured.judged.probe,
            accuracy=measured.judged.accuracy,
            kept=outcome.kept,
            verdict=outcome.verdict,
            training=training,
            agreement=measured.agreement,
            gaps=measured.gaps,
            pictures=parts.counts(),
            parts=measured.accuracy,
            test_set_uses=uses,
            findings=findings,
            history=folder / "history.json",
            report=folder / "report.html",
            bundle=out,
            parity=float(predictor.bundle.document["parity"]["difference"]),
            seconds=clock.seconds,
            weighed=() if plan is None else plan.weighed,
            decisions=ready.decisions.to_json() if ready.decisions else {},
        )
        RunResult.of(result, recipe, parts.labels, ready.engine).write(ready.space, run.name)
        if checkpoints is not None:
            checkpoints.clear()
    return result


def _embedded(job: _Job, catalog: Catalog, space: Workspace, setup: Setup, clock: Clock) -> Prepared:
    """The pictures with their embeddings; how they were read is remembered for the next command."""
    ready = embedded(catalog, space, setup, clock)
    last_setup.remember(space, job.data, setup)
    return ready


def _settled(job: _Job, catalog: Catalog, space: Workspace, before: runs.Run | None) -> tuple[Setup, Recipe]:
    """The backbone, and the settings as they are read with it; of a resumed run those that it was begun with."""
    setup = job.setup
    if before is None:
        setup = with_backbone(setup, catalog, space, trains=bool(job.asked.recipe(setup.backbone).optim.epochs))
        return setup, job.asked.recipe(setup.backbone)
    backbone = setup.backbone if setup.named else before.backbone or setup.backbone
    return runs.as_begun(before, setup, job.asked.recipe(backbone), job.asked.usual(backbone))


def _parts(ready: Prepared, recipe: Recipe) -> tuple[Parts, list[Finding]]:
    """The pictures in their parts, and what is to be said of these. Raises DataError for what cannot be exported."""
    catalog, poor = parted(ready, recipe)
    parts = Parts.of(catalog)
    bundle_path.require_exportable(parts.labels)
    return parts, poor


def _checkpoints(run: runs.Run, ready: Prepared, parts: Parts) -> "Checkpoints":
    return runs.checkpoints(run.name, ready, parts.learn, parts.valid, parts.labels)


def _planned(job: _Job, setup: Setup, recipe: Recipe, clock: Clock) -> tuple[Plan | None, Setup, Recipe]:
    """How to spend the minutes, and what follows; without a limit all stays as it was asked for."""
    if job.limit is None:
        return None, setup, recipe
    with clock.phase("measure"):
        plan = planned(job.data, setup, recipe, job.limit)
    return plan, plan.setup, plan.recipe(recipe)


def _info(job: _Job, setup: Setup, recipe: Recipe, page: Path, out: Path) -> ReportInfo:
    """Where the page comes from; of a plan it is the minutes that were asked for, not what they came to."""
    usual, minutes = job.asked.usual(setup.backbone), job.asked.minutes
    asked = recipe if minutes is None else job.asked.recipe(setup.backbone)
    more = [] if minutes is None else ["--minutes", f"{minutes:g}"]
    more += [] if job.out is None else ["--out", str(out)]
    more += ["--confirm"] if job.asked.confirm else []
    more += [] if job.human_error is None else ["--human-error", f"{job.human_error:g}"]
    return report_info("train", job.data, setup, page, asked.changed(usual), more, bundle=out)


def _for_parts(plan: Plan | None, parts: Parts, recipe: Recipe) -> tuple[Plan | None, Recipe]:
    """The plan for the time that is left when training begins, and its recipe; without a limit nothing changes."""
    if plan is None:
        return None, recipe
    plan = plan.settled(len(parts.learn), len(parts.valid), parts.aside)
    return plan, plan.recipe(recipe)


def _diagnosed(
    job: _Job, outcome: "Outcome", held_out: HeldOut, recipe: Recipe, setup: Setup, clock: Clock
) -> Finding | None:
    """The verdict on the training, confirmed by another run where that was asked for."""
    training = training_diagnosed.diagnosed(outcome, held_out.parts, recipe, job.data)
    if training is None or not job.asked.confirm:
        return training

    def again(parts: Parts, changed: Recipe) -> "Outcome":
        return fine_tuned(replace(held_out, parts=parts), changed, setup, None, None, [])

    with clock.phase("confirm"):
        seconds = clock.seconds["train"]
        return training_diagnosed.confirmed_by_run(training, outcome, held_out.parts, recipe, again, seconds)


def _unsafe(parts: Parts, ready: Prepared, recipe: Recipe) -> list[Finding]:
    """What the recipe's augmentations do to labels."""
    if not recipe.optim.epochs:
        return []
    from ursa.training.augment.label_safety import unsafe_augmentations

    vectors = select(parts.learn, ready.embeddings).vectors
    engine = ready.engine
    preparation, augment = engine.about.preparation, recipe.augment
    return unsafe_augmentations(parts.learn, parts.labels, vectors, engine, preparation, augment, recipe.seed)


def _uses(predictor: Predictor, ready: Prepared, parts: Parts) -> int:
    """Looks at this test part so far, this one with them; 0 without a test part."""
    if not len(parts.test):
        return 0
    model = hashlib.sha256(predictor.bundle.parts["weights.safetensors"]).hexdigest()
    return test_set_log.record_use(ready.space.test_set_log, "train", model, parts.test.rows["sha256"])
