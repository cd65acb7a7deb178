"""Draws respect groups and classes; nobody is judged by what learned from it; more pictures are worth more."""

import numpy as np
import pytest

from ursa.diagnose.more_data.learning_curve import SIZES, learning_curve, nested_draws, too_few
from ursa.embed import probe
from ursa.errors import DataError


def grouped(count=200, copies=20):
    """Targets of three classes of 100, 60 and 40; the first pictures of each class are copies in threes."""
    targets = np.repeat([0, 1, 2], (count // 2, 3 * count // 10, count // 5))
    groups = np.arange(count)
    groups[: 3 * copies] = np.repeat(np.arange(copies), 3)
    return targets, groups


def test_no_picture_and_no_copy_of_it_is_both_held_out_and_drawn():
    targets, groups = grouped()
    held = []
    for held_out, order, _ in nested_draws(targets, groups, seed=0, shuffle=0):
        assert not set(groups[held_out]) & set(groups[order])
        assert sorted([*held_out, *order]) == list(range(len(targets)))
        held += held_out.tolist()
    assert sorted(held) == list(range(len(targets)))  # each once a shuffle


def test_draws_end_where_a_group_ends_and_hold_each_class_in_its_share():
    targets, groups = grouped()
    for _, order, ends in nested_draws(targets, groups, seed=0, shuffle=0):
        assert ends[-1] == len(order)
        for end in ends:
            assert not set(groups[order[:end]]) & set(groups[order[end:]])
            known = np.bincount(targets[order[:end]], minlength=3)
            shares = np.bincount(targets[order], minlength=3) / len(order)
            assert np.abs(known - end * shares).max() <= 9  # a group of three for each class


def test_other_shuffles_and_seeds_draw_otherwise():
    targets, groups = grouped()
    draws = [next(nested_draws(targets, groups, seed, shuffle)) for seed in (0, 1) for shuffle in (0, 1)]
    for part in (0, 1):  # what is held out, and in which order the rest is learned from
        assert len({tuple(draw[part].tolist()) for draw in draws}) == 4


def test_sizes_grow_evenly_to_what_a_fold_of_the_probe_learns_from(clouds):
    vectors, targets = clouds((120, 80))
    curve = learning_curve(vectors, targets, 2)
    assert len(curve.sizes) == SIZES and curve.draws == 20
    assert curve.sizes[-1] == pytest.approx(0.8 * 200)
    ratios = curve.sizes[1:] / curve.sizes[:-1]
    assert ratios.max() / ratios.min() < 1.4  # but for rounding, most of it in the smallest
    assert curve.right.shape == (SIZES, 4, 200)


def test_accuracy_rises_loss_falls_and_the_last_is_about_the_probe_s(clouds):
    vectors, targets = clouds((150, 150), apart=1.5)
    curve = learning_curve(vectors, targets, 2)
    shares = [each.value for each in curve.accuracy()]
    assert shares[-1] > shares[3] > shares[0]
    assert curve.log_losses[-1] < curve.log_losses[3] < curve.log_losses[0]
    fitted = probe.fit(vectors, targets, 2).accuracy(targets)
    assert shares[-1] == pytest.approx(fitted.value, abs=0.03)
    assert all(each.low <= each.value <= each.high for each in curve.accuracy())


def test_labels_by_chance_are_told_by_chance_at_every_size(clouds):
    """Had a picture's own label, or its copy's, been learned from, more than half would be right."""
    vectors, _ = clouds((150, 150))
    copies = np.concatenate([vectors, vectors])
    targets = np.tile(np.random.default_rng(0).integers(0, 2, 300), 2)
    curve = learning_curve(copies, targets, 2, groups=np.tile(np.arange(300), 2))
    assert curve.right.mean((1, 2)).max() < 0.56


def test_the_same_pictures_in_another_order_give_nearly_the_same(clouds):
    vectors, targets = clouds((120, 120), apart=1.5)
    order = np.random.default_rng(1).permutation(240)
    one, other = (learning_curve(vectors[rows], targets[rows], 2) for rows in (np.arange(240), order))
    np.testing.assert_allclose(one.right.mean((1, 2))[3:], other.right.mean((1, 2))[3:], atol=0.04)


def test_the_same_seed_gives_the_same(clouds):
    vectors, targets = clouds((40, 40))
    one, again, other = (learning_curve(vectors, targets, 2, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.right, again.right) and np.array_equal(one.log_losses, again.log_losses)
    assert not np.array_equal(one.right, other.right)


def test_a_rare_class_that_small_draws_lack_does_no_harm(clouds):
    vectors, targets = clouds((100, 60, 3))
    curve = learning_curve(vectors, targets, 3)
    assert np.isfinite(curve.log_losses).all()
    assert curve.right[-1].mean() > 0.7


def test_where_small_draws_hold_one_class_everything_is_taken_for_it(clouds):
    vectors, targets = clouds((10, 150), apart=4)
    curve = learning_curve(vectors, targets, 2)
    assert np.isfinite(curve.log_losses).all()
    assert curve.right[0].mean() >= 0.9 and curve.right[-1].mean() > curve.right[0].mean()


@pytest.mark.parametrize(
    ("counts", "says"),
    [((20, 19), "40 different pictures, and there are 39"), ((45, 9), "there is 1"), ((9,) * 9, "there is none")],
)
def test_too_few_pictures_are_refused_with_the_reason(counts, says, clouds):
    vectors, targets = clouds(counts)
    assert says in too_few(targets)
    with pytest.raises(DataError, match=says):
        learning_curve(vectors, targets, len(counts))


def test_copies_are_no_pictures_more():
    targets = np.repeat([0, 1], 30)
    assert too_few(targets) == ""
    assert "there are 20" in too_few(
        targets, np.concatenate([np.repeat(np.arange(10), 3), np.repeat(np.arange(10, 20), 3)])
    )
