"""Folds and shares in which every class has its part."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ursa.core import stratified

CLASSES = st.lists(st.integers(0, 4), min_size=2, max_size=60).map(lambda some: np.array(some, np.int64))
SEEDS = st.integers(0, 99)


@given(CLASSES, st.integers(2, 6), SEEDS)
def test_folds_deal_each_class_round(classes, count, seed):
    fold = stratified.folds(classes, np.arange(len(classes)), count, np.random.default_rng(seed))
    for some in (
        np.bincount(fold, minlength=count),
        *(np.bincount(fold[classes == c], minlength=count) for c in classes),
    ):
        assert some.max() - some.min() <= 1
    assert fold.max() < count


@given(CLASSES, st.integers(2, 4), SEEDS, st.integers(1, 8))
def test_no_group_lies_in_two_folds(classes, count, seed, groups):
    group = np.arange(len(classes)) % groups
    fold = stratified.folds(classes, group, count, np.random.default_rng(seed))
    assert all(len(set(fold[group == one])) == 1 for one in set(group))


@given(CLASSES, st.floats(0, 1), SEEDS)
def test_each_class_gives_its_share_and_something_is_left(classes, share, seed):
    aside = stratified.put_aside(classes, share, np.random.default_rng(seed))
    assert 0 < aside.sum() < len(classes)
    if 1 <= round(share * len(classes)) < len(classes):
        assert aside.sum() == round(share * len(classes))
        for one in set(classes.tolist()):
            assert abs(aside[classes == one].sum() - share * (classes == one).sum()) < 2
    assert np.array_equal(aside, stratified.put_aside(classes, share, np.random.default_rng(seed)))


def test_the_seed_draws():
    classes = np.zeros(40, np.int64)
    drawn = {tuple(stratified.put_aside(classes, 0.2, np.random.default_rng(seed))) for seed in range(5)}
    dealt = {tuple(stratified.folds(classes, np.arange(40), 5, np.random.default_rng(seed))) for seed in range(5)}
    assert len(drawn) == len(dealt) == 5
