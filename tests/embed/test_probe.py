"""The probe: the right solution, judged only by heads that had not seen the picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.embed import probe
from ursa.embed.probe import assign_folds, fit, lbfgs
from ursa.errors import DataError


def blobs(seed=0, pictures=240, features=20, classes=3, apart=0.7) -> tuple[np.ndarray, np.ndarray]:
    """Features of very different scale and place, as backbones give them, and classes that overlap."""
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(pictures) % classes)
    centers = rng.normal(0, apart, (classes, features))
    features_ = centers[targets] + rng.normal(size=(pictures, features))
    scaled = features_ * rng.uniform(0.1, 30, features) + rng.normal(0, 50, features)
    return scaled.astype(np.float32), targets


def by_sklearn(vectors, targets, learns, asked, strength) -> np.ndarray:
    """The probabilities of an independent, exact solution of the same problem."""
    from sklearn.linear_model import LogisticRegression

    mean, std = vectors[learns].mean(0), vectors[learns].std(0)
    if targets.max() == 1:  # sklearn has one vector of weights for two classes, w - (-w): its square counts double
        strength = strength / 2
    model = LogisticRegression(C=1 / (strength * learns.sum()), tol=1e-8, max_iter=5000)
    model.fit((vectors[learns] - mean) / std, targets[learns])
    return model.predict_proba((vectors[asked] - mean) / std)


@pytest.fixture
def exact(monkeypatch):
    """exact(strength): cross-validation at this strength alone, solved as far as float32 goes."""

    def at(*strengths: float) -> None:
        monkeypatch.setattr(probe, "STRENGTHS", strengths)
        monkeypatch.setattr(probe, "PATH_TOLERANCE", 1e-5)

    return at


# --- the solution --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_is_the_solution_that_sklearn_finds(exact, strength, classes):
    exact(strength)
    vectors, targets = blobs(classes=classes)
    everything = np.ones(len(targets), bool)
    found = fit(vectors, targets, classes)
    assert found.strength == strength
    wanted = by_sklearn(vectors, targets, everything, everything, strength)
    assert np.abs(found.head.probabilities(vectors) - wanted).max() < 5e-3


@pytest.mark.parametrize("strength", [1.0, 0.1, 0.01])
def test_the_folds_fitted_together_are_each_the_solution_of_its_fold_alone(exact, strength):
    exact(strength)
    vectors, targets = blobs()
    found = fit(vectors, targets, 3)
    assert found.folds.max() == 4
    for fold in range(5):
        inside = found.folds == fold
        wanted = by_sklearn(vectors, targets, ~inside, inside, strength)
        assert np.abs(found.probabilities[inside] - wanted).max() < 5e-3


def test_stopping_early_along_the_path_judges_as_the_exact_solutions_do():
    """What PATH_TOLERANCE claims: the same cross-validated loss within 2 %, whichever strength is chosen."""
    vectors, targets = blobs(seed=3, pictures=300, features=60, apart=0.35)
    found = fit(vectors, targets, 3)
    wanted = np.empty_like(found.probabilities)
    for fold in range(5):
        inside = found.folds == fold
        wanted[inside] = by_sklearn(vectors, targets, ~inside, inside, found.strength)
    loss, exact_loss = (-np.log(p[np.arange(300), targets]).mean() for p in (found.probabilities, wanted))
    assert loss == pytest.approx(exact_loss, rel=0.02)


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


def test_the_scale_and_place_of_features_play_no_part():
    vectors, targets = blobs()
    rng = np.random.default_rng(1)
    moved = vectors * rng.uniform(0.01, 100, vectors.shape[1]) + rng.normal(0, 10, vectors.shape[1])
    one, other = fit(vectors, targets, 3), fit(moved.astype(np.float32), targets, 3)
    assert np.abs(one.probabilities - other.probabilities).max() < 0.02


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
    assert found.probabilities[:, 1].max() < 0.2
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


def test_the_labels_of_a_fold_have_no_say_in_how_it_is_judged(exact, monkeypatch):
    exact(1.0, 0.1)
    vectors, targets = blobs()
    fold = np.arange(len(targets)) % 5
    monkeypatch.setattr(probe, "assign_folds", lambda *_: fold)
    before = fit(vectors, targets, 3).probabilities
    changed = targets.copy()
    changed[np.flatnonzero(fold == 0)[:12]] = 0
    after = fit(vectors, changed, 3).probabilities
    assert np.abs(after - before)[fold == 0].max() < 5e-3
    assert np.abs(after - before)[fold != 0].max() > 0.02


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


# --- L-BFGS --------------------------------------------------------------------------------------------------------


def turned(size: int, seed: int = 0) -> np.ndarray:
    """A random rotation."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


@pytest.mark.parametrize("condition", [1, 10, 1000])
def test_the_minimum_of_a_quadratic_is_found(condition):
    basis, wanted = turned(12), np.random.default_rng(1).normal(size=12)
    curvature = basis @ np.diag(np.geomspace(1, condition, 12)) @ basis.T

    def loss(x):
        off = x.astype(np.float64) - wanted
        return float(off @ curvature @ off / 2), (curvature @ off).astype(np.float32)

    found = lbfgs(loss, np.zeros(12, np.float32), tolerance=1e-6)
    assert np.abs(found - wanted).max() < 1e-3


def test_the_minimum_of_a_bent_convex_valley_is_found():
    """Steep and quartic across, flat along: sum of 100 (a.x)^2 + (b.x - 1)^4 + 0.01 (b.x - 1)^2."""
    basis = turned(4)

    def loss(x):
        z = basis.T @ x.astype(np.float64)
        across, along = z[:2], z[2:] - 1
        value = (100 * across**2).sum() + (along**4 + 0.01 * along**2).sum()
        slope = np.concatenate([200 * across, 4 * along**3 + 0.02 * along])
        return float(value), (basis @ slope).astype(np.float32)

    found = lbfgs(loss, np.full(4, 3, np.float32), tolerance=1e-6)
    assert np.abs(basis.T @ found - [0, 0, 1, 1]).max() < 0.01


def test_at_the_minimum_nothing_moves_and_the_start_is_not_changed():
    calls = []

    def loss(x):
        calls.append(1)
        return float(x @ x), 2 * x

    start = np.zeros(3, np.float32)
    assert np.array_equal(lbfgs(loss, start), start)
    assert len(calls) == 1
    start = np.ones(3, np.float32)
    lbfgs(loss, start)
    assert np.array_equal(start, np.ones(3, np.float32))
