"""A classifier that starts as the probe -> fine-tuned by the measured recipe, kept only where it beats the probe."""

from ursa.core.finding import Finding
from ursa.errors import TrainingError
from ursa.learner.fit_arguments import FitArguments, no_meaning
from ursa.learner.one_fit import FitSetup
from ursa.learner.progress_table import ProgressTable
from ursa.learner.start import Wanted
from ursa.recipe import Recipe
from ursa.training.batches.splits import PictureSplit
from ursa.training.classifier import Classifier
from ursa.training.fine_tuning import fine_tune
from ursa.training.fit import Interrupted
from ursa.training.history import Best, History


def starts_as_probe(setup: FitSetup) -> bool:
    """Whether fine-tuning has a probe to beat: a backbone on pictures of one class each."""
    return (
        setup.backbone
        and setup.data.targets.task == "single-label"
        and isinstance(setup.data.train, PictureSplit)
        and isinstance(setup.data.valid, PictureSplit)
        and isinstance(setup.model, Classifier)
    )


def check_from_probe(wanted: FitArguments, given: Wanted, frozen_epochs: int | None) -> None:
    """Raises TrainingError for arguments that the measured recipe does not read."""
    fix = "fit_one_cycle(epochs, lr), which trains the same network without a probe to beat"
    stop, keep = wanted.stop, None if wanted.keep == "best" else wanted.keep
    why = "where fine-tuning has a probe to beat"
    no_meaning(why, fix, frozen_epochs=frozen_epochs or None, keep=keep, stop=stop, loss=given.loss)
    no_meaning(why, fix, metrics=given.metrics, optimizer=None if given.optimizer == "adamw" else given.optimizer)


def fine_tune_from_probe(
    setup: FitSetup, recipe: Recipe, wanted: FitArguments, history: History, shown: ProgressTable
) -> tuple[Finding | None, Best | None]:
    """The model gets the weights that are kept -> the verdict, and the epoch they are from.

    None: Ctrl-C ended it, with checkpoints to resume.
    """
    model, train, valid = setup.model, setup.data.train, setup.data.valid
    if not (isinstance(model, Classifier) and isinstance(train, PictureSplit) and isinstance(valid, PictureSplit)):
        raise TrainingError("there is no probe to fine-tune from", fix="ursa.Learner(FOLDER, BACKBONE)")
    optim = recipe.optim
    if isinstance(wanted.lr, float):  # the body keeps its proportion
        changed = {"head_lr": wanted.lr, "body_lr": wanted.lr * optim.body_lr / optim.head_lr}
        recipe = recipe.with_settings(changed)
    if wanted.patience:
        recipe = recipe.with_settings({"patience": wanted.patience})
    try:
        verdict = fine_tune(
            model,
            train.batches(recipe),
            valid.views,
            valid.targets,
            recipe.optim,
            seed=recipe.seed,
            precision=setup.precision,
            history=history,
            checkpoints=wanted.checkpoints,
            resume=wanted.resume,
            settings={
                name: value for name, value in recipe.flat().items() if name != "optim.epochs"
            },  # more may follow
            observers=(*shown.observers, *wanted.observers),
            progress=shown.progress,
        ).verdict
        return verdict, Best(int(verdict.numbers["epoch"]), {}, {})
    except Interrupted:
        return None, None
    finally:
        model.requires_grad_(True)
