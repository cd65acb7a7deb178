"""Gaps: from errors of parts to what to work on first."""

import json

import numpy as np
import pytest

import ursa
from ursa.diagnose.gaps import BIAS, MISMATCH, OVERFITTING, STEPS, VARIANCE, gaps
from ursa.errors import DataError

CASES = {  # the textbook's: what is planted is what is named first
    BIAS: {"train": (75, 500), "valid": (32, 200), "human": 0.01},
    VARIANCE: {"train": (5, 500), "valid": (33, 200), "train_dev": (32, 200), "human": 0.0},
    MISMATCH: {"train": (5, 500), "valid": (40, 200), "train_dev": (3, 200)},
    OVERFITTING: {"train": (5, 500), "valid": (4, 200), "test": (40, 200)},
}


@pytest.mark.parametrize("name", CASES)
def test_each_gap_is_named_where_it_is_planted_with_the_steps_that_fit(name):
    found = gaps(**CASES[name])
    assert found.largest is not None and found.largest.name == name
    assert found.largest.steps == STEPS[name]
    assert name in found.evidence and STEPS[name][0] in found.advice
    document = json.loads(json.dumps(found.to_json()))
    assert document["gaps"][0]["size"]["low"] > 0
    assert set(document["errors"]) == {"human", *CASES[name]}


def test_gaps_add_up_from_people_to_the_last_part():
    found = gaps((20, 400), (30, 150), train_dev=(12, 120), test=(25, 100), human=(3, 100))
    assert sum(gap.size.value for gap in found.rows) == pytest.approx(25 / 100 - 3 / 100)
    assert {gap.name for gap in found.rows} == set(STEPS)
    told = [gap.told for gap in found.rows]
    assert told == sorted(told, reverse=True)


def test_what_chance_explains_is_not_advised_on():
    found = gaps((0, 200), (1, 40))
    assert found.largest is None
    assert "No gap between the parts is told from chance; the largest is variance 2.5 points" in found.evidence
    assert found.advice == "More validation pictures would tell."


def test_a_larger_one_that_may_be_chance_is_mentioned():
    found = gaps((1, 50), (4, 40))
    assert found.largest is not None and found.largest.name == BIAS
    assert "The variance, 8.0 points (95 % interval -2." in found.evidence and "may be chance" in found.evidence
    assert "may be chance" not in gaps((4, 500), (31, 200)).evidence


def test_people_are_taken_to_make_no_errors_and_that_is_said_with_the_way_to_tell():
    without, given = gaps((60, 400), (20, 100)), gaps((60, 400), (20, 100), human=0.14)
    assert "--human-error 0.02" in without.advice and not without.human_given
    assert without.rows[0].size.value == pytest.approx(0.15)
    bias = next(gap for gap in given.rows if gap.name == BIAS)
    assert bias.size.value == pytest.approx(0.01) and not bias.told
    assert "--human-error" not in given.advice


def test_without_a_train_dev_part_variance_may_be_data_mismatch():
    assert "train_dev=0.1" in gaps((2, 400), (30, 100)).advice
    assert "train_dev" not in gaps((2, 400), (30, 100), train_dev=(28, 100)).advice


def test_intervals_hold_the_true_gap_as_often_as_they_say():
    draw, held = np.random.default_rng(0), []
    for train, valid in zip(
        draw.binomial(300, 0.05, 400).tolist(), draw.binomial(100, 0.15, 400).tolist(), strict=True
    ):
        (size,) = [gap.size for gap in gaps((train, 300), (valid, 100)).rows if gap.name == VARIANCE]
        held.append(size.low <= 0.1 <= size.high)
    assert np.mean(held) > 0.92


@pytest.mark.parametrize("wrong", [(5, 0), (-1, 10), (11, 10), (float("nan"), 10), 0.1, "12", (1, 2, 3), (1, 10.5)])
def test_counts_that_are_none_are_refused(wrong):
    with pytest.raises(DataError, match="two counts") as problem:
        gaps((1, 10), wrong)
    assert "valid=(wrong, examples)" in problem.value.fix


@pytest.mark.parametrize("share", [2, 1.0, -0.1, float("nan")])
def test_the_error_of_people_is_a_share(share):
    with pytest.raises(DataError, match="a share"):
        gaps((1, 10), (2, 10), human=share)


def test_the_front_door_has_it_and_its_example_holds():
    assert ursa.gaps is gaps
    assert str(gaps((4, 500), (31, 200)).largest) == "variance 14.7 points (95 % interval 10.2 to 20.4)"
