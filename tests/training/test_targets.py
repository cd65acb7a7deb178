"""Targets as people hold them: what they are told to be, to tensors and back, and what cannot be learned."""

import datetime
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ursa.errors import DataError
from ursa.training.tasks.target_scaling import TargetScaling
from ursa.training.tasks.targets import Targets

NAN = float("nan")


def task(y, **options):
    return Targets.measured(y, **options).task


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: [0, 1, 2], "single-label"),
        (lambda: [True, False], "single-label"),
        (lambda: np.array([0, 3], np.uint8), "single-label"),
        (lambda: torch.tensor([0, 1]), "single-label"),
        (lambda: pd.Series(["a", "b"]), "single-label"),
        (lambda: pd.Series(["a", "b"], dtype="category"), "single-label"),
        (lambda: pl.Series(["a", "b"]), "single-label"),
        (lambda: [("a", "b"), ("b",)], "multi-label"),
        (lambda: [{"a"}, {"b", "a"}], "multi-label"),
        (lambda: np.eye(3), "multi-label"),
        (lambda: [0.5, 1.5], "regression"),
        (lambda: torch.rand(4, 2) + 1, "regression"),
        (lambda: np.arange(12).reshape(4, 3), "own"),
        (lambda: {"a": [0, 1], "b": [0.5, 1.5]}, "several"),
    ],
)
def test_what_is_learned_is_told_by_type_and_shape(make, expected):
    assert task(make()) == expected


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)


@given(st.lists(TEXT, min_size=1, max_size=30))
def test_any_text_is_a_class_and_comes_back_from_its_number(words):
    targets = Targets.measured(words)
    numbers = targets.of(words, "x")
    assert list(targets.names) == sorted(set(words))
    assert [targets.names[n] for n in numbers.tolist()] == words
    assert targets.labels(len(targets.names)).tolist() == sorted(set(words))


@given(st.lists(st.sets(st.sampled_from("abcde")), min_size=1, max_size=12).filter(any))
def test_sets_of_labels_come_back_from_their_rows_of_0_and_1(sets):
    targets = Targets.measured([sorted(each) for each in sets])
    rows = targets.of([sorted(each) for each in sets], "x")
    assert rows.dtype == torch.float32 and rows.shape == (len(sets), len(targets.names))
    assert [{name for name, there in zip(targets.names, row, strict=True) if there} for row in rows] == sets


@pytest.mark.parametrize("words", [["-1", "1", "1"], ["None", "nan", "x"]])
def test_classes_that_are_called_like_something_missing_are_classes(words):
    """Sentiment is often "-1" and "1": as text they are names, and only None and NaN are missing."""
    targets = Targets.measured(words)
    assert targets.names == tuple(sorted(set(words))) and not targets.missing
    assert targets.of(words, "x").tolist() == [sorted(set(words)).index(word) for word in words]
    both = {"mood": ["-1", None, "1"]}
    assert Targets.measured(both).of(both, "x")["mood"].tolist() == [0, -1, 1]


@pytest.mark.parametrize(
    ("train", "other"),
    [
        ([0, 1, 1], [0, -1]),
        (["a", "b"], ["a", None]),
        (["a", "b"], ["a", NAN]),
        ([0.5, 1.5], [0.5, NAN]),
        ([0.5, 1.5], [0.5, float("inf")]),
        (np.eye(2), np.array([[0, NAN]])),
    ],
)
def test_targets_that_are_missing_in_another_part_alone_are_refused(train, other):
    known = Targets.measured(train)
    with pytest.raises(DataError, match="some targets of the validation part are missing"):
        known.of(np.array(other, object if isinstance(train[0], str) else None), "the validation part")


@pytest.mark.parametrize("y", [[0.5, 1.2], [0.0, 0.999]])
def test_numbers_with_a_fraction_are_no_classes(y):
    with pytest.raises(DataError, match="classes") as told:
        Targets.measured([0, 1, 1]).of(y, "the data")
    assert "the data" in told.value.what and str(y[-1] if y[0] == 0 else y[0]) in str(told.value.found)
    assert Targets.measured([0, 1, 1]).of([0.0, 1.0], "the data").tolist() == [0, 1]  # whole numbers are, of any type


@pytest.mark.parametrize(
    ("y", "dtype", "labels"),
    [
        (np.array([0, 2], np.int16), "int16", np.array([0, 1, 2], np.int16)),
        (np.array([True, False]), "bool", np.array([False, True])),
        (["b", "a"], None, np.array(["a", "b"])),
    ],
)
def test_labels_come_in_the_type_of_the_targets(y, dtype, labels):
    targets = Targets.measured(y)
    found = targets.labels(len(labels))
    assert targets.dtype == dtype and found.dtype == labels.dtype and found.tolist() == labels.tolist()


