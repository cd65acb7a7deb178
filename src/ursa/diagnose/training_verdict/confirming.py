"""A verdict, its run and the run that would show it -> the verdict as a fact, or taken back.

That nothing is wrong is a suspicion, too: what more epochs would gain hardly shows in a history (a third of such runs
are named by it: benchmarks/training_verdicts.py), and a run three times as long tells.
"""

import math
from dataclasses import replace

from ursa.core.finding import Finding
from ursa.diagnose.training_verdict import rules
from ursa.diagnose.training_verdict.signals import noise_of
from ursa.diagnose.training_verdict.training_history import F64, TrainingHistory

CONFIRMED_BY_RUN = (rules.LR_TOO_HIGH, rules.LR_TOO_LOW, rules.TOO_FEW, rules.FINE)  # a matter of rate or epochs
LOSS = 0.2  # share by which the validation loss has to be lower, at an error that is not higher (0.1 to 0.4 tried)
BARE = 0.03  # likewise, where the loss has fallen twice as far from its start
SLOW = (rules.LR_TOO_LOW, rules.TOO_FEW)
ERRORS = 2.0  # standard errors of a difference by which an error has to be lower
WORDS = {
    rules.LR_TOO_HIGH: "a tenth of the learning rate",
    rules.LR_TOO_LOW: "ten times the learning rate",
    rules.TOO_FEW: "three times the epochs",
    rules.FINE: "three times the epochs",
}
SETTLED = "What more can be had lies in the data, the augmentation or the network, not in more epochs."


def confirmed(verdict: Finding, before: TrainingHistory, after: TrainingHistory, where: str = "") -> Finding:
    """before: the run that was judged; after: the one with what the verdict advises. where: on what, if not on all.

    The advice is right where the error ends lower by twice its standard error, or the loss by LOSS at no higher error;
    of too slow a training also where the loss fell twice as far. What three times the epochs gain, or do not, makes of
    "fine" too few epochs, and of those "fine".
    """
    if verdict.kind not in CONFIRMED_BY_RUN:
        return verdict
    old, new = (_last(each.valid_loss) for each in (before, after))
    old_error, new_error = (_last(each.error) for each in (before, after))
    gain, noise = old_error - new_error, _noise(old_error, new_error, before)
    lower_loss = math.isfinite(new) and (not math.isfinite(old) or new <= (1 - LOSS) * old)
    begun = before.start[0]
    lower_loss |= verdict.kind in SLOW and begun - new >= 2 * (begun - old) and new <= (1 - BARE) * old
    better = gain > ERRORS * noise or (lower_loss and not gain < -noise)
    if verdict.kind == rules.LR_TOO_HIGH and (after.spoiled or after.facts.diverged):
        evidence = f"{verdict.evidence} A run with {WORDS[verdict.kind]}{where} diverges too."
        return replace(
            verdict, evidence=evidence, advice="Measure a rate: learner.lr_find(), or far lower ones by hand."
        )
    better = better and math.isfinite(new)
    said = f"a run with {WORDS[verdict.kind]}{where} ends {_ends(before, old, new, old_error, new_error)}"
    shown = better or verdict.kind in (rules.TOO_FEW, rules.FINE)  # of these, no gain is an answer too
    numbers = {**verdict.numbers, "confirmed": shown, "loss_before": _or_none(old), "loss_after": _or_none(new)}
    numbers |= {"error_before": _or_none(old_error), "error_after": _or_none(new_error)}
    if better and verdict.kind == rules.FINE:
        evidence, advice = f"{_sentence(said)}: more is to be gained.", f"Train longer: {WORDS[verdict.kind]}."
        return replace(verdict, kind=rules.TOO_FEW, score=1.0, evidence=evidence, advice=advice, numbers=numbers)
    if better:
        return replace(verdict, score=1.0, evidence=f"{verdict.evidence} Confirmed: {said}.", numbers=numbers)
    if verdict.kind in (rules.TOO_FEW, rules.FINE):
        first = f"{verdict.evidence} " if verdict.kind == rules.FINE else ""
        evidence = f"{first}{_sentence(said)}: no better."
        return replace(verdict, kind=rules.FINE, score=1.0, evidence=evidence, advice=SETTLED, numbers=numbers)
    evidence = f"{verdict.evidence} But {said}: no better."
    advice = "Leave rate and epochs as they are, and look at the data or the network instead."
    return replace(verdict, kind=rules.UNCLEAR, score=0.0, evidence=evidence, advice=advice, numbers=numbers)


def _sentence(said: str) -> str:
    return said[0].upper() + said[1:]


def _ends(history: TrainingHistory, old: float, new: float, old_error: float, new_error: float) -> str:
    loss = f"at a validation loss of {_figure(new)} instead of {_figure(old)}"
    if not history.share or not math.isfinite(new_error):
        return loss
    before = f" instead of {100 * old_error:.1f} %" if math.isfinite(old_error) else ""
    return f"{loss}, an error of {100 * new_error:.1f} %{before}"


def _noise(old: float, new: float, history: TrainingHistory) -> float:
    """Standard error of the difference of two errors on the same examples; as if they were others, which is careful."""
    if not history.share:
        return 0.05 * abs(old)
    count = history.facts.valid_count
    return math.hypot(noise_of(old, count), noise_of(new, count))


def _last(values: F64) -> float:
    return float(values[-1]) if len(values) else math.nan


def _figure(value: float) -> str:
    if not math.isfinite(value):
        return "NaN"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
