"""The probe: the right solution, judged only by heads that had not seen the picture."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.embed import probe
from ursa.embed.linear_models import regularization_path
from ursa.embed.linear_models.principal_components import principal_components
from ursa.embed.linear_models.stacking import Judge
from ursa.embed.probe import assign_folds, fit
from ursa.errors import DataError


def blobs(seed=0, pictures=240, features=20, classes=3, apart=0.7) -> tuple[np.ndarray, np.ndarray]:
    """Features of very different scale and place, as backbones give them, and classes that overlap."""
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(pictures) % classes)
    centers = rng.normal(0, apart, (classes, features))
    features_ = centers[targets] + rng.normal(size=(pictures, features))
    scaled = features_ * rng.uniform(0.1, 30, features) + rng.normal(0, 50, features)
    return scaled.astype(np.float32), targets


def correlated(seed=0, pictures=300, features=40, classes=6):
    """Classes that differ where pictures hardly do: discriminant analysis sees them, distances do not."""
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(pictures) % classes)
    within = rng.normal(size=(pictures, features)) @ np.diag(np.geomspace(0.05, 3, features))
    turned = np.linalg.qr(rng.normal(size=(features, features)))[0]
    return ((within + rng.normal(0, 0.12, (classes, features))[targets]) @ turned).astype(np.float32), targets


# --- the head ------------------------------------------------------------------------------------------------------


def test_the_head_says_what_regression_and_analysis_say_together():
    """Against scikit-learn's, fitted to standardized features, with the probe's strength, shrinkage and weights."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression

    vectors, targets = blobs(features=8)
    found = fit(vectors, targets, 3)
    standardized = (vectors - found.head.mean) * found.head.scale
    regression = LogisticRegression(C=1 / (found.strength * 240), tol=1e-8, max_iter=5000).fit(standardized, targets)
    analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=found.shrinkage).fit(standardized, targets)
    one, other = found.stacking
    logits = one * regression.decision_function(standardized) + other * analysis.decision_function(standardized)
    wanted = np.exp(logits - logits.max(1, keepdims=True))
    wanted /= wanted.sum(1, keepdims=True)
    assert np.abs(found.head.probabilities(vectors) - wanted).max() < 0.01
    assert found.temperature == pytest.approx(1 / (one + other))


def test_the_better_kind_of_classifier_judges():
    """Each is what the data were made for once; the mixture is not worse than the regression alone would be."""
    vectors, targets = correlated()
    mixed = fit(vectors, targets, 6)
    assert mixed.stacking[1] > 0 and "discriminant analysis" in mixed.kind
    assert mixed.accuracy(targets).value > 0.8
    assert replace(mixed, stacking=(1.0, 0.0)).kind == "logistic regression"
    assert replace(mixed, stacking=(0.0, 0.5)).kind == "discriminant analysis"


@pytest.mark.parametrize("seed", [0, 1])
def test_probabilities_are_calibrated_out_of_sample_and_so_is_the_head(seed):
    """The mean probability of the likeliest class is the share that it is right, for new pictures too."""
    vectors, targets = blobs(seed, pictures=1600, features=60, apart=0.25)
    known = np.arange(1600) < 600
    found = fit(vectors[known], targets[known], 3)
    for probabilities, wanted in (
        (found.probabilities, targets[known]),
        (found.head.probabilities(vectors[~known]), targets[~known]),
    ):
        right = probabilities.argmax(1) == wanted
        assert abs(probabilities.max(1).mean() - right.mean()) < 0.04
        sure = probabilities.max(1) > np.median(probabilities.max(1))
        assert abs(probabilities.max(1)[sure].mean() - right[sure].mean()) < 0.05


def test_the_strength_follows_the_data():
    weak_signal = fit(*blobs(seed=1, pictures=90, features=80, apart=0.1), 3)
    strong_signal = fit(*blobs(seed=1, pictures=900, features=10, apart=1.5), 3)
    assert weak_signal.strength > 3 * strong_signal.strength


def test_features_that_never_change_do_no_harm():
    vectors, targets = blobs()
    constants = np.tile(np.array([0, 0.1, -7.3, 1234.567], np.float32), (len(vectors), 1))
    plain, padded = fit(vectors, targets, 3), fit(np.hstack([constants, vectors]), targets, 3)
    assert np.abs(plain.probabilities - padded.probabilities).max() < 0.01
    assert plain.strength == padded.strength
    elsewhere = np.hstack([constants + 3, vectors])  # they said nothing, so they say nothing later either
    assert np.abs(padded.head.probabilities(elsewhere) - plain.head.probabilities(vectors)).max() < 0.01


def test_the_place_of_features_and_their_unit_play_no_part():
    vectors, targets = blobs()
    moved = vectors * 0.01 + np.random.default_rng(1).normal(0, 0.1, vectors.shape[1])
    one, other = fit(vectors, targets, 3), fit(moved.astype(np.float32), targets, 3)
    assert np.abs(one.probabilities - other.probabilities).max() < 0.02


