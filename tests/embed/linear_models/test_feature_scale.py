"""Features are standardized, but what hardly ever changes is not magnified without limit."""

import numpy as np
import pytest

from ursa.core import statistics
from ursa.embed import probe
from ursa.embed.linear_heads import fitted_head
from ursa.embed.linear_models.feature_scale import FLOOR, feature_scale


def test_ordinary_features_get_one_over_their_standard_deviation():
    std = np.array([0.5, 1.0, 4.0], np.float32)
    np.testing.assert_allclose(feature_scale(std), 1 / std)


def test_constants_get_0_and_those_that_hardly_change_the_limit():
    std = np.array([0.0, 1e-7, 1e-4, 1.0, 2.0, 3.0, 4.0], np.float32)
    usual = np.sqrt((std[2:] ** 2).mean())  # constants say nothing of it
    np.testing.assert_allclose(feature_scale(std), [0, 0, 1 / (FLOOR * usual), 1, 1 / 2, 1 / 3, 1 / 4], rtol=1e-6)


def test_each_row_has_a_limit_of_its_own_and_all_constant_features_are_all_0():
    std = np.array([[1e-3, 1.0, 1.0], [1e-3, 1e-3, 1e-3], [0, 0, 0]], np.float32)
    expected = [[1 / (FLOOR * np.sqrt(2 / 3)), 1, 1], [1e3, 1e3, 1e3], [0, 0, 0]]
    np.testing.assert_allclose(feature_scale(std), expected, rtol=1e-5)


@pytest.mark.parametrize("factor", [1e-2, 100])
def test_the_scale_of_all_features_together_plays_no_part(factor):
    std = np.array([1e-3, 0.7, 1.0, 9.0], np.float32)
    np.testing.assert_allclose(feature_scale(std * np.float32(factor)) * factor, feature_scale(std), rtol=1e-5)


def nearly_constant(pictures=300, rare=40, seed=0):
    """20 features of two classes, and 40 that differ from a constant by a thousandth, each in two pictures."""
    draw = np.random.default_rng(seed)
    targets = np.arange(pictures) % 2
    usual = draw.normal(0, 1, (pictures, 20)) + 0.7 * targets[:, None]
    edges = np.full((pictures, rare), 5.0)
    for feature in range(rare):
        edges[draw.choice(pictures, 2, replace=False), feature] += 1e-3
    return np.hstack([usual, edges]).astype(np.float32), targets.astype(np.int64), usual.shape[1]


def test_a_small_shift_of_nearly_constant_features_changes_no_answer_of_the_probe():
    """As a crop or a shift does. Standardized without a limit, 0.1 would count as some hundred standard deviations."""
    vectors, targets, usual = nearly_constant()
    shifted = vectors.copy()
    shifted[:, usual:] += np.random.default_rng(1).normal(0, 0.05, shifted[:, usual:].shape)
    head = probe.fit(vectors, targets, 2).head
    plain, moved = (statistics.log_loss(head.probabilities(each), targets) for each in (vectors, shifted))
    assert moved < plain + 0.1


def test_nor_of_a_head_for_several_labels():
    vectors, targets, usual = nearly_constant()
    shifted = vectors.copy()
    shifted[:, usual:] += np.random.default_rng(1).normal(0, 0.05, shifted[:, usual:].shape)
    head = fitted_head(vectors, np.eye(2, dtype=np.float32)[targets], "multi-label")
    outputs = [(each - head.mean) * head.scale @ head.weight + head.bias for each in (vectors, shifted)]
    assert np.abs(outputs[1] - outputs[0]).max() < 1
