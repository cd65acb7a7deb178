"""Probe -> fine-tuned classifier, kept only if it beats the probe on the validation part."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ursa.core import metrics
from ursa.core.finding import Finding
from ursa.core.image import Pixels
from ursa.core.prepare import stacks
from ursa.core.progress import Progress, silent
from ursa.embed.engine import BATCH, one_thread
from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training.batches import Batches, Views
from ursa.training.loop import State, Step, train
from ursa.training.models import Classifier
from ursa.training.optimizers import adamw

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """What fine-tuning came to."""

    model: Classifier  # with the weights that are kept
    kept: str  # "probe" or "fine-tuned"
    verdict: Finding
    before: F32  # [N, K] probabilities of the probe for the validation pictures
    after: F32  # [N, K] of what is kept
    steps: list[dict[str, float]]
    epochs: list[dict[str, float]]


def fine_tune(
    model: Classifier,
    batches: Batches,
    valid: Iterable[Pixels],
    targets: I64,
    recipe: Recipe,
    *,
    precision: torch.dtype = torch.float32,
    progress: Progress = silent,
) -> Outcome:
    """model: as it comes from the probe; valid: views [S, S, 3] (iterated once an epoch), targets [N] -> Outcome.

    After each epoch the validation pictures are predicted; the weights of the best epoch are kept, the probe's count as
    epoch 0. Ties go to the earlier one, so fine-tuning has to be better to be kept.
    """
    start = predict(model, valid)
    best = _Best(0, copy.deepcopy(model.state_dict()), start)
    epochs = [{"epoch": 0, **_score(start, targets)}]
    steps: list[Step] = []
    model.requires_grad_(True)
    model.extractor.body.to(memory_format=torch.channels_last)
    for step in train(State(model, adamw(model, recipe)), batches, recipe, precision):
        steps.append(step)
        progress("train", step.number, step.of)
        if step.ends_epoch:
            losses = torch.stack([s.loss for s in steps if s.epoch == step.epoch])
            if not losses.isfinite().all():
                raise _diverged(steps, recipe)
            now = predict(model, valid)
            score = {"train_loss": float(losses.mean()), **_score(now, targets)}
            epochs.append({"epoch": step.epoch + 1, **score})
            if score["accuracy"] > epochs[best.epoch]["accuracy"]:
                best = _Best(step.epoch + 1, copy.deepcopy(model.state_dict()), now)
    model.load_state_dict(best.weights)
    model.requires_grad_(False).eval()
    kept = "fine-tuned" if best.epoch else "probe"
    verdict = _verdict(best, start, targets, recipe)
    return Outcome(model, kept, verdict, start, best.probabilities, [_record(step) for step in steps], epochs)


def predict(model: Classifier, views: Iterable[Pixels]) -> F32:
    """views [N] of [S, S, 3] -> probabilities [N, K], in float32, without gradients, in evaluation mode."""
    model.eval()
    device = model.head.weight.device

    def logits(pictures: Pixels) -> F32:
        with torch.inference_mode():
            return np.asarray(model(torch.from_numpy(pictures).to(device)).cpu().numpy())

    if isinstance(views, Views) and device.type == "cpu":
        with one_thread() as begin:
            return metrics.softmax(np.concatenate([*views.each(BATCH, logits, begin)]))
    return metrics.softmax(np.concatenate([logits(pictures) for pictures in stacks(views, 2 * BATCH)]))


@dataclass(frozen=True)
class _Best:
    epoch: int
    weights: dict[str, Any]
    probabilities: F32


def _score(probabilities: F32, targets: I64) -> dict[str, float]:
    hits = probabilities.argmax(1) == targets
    return {"accuracy": float(hits.mean()), "valid_loss": metrics.log_loss(probabilities, targets)}


def _record(step: Step) -> dict[str, float]:
    return {"step": step.number, "epoch": step.epoch, "loss": float(step.loss), "rate": step.rate}


def _diverged(steps: Sequence[Step], recipe: Recipe) -> TrainingError:
    first = next(step for step in steps if not step.loss.isfinite())
    return TrainingError(
        "training diverged: the loss is not a number any more",
        found=f"step {first.number} of {first.of}, learning rate {first.rate:.2g}",
        fix=f"lower rates: --set head_rate={recipe.head_rate / 10:g} --set body_rate={recipe.body_rate / 10:g}",
    )


def _verdict(best: _Best, start: F32, targets: I64, recipe: Recipe) -> Finding:
    """Fine-tuned against probe, picture by picture."""
    before, after = start.argmax(1) == targets, best.probabilities.argmax(1) == targets
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    chance = metrics.sign_test(won, lost)
    numbers = {"won": won, "lost": lost, "p_value": chance, "epoch": best.epoch}
    if not best.epoch:
        count = f"{recipe.epochs} epoch{'s' * (recipe.epochs > 1)}"
        tried = f"{count} of fine-tuning got no more of the {len(targets)} validation pictures right"
        return Finding(
            kind="probe-kept",
            where=(),
            score=1.0,
            evidence=f"{tried} than the probe did." if recipe.epochs else "No fine-tuning was asked for.",
            advice="More or cleaner pictures will help more than more training; a larger backbone may too.",
            numbers=numbers,
        )
    sure = "which is more than chance" if chance < 0.05 else "which may be chance"
    return Finding(
        kind="fine-tuning-kept",
        where=(),
        score=1 - chance,
        evidence=f"Of {len(targets)} validation pictures fine-tuning put {won} right and {lost} wrong that the probe "
        f"had otherwise, {sure} (p = {chance:.2g}).",
        advice="Use the fine-tuned model."
        if chance < 0.05
        else "Use it, but do not count on the difference: a larger validation part could tell.",
        numbers=numbers,
    )
