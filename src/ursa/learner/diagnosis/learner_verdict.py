"""What a learner did, and what its network answers now -> the verdict on its training, confirmed if asked for."""

import contextlib
import copy
from dataclasses import replace
from typing import Any

import torch

from ursa.core.finding import Finding
from ursa.diagnose.training_verdict.confirming import CONFIRMED_BY_RUN, confirmed
from ursa.diagnose.training_verdict.training_finding import training_verdict
from ursa.diagnose.training_verdict.training_history import NetworkFacts, TrainingHistory, from_records
from ursa.errors import TrainingError
from ursa.learner import one_fit
from ursa.learner.fit_arguments import FitArguments, Lr
from ursa.learner.fit_log import KEPT_BYTES, FitLog
from ursa.learner.one_fit import FitSetup
from ursa.learner.progress_table import ProgressTable
from ursa.recipe import Recipe
from ursa.training import evaluation
from ursa.training.history import History
from ursa.training.network_facts import dead_share, predicted_share, response, watched

REGULARIZING = (torch.nn.modules.dropout._DropoutNd, torch.nn.AlphaDropout)


def diagnose(setup: FitSetup, log: FitLog, recipe: Recipe, backbone: str, *, confirm: bool) -> Finding:
    """recipe: the learner's; backbone: what the network began as, "" from scratch.

    Raises TrainingError where there is nothing to judge, or nothing to confirm it with.
    """
    if not log.history.epochs:
        raise TrainingError("there is no training to judge yet", fix="learner.fit(5), then learner.diagnose()")
    history = history_of(setup, log.history, recipe, pretrained=bool(backbone))
    verdict = training_verdict(history)
    if not confirm or verdict.kind not in CONFIRMED_BY_RUN:
        return verdict
    return confirmed(verdict, history, _again(setup, log, verdict))


def history_of(setup: FitSetup, history: History, recipe: Recipe, *, pretrained: bool = False) -> TrainingHistory:
    """The history of a network on its data, with what the network answers now for the validation part."""
    metric = setup.metrics[0] if setup.metrics else None
    return from_records(
        history.epochs,
        history.steps,
        metric=metric.name if metric else "",
        higher_is_better=metric.higher_is_better if metric else None,
        share=metric.name in ("accuracy", "balanced_accuracy", "error_rate") if metric else None,
        facts=_facts(setup, recipe, pretrained),
    )


def _facts(setup: FitSetup, recipe: Recipe, pretrained: bool) -> NetworkFacts:
    with torch.random.fork_rng(devices=[]), watched(setup.model) as alive:
        outputs, targets = evaluation.predict(setup.model, setup.data.valid, setup.eval_batch, setup.precision)
    known: dict[str, Any] = {"valid_count": len(setup.data.valid), "dead_units": dead_share(alive)}
    if isinstance(outputs, torch.Tensor):
        known["response"] = response(outputs)
    if setup.data.targets.task == "single-label" and isinstance(outputs, torch.Tensor) and outputs.ndim == 2:
        known |= {"classes": outputs.shape[1], "predicted_share": predicted_share(outputs)}
        if targets.ndim == 1:
            known["largest_class"] = float(targets.long().bincount().max()) / len(targets)
    augments = recipe.optim.label_smoothing > 0 or any(isinstance(m, REGULARIZING) for m in setup.model.modules())
    return NetworkFacts(**known, regularized=augments, pretrained=pretrained)


def _again(setup: FitSetup, log: FitLog, verdict: Finding) -> TrainingHistory:
    """The fit once more from its start, with what the verdict advises; the learner's own network stays as it is."""
    if log.fits != 1 or log.first is None:
        found = f"{log.fits} fits" if log.fits != 1 else f"a network of more than {KEPT_BYTES >> 20} MB"
        fix = "learner.diagnose(), and try its advice on a new learner"
        raise TrainingError("only a learner's first fit can be made again from its start", found=found, fix=fix)
    wanted, recipe, start = log.first
    fresh = replace(setup, model=copy.deepcopy(setup.model))
    fresh.model.load_state_dict(start)
    epochs = verdict.numbers.get("epochs") or wanted.epochs
    lr = _scaled(
        one_fit.usual_lr(setup, recipe) if wanted.lr is None else wanted.lr, verdict.numbers.get("lr_factor", 1.0)
    )
    plain = FitArguments(epochs=epochs, lr=lr, schedule=wanted.schedule, keep="last")
    history = History()
    changed = recipe.with_settings({"epochs": epochs})
    groups = one_fit.lr_groups(fresh, changed, lr)
    with contextlib.suppress(TrainingError):  # that it diverged too is in the history
        one_fit.run(fresh, changed, groups, plain, history, ProgressTable(None))
    return history_of(fresh, history, changed)


def _scaled(lr: Lr, factor: float) -> Lr:
    if isinstance(lr, slice):
        return slice(None if lr.start is None else lr.start * factor, lr.stop * factor)
    return None if lr is None else lr * factor
