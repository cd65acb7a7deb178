"""Heads, features of pictures with labels and without -> discriminant analyses that learned from both.

A class is a normal distribution, all of them with one covariance. Pictures without a label belong to each class with
the probability that a head, then the analysis so far gives them, and each round learns from that (expectation
maximization: Dempster, Laird and Rubin 1977; a weight for pictures without labels: Nigam et al. 2000).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core.statistics import softmax
from ursa.core.threads import blas_threads
from ursa.embed.linear_models.head import Head
from ursa.embed.linear_models.principal_components import Components, principal_components
from ursa.embed.linear_models.regularization_path import with_absent

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

# Measured on 800 pictures of clothing and 1,000 digits with 60 to 300 labels (docs/decisions.md).
WEIGHT = 0.3  # of a picture without a label, beside one with; 0.1 to 0.4 do as well
SHRINKAGE = 0.1  # of the covariance towards a multiple of the identity: all pictures say what it is
MOST_COMPONENTS = 150  # the largest; 80 know digits less well, 300 are too many for 100 labels
ROUNDS = 10  # twenty give the same
MOST = 4096  # pictures without a label


@dataclass(frozen=True)
class WithUnlabeled:
    """What the analyses say."""

    components: Components
    weights: F32  # [R + 1, K] of the analysis that the last head began; the last row is the bias
    logits: F32  # [N, K] of the labeled, each by the analysis without its fold

    def added_to(self, head: Head, weights: F64) -> Head:
        """weights [2] of the head's logits and of the analysis'. -> their sum, as one head."""
        known = self.components
        before = head.in_terms_of(known.mean, known.scale)
        weight = weights[0] * before.weight + weights[1] * (known.basis @ self.weights[:-1])
        bias = weights[0] * before.bias + weights[1] * self.weights[-1]
        return Head(weight.astype(np.float32), bias.astype(np.float32), known.mean, known.scale)


def with_unlabeled(heads: Sequence[Head], vectors: F32, targets: I64, folds: I64, others: F32) -> WithUnlabeled:
    """heads: one without each fold, then one of all; vectors [N, D], targets [N], folds [N]; others [M, D]."""
    both = np.concatenate([vectors, others])
    components = principal_components(both, np.arange(len(both))).largest(MOST_COMPONENTS)
    scores, rest = components.scores[: len(vectors)], components.scores[len(vectors) :]
    classes = heads[-1].weight.shape[1]
    logits, weights = np.zeros((len(vectors), classes), np.float32), np.zeros(0, np.float32)
    for f, head in enumerate(heads):
        mine = folds == f  # none, at the last
        weights = _weights(scores[~mine], targets[~mine], classes, rest, head.probabilities(others))
        logits[mine] = scores[mine] @ weights[:-1] + weights[-1]
    return WithUnlabeled(components, weights, logits)


def some_unlabeled(vectors: F32) -> F32:
    """vectors [M, D] -> at most MOST of them, evenly."""
    if len(vectors) <= MOST:
        return vectors
    return vectors[np.linspace(0, len(vectors) - 1, MOST).round().astype(np.int64)]


def _weights(known: F32, targets: I64, classes: int, others: F32, start: F32) -> F32:
    """known [N, R], targets [N]; others [M, R], start [M, K] their probabilities -> [R + 1, K].

    Classes that no label names get the mean of the others, as `with_absent` says.
    """
    there = np.bincount(targets, minlength=classes) > 0
    onehot = (targets[:, None] == np.flatnonzero(there)).astype(np.float32)  # [N, classes there]
    # Probabilities add up to one: what the others say of the products is the same in each round.
    products = known.T @ known + WEIGHT * (others.T @ others)
    share = start[:, there] / np.maximum(start[:, there].sum(1, keepdims=True), 1e-12)
    solved = np.zeros((known.shape[1] + 1, len(onehot.T)), np.float32)
    for _ in range(ROUNDS):
        counts = onehot.sum(0) + WEIGHT * share.sum(0)
        means = (onehot.T @ known + WEIGHT * (share.T @ others)) / counts[:, None]
        solved = _analysis(products, counts, means)
        share = softmax(others @ solved[:-1] + solved[-1])
    weights = np.zeros((len(solved), 1, classes), np.float32)
    weights[:, 0, there] = solved
    return with_absent(weights, there[None].astype(np.float64))[:, 0]


def _analysis(products: F32, counts: F32, means: F32) -> F32:
    """Sum of products [R, R], pictures [K] and means [K, R] of classes -> weights [R + 1, K]."""
    width = len(products)
    covariance = (products - (means * counts[:, None]).T @ means) / counts.sum()
    level = max(float(np.trace(covariance)) / width, 1e-6)
    covariance *= 1 - SHRINKAGE
    covariance[np.diag_indices(width)] += SHRINKAGE * level
    with blas_threads(0):
        slope = np.linalg.solve(covariance, means.T)
    bias = np.log(counts / counts.sum()) - (means.T * slope).sum(0) / 2
    return np.concatenate([slope, bias[None]]).astype(np.float32)
