"""Probe -> fine-tuned classifier, kept only if it beats the probe on the validation part."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ursa.core import statistics
from ursa.core.decoding.image import Pixels
from ursa.core.finding import Finding
from ursa.core.progress import Progress, silent
from ursa.models.groups import parameter_groups
from ursa.recipe import OptimSettings, Recipe
from ursa.training.batches.picture_batches import PictureBatches
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.classifier import Classifier
from ursa.training.evaluation import balanced, predict_views
from ursa.training.fit import INTERRUPTED, Interrupted, Monitor, Observer, fit
from ursa.training.history import Best, History
from ursa.training.loop import State
from ursa.training.network_limits import refuse_for_network
from ursa.training.optim.data_parallel import gradients
from ursa.training.optim.deadline import Deadline
from ursa.training.optim.ema import EMA
from ursa.training.optim.gradual_unfreezing import gradual_unfreezing
from ursa.training.optim.layer_lrs import adamw
from ursa.training.optim.schedules import one_cycle
from ursa.training.tasks.losses import Loss, smoothed

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
    batches: PictureBatches,
    valid: Iterable[Pixels],
    targets: I64,
    optim: OptimSettings,
    *,
    seed: int = 0,
    precision: torch.dtype = torch.float32,
    deadline: Deadline | None = None,
    history: History | None = None,
    checkpoints: Checkpoints | None = None,
    resume: bool = True,
    settings: Mapping[str, Any] | None = None,
    before: F32 | None = None,
    observers: Sequence[Observer] = (),
    progress: Progress = silent,
) -> Outcome:
    """model: as it comes from the probe; valid: views [S, S, 3] (iterated once an epoch), targets [N] -> Outcome.

    After each epoch the validation pictures are predicted, once; the weights of the best epoch are kept, the probe's
    count as epoch 0. Ties go to the earlier one, so fine-tuning has to be better to be kept. Of `optim` it is the
    batches that read batch_size and oversample. deadline: when it has to be over. history, checkpoints, resume: see
    `fit`; settings: what identifies the run, where not given `optim` and the seed. before: [N, K], what the model as it
    comes predicts for the validation pictures, where that is known without running them: the probe's answers lie in the
    store of embeddings. Raises TrainingError for settings that have no meaning for this network, Interrupted where
    Ctrl-C ended it and checkpoints are kept.
    """
    refuse_for_network(Recipe(optim=optim, augment=batches.augment), model, batches.small.size)
    start = predict(model, valid) if before is None else before
    model.eval()
    evaluate = _Validation(model, valid, targets, start)
    model.requires_grad_(True)
    model.extractor.body.to(memory_format=torch.channels_last)
    state = State(
        model,
        adamw(model, optim.head_lr, optim.body_lr, optim.layer_decay, optim.weight_decay),
        average=EMA(model, optim.ema_decay, warmup=False) if optim.ema_decay else None,  # the probe is no random start
    )
    unfrozen_after = optim.gradual_unfreezing * optim.epochs * len(batches)  # steps
    cycle = one_cycle(optim.warmup)
    with gradients(model.head.weight.device, precision, optim.micro_batch_size) as gradient:
        history, best = fit(
            state,
            batches,
            evaluate,
            epochs=optim.epochs,
            loss=_loss(batches, optim),
            gradient=gradual_unfreezing(gradient, parameter_groups(model), unfrozen_after),
            max_grad_norm=optim.max_grad_norm,
            seed=seed,
            patience=optim.patience,
            monitor=Monitor("accuracy", higher=True),
            schedule=cycle if deadline is None else deadline.schedule(cycle),
            stop=None if deadline is None else deadline.over,
            history=history,
            checkpoints=checkpoints,
            resume=resume,
            settings={"seed": seed, **optim.to_json()} if settings is None else settings,
            observers=observers,
            progress=progress,
        )
    if history.stopped == INTERRUPTED and checkpoints is not None:
        raise Interrupted(f"Stopped at step {state.step} of {optim.epochs * len(batches)}")
    model.requires_grad_(False).eval()
    after = evaluate.predicted(best)
    verdict = _verdict(best.epoch, len(history.epochs) - 1, start, after, targets)
    kept = "fine-tuned" if best.epoch else "probe"
    return Outcome(model, kept, verdict, start, after, history.steps, history.epochs)


class _Validation:
    """The validation pictures, predicted once an epoch; what was predicted in the best one is kept."""

    def __init__(self, model: Classifier, valid: Iterable[Pixels], targets: I64, start: F32) -> None:
        """start: [N, K] of the model before its first step."""
        self.model, self.valid, self.targets, self.start = model, valid, targets, start
        self.best: tuple[dict[str, float], F32] | None = None

    def __call__(self, _: nn.Module) -> dict[str, float]:
        """accuracy and valid_loss of the model as it is now."""
        if not self.model.training:  # before the first step: the probe
            return _score(self.start, self.targets)
        answers = predict(self.model, self.valid)
        scores = _score(answers, self.targets)
        if self.best is None or scores["accuracy"] > self.best[0]["accuracy"]:
            self.best = scores, answers
        return scores

    def predicted(self, best: Best) -> F32:
        """[N, K] of the model, which has the best epoch's weights by now."""
        if not best.epoch:
            return self.start
        if self.best is not None and self.best[0].items() <= best.record.items():
            return self.best[1]
        return predict(self.model, self.valid)  # nothing is remembered of an epoch before this process resumed the run


def predict(model: Classifier, views: Iterable[Pixels]) -> F32:
    """views [N] of [S, S, 3] -> probabilities [N, K], in float32, without gradients, in evaluation mode."""
    return statistics.softmax(predict_views(model, views).numpy())


def _loss(batches: PictureBatches, optim: OptimSettings) -> Loss:
    if not optim.class_weights:
        return smoothed(optim.label_smoothing)
    return balanced(batches.targets, batches.classes, optim.label_smoothing)


def _score(probabilities: F32, targets: I64) -> dict[str, float]:
    hits = probabilities.argmax(1) == targets
    return {"accuracy": float(hits.mean()), "valid_loss": statistics.log_loss(probabilities, targets)}


def _verdict(epoch: int, epochs: int, start: F32, kept: F32, targets: I64) -> Finding:
    """Fine-tuned against probe, picture by picture."""
    before, after = start.argmax(1) == targets, kept.argmax(1) == targets
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    chance = statistics.mcnemar_exact(won, lost)
    numbers = {"won": won, "lost": lost, "p_value": chance, "epoch": epoch}
    if not epoch:
        count = f"{epochs} epoch{'s' * (epochs > 1)}"
        tried = f"{count} of fine-tuning got no more of the {len(targets)} validation pictures right"
        return Finding(
            kind="probe-kept",
            where=(),
            score=1.0,
            evidence=f"{tried} than the probe did." if epochs else "No fine-tuning was asked for.",
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
