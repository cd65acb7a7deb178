"""Errors of people and of each part -> where accuracy is lost: avoidable bias, variance, data mismatch, overfitting to
the validation part; each with an interval, ordered by what there is to gain, and with the steps that fit.

Ng 2018, "Machine Learning Yearning", chapters 20 to 43. Nothing of it needs Ursa's models: counts of any tool will do.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

from ursa.core.differences import independent_difference
from ursa.core.statistics import Estimate, proportion
from ursa.errors import DataError

Count = tuple[float, int]  # wrong, of how many; wrong may be a mean over several ways to count

WORDS = {
    "human": "people",
    "train": "training pictures",
    "train_dev": "train-dev pictures",
    "valid": "validation pictures",
    "test": "test pictures",
}
BIAS, VARIANCE, MISMATCH, OVERFITTING = (
    "avoidable bias",
    "variance",
    "data mismatch",
    "overfitting to the validation part",
)
STEPS = {
    BIAS: ("a larger backbone (ursa backbones)", "more epochs (--epochs)", "less augmentation and regularization"),
    VARIANCE: (
        "more pictures",
        "more augmentation (--set mixup=0.2)",
        "more regularization (--set weight_decay=0.1)",
        "wrong labels corrected (ursa check)",
    ),
    MISMATCH: (
        "training pictures that are more like the validation ones",
        "a look at what sets the mistakes apart (the report)",
    ),
    OVERFITTING: ("a larger validation part (--set split.valid=0.3)", "another validation part (--seed 1)"),
}


@dataclass(frozen=True)
class Gap:
    """The distance of two errors that follow each other."""

    name: str  # what it is called: a key of STEPS
    between: tuple[str, str]  # of WORDS
    size: Estimate  # the later error less the earlier one; negative where the later one is smaller

    @property
    def told(self) -> bool:
        """Whether chance alone seldom makes such a gap."""
        return self.size.low > 0

    @property
    def steps(self) -> tuple[str, ...]:
        """What makes it smaller, the commonest first."""
        return STEPS[self.name]

    @property
    def rise(self) -> str:
        """Its size in points, with the interval."""
        value, low, high = (100 * part for part in (self.size.value, self.size.low, self.size.high))
        return f"{value:.1f} points (95 % interval {low:.1f} to {high:.1f})"

    def __str__(self) -> str:
        return f"{self.name} {self.rise}"

    def to_json(self) -> dict[str, Any]:
        """{"name", "between", "size", "told", "steps"}."""
        about = {"name": self.name, "between": list(self.between), "size": self.size.to_json()}
        return {**about, "told": self.told, "steps": list(self.steps)}


@dataclass(frozen=True)
class Gaps:
    """All gaps, those that chance does not explain first, of these the largest."""

    rows: tuple[Gap, ...]
    errors: dict[str, Estimate]  # share that is wrong, by the names of WORDS
    human_given: bool  # else it is taken as 0
    mixed: bool  # without a train-dev part, what is called variance may be data mismatch

    @property
    def largest(self) -> Gap | None:
        """The one to work on first; None where chance alone explains each of them."""
        return self.rows[0] if self.rows and self.rows[0].told else None

    @property
    def evidence(self) -> str:
        """The largest one, in a sentence."""
        if (first := self.largest) is None:
            return f"No gap between the parts is told from chance; the largest is {max(self.rows, key=_size)}."
        one, other = (WORDS[name] for name in first.between)
        said = f"Most is to be gained from {first.name}: the error rises by {first.rise} from {one} to {other}."
        doubtful = max(self.rows, key=_size)
        if doubtful is first:
            return said
        return f"{said} The {doubtful.name}, {doubtful.rise}, is larger, but may be chance."

    @property
    def advice(self) -> str:
        """What makes it smaller, and what it may be instead."""
        if (first := self.largest) is None:
            return "More validation pictures would tell."
        said = f"What helps: {'; '.join(first.steps)}."
        if first.name == VARIANCE and self.mixed:
            said += " If validation pictures come from elsewhere it may be data mismatch: --set train_dev=0.1 tells."
        if first.name == OVERFITTING:
            said += " Test pictures that come from elsewhere than the validation pictures look the same."
        if first.name == BIAS and not self.human_given:
            said += " People are taken to make no errors; if they do: --human-error 0.02."
        return said

    def __str__(self) -> str:
        return f"{self.evidence} {self.advice}"

    def to_json(self) -> dict[str, Any]:
        """{"gaps": [...], "errors": {name: metric}, "human_given", "evidence", "advice"}."""
        errors = {name: error.to_json() for name, error in self.errors.items()}
        rows = [gap.to_json() for gap in self.rows]
        about = {"human_given": self.human_given, "evidence": self.evidence, "advice": self.advice}
        return {"gaps": rows, "errors": errors, **about}


def gaps(
    train: Count,
    valid: Count,
    *,
    train_dev: Count | None = None,
    test: Count | None = None,
    human: float | Count | None = None,
) -> Gaps:
    """Each part as (wrong, examples) -> Gaps. Of training examples some are enough, seen as in evaluation.

    train_dev: alike those learned from, but not learned from; without it variance and data mismatch are one gap. human:
    the share that people get wrong, or (wrong, examples) of a trial with people; None: it is taken as 0. Parts hold
    different examples, so each interval is Newcombe's of independent shares; a share of people without a count has none
    of its own. Raises DataError for counts that are none.

    >>> print(gaps((4, 500), (31, 200)).largest)
    variance 14.7 points (95 % interval 10.2 to 20.4)
    """
    given = {"train": train, "train_dev": train_dev, "valid": valid, "test": test}
    counts = {name: _count(name, count) for name, count in given.items() if count is not None}
    errors = {"human": _human(human)} | {
        name: proportion(wrong, total, f"share of {total:,} {WORDS[name]} that is wrong")
        for name, (wrong, total) in counts.items()
    }
    names = {"train": BIAS, "train_dev": VARIANCE, "valid": MISMATCH if train_dev else VARIANCE, "test": OVERFITTING}
    order = list(errors)
    rows = [
        Gap(names[later], (earlier, later), _between(earlier, later, counts, errors, human))
        for earlier, later in itertools.pairwise(order)
    ]
    rows.sort(key=lambda gap: (not gap.told, -gap.size.value))
    return Gaps(tuple(rows), errors, human is not None, train_dev is None)


def _size(gap: Gap) -> float:
    return gap.size.value


def _between(
    earlier: str, later: str, counts: dict[str, Count], errors: dict[str, Estimate], human: float | Count | None
) -> Estimate:
    """The later error less the earlier one."""
    method = f"error on {WORDS[later]} less that of {WORDS[earlier]}"
    if earlier == "human" and not isinstance(human, tuple):
        error, known = errors[later], errors["human"].value
        low, high = error.low - known, error.high - known
        return Estimate(error.value - known, low, high, f"{method}; Wilson 95 % interval of the former", share=True)
    (wrong, total), (before, of) = counts[later], _count("human", human) if earlier == "human" else counts[earlier]
    return independent_difference(wrong, total, before, of, method)


def _count(name: str, count: Any) -> Count:
    """Raises DataError for what is no count of wrong examples."""
    wrong, total = count if isinstance(count, tuple | list) and len(count) == 2 else (math.nan, 0)
    if not (isinstance(total, int) and total > 0 and 0 <= wrong <= total):  # false for NaN too
        fix = f"{name}=(wrong, examples), as in {name}=(12, 400)"
        raise DataError("a gap lies between two counts of wrong examples", found=f"{name}={count!r}", fix=fix)
    return wrong, total


def human_error(share: float | None) -> float | None:
    """A share of wrong answers as it was typed. Raises DataError for what is none."""
    if share is not None and not 0 <= share < 1:  # false for NaN too
        fix = "as in 0.02, where people get 2 of 100 wrong"
        raise DataError("the error of people is a share, from 0 to less than 1", found=f"{share:g}", fix=fix)
    return share


def _human(human: float | Count | None) -> Estimate:
    if isinstance(human, tuple):
        wrong, total = _count("human", human)
        return proportion(wrong, total, f"share of {total:,} examples that people get wrong")
    share = human_error(human)
    if share is None:
        return Estimate(0.0, 0.0, 0.0, "not given: taken as 0", share=True)
    return Estimate(share, share, share, "given, without an interval", share=True)
