"""Pictures without labels: rows of alike ones, what to label next, and what accuracy to expect."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.clean.labeling.alike import FIRST_SIZE, MOST, group_alike, likeness, row_size
from ursa.clean.labeling.expected_accuracy import AHEAD, JUDGES, expected_accuracy, random_part
from ursa.clean.labeling.next_to_label import UNSURE, next_to_label, sure_rows


def blobs(each=(60, 30, 10), seed=0, width=12, apart=4.0):
    """vectors [N, D], targets [N]: classes far apart, the first the largest."""
    draw = np.random.default_rng(seed)
    centers = apart * np.eye(len(each), width)
    targets = np.repeat(np.arange(len(each)), each)
    return (centers[targets] + 0.3 * draw.normal(size=(len(targets), width))).astype(np.float32), targets


def test_likeness_is_of_length_1_whatever_a_feature_is_measured_in():
    vectors, targets = blobs()
    like = likeness(vectors)
    assert np.allclose(np.linalg.norm(like, axis=1), 1, atol=1e-5)
    assert np.allclose(like, likeness(9 * vectors), atol=1e-5)
    cosines = like @ like.T
    same = targets[:, None] == targets
    assert cosines[same].mean() > 0.5 + cosines[~same].mean()
    spiked = np.array([[1, 1, -100], [1, 1, 100], [-1, -1, 100], [-1, -1, -100]], np.float32)
    one, other = likeness(spiked)[0, [0, 2]]
    assert other / one == pytest.approx(-10, rel=1e-4)  # of a hundred times, with its sign


def test_rows_are_alike_and_of_each_class_and_hold_no_picture_twice():
    vectors, targets = blobs()
    like, none = likeness(vectors), np.zeros(100, bool)
    rows = group_alike(like, none, count=6, size=5)
    assert all(len(set(targets[row])) == 1 for row in rows)
    assert {targets[row[0]] for row in rows} == {0, 1, 2}
    shown = np.concatenate(rows)
    assert len(set(shown.tolist())) == len(shown) == 30
    assert [row.tolist() for row in group_alike(like, none, count=6, size=5)] == [row.tolist() for row in rows]


def test_what_is_labeled_is_not_shown_and_what_has_no_labeled_one_beside_it_comes_first():
    vectors, targets = blobs((40, 40, 40))
    labeled = targets != 2
    labeled[:5] = False
    rows = group_alike(likeness(vectors), labeled, count=2, size=4)
    assert not labeled[np.concatenate(rows)].any()
    assert targets[rows[0][0]] == 2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 30), st.integers(1, 8), st.integers(1, 6), st.integers(0, 99))
def test_rows_of_any_few_pictures(count, rows, size, seed):
    draw = np.random.default_rng(seed)
    vectors, labeled = draw.normal(size=(count, 4)).astype(np.float32), draw.random(count) < 0.3
    found = group_alike(likeness(vectors) if count else vectors, labeled, count=rows, size=size)
    shown = [row for some in found for row in some.tolist()]
    assert len(set(shown)) == len(shown) and not labeled[shown].any()
    assert len(found) <= rows and all(1 <= len(some) <= size for some in found)
    if (~labeled).any():
        assert found


def test_rows_grow_while_they_are_pure_and_become_single_pictures_where_they_are_mixed():
    assert row_size([]) == FIRST_SIZE
    assert row_size([(4, 4), (8, 8), (16, 16), (24, 24)]) == MOST
    assert row_size([(1, 4), (1, 2), (1, 1)]) == 2  # one alone is pure
    assert row_size([(3, 4)]) == FIRST_SIZE
    assert row_size([(3, 3)]) == FIRST_SIZE  # the last ones there were: no row of four was pure


def test_the_least_sure_are_asked_about_and_no_two_alike_ones():
    like = likeness(blobs((20, 20, 60))[0])
    probabilities = np.tile(np.array([0.9, 0.05, 0.05], np.float32), (100, 1))
    probabilities[:40] = [0.5, 0.49, 0.01]  # twenty of each of two kinds
    probabilities[0] = probabilities[20] = [0.495, 0.495, 0.01]
    assert set(next_to_label(probabilities, like, 2).tolist()) == {0, 20}
    assert UNSURE * 4 == 40
    assert all(row < 40 for row in next_to_label(probabilities, like, 4).tolist())
    assert sorted(next_to_label(probabilities[:3], like[:3], 5).tolist()) == [0, 1, 2]


def test_sure_rows_hold_the_surest_of_a_class_and_no_unsure_ones():
    draw = np.random.default_rng(0)
    likely = np.linspace(0.5, 1, 100)
    probabilities = np.stack([likely, (1 - likely) / 2, (1 - likely) / 2], axis=1).astype(np.float32)
    probabilities[:50] = draw.permuted([[0.4, 0.3, 0.3]] * 50, axis=1)
    (row,) = sure_rows(probabilities, size=10)
    assert row.label == 0 and row.rows.tolist() == list(range(99, 89, -1))
    assert row.probability == pytest.approx(likely[90:].mean(), abs=1e-6)
    assert sure_rows(probabilities[:50]) == []


def test_the_random_part_is_what_lies_before_the_first_hash_without_a_label():
    hashes = ["d", "a", "c", "b"]
    part, following = random_part(hashes, np.array([True, True, False, True]), np.zeros(4, bool))
    assert part.tolist() == [False, True, False, True] and following == 2
    part, following = random_part(hashes, np.array([True, True, False, True]), np.array([False, False, True, False]))
    assert part.tolist() == [True, True, False, True] and following is None


def test_chosen_pictures_do_not_judge_and_few_say_nothing():
    right = np.arange(50) < 40
    found = expected_accuracy(right, 200)
    assert found.now.value == 0.8 and found.now.low < 0.7 < 0.88 < found.now.high and found.judges == 50
    assert np.isnan(found.ahead.value)
    few = expected_accuracy(right[: JUDGES - 1], 200)
    assert np.isnan(few.now.value) and few.to_json()["accuracy"]["value"] is None


def test_errors_fall_as_half_of_the_labels_say():
    right = np.arange(400) % 10 > 0
    found = expected_accuracy(
        right, 400, (60, 90)
    )  # the errors of chosen ones; half of the labels make half as many again
    assert found.ahead.value == pytest.approx(1 - 0.1 * (400 / (400 + AHEAD)) ** np.log2(90.5 / 60.5))
    assert found.now.low == found.ahead.low < found.now.value < found.ahead.value < found.ahead.high
    assert expected_accuracy(right, 400, (60, 50)).ahead.value == found.now.value  # they do not fall


def test_the_random_part_is_honest_where_labels_were_chosen():
    """Half of the pictures are hard; those that were chosen are all hard. A tenth is taken in the order of hashes."""
    gaps = []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        hard = draw.random(400) < 0.5
        right = draw.random(400) < np.where(hard, 0.6, 1.0)
        labeled = hard & (draw.random(400) < 0.6)
        hashes = [f"{number:08x}" for number in draw.permutation(400)]
        for _ in range(400):
            part, following = random_part(hashes, labeled, np.zeros(400, bool))
            if part.sum() >= 40:
                break
            labeled[following] = True
        gaps.append([right[labeled].mean() - right.mean(), right[part].mean() - right.mean()])
    chosen, random = np.mean(gaps, axis=0)
    assert chosen < -0.1 and abs(random) < 0.03
