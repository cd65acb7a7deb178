"""Pictures drawn at random from those nobody had looked at -> at most so many wrong labels are left, 95 %.

A draw i from n_i pictures finds a wrong label with probability p_i(W) = (W - f_i) / n_i, where W is the number of all
wrong labels and f_i how many had been found before: whichever suspects a person looks at in between, and for whatever
reason, p_i is known for each W. So for the true W

    product of q_i(x_i) / p_i(x_i; W),    q_i: the prediction of a fixed mixture of shares

is a martingale that begins at 1. By Ville's inequality it ever reaches 20 with a probability of at most 5 %. What W it
rules out stays ruled out however often one looks and whenever one stops (a confidence sequence: Robbins 1970; without
replacement: Waudby-Smith and Ramdas 2020). Clopper and Pearson's limit, which holds for one look that was planned, is
undercut by the first review that stops at a lucky moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

RULED_OUT = float(np.log(20))  # at 95 %
NONE_LEFT = 0.5  # of the mixture: that no wrong label is left. Costs log 2 beside a look that was planned
SHARES = np.geomspace(1e-4, 0.3, 16)  # of wrong labels: the rest of the mixture
MOST_DRAWS = 1 << 20  # that are ever said to be needed


@dataclass(frozen=True)
class ReviewAnswer:
    """What a person said of the label of one picture, the picture of a row."""

    row: int  # -1: the picture is gone since
    wrong: bool
    drawn_from: int = 0  # how many unseen pictures it was drawn from at random; 0: it was suspected
    corrected: bool = False  # the label is another one by now


@dataclass(frozen=True)
class RandomDraws:
    """The random draws that count, and the state of the review."""

    found_before: F64  # [T] wrong labels found before each draw
    drawn_from: F64  # [T] pictures
    wrong: npt.NDArray[np.bool_]  # [T]
    found: int  # wrong labels in all answers
    pool: int  # pictures nobody has looked at

    @classmethod
    def of(cls, answers: Sequence[ReviewAnswer], pool: int) -> "RandomDraws":
        """answers in the order in which they came, one a picture; pool: pictures that nobody has looked at.

        A draw from before pictures were added says nothing of these, so it does not count. Pictures that are gone since
        may have been the right ones: all wrong labels may be among those that are there.
        """
        found = np.cumsum([answer.wrong for answer in answers], dtype=np.int64)
        all_now, counted = pool + len(answers), []
        for place, answer in enumerate(answers):
            if answer.drawn_from and answer.drawn_from + place >= all_now:
                before = int(found[place]) - answer.wrong
                counted.append((before, answer.drawn_from, answer.wrong))
        known = np.array(counted, np.float64).reshape(-1, 3)
        wrong = int(found[-1]) if len(found) else 0
        return cls(known[:, 0], known[:, 1], known[:, 2] > 0, wrong, pool)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.wrong)


def most_left(draws: RandomDraws) -> int:
    """-> the largest number of wrong labels among the unseen pictures that is not ruled out at 95 %.

    Sound at every look, and at whatever look one stops.
    """
    if not draws.count:
        return draws.pool
    predicted = _predicted(int(draws.wrong.sum()), draws.count)
    low, high = _likeliest(draws), draws.pool
    while low < high:  # beyond the likeliest number the evidence against it only grows
        middle = (low + high + 1) // 2
        if predicted - _log_likelihood(draws, middle) < RULED_OUT:
            low = middle
        else:
            high = middle - 1
    return low


def draws_needed(draws: RandomDraws, target: int) -> int:
    """-> how many more draws, none of them wrong, would show that at most `target` wrong labels are left."""
    if most_left(draws) <= target:
        return 0
    hits, beyond = int(draws.wrong.sum()), target + 1
    known = _log_likelihood(draws, beyond)
    low, high = 1, max(1, draws.pool - target)  # so many unseen ones less, and no more than `target` are there
    while low < high:
        middle = (low + high) // 2
        ahead = np.log1p(-beyond / (draws.pool - np.arange(middle))).sum()
        if _predicted(hits, draws.count + middle) - known - ahead >= RULED_OUT:
            high = middle
        else:
            low = middle + 1
    return low


def _predicted(hits: int, count: int) -> float:
    """The logarithm of what the mixture gives to so many wrong labels in so many draws, in their order."""
    logs = np.log((1 - NONE_LEFT) / len(SHARES)) + hits * np.log(SHARES) + (count - hits) * np.log1p(-SHARES)
    if not hits:
        logs = np.append(logs, np.log(NONE_LEFT))
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).sum()))


def _log_likelihood(draws: RandomDraws, left: int) -> float:
    """Of the draws, if so many wrong labels are left now."""
    share = (draws.found + left - draws.found_before) / draws.drawn_from
    with np.errstate(divide="ignore"):
        return float(np.log(np.where(draws.wrong, share, 1 - share)).sum())


def _likeliest(draws: RandomDraws) -> int:
    """The number with the largest likelihood, which is concave in it."""
    low, high = 0, draws.pool
    while low < high:
        middle = (low + high) // 2
        if _log_likelihood(draws, middle + 1) > _log_likelihood(draws, middle):
            low = middle + 1
        else:
            high = middle
    return low