def test_outputs_beyond_the_known_classes_are_called_by_their_number():
    assert Targets.measured(["a", "b"]).labels(4).tolist() == ["a", "b", "2", "3"]
    assert Targets.measured([0, 1], names=["cat", "dog"]).labels(3).tolist() == ["cat", "dog", "2"]
    assert Targets.measured([True, False]).labels(3).tolist() == ["0", "1", "2"]


def test_names_name_classes_in_order_and_may_be_more_than_occur():
    targets = Targets.measured([0, 1], names=["cat", "dog", "emu"])
    assert targets.names == ("cat", "dog", "emu") and targets.dtype is None
    assert targets.of([2], "x").tolist() == [2]
    text = Targets.measured(["dog", "cat"], names=["dog", "cat", "emu"])
    assert text.of(["cat", "emu"], "x").tolist() == [1, 2]
    columns = Targets.measured(np.eye(3), names=["a", "b", "c"])
    assert columns.names == ("a", "b", "c") and columns.dtype is None
    for y, names in (([0, 2], ["a", "b"]), (np.eye(3), ["a", "b"]), (np.eye(3), ["a", "b", "c", "d"])):
        with pytest.raises(DataError, match="names and classes differ"):
            Targets.measured(y, names=names)


def test_a_column_of_classes_is_a_list_of_them_and_one_of_numbers_stays_a_column():
    assert Targets.measured([0, 1]).of(np.array([[1], [0]]), "x").tolist() == [1, 0]
    numbers = np.array([[1.5], [2.5]])
    assert Targets.measured(numbers).of(numbers, "x").shape == (2, 1)


# --- regressions -----------------------------------------------------------------------------------------------------


def test_regressions_are_measured_and_undone_and_only_they():
    prices = np.array([100.0, 300.0])
    targets = Targets.measured({"price": prices, "kind": [0, 1]})
    outputs = {"price": torch.tensor([-1.0, 1.0]), "kind": torch.tensor([[1.0, 2.0]]), "else": torch.ones(1)}
    undone = targets.undo(outputs)
    assert undone["price"].tolist() == [100, 300]
    assert undone["kind"] is outputs["kind"] and undone["else"] is outputs["else"]
    assert targets.of({"price": prices, "kind": [0, 1]}, "x")["price"].tolist() == [100, 300]  # data stay as they are
    plain = targets.as_given()
    assert plain.undo(outputs)["price"] is outputs["price"]
    assert Targets.measured(prices, standardize=False).scaling is None
    assert Targets.measured(prices).as_given().scaling is None


def test_what_only_a_loss_of_ones_own_knows_is_handed_on_as_it_is():
    y = np.arange(24, dtype=np.int32).reshape(2, 3, 4)[:, ::2]
    found = Targets.measured(y).of(y, "x")
    assert found.dtype == torch.int32 and found.is_contiguous() and found.tolist() == y.tolist()


def test_several_targets_have_to_have_the_same_names():
    targets = Targets.measured({"a": [0, 1], 3: [0.5, 1.5]})
    assert set(targets.parts) == {"a", "3"}
    assert set(targets.of({"a": [1], 3: [2.5]}, "x")) == {"a", "3"}
    for wrong, found in (({"a": [0]}, "a"), ([0, 1], "list"), ({"a": [0], "3": [1.0], "b": [1]}, "a, 3, b")):
        with pytest.raises(DataError, match="are not those of training") as told:
            targets.of(wrong, "the data")
        assert told.value.found == found
        assert told.value.fix == "a, 3"


def test_an_error_in_one_of_several_names_it():
    with pytest.raises(DataError, match="kind of the data"):
        Targets.measured({"kind": [0, 1]}).of({"kind": [5]}, "the data")


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 2],
        ["a", "b"],
        [["a"], ["b", "a"]],
        np.eye(3),
        [1.5, 2.5],
        {"k": [0, -1], "n": [0.5, NAN], "w": ["a", None]},
    ],
)
def test_what_is_learned_survives_json(y):
    targets = Targets.measured(y)
    back = Targets.from_json(json.loads(json.dumps(targets.to_json())))
    assert back == targets
    one, other = targets.of(y, "x"), back.of(y, "x")
    for name in one if isinstance(one, dict) else [None]:
        first, second = (one[name], other[name]) if name else (one, other)
        assert first.dtype == second.dtype
        torch.testing.assert_close(first, second, equal_nan=True)