def test_a_feature_that_varied_in_a_single_picture_does_not_decide_over_new_ones():
    """It seems to vary by next to nothing, and a new picture that has it would be far away from all others."""
    vectors, targets = blobs(apart=1.0)
    rare = np.zeros((240, 3), np.float32)
    rare[[5, 6, 7], [0, 1, 2]] = 1e-3
    head = fit(np.hstack([vectors, rare]), targets, 3).head
    plain = head.probabilities(np.hstack([vectors, np.zeros_like(rare)]))
    having = head.probabilities(np.hstack([vectors, np.ones_like(rare)]))
    assert np.abs(plain - having).max() < 0.05


def test_probabilities_are_probabilities_and_what_came_in_is_not_changed():
    vectors, targets = blobs()
    before = vectors.copy(), targets.copy()
    found = fit(vectors, targets, 3)
    assert found.probabilities.shape == (240, 3) and np.isfinite(found.probabilities).all()
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-5)
    assert np.array_equal(vectors, before[0]) and np.array_equal(targets, before[1])


def test_a_class_without_pictures_keeps_its_place_and_gets_next_to_nothing():
    vectors, targets = blobs(classes=2)
    found = fit(vectors, targets * 2, 3)  # classes 0 and 2 of three
    assert found.probabilities.shape == (240, 3)
    assert found.probabilities[:, 1].max() < 0.01
    assert found.head.probabilities(vectors)[:, 1].max() < 0.01
    assert found.accuracy(targets * 2).value > 0.8


# --- out of sample -------------------------------------------------------------------------------------------------


def test_labels_that_mean_nothing_give_the_accuracy_of_chance():
    hits = total = 0
    for seed in range(6):
        vectors, _ = blobs(seed, pictures=150, features=64)
        targets = np.random.default_rng(100 + seed).permutation(np.arange(150) % 3)
        found = fit(vectors, targets, 3, seed=seed)
        hits, total = hits + (found.probabilities.argmax(1) == targets).sum(), total + 150
    assert abs(hits / total - 1 / 3) < 0.05  # four standard deviations


def test_copies_in_one_group_do_not_give_their_labels_away():
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.normal(size=(80, 60)).astype(np.float32), 3, axis=0)
    targets, groups = np.repeat(np.arange(80) % 2, 3), np.repeat(np.arange(80), 3)
    together = fit(vectors, targets, 2, groups=groups).accuracy(targets)
    apart = fit(vectors, targets, 2).accuracy(targets)
    assert together.low < 0.5 < together.high + 0.1
    assert apart.value > 0.8  # the leak that groups are for


@pytest.mark.parametrize("kind", [0, 1], ids=["regression", "analysis"])
def test_the_labels_of_a_fold_have_no_say_in_the_heads_that_judge_it(monkeypatch, kind):
    monkeypatch.setattr(probe, "PATH_TOLERANCE", 1e-5)
    monkeypatch.setattr(regularization_path, "GAIN", 9.0)  # where a path ends looks at all of them
    monkeypatch.setattr(probe, "STRENGTHS", (1.0, 0.1))
    monkeypatch.setattr(probe, "SHRINKAGES", (0.5,))
    vectors, targets = blobs()
    fold, order = np.arange(240) % 5, np.arange(240)
    changed = np.where((fold == 0) & (order < 60), 0, targets)

    def judged(targets):
        both = probe._Classifiers.of(principal_components(vectors, order), targets, 3, fold)
        return both.paths(Judge.of(targets, fold, np.zeros((5, 3), np.float32), order))[kind].logits_without(0)

    moved = np.abs(judged(changed) - judged(targets))
    assert moved[fold == 0].max() < 0.01 < 0.2 < moved[fold != 0].max()


def test_accuracy_counts_out_of_sample_answers_and_says_how():
    vectors, targets = blobs()
    found = fit(vectors, targets, 3)
    metric = found.accuracy(targets)
    assert metric.value == (found.probabilities.argmax(1) == targets).mean()
    assert metric.method.startswith("5-fold cross-validated linear probe")
    in_sample = (found.head.probabilities(vectors).argmax(1) == targets).mean()
    assert metric.value <= in_sample


@settings(max_examples=60)
@given(
    groups=st.lists(st.integers(0, 15), min_size=2, max_size=60).filter(lambda groups: len(set(groups)) > 1),
    folds=st.integers(2, 7),
    seed=st.integers(0, 3),
    data=st.data(),
)
def test_folds_divide_no_group_spread_every_class_and_depend_on_the_seed_alone(groups, folds, seed, data):
    groups = np.array(groups)
    class_of = np.array(data.draw(st.lists(st.integers(0, 2), min_size=16, max_size=16)))
    targets = class_of[groups]
    fold = assign_folds(targets, groups, folds, seed)
    assert fold.shape == groups.shape and set(fold) <= set(range(folds))
    assert np.array_equal(fold, assign_folds(targets, groups, folds, seed))
    placed = {group: set(fold[groups == group]) for group in groups}
    assert all(len(places) == 1 for places in placed.values())
    used = fold.max() + 1
    for label in set(targets):
        mine = [min(placed[group]) for group in set(groups[targets == label])]
        spread = np.bincount(mine, minlength=used)
        assert spread.max() - spread.min() <= 1


