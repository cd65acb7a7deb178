"""A training's history -> one finding: the fault in a sentence with its numbers, and the next step."""

import math

import numpy as np

from ursa.core.finding import Finding
from ursa.core.text import counted
from ursa.diagnose.training_verdict import rules, verdict_words
from ursa.diagnose.training_verdict.signals import Signals, signals
from ursa.diagnose.training_verdict.training_history import TrainingHistory
from ursa.diagnose.training_verdict.verdict_words import Case, Remedies, largest_lr, percent

FEW = 20  # validation examples, below which an error is not worth a verdict: its standard error is 11 points
BY_VALIDATION = (rules.OVERFITTING, rules.CHANCE, rules.TOO_FEW, rules.FINE)  # which need a validation part
# How often a verdict is right where it is given, (right + 1) / (given + 2) on the half of the planted runs on which no
# limit was chosen (benchmarks/training_verdicts.py). Too few epochs and fine are hard to tell apart by a history alone.
PRECISION = {
    rules.LR_TOO_HIGH: 0.85,
    rules.LR_TOO_LOW: 0.90,
    rules.TOO_FEW: 0.56,
    rules.OVERFITTING: 0.89,
    rules.ONE_CLASS: 0.92,
    rules.DEAD: 0.94,
    rules.CHANCE: 0.85,
    rules.FINE: 0.56,
}


def training_verdict(history: TrainingHistory, remedies: Remedies | None = None) -> Finding:
    """What is wrong with a training, or that nothing is, or that it cannot be told; each with the next step.

    `numbers` holds the figures that the sentence is about, with "lr", "lr_factor" or "epochs" of the run that would
    show it (see `confirming`).
    """
    remedies = remedies or Remedies()
    if reason := _nothing_to_judge(history):
        return _unclear(*reason)
    if not len(history):  # it diverged in its first epoch
        return Finding(rules.LR_TOO_HIGH, (), PRECISION[rules.LR_TOO_HIGH], *verdict_words.lost(history, remedies))
    seen = signals(history)
    kind = rules.fault(history, seen)
    if reason := _doubt(history, seen, kind, remedies):
        return _unclear(*reason)
    return Finding(kind, (), PRECISION[kind], *verdict_words.said(kind, Case(history, seen, remedies)))


def _nothing_to_judge(history: TrainingHistory) -> tuple[str, str] | None:
    """Why nothing can be said, whatever the numbers are."""
    if history.spoiled in ("step 1", "epoch 1"):
        return (
            f"The loss is NaN or infinite in {history.spoiled} already: that need not be the learning rate.",
            "Look for NaN in inputs and targets and for a log(0) in the loss; where both are sound, take a tenth of "
            "the learning rate.",
        )
    if not len(history) and not history.spoiled and not history.facts.diverged:
        return "No epoch was finished.", "Train for an epoch at least."
    return None


def _doubt(history: TrainingHistory, seen: Signals, kind: str, remedies: Remedies) -> tuple[str, str] | None:
    """Why this verdict would be more than the numbers bear."""
    epochs, count = len(history), history.facts.valid_count
    if kind == rules.UNCLEAR:
        lr = largest_lr(history)
        return (
            f"In {_epochs(epochs)} the validation loss moved by {percent(seen.moved)} from where it began: either "
            "nothing is left to learn here, or the learning rate is too low.",
            f"Try ten times the learning rate{remedies.with_lr(10 * lr if lr else None)}.",
        )
    if history.facts.stopped and kind in (rules.TOO_FEW, rules.LR_TOO_LOW, rules.FINE):
        return (
            f"The run was ended after {_epochs(epochs)}, as it was unlikely to beat the probe.",
            "To see how it would have gone on, train to the end: --set prune_below=0.",
        )
    if kind in BY_VALIDATION and not history.validated:
        return (
            f"There is no validation part: {_epochs(epochs)} of training loss do not tell learning from memorizing.",
            "Put a fifth of the examples aside, and log loss and accuracy on them after each epoch.",
        )
    if kind in BY_VALIDATION and count is not None and count < FEW:
        few = counted(count, "example")
        return (
            f"The validation part has {few}: one mistake more moves the error by {percent(1 / count)}.",
            f"Put aside {FEW} at least, better a few hundred.",
        )
    if epochs == 1 and kind != rules.LR_TOO_HIGH and not (kind == rules.DEAD and history.facts.response is not None):
        return "One epoch is a point, not a curve.", "Train for 3 epochs or more."
    if kind == rules.FINE and not np.isfinite(history.error).any() and not seen.valid_rise <= rules.RISING_LOSS:
        rise = f"by {percent(seen.valid_rise - 1)} " if math.isfinite(seen.valid_rise) else ""
        return (
            f"The validation loss has risen {rise}since its best epoch; without a metric such as accuracy that may be "
            "overfitting, or confidence alone.",
            "Log the accuracy of the validation part too.",
        )
    return None


def _unclear(reason: str, advice: str) -> Finding:
    return Finding(rules.UNCLEAR, (), 0.0, reason, advice)


def _epochs(count: int) -> str:
    return f"{count:,} {'epoch' if count == 1 else 'epochs'}"
