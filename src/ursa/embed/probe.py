"""Embeddings -> a linear head, calibrated out-of-sample probabilities, honest accuracy. Seconds on a CPU; no torch.

Two linear classifiers on standardized features: multinomial logistic regression with an L2 penalty, and discriminant
analysis with a shrunken covariance. Which is better depends on the pictures, so their logits are added up with weights
that cross-validation chooses, along with strength and shrinkage (`linear_models/stacking.py`). The sum of two linear
heads is one, and the weights hold the temperature: what is exported is calibrated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ursa.core import seeds, statistics, stratified
from ursa.core.statistics import softmax
from ursa.core.threads import blas_threads
from ursa.embed.linear_models.discriminant_analysis import DiscriminantAnalyses
from ursa.embed.linear_models.head import Head as Head
from ursa.embed.linear_models.logistic_regression import LogisticRegressions
from ursa.embed.linear_models.principal_components import Components, principal_components
from ursa.embed.linear_models.regularization_path import RegularizationPath, absent_offset, held_out, with_absent
from ursa.embed.linear_models.stacking import Judge
from ursa.embed.linear_models.with_unlabeled import some_unlabeled, with_unlabeled
from ursa.errors import DataError

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

# L2 strengths tried, strongest first; the penalty is strength / 2 * |W|^2 beside the mean loss. The best of the shared
# picture sets lie between 0.1 and 1, of digits near 0.0001 (docs/decisions.md).
STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
SHRINKAGES = (
    0.8,
    0.6,
    0.4,
    0.2,
    0.1,
    0.03,
    0.01,
)  # of the covariance; the best lie at 0.4 to 0.7, of digits below 0.05
TINY = 1e-30  # probabilities whose logarithm is taken
PATH_TOLERANCE = 3e-4  # of the folds; exact solutions take longer and judge no differently (measured)


@dataclass(frozen=True)
class Probe:
    """A head fitted on all pictures, and what heads that had not seen a picture say of it."""

    head: Head
    strength: float  # L2 penalty of the logistic regression
    shrinkage: float  # of the covariance of the discriminant analysis, 0 to 1
    stacking: tuple[float, float]  # weights of the logits of regression and analysis in the head
    probabilities: F32  # [N, K], each row by a head fitted without that picture's fold
    folds: I64  # [N], the fold each picture was held out in
    unlabeled: int = 0  # pictures without a label that the head learned from, too

    @property
    def kind(self) -> str:
        """What the head is made of."""
        regression, analysis = (weight > 0 for weight in self.stacking)
        known = "logistic regression" if regression else "discriminant analysis"
        known = "logistic regression and discriminant analysis" if regression and analysis else known
        return f"{known}, also of {self.unlabeled:,} pictures without labels" if self.unlabeled else known

    @property
    def temperature(self) -> float:
        """What the mean of both heads' logits, weighted, was divided by to be calibrated."""
        return 1 / sum(self.stacking)

    def accuracy(self, targets: I64) -> statistics.Estimate:
        """targets [N] -> share of pictures that are right out of sample, and the interval of the head's."""
        folds, hits = int(self.folds.max()) + 1, int((self.probabilities.argmax(1) == targets).sum())
        method = f"{folds}-fold cross-validated linear probe, {self.kind}"
        return statistics.cross_validated(hits, len(targets), folds, method)


@np.errstate(invalid="ignore")  # OpenBLAS's kernels may set that flag by what lies beyond small matrices (numpy #24067)
def fit(
    vectors: F32,
    targets: I64,
    classes: int,
    *,
    groups: I64 | None = None,
    seed: int = 0,
    folds: int = 5,
    unlabeled: F32 | None = None,
) -> Probe:
    """vectors [N, D], targets [N] in 0..classes-1; unlabeled [M, D] of pictures without labels -> Probe.

    Pictures of one group (copies of each other) are always held out together. Strength, shrinkage, weights and
    temperature of the head are those with the least cross-validated loss; those that judge a fold are chosen on the
    pictures of the other folds, so no picture is among those that choose the head that judges it. Raises DataError for
    fewer than two classes or pictures.
    """
    with blas_threads(vectors.size):
        return _fit(vectors, targets, classes, groups, seed, folds, unlabeled)


