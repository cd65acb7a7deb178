"""Signals of a training run -> the name of its fault, by rules in a fixed order; the first that holds.

The order matters: what a rate too high leaves behind looks like a dead network, and a network that never learned has
never been trained for too short. Every limit was chosen on one half of the runs of `benchmarks/training_verdicts.py`
and is reported on the other.
"""

from ursa.diagnose.training_verdict.signals import Signals
from ursa.diagnose.training_verdict.training_history import TrainingHistory

LR_TOO_HIGH, LR_TOO_LOW, TOO_FEW = "lr-too-high", "lr-too-low", "too-few-epochs"
OVERFITTING, ONE_CLASS, DEAD = "overfitting", "predicts-one-class", "dead-network"
CHANCE, FINE, UNCLEAR = "no-better-than-chance", "training-fine", "cannot-tell"

BLOWN_UP = 1.8  # times the loss at the start, or of guessing
TRANSIENT = 4.0  # likewise, of a loss that has come down again
ABOVE_GUESSING = 1.5  # times the loss at the start, or of guessing, of the validation part in the end
LEARNED = 0.25  # training loss in the end, of a network that has learned its examples
SHAKING = 0.35  # deviation of the loss from step to step, in units of guessing
CONSTANT = 1e-5  # relative difference of outputs, below which they are the same for every example
ONE = 0.98  # share of the predictions
FLAT = 0.02  # of the loss of guessing
DOUBT = 2.0  # standard errors by which an error has to be below that of guessing
RISE = 1.0  # standard errors by which the error has risen since its best
LEAST_RISE = 0.02
RISING_LOSS = 1.1  # last validation loss over the least one
HALF = 0.5  # of the training loss: a network that has lost so much is not stuck
NEAR = 0.75  # of the loss of guessing
AS_GUESSING = 0.9  # of the loss of guessing: a validation loss that was never lower knows nothing
HIDDEN = 2.0  # standard errors: a gain that is smaller could not be seen on this validation part
EARLY = 0.3  # of the loss has fallen after the first steps where the rate is right
IMPROVING = 0.2  # share by which the validation loss fell in the last half of the run


def fault(history: TrainingHistory, seen: Signals) -> str:
    """One of the names above."""
    if seen.spoiled or seen.peak >= TRANSIENT:
        return LR_TOO_HIGH
    if dead(history, seen):
        return DEAD
    if one_class(history, seen):
        return ONE_CLASS
    if stuck(seen) and seen.fallen < EARLY:
        return LR_TOO_LOW
    if at_chance(seen):
        return CHANCE
    if too_high(seen) or (history.facts.pretrained and spoilt(history, seen)):
        return LR_TOO_HIGH
    if overfitting(seen):
        return OVERFITTING
    if history.facts.pretrained:
        return _pretrained(seen)
    if stuck(seen):
        return LR_TOO_LOW
    if unfinished(seen):
        return LR_TOO_LOW if seen.early < EARLY else TOO_FEW
    return FINE


def unfinished(seen: Signals) -> bool:
    """The validation loss still fell, and half of the error, were it won, would be more than noise."""
    hidden = seen.error_end / 2 < HIDDEN * seen.noise
    return seen.valid_half >= IMPROVING and not hidden


def _pretrained(seen: Signals) -> str:
    """Of a network that could do the task before: there is no early fall that a rate could be judged by."""
    if unfinished(seen):
        return TOO_FEW
    return UNCLEAR if seen.moved < FLAT / 2 else FINE


def stuck(seen: Signals) -> bool:
    """The validation loss has only ever fallen, and is not far from that of guessing yet."""
    slow = seen.early < EARLY / 2 and seen.fallen < HALF
    return slow and seen.valid_rise < 1 + FLAT / 4 and seen.valid_end > NEAR


def too_high(seen: Signals) -> bool:
    """The loss rose far above its start and stays up, or jumps about."""
    if seen.end < LEARNED:
        return False
    return seen.peak >= BLOWN_UP or seen.valid_grown >= ABOVE_GUESSING or seen.shaking >= SHAKING


def spoilt(history: TrainingHistory, seen: Signals) -> bool:
    """What the network could do before is lost: the error never was lower than at the start, and ends above it."""
    clear = max(LEAST_RISE, DOUBT * seen.noise)
    return seen.error_end - history.start[1] >= clear and seen.error_least >= history.start[1]


def dead(history: TrainingHistory, seen: Signals) -> bool:
    """Outputs do not depend on the inputs."""
    facts = history.facts
    if facts.response is not None:
        return facts.response < CONSTANT
    flat = seen.valid_change < FLAT and seen.train_change < 2 * FLAT
    return flat and AS_GUESSING - 0.05 < seen.valid_end < 1 + FLAT and seen.above_chance < DOUBT


def one_class(history: TrainingHistory, seen: Signals) -> bool:
    """Inputs matter, and yet every example is predicted as one class."""
    facts = history.facts
    if facts.predicted_share is not None and facts.largest_class is not None:
        return facts.predicted_share >= ONE and facts.largest_class < ONE - 0.05 and seen.fallen > 0.2
    return seen.error_change < 1e-9 and seen.valid_end > 1.2 and seen.end < 0.8


def overfitting(seen: Signals) -> bool:
    """The validation error was lower before, and its loss too; the training loss went on falling."""
    risen = seen.error_rise >= max(LEAST_RISE, RISE * seen.noise)
    return risen and seen.valid_rise >= RISING_LOSS and seen.since_best > 0.2


def at_chance(seen: Signals) -> bool:
    """The error stays that of guessing, and the validation loss never was much below."""
    return seen.above_chance < DOUBT and seen.valid_least > AS_GUESSING
