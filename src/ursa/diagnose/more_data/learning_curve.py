"""Embeddings, labels -> how often linear classifiers are right that learned from fewer pictures: a learning curve.

At each size a logistic regression, as the probe's, learns from a draw and is judged on a fold that is never among the
pictures drawn from. The draws of a fold grow into each other, and all sizes are judged on the same pictures, so that
what one size gains on another is known far better than either.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ursa.core import seeds, statistics, stratified
from ursa.core.statistics import Estimate
from ursa.core.threads import blas_threads, chunks
from ursa.embed.linear_models.logistic_regression import LogisticRegressions
from ursa.embed.linear_models.principal_components import Components, principal_components
from ursa.embed.linear_models.regularization_path import RegularizationPath, absent_offset, with_absent
from ursa.embed.linear_models.stacking import Judge
from ursa.errors import DataError

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

PICTURES, CLASSES, OF_CLASS = 40, 2, 10  # least that a curve is drawn from: of all; of classes with OF_CLASS each
SIZES = 8
SMALLEST = 1 / 32  # of the largest size
A_CLASS = 2  # pictures a class, on average, in the smallest draw
FOLDS = 5
SHUFFLES = 4  # of five folds each: 20 draws a size
JUDGED = 8000  # pictures that are judged at a size, over all shuffles; more would hardly tell more, and take longer
# L2 strengths (see `embed.probe`), strongest first: at each size the one with the least loss. Finer steps change the
# accuracy by 0.1 points, one strength for all sizes by up to 5 (measured).
STRENGTHS = (1.0, 0.1, 0.01, 0.001)
TOLERANCE = 1e-3  # of the gradient's norm; exact solutions are right as often (measured)


@dataclass(frozen=True)
class LearningCurve:
    """What linear classifiers are worth that learned from so many pictures."""

    sizes: F64  # [S] pictures learned from, on average; the last: as many as each of five folds of a probe
    right: Bool  # [S, shuffles, N] whether each picture, held out, was right
    log_losses: F64  # [S] of held-out pictures at the best temperature, nats
    targets: I64  # [N]
    groups: I64  # [N] near duplicates share a number

    @property
    def draws(self) -> int:
        """Sets of pictures learned from at each size."""
        return FOLDS * int(self.right.shape[1])

    def accuracy(self) -> list[Estimate]:
        """[S] shares of held-out pictures that are right."""
        count, found = self.right.shape[2], []
        for size, share in zip(self.sizes, self.right.mean((1, 2)), strict=True):
            method = f"{self.draws} logistic regressions on {size:,.0f} pictures each, held-out pictures"
            interval = statistics.proportion(round(count * float(share)), count, method)
            low, high = min(interval.low, float(share)), max(interval.high, float(share))
            found.append(replace(interval, value=float(share), low=low, high=high))
        return found


def learning_curve(
    vectors: F32, targets: I64, classes: int, *, groups: I64 | None = None, seed: int = 0
) -> LearningCurve:
    """vectors [N, D], targets [N] in 0..classes-1 -> LearningCurve, at eight sizes in even ratios.

    groups [N]: pictures with the same number are drawn and held out together. A draw holds each class in its share of
    all pictures. Standardization and components are those of all pictures, as in the probe; no label of a held-out
    picture is seen. Raises DataError where `too_few` says why.
    """
    if reason := too_few(targets, groups):
        raise DataError("there are too few pictures for a learning curve", found=reason, fix="add pictures")
    groups = np.arange(len(targets)) if groups is None else groups
    with blas_threads(vectors.size):
        return _drawn(vectors, targets, classes, groups, seed)


def _drawn(vectors: F32, targets: I64, classes: int, groups: I64, seed: int) -> LearningCurve:
    components = principal_components(vectors, np.argsort(groups, kind="stable"))
    largest = (1 - 1 / FOLDS) * len(targets)
    present = len(np.unique(targets))
    wanted = np.geomspace(max(SMALLEST * largest, min(A_CLASS * present, largest / 8)), largest, SIZES)
    shuffles = int(np.clip(round(JUDGED / len(targets)), 1, SHUFFLES))
    draws = [draw for shuffle in range(shuffles) for draw in nested_draws(targets, groups, seed, shuffle)]
    right = np.zeros((SIZES, shuffles, len(targets)), np.bool_)
    sizes, losses = np.zeros(SIZES), np.zeros(SIZES)

    def judge(s: int) -> None:
        ends = [ends[min(int(np.searchsorted(ends, wanted[s] - 0.5)), len(ends) - 1)] for _, _, ends in draws]
        sizes[s] = np.mean(ends)
        cut = [(held_out, order[:end]) for (held_out, order, _), end in zip(draws, ends, strict=True)]
        logits, losses[s] = _judged(components, targets, classes, cut)
        right[s] = logits.argmax(1).reshape(shuffles, -1) == targets

    for _ in chunks(range(SIZES)[::-1], judge, size=SIZES):  # the largest first, since they take longest
        pass
    return LearningCurve(sizes, right, losses, targets, groups)


def too_few(targets: I64, groups: I64 | None = None) -> str:
    """targets, groups [N] -> why no learning curve is drawn from them; "" if one is. Near duplicates count once."""
    if groups is not None:
        targets = targets[np.unique(groups, return_index=True)[1]]
    enough = int((np.bincount(targets, minlength=1) >= OF_CLASS).sum())
    if len(targets) < PICTURES:
        return f"a learning curve takes {PICTURES} different pictures, and there are {len(targets)}"
    if enough < CLASSES:
        return f"a learning curve takes two classes of {OF_CLASS} different pictures, and there is {enough or 'none'}"
    return ""


def nested_draws(targets: I64, groups: I64, seed: int, shuffle: int) -> Iterator[tuple[I64, I64, I64]]:
    """targets, groups [N] -> for each fold: its rows, all others in drawing order, ends of the order's groups.

    Whatever end it is cut at, the order holds each class in its share of all pictures, to within one group.
    """
    first, member = np.unique(groups, return_index=True, return_inverse=True)[1:]
    member = member.reshape(-1)
    fold = stratified.folds(targets, groups, FOLDS, seeds.generator(seed, "learning curve folds", shuffle))
    for number in range(FOLDS):
        place = _places(targets[first], seeds.generator(seed, "learning curve", shuffle, number))
        rows = np.flatnonzero(fold != number)
        rows = rows[np.argsort(place[member[rows]], kind="stable")]
        ends = np.flatnonzero(np.diff(member[rows], append=-1)) + 1
        yield np.flatnonzero(fold == number), rows, ends


def _places(targets: I64, draw: np.random.Generator) -> F64:
    """targets [G] of groups -> [G] where each comes: those of a class at even distances, from a start by chance."""
    place, order = np.empty(len(targets)), draw.permutation(len(targets))
    for number in np.unique(targets):
        own = order[targets[order] == number]
        place[own] = (np.arange(len(own)) + draw.random()) / len(own)
    return place


def _judged(components: Components, targets: I64, classes: int, draws: list[tuple[I64, I64]]) -> tuple[F32, float]:
    """draws: rows held out, rows to learn from -> logits [shuffles * N, K], their loss, at the best strength."""
    shuffles, count = len(draws) // FOLDS, len(targets)
    rows = [d // FOLDS * count + held_out for d, (held_out, _) in enumerate(draws)]
    counts = [np.bincount(targets[learned], minlength=classes)[None].astype(float) for _, learned in draws]
    offset = np.concatenate([absent_offset(each) for each in counts])
    number = np.empty(shuffles * count, np.int64)
    weights: list[F32 | None] = [None] * len(draws)  # of the strength before, to start from
    for d in range(len(draws)):
        number[rows[d]] = d

    def logits_at(strength: float) -> F32:
        logits = np.zeros((shuffles * count, classes), np.float32)
        for d, (held_out, learned) in enumerate(draws):
            if (counts[d] > 0).sum() < 2:  # a small draw of a large class: that is what everything is taken for
                continue
            part = replace(components, scores=components.scores[learned])
            model = LogisticRegressions(part, targets[learned], classes, np.full(len(learned), -1), 1)
            fitted = weights[d] = model.minimize(strength, weights[d], TOLERANCE)
            known = with_absent(fitted, counts[d])[:, 0]
            logits[rows[d]] = components.scores[held_out] @ known[:-1] + known[-1]
        return logits

    judge = Judge.of(np.tile(targets, shuffles), number, offset, np.arange(shuffles * count))
    path = RegularizationPath.followed(STRENGTHS, logits_at, judge)
    best = int(path.losses[:, -1].argmin())
    return path.logits[best] + offset[number], float(path.losses[best, -1])
