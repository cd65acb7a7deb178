"""A fault and its signals -> what is said of it: evidence in one sentence, the next step, the figures."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ursa.core.text import counted
from ursa.diagnose.training_verdict import rules
from ursa.diagnose.training_verdict.signals import Signals
from ursa.diagnose.training_verdict.training_history import TrainingHistory


@dataclass(frozen=True)
class Remedies:
    """How the next run is asked for what a verdict advises, with {} for the value."""

    lr: str = "lr={}"
    epochs: str = "epochs={}"
    again: str = ""  # "ursa train bears": what the others follow

    def with_lr(self, lr: float | None) -> str:
        """ ": ursa train bears --lr 0.001", or nothing where no rate is known."""
        return "" if lr is None else f": {f'{self.again} {self.lr}'.strip().format(f'{lr:.2g}')}"

    def with_epochs(self, epochs: int) -> str:
        """Likewise, with another number of epochs."""
        return f": {f'{self.again} {self.epochs}'.strip().format(epochs)}"


@dataclass(frozen=True)
class Case:
    """What a sentence is made from."""

    history: TrainingHistory
    seen: Signals
    remedies: Remedies

    @property
    def at(self) -> str:
        """The rate, where it is known."""
        lr = largest_lr(self.history)
        return f" at a learning rate of {lr:.2g}" if lr else ""

    @property
    def noise(self) -> str:
        """How much the validation part can tell, where its size is known."""
        count = self.history.facts.valid_count
        if not self.history.share or not count:
            return ""
        return f" (standard error {percent(self.seen.noise)} on {counted(count, 'example')})"


Said = tuple[str, str, dict[str, Any]]


def said(kind: str, case: Case) -> Said:
    """Evidence, advice and numbers of a verdict that is not `rules.UNCLEAR`."""
    evidence, advice, numbers = SENTENCES[kind](case)
    return evidence, advice, {name: _plain(value) for name, value in numbers.items()}


def lost(history: TrainingHistory, remedies: Remedies) -> Said:
    """Of a loss that became NaN, infinite or larger than any measure."""
    lr = largest_lr(history)
    where = f" in {history.spoiled}" if history.spoiled else ""
    at = f", at a learning rate of {lr:.2g}" if lr else ""
    lower = lr / 10 if lr else None
    advice = f"Train with a tenth of the learning rate{remedies.with_lr(lower)}."
    return (
        f"The loss became NaN, infinite or larger than any measure{where}{at}.",
        advice,
        {"lr": lower, "lr_factor": 0.1},
    )


def _too_high(case: Case) -> Said:
    seen, history = case.seen, case.history
    _, advice, numbers = lost(history, case.remedies)
    numbers |= {"largest_loss": seen.peak * seen.begun, "guessing": seen.guessing}
    if seen.spoiled:
        return lost(history, case.remedies)
    if seen.peak >= rules.BLOWN_UP:
        rose = (
            f"The training loss rose to {_figure(seen.peak * seen.begun)}{case.at}; guessing has {seen.guessing:.2g}."
        )
        return rose, advice, numbers
    if seen.valid_grown >= rules.ABOVE_GUESSING:
        end = seen.valid_end * seen.guessing
        return (
            f"The validation loss ends at {_figure(end)}{case.at}; guessing has {seen.guessing:.2g}.",
            advice,
            numbers,
        )
    if history.facts.pretrained and seen.shaking < rules.SHAKING:
        span = f"from {percent(history.start[1])} before the first step to {percent(seen.error_end)}{case.noise}"
        return f"The validation error rose {span}{case.at}.", advice, numbers
    jump = seen.shaking * seen.guessing
    return f"The training loss jumps by {jump:.2g} from step to step{case.at} and does not settle.", advice, numbers


def _too_low(case: Case) -> Said:
    seen, lr = case.seen, largest_lr(case.history)
    steps, epochs = len(case.history.step_loss), len(case.history)
    span = f"{steps:,} steps" if steps else f"{epochs} epochs"
    early = f"by {percent(max(0.0, seen.early))} in its first ten steps and " if steps else ""
    evidence = f"The loss falls slowly: {early}by {percent(max(0.0, seen.fallen))} in all {span}{case.at}."
    evidence += f" With a right rate it falls by {percent(rules.EARLY)} or more in ten steps." if early else ""
    higher = 10 * lr if lr else None
    advice = f"Train with ten times the learning rate{case.remedies.with_lr(higher)}."
    return evidence, advice, {"lr": higher, "lr_factor": 10.0, "fallen": seen.fallen, "early": seen.early}


def _too_few(case: Case) -> Said:
    epochs = len(case.history)
    span = f"the second half of {epochs} epochs" if epochs > 1 else "the second half of its one epoch"
    evidence = f"The validation loss still fell by {percent(case.seen.valid_half)} in {span}: more may be gained."
    longer = case.remedies.with_epochs(3 * epochs)
    advice = f"Train three times as long{longer}. A confirming run (confirm) shows whether it pays."
    return evidence, advice, {"epochs": 3 * epochs, "valid_half": case.seen.valid_half}


def _overfitting(case: Case) -> Said:
    history, seen = case.history, case.seen
    known = np.flatnonzero(np.isfinite(history.error))
    best = int(history.epoch[known[history.error[known].argmin()]])
    low, high = float(np.nanmin(history.error)), float(history.error[known[-1]])
    unit = percent if history.share else _figure
    evidence = (
        f"The validation error was {unit(low)} after epoch {best} and is {unit(high)} after epoch {len(history)}"
        f"{case.noise}, while the training loss fell on to {seen.end * seen.guessing:.2g}."
    )
    advice = (
        f"Keep the weights of epoch {best}, or train so long only{case.remedies.with_epochs(best)}. Then regularize "
        "(augmentation, weight decay, dropout), look for wrong labels, or add examples."
    )
    return evidence, advice, {"best_epoch": best, "best_error": low, "last_error": high, "noise": seen.noise}


def _one_class(case: Case) -> Said:
    facts = case.history.facts
    if facts.predicted_share is None:
        evidence = "The validation error is the same after every epoch while the losses change: one class is predicted."
    else:
        largest = f", and no class has more than {percent(facts.largest_class)} of them" if facts.largest_class else ""
        evidence = f"{percent(facts.predicted_share)} of the validation examples are predicted as one class{largest}."
    advice = (
        "Count the labels that training sees, class by class; weigh or oversample rare ones (class_weights, "
        "oversample), and look for a weight or a bias that favors one."
    )
    return evidence, advice, {"predicted_share": facts.predicted_share, "largest_class": facts.largest_class}


def _dead(case: Case) -> Said:
    units = case.history.facts.dead_units
    more = f"; {percent(units)} of the units of a layer are never above 0" if units and units > 0.5 else ""
    loss = f"its loss stays at {case.seen.end * case.seen.guessing:.3g}"
    evidence = f"The network gives the same answer whatever the input{more}: {loss}."
    advice = (
        "Look at a batch of inputs first: are they all equal, are they scaled? Then at the initialization: biases at "
        "0, weights by He or Xavier; then a smaller learning rate, or leaky_relu."
    )
    return evidence, advice, {"response": case.history.facts.response, "dead_units": units}


def _chance(case: Case) -> Said:
    seen = case.seen
    guess = seen.error_end + seen.above_chance * seen.chance_noise
    fell = f", though the training loss fell by {percent(seen.fallen)}" if seen.fallen > 0.1 else ""
    evidence = f"The validation error of {percent(seen.error_end)} is that of guessing ({percent(guess)}){fell}."
    advice = (
        "Look at twenty training examples beside their labels: the same order, the right column? Labels without a "
        "relation to the inputs can only be memorized."
    )
    return evidence, advice, {"error": seen.error_end, "guessing_error": guess, "standard_errors": seen.above_chance}


def _fine(case: Case) -> Said:
    seen = case.seen
    error = f", an error of {percent(seen.error_end)}{case.noise}" if case.history.share else ""
    end = seen.valid_end * seen.guessing
    evidence = f"The validation loss ends at {end:.2g}{error}: nothing in the history speaks of a fault."
    longer = 3 * len(case.history)
    advice = (
        "Look at the data, the augmentation and the network first. What more epochs would gain hardly shows in a "
        "history: a confirming run (confirm) of three times as many tells."
    )
    return evidence, advice, {"valid_loss": end, "error": seen.error_end, "noise": seen.noise, "epochs": longer}


SENTENCES: dict[str, Callable[[Case], Said]] = {
    rules.LR_TOO_HIGH: _too_high,
    rules.LR_TOO_LOW: _too_low,
    rules.TOO_FEW: _too_few,
    rules.OVERFITTING: _overfitting,
    rules.ONE_CLASS: _one_class,
    rules.DEAD: _dead,
    rules.CHANCE: _chance,
    rules.FINE: _fine,
}


def largest_lr(history: TrainingHistory) -> float | None:
    """The one that was asked for, or the largest of any step; None where neither is known."""
    if history.facts.lr:
        return history.facts.lr
    known = history.step_lr[np.isfinite(history.step_lr)]
    return float(known.max()) if len(known) and known.max() > 0 else None


def percent(share: float | None) -> str:
    """As people write it: "4.5 %", "12 %"."""
    if share is None or not math.isfinite(share):
        return "an unknown share"
    value = 100 * share
    return f"{value:.1f} %" if abs(value) < 9.95 and abs(value - round(value)) > 0.05 else f"{value:.0f} %"


def _figure(value: float) -> str:
    """Three digits; from a thousand on as a whole number, from a million on as a power of ten."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"


def _plain(value: Any) -> Any:
    """As JSON takes it: null where there is no finite number."""
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
