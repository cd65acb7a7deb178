"""Which of two models is kept: on evidence alone, ties and doubt to the probe, and its accuracy without optimism."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.core import statistics
from ursa.training.model_selection import LEVEL, PairedComparison, log_likelihoods
from ursa.training.pruning import Pruner, chance_to_win


def answers(random, targets, accuracy, classes=3, sharpness=2.0, shared=None):
    """[N, K] of a model of this accuracy; `shared` noise [N] makes two models right and wrong on the same pictures."""
    own = random.normal(size=len(targets))
    luck = own if shared is None else 0.8 * shared + 0.6 * own
    right = luck < NormalDist().inv_cdf(accuracy)
    named = np.where(right, targets, (targets + random.integers(1, classes, len(targets))) % classes)
    logits = random.normal(size=(len(targets), classes)) * 0.3
    logits[np.arange(len(targets)), named] += sharpness
    return statistics.softmax(logits)


def drawn(random, count, probe, tuned, sharpness=2.0):
    targets, shared = random.integers(0, 3, count), random.normal(size=count)
    one = answers(random, targets, probe, shared=shared)
    return one, answers(random, targets, tuned, shared=shared, sharpness=sharpness), targets


def test_of_two_equal_models_the_second_is_kept_as_seldom_as_the_level_says():
    """Also where it is far more sure of itself: confidence is no accuracy."""
    random = np.random.default_rng(0)
    for sharpness in (2.0, 6.0):
        kept = [PairedComparison.of(*drawn(random, 60, 0.85, 0.85, sharpness)).better for _ in range(250)]
        assert np.mean(kept) < LEVEL + 0.05


def test_a_better_model_is_kept_and_more_surely_on_more_pictures():
    random = np.random.default_rng(1)
    found = [[PairedComparison.of(*drawn(random, count, 0.75, 0.9)) for _ in range(60)] for count in (20, 200)]
    shares = [np.mean([one.better for one in some]) for some in found]
    assert shares[0] < 0.7 < 0.95 < shares[1]


def test_as_many_pictures_as_are_called_enough_are_enough():
    random = np.random.default_rng(2)
    before, after = np.r_[0:30] >= 6, np.r_[0:30] >= 5  # one more is right
    small = PairedComparison(before, after, np.r_[np.full(5, -0.2), 4.0, np.tile([0.2, -0.2], 12)])
    assert not small.better
    count = small.enough()
    again = [small.gain[random.integers(0, 30, count)] for _ in range(300)]
    power = np.mean([gain.mean() * np.sqrt(count - 1) > 1.645 * gain.std() for gain in again])
    assert power == pytest.approx(0.8, abs=0.08)


def test_as_many_pictures_as_would_show_a_gain_show_it():
    """Of one disagreement in 36 nothing follows; two points show on as many as are said, four times in five."""
    few = PairedComparison(np.r_[0:36] >= 1, np.r_[0:36] >= 1, np.zeros(36))
    disagreeing = PairedComparison(np.r_[0:36] >= 1, np.r_[0:36] >= 2, np.zeros(36))
    assert few.enough_for(0.02) < disagreeing.enough_for(0.02) == 890
    count, random, share = 890, np.random.default_rng(3), 3 / 38
    draws = random.choice([1, -1, 0], (400, count), p=[(share + 0.02) / 2, (share - 0.02) / 2, 1 - share])
    z = draws.mean(1) / (draws.std(1) / np.sqrt(count))
    assert np.mean(z > 1.2816) == pytest.approx(0.8, abs=0.06)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 50), st.integers(2, 5))
def test_ties_and_worse_ones_go_to_the_probe_and_say_no_number(seed, count, classes):
    random = np.random.default_rng(seed)
    probe, targets = random.dirichlet(np.ones(classes), count).astype(np.float32), random.integers(0, classes, count)
    same = PairedComparison.of(probe, probe, targets)
    assert (same.better, same.won, same.lost, same.enough()) == (False, 0, 0, None)
    assert same.accuracy_of_kept("", kept=False).value == pytest.approx(statistics.accuracy(probe, targets, "").value)
    tuned = random.dirichlet(np.ones(classes), count).astype(np.float32)
    there, back = PairedComparison.of(probe, tuned, targets), PairedComparison.of(tuned, probe, targets)
    assert (there.won, there.lost) == (back.lost, back.won)
    assert not (there.better and back.better)
    assert not there.better or (there.won > there.lost and there.p_value < LEVEL)
    estimate = there.accuracy_of_kept("held out", kept=True)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1 and estimate.method.startswith("held out")


def test_a_model_that_was_chosen_among_several_has_to_be_better_by_more():
    random = np.random.default_rng(3)
    found = [drawn(random, 40, 0.8, 0.9) for _ in range(80)]
    alone, among = ([PairedComparison.of(*one, tried=tried) for one in found] for tried in (1, 5))
    assert all(five.p_value == pytest.approx(min(1, 5 * one.p_value)) for one, five in zip(alone, among, strict=True))
    assert sum(five.better for five in among) < sum(one.better for one in alone)


def test_the_accuracy_of_what_was_kept_is_unbiased_and_its_interval_covers():
    """Two models of one true accuracy: as it is, the one that was kept shows too much."""
    random, true = np.random.default_rng(4), 0.8
    plain, fair, inside = [], [], []
    for _ in range(400):
        found = PairedComparison.of(*drawn(random, 30, true, true))
        plain.append((found.after if found.better else found.before).mean() - true)
        estimate = found.accuracy_of_kept("", kept=found.better)
        fair.append(estimate.value - true)
        inside.append(estimate.low <= true <= estimate.high)
    assert np.mean(plain) > np.mean(fair) + 0.002
    assert abs(np.mean(fair)) < 0.01
    assert 0.92 <= np.mean(inside) <= 0.99


def test_probabilities_are_taken_at_the_temperature_that_suits_them_best():
    random = np.random.default_rng(5)
    targets = random.integers(0, 4, 200)
    logits = random.normal(size=(200, 4))
    logits[np.arange(200), targets] += 1.5
    plain, hot = (log_likelihoods(statistics.softmax(scale * logits), targets) for scale in (1.0, 4.0))
    np.testing.assert_allclose(np.exp(plain), np.exp(hot), atol=0.03)
    assert -hot.mean() < statistics.log_loss(statistics.softmax(4 * logits), targets) - 0.1


# --- ended early -----------------------------------------------------------------------------------------------------


def test_the_chance_to_win_grows_with_what_is_won_and_gets_surer_with_time():
    by_z = [chance_to_win(z, 0.4) for z in (-6, -3, 0, 1.6, 3)]
    assert by_z == sorted(by_z) and by_z[0] < 1e-3 and by_z[-1] > 0.8
    behind = [chance_to_win(0.0, done) for done in (0.2, 0.5, 0.9, 1.0)]
    assert behind == sorted(behind, reverse=True) and behind[-1] < 1e-6


def behind(z):
    """A comparison with this z."""
    gain = np.r_[np.ones(50), -np.ones(50)] + z * np.sqrt(1 / 99)
    return PairedComparison(gain < 0, gain > 0, gain)


def test_it_is_asked_after_a_third_and_at_each_end_of_an_epoch_after_but_the_last():
    asked = []
    pruner = Pruner(lambda: asked.append(now) or behind(1.0), 30, 6, 0.05)
    for now in range(1, 31):
        assert pruner(now) is None
    assert asked == [10, 12, 18, 24]


def test_what_goes_well_is_never_ended_and_what_is_hopeless_is_once():
    assert Pruner(lambda: behind(5.0), 10, 2, 0.5)(4) is None
    pruner = Pruner(lambda: behind(-9.0), 10, 2, 0.05)
    assert pruner(3) is None and pruner.reason is None
    assert pruner(4) == pruner.reason and "to beat the probe" in pruner.reason
    asked = []
    assert Pruner(lambda: asked.append(1) or behind(-9.0), 10, 2, 0.0)(4) is None
    assert not asked  # a look costs a pass over the validation pictures
