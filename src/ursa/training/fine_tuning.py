"""Probe -> fine-tuned classifier, kept only on evidence that it beats the probe on the validation part."""

import contextlib
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
from ursa.training.model_selection import PairedComparison
from ursa.training.network_limits import refuse_for_network
from ursa.training.optim.data_parallel import gradients
from ursa.training.optim.deadline import Deadline
from ursa.training.optim.gradual_unfreezing import gradual_unfreezing
from ursa.training.optim.layer_lrs import adamw
from ursa.training.optim.schedules import one_cycle
from ursa.training.optim.wise_ft import WiseFT
from ursa.training.pruning import Pruner
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
    comparison: PairedComparison | None  # of fine-tuned and probe on them; None without an epoch to compare
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

    After each epoch the validation pictures are predicted, once, by the weights that would be kept: on the way from the
    probe's to the fine-tuned ones (`wise_ft_alpha`). Nothing chooses among the epochs: those after the last one stand
    against the probe's, and are kept where they are better by more than chance (`model_selection`); ties and doubt go
    to the probe. A run that will not get there is ended early (`pruning`). With patience, which has to
    choose, it is the best epoch by accuracy, and the test is corrected for that (Bonferroni). Of `optim` it is the
    batches that read batch_size and oversample. deadline: when it has to be over. history, checkpoints, resume: see
    `fit`; settings: what identifies the run, where not given `optim` and the seed. before: [N, K], what the model as it
    comes predicts for the validation pictures, where that is known without running them: the probe's answers lie in the
    store of embeddings. Raises TrainingError for settings that have no meaning for this network, Interrupted where
    Ctrl-C ended it and checkpoints are kept.
    """
    refuse_for_network(Recipe(optim=optim, augment=batches.augment), model, batches.small.size)
    start = predict(model, valid) if before is None else before
    probe = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.requires_grad_(True)
    model.extractor.body.to(memory_format=torch.channels_last)
    state = State(
        model,
        adamw(model, optim.head_lr, optim.body_lr, optim.layer_decay, optim.weight_decay),
        average=_average(model, optim),
    )
    evaluate = _Validation(state, model, valid, targets, start, choosing=optim.patience > 0)
    steps = optim.epochs * len(batches)
    prune = Pruner(evaluate.compared, steps, len(batches), optim.prune_below)
    unfrozen_after = optim.gradual_unfreezing * steps
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
            monitor=Monitor("accuracy" if optim.patience else "epoch", higher=True),
            schedule=cycle if deadline is None else deadline.schedule(cycle),
            stop=lambda: (deadline is not None and deadline.over()) or prune(state.step),
            history=history,
            checkpoints=checkpoints,
            resume=resume,
            settings={"seed": seed, **optim.to_json()} if settings is None else settings,
            observers=observers,
            progress=progress,
        )
    if history.stopped == INTERRUPTED and checkpoints is not None:
        model.load_state_dict(probe)  # until there is a verdict
        raise Interrupted(f"Stopped at step {state.step} of {steps}")
    model.requires_grad_(False).eval()
    tuned = evaluate.predicted(best)
    comparison = PairedComparison.of(start, tuned, targets, _tried(history, optim)) if best.epoch else None
    kept = comparison is not None and prune.reason is None and comparison.better
    if not kept:
        model.load_state_dict(probe)
    pruned = state.step / steps if prune.reason else None
    verdict = _verdict(comparison, best.epoch if kept else 0, history, pruned)
    after = tuned if kept else start
    how = "fine-tuned" if kept else "probe"
    return Outcome(model, how, verdict, start, after, comparison, history.steps, history.epochs)


class _Validation:
    """The validation pictures, predicted once for each state of the weights that is asked about."""

    def __init__(
        self, state: State, model: Classifier, valid: Iterable[Pixels], targets: I64, start: F32, *, choosing: bool
    ) -> None:
        """start: [N, K] of the model before its first step; choosing: whether the best epoch is kept, or the last."""
        self.state, self.model, self.valid, self.targets, self.choosing = state, model, valid, targets, choosing
        self.start, self.now = start, (0, start)  # the answers after so many steps
        self.best: tuple[dict[str, float], F32] | None = None

    def __call__(self, _: nn.Module) -> dict[str, float]:
        """accuracy and valid_loss of the model as it is now."""
        answers = self._answers()
        scores = _score(answers, self.targets)
        if self.state.step and (not self.choosing or self.best is None or _more(scores, self.best[0])):
            self.best = scores, answers
        return scores

    def compared(self) -> PairedComparison:
        """The model as it will be judged, with averaged weights where there are any, and the probe."""
        average = self.state.average
        with contextlib.nullcontext() if average is None else average.in_place():
            return PairedComparison.of(self.start, self._answers(), self.targets)

    def predicted(self, best: Best) -> F32:
        """[N, K] of the model, which has the best epoch's weights by now."""
        if not best.epoch:
            return self.start
        if self.best is not None and self.best[0].items() <= best.record.items():
            return self.best[1]
        return predict(self.model, self.valid)  # nothing is remembered of an epoch before this process resumed the run

    def _answers(self) -> F32:
        if self.now[0] != self.state.step:
            self.now = self.state.step, predict(self.model, self.valid)
        return self.now[1]


