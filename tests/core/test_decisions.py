"""Probabilities become the cheapest answers; what cannot be costs or thresholds is refused by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core.decisions import Costs, Decisions, costs_of
from ursa.errors import DataError

NAMES = ("a", "b", "c")
price = st.floats(0.01, 100)
shares = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(lambda row: np.array(row) / sum(row))


@given(shares, st.dictionaries(st.sampled_from(NAMES), st.tuples(price, price)))
def test_no_other_answer_is_expected_to_cost_less(row, pairs):
    costs = costs_of(pairs, NAMES)
    miss, alarm = ([getattr(costs[n], of) if n in costs else 0 for n in NAMES] for of in ("miss", "false_alarm"))
    expected = [sum(row[j] * (miss[j] + alarm[k]) for j in range(3) if j != k) for k in range(3)]
    chosen = Decisions(costs).chosen(row[None], NAMES)[0]
    assert expected[chosen] <= min(expected) + 1e-9 * (1 + max(expected))


def test_a_class_with_costs_is_answered_from_its_threshold_on_and_others_by_probability():
    decide = Decisions(costs_of({"a": (9, 1)}, NAMES))
    assert decide.costs["a"].threshold == pytest.approx(0.1)
    rows = np.array([[0.11, 0.80, 0.09], [0.09, 0.80, 0.11], [0.09, 0.40, 0.51], [0.9, 0.1, 0]])
    assert decide.chosen(rows, NAMES).tolist() == [0, 1, 2, 0]
    assert Decisions().chosen(rows, NAMES).tolist() == [1, 1, 2, 0]
    careful = Decisions(costs_of({"a": (1, 9)}, NAMES))
    assert careful.chosen(np.array([[0.89, 0.06, 0.05], [0.91, 0.05, 0.04]]), NAMES).tolist() == [1, 0]


@given(st.lists(shares, min_size=1, max_size=5), price)
def test_equal_costs_for_all_change_nothing_and_their_unit_never_does(rows, unit):
    rows = np.array(rows)
    plain = Decisions().chosen(rows, NAMES)
    equal = Decisions(costs_of(dict.fromkeys(NAMES, (unit, unit)), NAMES)).chosen(rows, NAMES)
    np.testing.assert_allclose(rows[range(len(rows)), plain], rows[range(len(rows)), equal], atol=1e-6)
    pairs = {"a": (5.0, 1.0), "b": (1.0, 3.0)}
    scaled = {name: (m * unit, f * unit) for name, (m, f) in pairs.items()}
    one, other = (costs_of(each, NAMES) for each in (pairs, scaled))
    assert all(one[name].threshold == pytest.approx(other[name].threshold) for name in pairs)


def test_below_the_threshold_it_is_unsure():
    rows = np.array([[0.6, 0.4], [0.59, 0.41]])
    assert Decisions(abstain=0.6).unsure(rows).tolist() == [False, True]
    assert Decisions().unsure(rows).tolist() == [False, False]


def test_json_comes_back():
    decide = Decisions(costs_of({"b": (10, 1)}, NAMES), 0.75)
    assert Decisions.from_json(decide.to_json(), NAMES) == decide
    assert Decisions.from_json({}, NAMES) == Decisions.from_json(Decisions().to_json(), NAMES) == Decisions()


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"costs": []},
        {"costs": {"d": {"miss": 1, "false_alarm": 1}}},
        {"costs": {"a": 3}},
        {"costs": {"a": {"miss": 1}}},
        {"costs": {"a": {"miss": "1", "false_alarm": 1}}},
        {"costs": {"a": {"miss": 0, "false_alarm": 1}}},
        {"costs": {"a": {"miss": True, "false_alarm": 1}}},
        {"costs": {"a": {"miss": 1e300, "false_alarm": 1}}},
        {"abstain": {"value": 1.5}},
        {"abstain": {"value": "high"}},
        {"abstain": True},
        {"abstain": [0.5]},
    ],
)
def test_thresholds_of_a_stranger_are_judged(document):
    with pytest.raises(DataError):
        Decisions.from_json(document, NAMES)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"aa": (1, 2)}, "no class 'aa'"),
        ({"a": (0, 1)}, "a miss costs"),
        ({"a": (1, float("nan"))}, "a false alarm costs"),
        ({"a": (1, float("inf"))}, "a false alarm costs"),
        ({"a": 3}, "a pair"),
        ({"a": "12"}, "a pair"),
        ({"a": (1, 2, 3)}, "a pair"),
    ],
)
def test_what_cannot_be_costs_is_refused(given, what):
    with pytest.raises(DataError, match=what):
        costs_of(given, NAMES)


def test_costs_may_be_given_as_such():
    assert costs_of({"a": Costs(2, 1)}, NAMES) == {"a": Costs(2, 1)}
