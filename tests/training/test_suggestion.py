"""Laws of reading a range test: the rule in numbers; what explodes, or one wild repeat, does not decide."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.errors import TrainingError
from ursa.training.lr_finder.suggestion import ABOVE, QUIET, Trial, ceiling, read, suggested


@given(st.integers(10, 99), st.sampled_from([math.nan, math.inf, 1e30]), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_whatever_explodes_after_the_fall_the_suggestion_stays_below_it(stop, explosion, seed):
    lrs = np.geomspace(1e-7, 10, 100)
    noise = np.random.default_rng(seed).normal(0, 0.01, (3, 100))
    losses = 2.0 - 1.5 / (1 + np.exp(-(np.arange(100) - 0.6 * stop) / 2)) + noise
    losses[:, :10] = 2.0 + noise[:, :10]
    losses[:, stop:] = explosion
    found = read(lrs, losses)
    assert lrs[0] / 5 <= found.low <= found.suggestion <= found.high <= lrs[stop]
    assert np.isfinite(found.smoothed).all()


def test_the_rule_in_numbers():
    """A fall from 1 to 0 between 1e-4 and 1e-3, a rise from 1e-1 to 1: a fifth of the middle of the two."""
    lrs = np.geomspace(1e-6, 1e2, 8001)
    curve = np.interp(np.log10(lrs), [-4, -3, -1, 0], [1, 0, 0, 1])
    assert suggested(lrs, curve, 0.0) == pytest.approx(10 ** ((-3.05 - 0.2) / 2) / 5, rel=1e-2)


def test_a_curve_that_only_rises_gives_a_rate_below_the_rise():
    lrs = np.geomspace(1e-6, 1e2, 8001)
    curve = np.interp(np.log10(lrs), [-1, 0], [1, 2])
    assert suggested(lrs, curve, 0.1) == pytest.approx(10**-0.9 / 5, rel=1e-2)
    assert suggested(lrs, np.ones(8001), 0.1) is None


def test_one_wild_repeat_does_not_decide():
    lrs, curve = np.geomspace(1e-7, 10, 100), np.ones(100)
    curve[50:80], curve[80:] = np.linspace(1, 0.1, 30), np.linspace(0.1, 5, 20)
    alike = read(lrs, np.stack([curve] * 3))
    wild = read(lrs, np.stack([curve, np.roll(curve, -30), curve]))
    assert wild.suggestion == alike.suggestion
    assert wild.low < alike.low and wild.high == alike.high


def test_the_ceiling_is_as_far_above_the_start_as_batches_differ_there_and_some_more():
    """Median 1, farthest 0.5 away: 1 + 2 x 0.5 + a tenth of 1. Only the first ten count."""
    start = [1.0, 1.2, 0.8, 1.0, 1.5, 1.0, 0.9, 1.1, 1.0, 1.0]
    assert ceiling(start) == ceiling([*start, 99.0]) == pytest.approx(1 + 2 * 0.5 + 0.1)
    assert ceiling([-2.0] * 10) == pytest.approx(-2 + 0.2)  # a loss may be below 0
    assert ceiling([5.0]) == pytest.approx(5.5)


def falling(stop=100, floor=0.1):
    """[100] a fall from 1 to the floor, and from `stop` on an explosion."""
    losses = np.ones(100)
    losses[40:60], losses[60:] = np.linspace(1, floor, 20), floor
    losses[stop:] = math.nan
    return losses


def test_diverging_is_told_by_the_median_of_the_repeats_and_only_where_most_of_them_do():
    lrs = np.geomspace(1e-7, 10, 100)
    every = read(lrs, np.stack([falling(70), falling(80), falling(90)]))
    assert every.diverged_at == lrs[80]
    assert read(lrs, np.stack([falling(), falling(), falling(90)])).diverged_at is None
    assert read(lrs, np.stack([falling(), falling(80), falling(90)])).diverged_at == lrs[90]


def test_a_run_of_a_few_steps_above_the_ceiling_at_the_end_is_divergence_and_fewer_are_noise():
    lrs = np.geomspace(1e-7, 10, 100)

    def with_end(high):
        losses = falling()
        losses[100 - high :] = 50.0
        return read(lrs, np.stack([losses] * 3)).diverged_at

    assert with_end(ABOVE) == lrs[100 - ABOVE] and with_end(ABOVE - 1) is None


def test_a_smoothed_curve_is_a_mean_that_does_not_lag():
    """A line stays a line away from the ends; a constant is a constant everywhere."""
    lrs, line = np.geomspace(1e-7, 10, 100), np.linspace(2, 1, 100)
    smoothed = read(lrs, np.stack([line] * 2)).smoothed
    assert smoothed[:, 15:85] == pytest.approx(np.stack([line[15:85]] * 2), abs=1e-3)


@pytest.mark.parametrize(
    ("losses", "says"),
    [
        (np.where(np.arange(100) == QUIET - 1, math.nan, falling()), "lowest rates already"),
        (np.ones(100), "no rate makes the loss fall"),
    ],
)
def test_what_tells_nothing_is_refused_with_what_was_seen(losses, says):
    with pytest.raises(TrainingError, match=says) as told:
        read(np.geomspace(1e-7, 10, 100), np.stack([losses] * 3))
    assert "1e-07" in told.value.found and told.value.fix


def test_half_of_the_repeats_without_a_rate_is_too_many():
    lrs, flat = np.geomspace(1e-7, 10, 100), np.ones(100)
    assert read(lrs, np.stack([falling(), falling(), flat])).suggestion > 0
    with pytest.raises(TrainingError, match="no rate makes"):
        read(lrs, np.stack([falling(), flat]))


def test_what_was_found_is_told_in_lines_a_page_and_a_document_without_nan():
    found = read(np.geomspace(1e-7, 10, 100), np.stack([falling(70)] * 3))
    found = replace(found, trials=(Trial(1e-3, 0.5), Trial(1e-1, math.inf)))
    lines = str(found).splitlines()
    assert lines[0].startswith(f"learning rate {found.suggestion:.2g} (") and "3 repeats" in lines[0]
    assert lines[1].startswith("the loss diverges at ") and lines[2] == "a trial with 0.001 came to a loss of 0.5"
    assert repr(found).startswith("Suggestion(learning rate") and "<br>" in found._repr_html_()
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["trials"] == [{"lr": 1e-3, "loss": 0.5}, {"lr": 0.1, "loss": None}]
    assert document["losses"][0][70] is None and document["losses"][0][0] == 1
    assert len(document["lrs"]) == len(document["smoothed"][0]) == 100
