"""The regressions of all folds, fitted at once on principal components, are each the exact solution of its own rows."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ursa.embed.linear_models import logistic_regression
from ursa.embed.linear_models.logistic_regression import LogisticRegressions
from ursa.embed.linear_models.principal_components import principal_components


def overlapping(classes=3, pictures=240, features=20, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(pictures) % classes)
    centers = rng.normal(0, 0.7, (classes, features))
    mixed = (centers[targets] + rng.normal(size=(pictures, features))) @ rng.normal(size=(features, features))
    return (mixed + 10).astype(np.float32), targets


def by_sklearn(standardized, targets, learns, strength):
    if targets.max() == 1:  # sklearn has one vector of weights for two classes, w - (-w): its square counts double
        strength = strength / 2
    model = LogisticRegression(C=1 / (strength * learns.sum()), tol=1e-8, max_iter=5000)
    model.fit(standardized[learns], targets[learns])
    return model.predict_proba(standardized)


def softmax(logits):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


@pytest.mark.parametrize("strength", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("classes", [2, 3])
def test_each_fold_is_the_solution_that_sklearn_finds_without_it(strength, classes):
    vectors, targets = overlapping(classes)
    folds = np.arange(len(targets)) % 4
    components = principal_components(vectors, np.arange(len(targets)))
    weights = LogisticRegressions(components, targets, classes, folds, 4).minimize(strength, tolerance=1e-5)
    standardized = (vectors - components.mean) * components.scale
    for fold in range(4):
        found = softmax(components.scores @ weights[:-1, fold] + weights[-1, fold])
        assert np.abs(found - by_sklearn(standardized, targets, folds != fold, strength)).max() < 5e-3


def test_one_regression_of_all_rows_is_the_solution_that_sklearn_finds():
    vectors, targets = overlapping()
    components = principal_components(vectors, np.arange(len(targets)))
    (weights,) = LogisticRegressions(components, targets, 3, np.full(240, -1), 1).minimize(0.1).transpose(1, 0, 2)
    standardized = (vectors - components.mean) * components.scale
    wanted = by_sklearn(standardized, targets, np.ones(240, bool), 0.1)
    assert np.abs(softmax(components.scores @ weights[:-1] + weights[-1]) - wanted).max() < 5e-3


def test_where_the_path_came_from_does_not_show_in_the_solution():
    vectors, targets = overlapping()
    components = principal_components(vectors, np.arange(len(targets)))
    fitted = LogisticRegressions(components, targets, 3, np.arange(240) % 5, 5)
    fresh = fitted.minimize(0.03, tolerance=1e-5)
    assert (
        np.abs(fitted.minimize(0.03, fitted.minimize(1.0), tolerance=1e-5) - fresh).max() < 0.02 * np.abs(fresh).max()
    )


def test_blocks_of_rows_change_nothing_but_the_memory(monkeypatch):
    """The largest temporary array does not grow with the pictures."""
    vectors, targets = overlapping(pictures=700)
    components = principal_components(vectors, np.arange(700))
    fitted = LogisticRegressions(components, targets, 3, np.arange(700) % 5, 5)
    weights = np.random.default_rng(0).normal(size=(21, 15)).astype(np.float32)
    value, slope = fitted._loss(weights)
    sizes = []
    monkeypatch.setattr(logistic_regression, "TEMPORARY", 64 * 15)
    blocks = logistic_regression.blocks
    monkeypatch.setattr(logistic_regression, "blocks", lambda n, size: sizes.append(size) or blocks(n, size))
    by_blocks = fitted._loss(weights)
    assert sizes == [64]
    assert by_blocks[0] == pytest.approx(value, rel=1e-5)
    assert np.abs(by_blocks[1] - slope).max() < 1e-4