def _fit(
    vectors: F32, targets: I64, classes: int, groups: I64 | None, seed: int, folds: int, unlabeled: F32 | None
) -> Probe:
    counts = np.bincount(targets, minlength=classes)
    if (counts > 0).sum() < 2:
        raise DataError(
            "a classifier needs pictures of at least two classes",
            found=f"{(counts > 0).sum()} class with pictures",
            fix="add a folder of pictures for each class",
        )
    groups = groups if groups is not None else np.arange(len(targets))
    fold = assign_folds(targets, groups, folds, seed)
    order = np.argsort(groups, kind="stable")
    both = _Classifiers.of(principal_components(vectors, order), targets, classes, fold)
    offset = absent_offset(both.counts)
    judge = Judge.of(targets, fold, offset, order)
    paths = both.paths(judge)
    probabilities = np.empty((len(targets), classes), np.float32)
    for f in range(len(offset)):
        logits = [path.logits_without(f) for path in paths]
        rows, weights = fold == f, judge.weights(logits, without=f)
        probabilities[rows] = softmax(_sum([some[rows] for some in logits], weights) + offset[f])
    strength, shrinkage = (path.setting for path in paths)
    weights = judge.weights([path.logits_without(-1) for path in paths])
    whole = _Classifiers.of(both.components, targets, classes, np.full_like(fold, -1))
    fitted = Probe(
        head=whole.head(strength, shrinkage, weights),
        strength=strength,
        shrinkage=shrinkage,
        stacking=(float(weights[0]), float(weights[1])),
        probabilities=probabilities,
        folds=fold,
    )
    if unlabeled is None or not len(unlabeled):
        return fitted
    others = some_unlabeled(unlabeled)
    heads = [*both.fold_heads(strength, shrinkage, weights), fitted.head]
    learned = with_unlabeled(heads, vectors, targets, fold, others)
    known = [np.log(np.maximum(probabilities, TINY)), learned.logits]
    weights = judge.weights(known)
    if not weights[1]:
        return fitted
    for f in range(len(offset)):
        rows, fair = fold == f, judge.weights(known, without=f)
        probabilities[rows] = softmax(_sum([some[rows] for some in known], fair) + offset[f])
    head = learned.added_to(fitted.head, weights)
    return replace(fitted, head=head, probabilities=probabilities, unlabeled=len(others))


@np.errstate(invalid="ignore")  # as in `fit`
def fold_repeats(
    fitted: Probe, vectors: F32, targets: I64, *, groups: I64, seed: int, folds: int, repeats: int
) -> list[F32]:
    """vectors [N, D], targets [N] as given to `fit` -> [N, K] out-of-sample probabilities, `repeats` times.

    Each repeat divides the pictures into folds anew. Strength, shrinkage and weights are those of the fitted head, so
    that one repeat takes a small part of `fit`'s time; they were chosen by all pictures, which two numbers and two
    weights hardly remember.
    """
    classes, order = fitted.probabilities.shape[1], np.argsort(groups, kind="stable")
    found = []
    with blas_threads(vectors.size):
        components, weights = principal_components(vectors, order), np.array(fitted.stacking)
        for number in range(1, repeats + 1):
            fold = assign_folds(targets, groups, folds, seeds.number(seed, "fold repeats", number))
            both = _Classifiers.of(components, targets, classes, fold)
            logits = _sum(both.held_out(fitted.strength, fitted.shrinkage), weights)
            found.append(softmax(logits + absent_offset(both.counts)[fold]))
    return found


