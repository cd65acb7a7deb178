"""Weights and over-sampling: every class weighs the same."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.data.balance import class_weights, oversample, weights
from ursa.data.catalog import Catalog
from ursa.errors import DataError

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=6).map(lambda counts: np.array([*counts, 3]))


@given(COUNTS)
def test_every_class_weighs_the_same_and_a_picture_1_on_average(counts):
    found = weights(counts)
    total = (found * counts)[counts > 0]
    assert found.dtype == np.float32 and np.allclose(total, total[0]) and np.isclose(total.sum(), counts.sum())
    assert (found[counts == 0] == 0).all()


def test_weights_are_those_of_scikit_learn():
    compute = pytest.importorskip("sklearn.utils.class_weight").compute_class_weight
    y = [0] * 7 + [1] * 2 + [2]
    assert np.allclose(weights(np.array([7, 2, 1])), compute("balanced", classes=np.array([0, 1, 2]), y=y))


def test_weights_of_a_catalog_are_in_the_order_of_its_classes():
    def of(labels):
        return Catalog.of(Path(), {"id": [str(i) for i in range(len(labels))], "label": labels})

    assert class_weights(of(["b", "b", "b", "a"])).tolist() == pytest.approx([2, 2 / 3])
    assert class_weights(of([["a", "b"], ["b"], [], ["b"]])).tolist() == pytest.approx([2, 2 / 3])
    with pytest.raises(DataError, match="no classes"):
        class_weights(of([1.0, 2.0]))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 99), st.integers(0, 9))
def test_every_class_occurs_as_often_as_the_largest_and_every_picture_about_as_often(labels, seed, epoch):
    targets = np.array(labels)
    rows = oversample(targets, seed, epoch)
    _, counts = np.unique(targets[rows], return_counts=True)
    assert set(counts) == {np.bincount(targets).max()}
    times = np.bincount(rows, minlength=len(targets))
    for target in np.unique(targets):
        mine = times[targets == target]
        assert mine.min() >= 1 and mine.max() - mine.min() <= 1
    assert np.array_equal(rows, oversample(targets, seed, epoch))


def test_each_epoch_and_seed_has_an_order_of_its_own():
    targets = np.arange(40) % 3
    orders = {tuple(oversample(targets, seed, epoch)) for seed in (0, 1) for epoch in range(5)}
    assert len(orders) == 10
    assert oversample(np.zeros(0, np.int64), 0, 0).tolist() == []