# --- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "says"),
    [
        ([0, -1], "some targets are missing"),
        (["a", None], "some targets are missing"),
        ([1.5, NAN], "some targets are missing"),
        ([0, -2], "a class has to be 0 or more"),
        ([5, 100_000], "classes or numbers to predict"),
        ([datetime.date(2020, 1, 1)] * 2, "no kind that is known|classes"),
        (np.array([1 + 1j, 2]), "no kind that is known"),
        (np.array(["2020-01-01"], "datetime64[D]"), "no kind that is known"),
        ([[1.0], [1.0, 2.0]], "not one array"),
    ],
)
def test_targets_of_no_use_are_refused_in_one_readable_error(y, says):
    if isinstance(y, list) and isinstance(y[0], datetime.date):
        assert Targets.measured(y).text  # Python's own dates are told by their words
        return
    with pytest.raises(DataError, match=says):
        Targets.measured(y)


@pytest.mark.parametrize(
    ("high", "count", "is_class"), [(999, 2, True), (1000, 2, False), (1500, 1501, True), (1500, 1500, False)]
)
def test_many_whole_numbers_are_classes_where_there_are_more_examples_or_fewer_than_a_thousand(high, count, is_class):
    y = np.zeros(count, int)
    y[-1] = high
    if is_class:
        assert len(Targets.measured(y).names) == high + 1
    else:
        with pytest.raises(DataError, match="classes or numbers"):
            Targets.measured(y)
        assert len(Targets.measured(y, names=list(map(str, range(high + 1)))).names) == high + 1


@pytest.mark.parametrize(
    ("train", "y", "found"),
    [
        ([0, 1], [0, 5, 3, 5], "3, 5"),
        (["a", "b"], ["c", "a", "d"], "c, d"),
        (["a"], list("bcdefgh"), "b, c, d, e, f, ..."),
        ([0, 1], [0, -3], "-3"),
    ],
)
def test_classes_that_training_lacks_are_listed_in_order_and_not_all_of_many(train, y, found):
    with pytest.raises(DataError, match="the training part lacks") as told:
        Targets.measured(train).of(y, "the validation part")
    assert told.value.found == found


@pytest.mark.parametrize(
    ("train", "y", "says"),
    [
        ([0.5, 1.5], ["a", "b"], "not numbers"),
        (np.eye(3), np.eye(2), "another shape"),
        (np.eye(3), ["a", "b"], "not numbers"),
        (np.eye(3), [0.0, 1.0], "another shape"),
    ],
)
def test_targets_of_another_kind_than_those_of_training_are_refused(train, y, says):
    with pytest.raises(DataError, match=says):
        Targets.measured(train).of(y, "the data")


# --- their scale -----------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.floats(-1e4, 1e4), st.floats(0.01, 100))
def test_learned_numbers_do_not_depend_on_the_unit(numbers, zero, unit):
    y = np.array(numbers)
    if y.std() < 1e-3 * (1 + np.abs(y).max()):
        return
    one, other = TargetScaling.measured(y), TargetScaling.measured(y * unit + zero)
    here = one.of(torch.from_numpy(y))
    there = other.of(torch.from_numpy(y * unit + zero))
    torch.testing.assert_close(here, there, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(one.undo(here), torch.from_numpy(y), atol=1e-6 * (1 + np.abs(y).max()), rtol=0)


def test_columns_are_scaled_alone_missing_ones_do_not_count_and_constants_keep_a_deviation_of_1():
    y = np.array([[1.0, 5, NAN, 0.1], [3.0, 5, NAN, 0.1], [NAN, 5, NAN, 0.1]])
    scaling = TargetScaling.measured(y)
    assert scaling.mean == pytest.approx((2, 5, 0, 0.1)) and scaling.std == (1, 1, 1, 1)
    assert TargetScaling.measured(np.arange(24.0).reshape(2, 3, 4)).mean == (11.5,)  # one number for any other shape
    assert TargetScaling.measured(np.array([2.0, 4.0])).std == (1.0,)


@pytest.mark.parametrize("value", [0.1, 0.7, -1234.567, 1e-9, 3e8])
@pytest.mark.parametrize("count", [3, 10, 1000])
def test_rounding_is_no_deviation(value, count):
    """The mean of ten times 0.1 is not 0.1 in the last digit: divided by that, any other number would be enormous."""
    assert TargetScaling.measured(np.full(count, value)).std == (1.0,)
    assert TargetScaling.measured(np.array([value, value * (1 + 1e-6)])).std[0] < abs(value) * 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_scaling_keeps_the_type_of_floats_and_its_loss_is_that_of_scaled_targets(dtype):
    scaling = TargetScaling((10.0,), (4.0,))
    y = torch.tensor([10, 14]).to(dtype)
    assert scaling.of(y).tolist() == [0, 1]
    assert scaling.of(y).dtype == (torch.float32 if dtype == torch.int64 else dtype)

    def loss(outputs, targets):
        return (outputs - targets).abs().sum()

    assert scaling.loss(loss)(torch.tensor([0.0, 3.0]), y).item() == 2