def test_another_seed_gives_other_folds():
    targets = np.arange(60) % 3
    drawn = {tuple(assign_folds(targets, np.arange(60), 5, seed)) for seed in range(8)}
    assert len(drawn) == 8


def test_the_same_seed_gives_the_same_probe_bit_for_bit():
    vectors, targets = blobs()
    one, other = fit(vectors, targets, 3, seed=4), fit(vectors, targets, 3, seed=4)
    assert np.array_equal(one.probabilities, other.probabilities)
    assert np.array_equal(one.head.weight, other.head.weight) and one.strength == other.strength


def test_the_order_of_the_rows_plays_no_part_where_groups_name_them():
    vectors, targets = blobs()
    groups, order = np.arange(240), np.random.default_rng(0).permutation(240)
    one = fit(vectors, targets, 3, groups=groups)
    other = fit(vectors[order], targets[order], 3, groups=groups[order])
    assert np.array_equal(one.folds[order], other.folds)
    assert np.abs(one.probabilities[order] - other.probabilities).max() < 0.02


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-3, 0.03])
def test_pictures_that_are_told_apart_without_any_doubt_leave_the_doubt_of_one_in_all(noise):
    """Whatever varies within classes, next to nothing or a little, heads are not surer than what was seen allows."""
    rng = np.random.default_rng(0)
    targets = np.arange(24) % 2
    vectors = (rng.normal(size=(2, 90))[targets] + noise * rng.normal(size=(24, 90))).astype(np.float32)
    found = fit(vectors, targets, 2)
    for probabilities in (found.probabilities, found.head.probabilities(vectors)):
        assert 0.95 < probabilities[np.arange(24), targets].min() < 0.995


# --- many classes, few pictures, imbalance -------------------------------------------------------------------------


def test_five_pictures_a_class_of_many_classes_are_judged_sensibly():
    vectors, targets = blobs(pictures=300, features=40, classes=60, apart=1.5)
    found = fit(vectors, targets, 60)
    known = found.accuracy(targets)
    new, wanted = (part[300:] for part in blobs(pictures=1500, features=40, classes=60, apart=1.5))
    assert found.probabilities.max(1).mean() == pytest.approx(known.value, abs=0.08)
    assert known.value > 0.5 and len(new) == len(wanted) == 1200


def test_of_two_classes_at_one_to_a_hundred_neither_is_forgotten():
    rng = np.random.default_rng(0)
    targets = (np.arange(1010) >= 1000).astype(np.int64)
    vectors = (rng.normal(size=(1010, 30)) + 2 * targets[:, None] * (np.arange(30) < 4)).astype(np.float32)
    found = fit(vectors, targets, 2)
    assert found.probabilities[:, 1].mean() == pytest.approx(10 / 1010, abs=0.005)
    assert (found.probabilities[targets == 1, 1]).mean() > 0.4
    assert found.accuracy(targets).value > 0.99


# --- small and odd data --------------------------------------------------------------------------------------------


def test_a_class_with_a_single_picture_does_not_hinder_the_others():
    vectors, targets = blobs(classes=2)
    targets = targets.copy()
    targets[7] = 2
    found = fit(vectors, targets, 3)
    assert np.isfinite(found.probabilities).all()
    assert found.probabilities[7, 2] < 0.1  # nobody had seen one
    assert found.accuracy(targets).value > 0.8


def test_two_pictures_of_two_classes_are_enough_to_answer():
    found = fit(np.array([[0.0, 1.0], [1.0, 0.0]], np.float32), np.array([0, 1]), 2)
    assert found.probabilities.shape == (2, 2) and np.isfinite(found.probabilities).all()
    assert found.accuracy(np.array([0, 1])).value == 0  # each was judged by one that knew only the other


def test_one_feature_and_more_features_than_pictures_can_be_fitted():
    vectors, targets = blobs(pictures=40, features=500, classes=2)
    assert fit(vectors, targets, 2).accuracy(targets).value > 0.7
    one = (targets + np.random.default_rng(0).normal(0, 0.2, 40)).astype(np.float32)[:, None]
    assert fit(one, targets, 2).accuracy(targets).value > 0.9


@pytest.mark.parametrize("targets", [[0, 0, 0, 0], [1, 1, 1, 1]])
def test_fewer_than_two_classes_are_refused(targets):
    with pytest.raises(DataError, match="at least two classes") as error:
        fit(np.zeros((4, 3), np.float32), np.array(targets), 2)
    assert "1 class" in error.value.found


def test_copies_of_a_single_picture_are_refused():
    with pytest.raises(DataError, match="two different pictures"):
        fit(np.zeros((4, 3), np.float32), np.array([0, 1, 0, 1]), 2, groups=np.zeros(4, np.int64))
