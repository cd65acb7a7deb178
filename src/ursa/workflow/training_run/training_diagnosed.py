"""A fine-tuning and its settings -> what is wrong with the training, confirmed by a second run if asked for."""

import shlex
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ursa.core import seeds
from ursa.core.finding import Finding
from ursa.diagnose.training_verdict.confirming import CONFIRMED_BY_RUN, confirmed
from ursa.diagnose.training_verdict.training_finding import training_verdict
from ursa.diagnose.training_verdict.training_history import NetworkFacts, TrainingHistory, from_records
from ursa.diagnose.training_verdict.verdict_words import Remedies
from ursa.errors import TrainingError
from ursa.prepared.splitting import Parts
from ursa.recipe import Recipe

if TYPE_CHECKING:
    from ursa.training.fine_tuning import Outcome

Again = Callable[[Parts, Recipe], "Outcome"]  # fine-tunes once more, from the same probe

SECONDS = 120.0  # that a confirming run may take: a longer one, and the first run with it, is made on a slice
LEAST = 64  # pictures of a slice
CHANGES = (
    "hflip",
    "rotate",
    "perspective",
    "random_erasing",
    "trivial_augment",
    "mixup",
    "cutmix",
    "brightness",
    "hue",
)


def refuse_confirm(recipe: Recipe, *, timed: bool) -> None:
    """Raises TrainingError where a confirming run has no place."""
    if timed:
        fix = "leave out --minutes or --confirm"
        raise TrainingError("a confirming run would break the limit of time", found="minutes and confirm", fix=fix)
    if not recipe.optim.epochs:
        fix = "leave out --confirm, or train for an epoch or more"
        raise TrainingError("there is no training to confirm a verdict on", found="epochs=0", fix=fix)


def facts_of(outcome: "Outcome", parts: Parts, recipe: Recipe) -> NetworkFacts:
    """What is known of a fine-tuning beside its history."""
    counts = np.bincount(parts.valid.targets(parts.labels), minlength=len(parts.labels))
    augment = recipe.augment
    return NetworkFacts(
        classes=len(parts.labels),
        valid_count=len(parts.valid),
        largest_class=float(counts.max()) / max(1, len(parts.valid)),
        regularized=recipe.optim.label_smoothing > 0 or any(getattr(augment, name) > 0 for name in CHANGES),
        pretrained=True,
        lr=recipe.optim.head_lr,
        stopped=bool(outcome.verdict.numbers.get("pruned_after")),
    )


def diagnosed(outcome: "Outcome", parts: Parts, recipe: Recipe, data: object) -> Finding | None:
    """data: what was trained on, for the next command. None where nothing was trained."""
    if len(outcome.epochs) < 2:
        return None
    place = f" {shlex.quote(str(data))}" if isinstance(data, str | Path) else ""
    return training_verdict(_history(outcome, parts, recipe), Remedies("--lr {}", "--epochs {}", f"ursa train{place}"))


def confirmed_by_run(
    verdict: Finding, outcome: "Outcome", parts: Parts, recipe: Recipe, again: Again, seconds: float
) -> Finding:
    """seconds: that the run took. Another one with what the verdict advises, on a slice where that would take long."""
    if verdict.kind not in CONFIRMED_BY_RUN:
        return verdict
    factor = 3 if verdict.numbers.get("epochs") else 1
    changed = _changed(recipe, verdict)
    share = min(1.0, SECONDS / max(1e-9, seconds * factor))
    if share == 1.0 or len(parts.learn) <= LEAST:
        return confirmed(verdict, _history(outcome, parts, recipe), _history(again(parts, changed), parts, changed))
    few = _slice(parts, max(LEAST, int(share * len(parts.learn) / 2)), recipe.seed)
    before, after = again(few, recipe), again(few, changed)
    where = f" on {len(few.learn):,} of the {len(parts.learn):,} pictures"
    return confirmed(verdict, _history(before, few, recipe), _history(after, few, changed), where)


def document(outcome: "Outcome", parts: Parts, recipe: Recipe) -> dict[str, Any]:
    """history.json of a run: what `ursa diagnose` reads again."""
    facts = {name: value for name, value in asdict(facts_of(outcome, parts, recipe)).items() if value is not None}
    return {"recipe": recipe.to_json(), "epochs": outcome.epochs, "steps": outcome.steps, "facts": facts}


def _history(outcome: "Outcome", parts: Parts, recipe: Recipe) -> TrainingHistory:
    return from_records(outcome.epochs, outcome.steps, metric="accuracy", facts=facts_of(outcome, parts, recipe))


def _changed(recipe: Recipe, verdict: Finding) -> Recipe:
    """The settings with what the verdict advises, trained to their end."""
    changed = recipe.with_lr(min(10.0, recipe.optim.head_lr * verdict.numbers.get("lr_factor", 1.0)))
    epochs = verdict.numbers.get("epochs") or recipe.optim.epochs
    return changed.with_settings({"epochs": epochs, "prune_below": 0})


def _slice(parts: Parts, count: int, seed: int) -> Parts:
    """So many of the pictures to learn from, drawn by the seed, every class among them."""
    targets = parts.learn.targets(parts.labels)
    order = seeds.generator(seed, "confirm").permutation(len(targets))
    first = [int(order[targets[order] == k][0]) for k in np.unique(targets)]
    chosen = list(dict.fromkeys([*first, *order.tolist()]))[: max(count, len(first))]
    ids = [parts.learn.ids[row] for row in sorted(chosen)]
    return replace(parts, learn=parts.learn.where(pl.col("id").is_in(ids)))
