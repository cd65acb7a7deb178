"""Margins, answers so far -> how many wrong labels are left, at most how many, whether to stop, and what to show next.

Suspects come first, for as long as the estimate says that too many wrong labels are left; then, among the next
suspects, pictures drawn at random from those nobody has looked at: they prove it, or show that the estimate is wrong.
Random ones among the first suspects would find what suspects find anyway, and make the proof longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.clean.stopping.most_left import RandomDraws, ReviewAnswer, draws_needed, most_left
from ursa.clean.wrong_labels.label_answers import FEWEST, LabelEstimate, estimate
from ursa.core import seeds
from ursa.core.statistics import Estimate
from ursa.core.text import counted
from ursa.errors import DataError

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ALLOWED = 0.02  # of all labels: wrong ones that may be left
# Of the allowed number: where the estimate's upper end is below, random pictures can show it. Answers that a review
# takes with 0.5: 1,340, 0.8: 1,360, 1: 1,830; with one random picture in ten from the start: 1,950 (docs/decisions.md).
TO_PROVE = 0.5
EVERY = 3  # then: one suspect, two random ones. All random: 543 answers where this takes 510, and 1,340 for 1,370
METHOD = "logistic regression in the margin; upper end a confidence sequence of random draws, 95 % at whatever look"


@dataclass(frozen=True)
class StopAdvice:
    """What is known of the labels that nobody has looked at."""

    pictures: int  # in all
    unseen: int  # of them, nobody has looked at
    found: int  # wrong labels so far
    left: float | None  # wrong ones among the unseen; None before there are FEWEST answers
    left_high: float | None  # upper end of that estimate, which trusts the margins; infinite: not known yet
    most: int  # at most so many, 95 %, whenever one stops
    allowed: int  # so many may be left
    needed: int  # random pictures without a wrong label that would show that no more are left; 0: it is shown

    @property
    def stop(self) -> bool:
        """Whether to stop: no more than allowed are left, or there is nothing left to look at."""
        return self.most <= self.allowed

    @property
    def sentence(self) -> str:
        """For the person who reviews."""
        unseen = counted(self.unseen, "label")
        if not self.unseen:
            return "Every label was looked at."
        if self.stop:
            return (
                f"You can stop: at most {self.most:,} of the {unseen} that nobody has looked at are wrong (95 %), and "
                f"{self.allowed:,} are allowed."
            )
        if self.left is None:
            return f"Go on: how many wrong labels are left can be told after {FEWEST} answers."
        about = f"about {self.left:,.0f}" if self.left >= 0.5 else "hardly any"
        if not self.proving:
            return f"Go on: {about} of the {unseen} that nobody has looked at are wrong; {self.allowed:,} are allowed."
        return (
            f"Go on: {about} of the {unseen} that nobody has looked at should be wrong. "
            f"{counted(self.needed, 'random picture')} without a wrong label would show that at most "
            f"{self.allowed:,} are."
        )

    @property
    def proving(self) -> bool:
        """Whether random pictures come next."""
        return self.left_high is not None and self.left_high <= TO_PROVE * self.allowed

    def to_json(self) -> dict[str, Any]:
        """`estimate_left` of the documents: {"value", "high", ...}."""
        known = Estimate(float("nan") if self.left is None else self.left, 0.0, float(self.most), METHOD)
        return {
            **known.to_json(),
            "unseen": self.unseen,
            "found": self.found,
            "allowed": self.allowed,
            "needed": self.needed,
            "stop": self.stop,
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class NextPicture:
    """What to show next; `drawn_from` goes into the journal with its answer."""

    row: int
    drawn_from: int = 0  # unseen pictures that it was drawn from at random; 0: it is a suspect


def when_to_stop(margins: F64, answers: Sequence[ReviewAnswer], *, allowed: float = ALLOWED) -> StopAdvice:
    """margins [N] of the pictures that are there; answers in the order in which they came, one a picture.

    allowed: share of the labels that may stay wrong. Raises DataError where it is none, and for answers about other
    pictures.
    """
    if not 0 < allowed < 1:
        raise DataError("the share of wrong labels that may be left is no share", found=allowed, fix="0.02, say")
    seen = _seen(len(margins), answers)
    unseen = int((~seen).sum())
    draws, known = RandomDraws.of(answers, unseen), _estimate(margins, answers)
    pictures = unseen + len(answers)
    enough = int(allowed * pictures + 1e-9)
    left, high = (None, None) if known is None else _left(known, seen, answers)
    most = most_left(draws)
    needed = draws_needed(draws, enough) if most > enough else 0
    return StopAdvice(pictures, unseen, draws.found, left, high, most, enough, needed)


def next_to_review(
    margins: F64, answers: Sequence[ReviewAnswer], *, allowed: float = ALLOWED, seed: int = 0
) -> NextPicture | None:
    """-> the likeliest wrong label that nobody has looked at, or, once few are left, a random one; None: no more.

    The same answers give the same picture.
    """
    seen = _seen(len(margins), answers)
    rows = np.flatnonzero(~seen)
    if not len(rows):
        return None
    known = _estimate(margins, answers)
    high = _left(known, seen, answers)[1] if known else np.inf
    few = TO_PROVE * int(allowed * (len(rows) + len(answers)) + 1e-9)
    if high > few or len(answers) % EVERY == 0:
        return NextPicture(int(rows[margins[rows].argmax()]))
    return drawn_at_random(len(margins), answers, seed=seed)


def drawn_at_random(count: int, answers: Sequence[ReviewAnswer], *, seed: int = 0) -> NextPicture | None:
    """-> one of `count` pictures that nobody has looked at, each as likely as the others; None: there is none.

    The same answers give the same picture.
    """
    rows = np.flatnonzero(~_seen(count, answers))
    if not len(rows):
        return None
    draw = seeds.generator(seed, "random picture to review", len(answers))
    return NextPicture(int(rows[draw.integers(len(rows))]), len(rows))


def _estimate(margins: F64, answers: Sequence[ReviewAnswer]) -> LabelEstimate | None:
    """From the answers since a label that was looked at became another: margins of before are not known any more."""
    changed = [place for place, answer in enumerate(answers) if answer.corrected]
    fitting = {answer.row: answer.wrong for answer in answers[(changed[-1] + 1 if changed else 0) :] if answer.row >= 0}
    return estimate(margins, fitting) if len(fitting) >= min(FEWEST, max(len(margins), 1)) else None


def _left(known: LabelEstimate, seen: Mask, answers: Sequence[ReviewAnswer]) -> tuple[float, float]:
    """Wrong labels among the unseen, and the upper end: only they are uncertain.

    Where most of the last suspects were wrong, nobody has seen yet where wrong labels end, and there is no upper end.
    """
    left = float(known.wrong[~seen].sum())
    last = [answer.wrong for answer in answers if not answer.drawn_from][-FEWEST:]
    return left, np.inf if sum(last) > len(last) / 2 else left + known.count.high - known.count.value


def _seen(count: int, answers: Sequence[ReviewAnswer]) -> Mask:
    rows = np.array([answer.row for answer in answers if answer.row >= 0], np.int64)
    if len(rows) and (rows.max() >= count or len(np.unique(rows)) < len(rows)):
        raise DataError("answers are about other pictures, or two are about one", found=f"{len(rows):,} answers")
    seen = np.zeros(count, np.bool_)
    seen[rows] = True
    return seen
