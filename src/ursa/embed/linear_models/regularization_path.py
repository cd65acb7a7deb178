"""A classifier at one setting after the other, judged on pictures that it had not seen -> the best of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.embed.linear_models.stacking import Judge

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Counts = npt.NDArray[np.floating]

WORSE = 1.01  # a path ends where the loss has risen by so much: what follows only overfits more, and is slowest to fit


@dataclass(frozen=True)
class RegularizationPath:
    """What was tried. Logits are kept for settings that are best for some fold."""

    settings: tuple[float, ...]
    losses: F64  # [settings, folds + 1]: of the pictures of all other folds; the last column of all pictures
    logits: dict[int, F32]  # number of a setting -> [N, K], each row by a head that had not seen it

    @classmethod
    def followed(
        cls,
        settings: Sequence[float],
        logits_at: Callable[[float], F32],
        judge: Judge,
    ) -> "RegularizationPath":
        """settings: strongest first; logits_at: setting -> out-of-sample logits [N, K]."""
        losses: list[F64] = []
        kept: dict[int, F32] = {}
        for number, setting in enumerate(settings):
            kept[number] = logits_at(setting)
            losses.append(judge.losses(kept[number]))
            best = set(np.array(losses).argmin(0).tolist())
            kept = {number: logits for number, logits in kept.items() if number in best}
            if losses[-1][-1] > WORSE * min(some[-1] for some in losses):
                break
        return cls(tuple(settings[: len(losses)]), np.array(losses), kept)

    @property
    def setting(self) -> float:
        """The best by all pictures."""
        return self.settings[int(self.losses[:, -1].argmin())]

    def logits_without(self, fold: int) -> F32:
        """[N, K] at the setting that is best on all other folds; of all pictures for -1."""
        return self.logits[int(self.losses[:, fold].argmin())]


def held_out(scores: F32, weights: F32, counts: Counts, folds: I64) -> F32:
    """scores [N, R], weights [R + 1, P, K] of classifiers -> logits [N, K]: each row's by that without its fold.

    counts [P, K]: pictures that they learned from.
    """
    weights = with_absent(weights, counts)
    logits = np.empty((len(scores), weights.shape[2]), np.float32)
    for problem in range(weights.shape[1]):
        rows = folds == problem
        logits[rows] = scores[rows] @ weights[:-1, problem] + weights[-1, problem]
    return logits


def with_absent(weights: F32, counts: Counts) -> F32:
    """weights [R + 1, P, K], counts [P, K] -> weights, where a class without pictures gets the mean of the others.

    A softmax over others and their mean gives it no more than an equal share; `absent_offset` then takes that away.
    """
    weights = weights.copy()
    for problem, there in enumerate(counts > 0):
        weights[:, problem, ~there] = weights[:, problem, there].mean(1, keepdims=True)
    return weights


def absent_offset(counts: Counts) -> F32:
    """counts [P, K] -> [P, K] added to logits: a class of no picture in n gets about a share of 1 / n."""
    pictures = counts.sum(1, keepdims=True)
    return np.where(counts > 0, 0, -np.log(pictures + 1)).astype(np.float32)