def assign_folds(targets: I64, groups: I64, folds: int, seed: int) -> I64:
    """targets [N], groups [N] -> fold [N]: classes spread evenly, groups never divided, the same for the same seed.

    Uses fewer folds when the largest class has fewer groups than that; a class with a single group is held out once,
    and nobody can then have learned it.
    """
    first = np.unique(groups, return_index=True)[1]
    if len(first) < 2:
        raise DataError(
            "a classifier needs at least two different pictures",
            found=f"{len(groups)} copies of one" if len(groups) > 1 else "one",
            fix="add pictures",
        )
    folds = max(2, min(folds, int(np.bincount(targets[first]).max())))
    return stratified.folds(targets, groups, folds, seeds.generator(seed, "folds"))


@dataclass(frozen=True)
class _Classifiers:
    """Both kinds of classifier, each without each fold."""

    components: Components
    folds: I64  # [N], -1 for what all learn from
    regressions: LogisticRegressions
    analyses: DiscriminantAnalyses

    @classmethod
    def of(cls, components: Components, targets: I64, classes: int, folds: I64) -> "_Classifiers":
        """targets [N], folds [N] -> one of each kind a fold; of what lies in no fold, one in all."""
        count = max(int(folds.max()) + 1, 1)
        regressions = LogisticRegressions(components, targets, classes, folds, count)
        return cls(
            components, folds, regressions, DiscriminantAnalyses(components.scores, targets, classes, folds, count)
        )

    @property
    def counts(self) -> F64:
        """[P, K] pictures that the classifiers learn from."""
        return self.analyses.counts

    def paths(self, judge: Judge) -> tuple[RegularizationPath, RegularizationPath]:
        """Strengths of the regression, shrinkages of the analysis."""
        weights: list[F32] = []

        def regression(strength: float) -> F32:
            weights[:] = [self.regressions.minimize(strength, weights[0] if weights else None, PATH_TOLERANCE)]
            return self._held_out(weights[0])

        def analysis(shrinkage: float) -> F32:
            return self._held_out(self.analyses.solve(shrinkage))

        return (
            RegularizationPath.followed(STRENGTHS, regression, judge),
            RegularizationPath.followed(SHRINKAGES, analysis, judge),
        )

    def head(self, strength: float, shrinkage: float, stacking: F64) -> Head:
        """The head of classifiers without folds."""
        fitted = self.regressions.minimize(strength), self.analyses.solve(shrinkage)
        weights = _sum([with_absent(some, self.counts)[:, 0] for some in fitted], stacking)
        weight = np.ascontiguousarray(self.components.basis @ weights[:-1])
        return Head(weight, weights[-1] + absent_offset(self.counts)[0], self.components.mean, self.components.scale)

    def fold_heads(self, strength: float, shrinkage: float, stacking: F64) -> list[Head]:
        """One that has not seen each fold."""
        fitted = self.regressions.minimize(strength, None, PATH_TOLERANCE), self.analyses.solve(shrinkage)
        weights = _sum([with_absent(some, self.counts) for some in fitted], stacking)  # [R + 1, P, K]
        known, offset = self.components, absent_offset(self.counts)
        return [
            Head(known.basis @ weights[:-1, f], weights[-1, f] + offset[f], known.mean, known.scale)
            for f in range(weights.shape[1])
        ]

    def held_out(self, strength: float, shrinkage: float) -> tuple[F32, F32]:
        """[N, K] logits of both, each row's by classifiers without its fold."""
        weights = self.regressions.minimize(strength, None, PATH_TOLERANCE), self.analyses.solve(shrinkage)
        return self._held_out(weights[0]), self._held_out(weights[1])

    def _held_out(self, weights: F32) -> F32:
        return held_out(self.components.scores, weights, self.counts, self.folds)


def _sum(parts: Sequence[F32], weights: F64) -> F32:
    total = np.zeros_like(parts[0])
    for part, weight in zip(parts, weights, strict=True):
        total += np.float32(weight) * part
    return total
