"""Components say what the features say, in as few numbers; whatever the order of the pictures."""

import numpy as np
import pytest

from ursa.embed.linear_models import principal_components as pc
from ursa.embed.linear_models.principal_components import principal_components


def features(pictures, width, rank=None, seed=0):
    rng = np.random.default_rng(seed)
    inner = rng.normal(size=(pictures, rank or width)) * np.linspace(1, 3, rank or width)
    return (inner @ rng.normal(size=(rank or width, width)) + rng.normal(0, 20, width)).astype(np.float32)


def standardized(vectors):
    std = vectors.std(0)
    return (vectors - vectors.mean(0)) / np.maximum(std, 0.1 * np.sqrt((std**2).mean()))


@pytest.mark.parametrize(("pictures", "width"), [(300, 40), (40, 300)])
def test_components_keep_all_distances_between_standardized_pictures(pictures, width):
    vectors = features(pictures, width)
    found = principal_components(vectors, np.arange(pictures))
    wanted = standardized(vectors)
    assert np.abs(found.scores @ found.scores.T - wanted @ wanted.T).max() < 0.01 * width
    assert np.abs(found.basis.T @ found.basis - np.eye(found.basis.shape[1])).max() < 1e-3
    assert np.abs((vectors - found.mean) * found.scale @ found.basis - found.scores).max() < 1e-3
    covariance = np.cov(found.scores.T, bias=True)
    assert np.abs(covariance - np.diag(found.variance)).max() < 1e-3 * found.variance.max()


@pytest.mark.parametrize(("pictures", "width"), [(200, 50), (50, 200)])
def test_what_does_not_vary_is_left_out(pictures, width):
    assert principal_components(features(pictures, width, rank=7), np.arange(pictures)).scores.shape == (pictures, 7)


def test_features_that_are_all_constant_leave_one_component_of_zeros():
    found = principal_components(np.full((20, 3), 7.3, np.float32), np.arange(20))
    assert found.scores.shape == (20, 1) and not found.scores.any()


def test_there_are_never_more_components_than_allowed_and_they_are_the_largest(monkeypatch):
    vectors = features(300, 40)
    everything = principal_components(vectors, np.arange(300))
    monkeypatch.setattr(pc, "MOST", 10)
    few = principal_components(vectors, np.arange(300))
    assert few.scores.shape == (300, 10)
    assert np.allclose(np.sort(few.variance), np.sort(everything.variance)[-10:], rtol=1e-3)


def test_wide_features_of_many_pictures_are_seen_through_some_of_them(monkeypatch):
    """No matrix grows with the pictures or with the square of the features."""
    monkeypatch.setattr(pc, "SEEN", 60)
    vectors = features(400, 100, rank=8)
    found = principal_components(vectors, np.arange(400))
    assert found.scores.shape == (400, 8)
    wanted = standardized(vectors)
    assert np.abs(found.scores @ found.basis.T - wanted).max() < 0.01
    order = np.random.default_rng(1).permutation(400)
    again = principal_components(vectors[order], np.argsort(order))
    assert np.abs(again.scores @ again.scores.T - (found.scores @ found.scores.T)[np.ix_(order, order)]).max() < 0.05
    noisy = vectors + np.random.default_rng(2).normal(0, 1, vectors.shape).astype(np.float32)
    one, other = (principal_components(noisy[o], np.argsort(o)) for o in (np.arange(400), order))
    assert np.allclose(np.sort(one.variance), np.sort(other.variance), rtol=1e-2)  # the same 60 were seen
