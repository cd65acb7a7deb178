"""Discriminant analyses from sums are those that scikit-learn fits to the rows."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ursa.embed.linear_models.discriminant_analysis import DiscriminantAnalyses


def drawn(pictures=150, features=12, shares=(0.6, 0.3, 0.1), seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.choice(len(shares), pictures, p=shares)
    means = rng.normal(0, 1, (len(shares), features))
    return (means[targets] + rng.normal(size=(pictures, features)) * rng.uniform(0.2, 3, features)).astype(
        np.float32
    ), targets


def log_probabilities(scores, weights):
    logits = scores @ weights[:-1] + weights[-1]
    return logits - logits.max(1, keepdims=True)


@pytest.mark.parametrize("solver", ["lsqr", "eigen"])
@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 0.8, 1.0])
def test_the_analysis_is_the_one_that_sklearn_fits(shrinkage, solver):
    scores, targets = drawn()
    weights = DiscriminantAnalyses(scores, targets, 3, np.full(150, -1), 1).solve(shrinkage)[:, 0]
    model = LinearDiscriminantAnalysis(solver=solver, shrinkage=shrinkage).fit(scores, targets)
    wanted = model.decision_function(scores)
    assert np.abs(log_probabilities(scores, weights) - (wanted - wanted.max(1, keepdims=True))).max() < 0.01


def test_the_shrinkage_that_ledoit_and_wolf_choose_gives_what_sklearn_gives_for_auto():
    """sklearn chooses it for each class: the same where classes are mirror images of each other."""
    half, _ = drawn(pictures=80, shares=(1.0,))
    half = (half - half.mean(0)) / half.std(0)  # sklearn standardizes before it chooses
    scores = np.concatenate([half - 0.5, 0.5 - half]).astype(np.float32)
    targets = np.repeat([0, 1], 80)
    from sklearn.covariance import ledoit_wolf_shrinkage

    weights = DiscriminantAnalyses(scores, targets, 2, np.full(160, -1), 1).solve(ledoit_wolf_shrinkage(half))[:, 0]
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(scores, targets)
    found = scores @ weights[:-1] + weights[-1]
    assert np.abs(found[:, 1] - found[:, 0] - model.decision_function(scores)).max() < 0.01


def test_leaving_a_fold_out_by_subtraction_is_fitting_without_it():
    scores, targets = drawn()
    folds = np.arange(150) % 5
    together = DiscriminantAnalyses(scores, targets, 3, folds, 5).solve(0.3)
    for fold in range(5):
        rows = folds != fold
        alone = DiscriminantAnalyses(scores[rows], targets[rows], 3, np.full(rows.sum(), -1), 1).solve(0.3)[:, 0]
        assert np.abs(together[:, fold] - alone).max() < 1e-3 * np.abs(alone).max()


def test_rows_far_from_zero_lose_no_precision_that_matters():
    scores, targets = drawn()
    near = DiscriminantAnalyses(scores, targets, 3, np.full(150, -1), 1).solve(0.5)[:, 0]
    far = DiscriminantAnalyses(scores + 20, targets, 3, np.full(150, -1), 1).solve(0.5)[:, 0]
    assert np.abs(log_probabilities(scores, near) - log_probabilities(scores + 20, far)).max() < 0.05


def test_a_class_without_pictures_gets_zeros_and_one_picture_a_class_can_be_solved():
    scores, targets = drawn(pictures=30)
    weights = DiscriminantAnalyses(scores, targets, 5, np.full(30, -1), 1).solve(0.5)[:, 0]
    assert not weights[:, 3:].any() and weights[:, :3].any()
    alone = DiscriminantAnalyses(scores[:3], np.arange(3), 3, np.full(3, -1), 1).solve(0.5)[:, 0]
    assert np.isfinite(alone).all()
    assert ((scores[:3] @ alone[:-1] + alone[-1]).argmax(1) == np.arange(3)).all()
