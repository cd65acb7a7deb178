"""Numbers as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core.statistics import Estimate, proportion
from ursa.core.text import counted
from ursa.diagnose.report import number_words


def plain(words):
    return words.replace(number_words.NO_BREAK, " ")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.954, "95 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.998, "99.8 %"),
        (0.9999, "over 99.9 %"),
        (0.0004, "under 0.1 %"),
        (0.004, "0.4 %"),
        (math.nan, "unknown"),
    ],
)
def test_golden_shares(share, words):
    assert plain(number_words.percent(share)) == words


def test_an_interval_is_written_out_and_a_narrow_one_keeps_a_digit():
    assert number_words.estimate(Estimate(0.953, 0.931, 0.972, "")).replace("\u00a0", " ") == "95 %, between 93 and 97"
    assert plain(number_words.between(Estimate(0.9612, 0.957, 0.9651, ""))) == "between 95.7 and 96.5 %"
    assert plain(number_words.value(Estimate(0.9612, 0.957, 0.9651, ""))) == "96.1 %"


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_only_all_is_100_and_only_nothing_is_0(hits, total):
    hits = min(hits, total)
    metric = proportion(hits, total, "")
    words = plain(number_words.value(metric))
    assert (words == "100 %") == (hits == total) and (words == "0 %") == (hits == 0)
    number = float(words.split()[-2])
    assert abs(number - 100 * metric.value) <= 0.51


@pytest.mark.parametrize(
    ("gain", "words"), [(0.012, "1.2 points"), (0.01, "1 point"), (0.03, "3 points"), (0.08, "8 points")]
)
def test_gains_are_points(gain, words):
    assert number_words.points(gain) == words


def test_lists_and_counts():
    assert number_words.listed(["a", "b", "c"]) == "a, b and c" and number_words.listed(["a"]) == "a"
    assert counted(1, "picture") == "1 picture" and counted(2000, "picture") == "2,000 pictures"