def predict(model: Classifier, views: Iterable[Pixels]) -> F32:
    """views [N] of [S, S, 3] -> probabilities [N, K], in float32, without gradients, in evaluation mode."""
    return statistics.softmax(predict_views(model, views).numpy())


def _average(model: Classifier, optim: OptimSettings) -> WiseFT | None:
    """What is judged and kept instead of the last weights, if anything is."""
    if not optim.ema_decay and optim.wise_ft_alpha == 1:
        return None
    return WiseFT(model, optim.wise_ft_alpha, optim.ema_decay)


def _loss(batches: PictureBatches, optim: OptimSettings) -> Loss:
    if not optim.class_weights:
        return smoothed(optim.label_smoothing)
    return balanced(batches.targets, batches.classes, optim.label_smoothing)


def _score(probabilities: F32, targets: I64) -> dict[str, float]:
    hits = probabilities.argmax(1) == targets
    return {"accuracy": float(hits.mean()), "valid_loss": statistics.log_loss(probabilities, targets)}


def _more(scores: dict[str, float], best: dict[str, float]) -> bool:
    return scores["accuracy"] > best["accuracy"]


def _tried(history: History, optim: OptimSettings) -> int:
    """Epochs among which one was chosen."""
    return max(1, len(history.epochs) - 1) if optim.patience else 1


def _verdict(comparison: PairedComparison | None, epoch: int, history: History, pruned: float | None) -> Finding:
    """epoch: whose weights are kept, 0 for the probe's; pruned: the share of the run after which it was ended."""
    tried = len(history.epochs) - 1
    if comparison is None:
        if tried < 1:
            return _probe_kept("No fine-tuning was asked for.", "To try it: 5 epochs.", {"epoch": 0})
        none_better = f"None of {tried} epochs of fine-tuning got more validation pictures right than the probe."
        return _probe_kept(none_better, MORE, {"epoch": 0})
    won, lost, count, chance = comparison.won, comparison.lost, len(comparison.gain), comparison.p_value
    numbers: dict[str, Any] = {"won": won, "lost": lost, "p_value": chance, "epoch": epoch}
    pictures = f"{won} of {count} validation pictures right and {lost} wrong that the probe had otherwise"
    if epoch:
        return Finding(
            kind="fine-tuning-kept",
            where=(),
            score=1 - chance,
            evidence=f"Fine-tuning put {pictures}, which is more than chance (p = {chance:.2g}).",
            advice="Use the fine-tuned model.",
            numbers=numbers,
        )
    if pruned is not None:
        numbers["pruned_after"] = pruned
        numbers["enough"] = comparison.enough_for(WORTH)
        ended = f"Fine-tuning was ended after {100 * pruned:.0f} % of its steps, with {history.stopped}: by then it had"
        advice = f"{_what_would_help(comparison)} To train to the end: --set prune_below=0."
        return _probe_kept(f"{ended} put {pictures}.", advice, numbers)
    enough = comparison.enough()
    if enough is None:
        numbers["enough"] = comparison.enough_for(WORTH)
        evidence = f"Fine-tuning put {pictures}: no better than the probe, which is kept."
        return _probe_kept(evidence, _what_would_help(comparison), numbers)
    numbers["enough"] = enough
    evidence = f"Fine-tuning put {pictures}, which may be chance (p = {chance:.2g}): the probe is kept."
    advice = f"A difference of this size would show on about {enough:,} validation pictures, where it is one."
    return _probe_kept(evidence, advice, numbers)


MORE = "Use the probe. `ursa check` says whether more pictures would help, `ursa backbones` whether another backbone."
WORTH = 0.02  # points of accuracy that are worth a fine-tuning; what a validation part has to be able to show


def _what_would_help(comparison: PairedComparison) -> str:
    """Advice where fine-tuning was no better; too few pictures to see a gain are told, with how many would do."""
    count, enough = len(comparison.gain), comparison.enough_for(WORTH)
    if count >= enough:
        return MORE
    return (
        f"That says little: on {count:,} validation pictures a gain of {100 * WORTH:.0f} points does not show, on "
        f"about {enough:,} it would."
    )


def _probe_kept(evidence: str, advice: str, numbers: Mapping[str, Any]) -> Finding:
    return Finding("probe-kept", (), 1.0, evidence, advice, numbers)
