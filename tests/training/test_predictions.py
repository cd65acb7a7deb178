"""Outputs to labels in the targets' own type, probabilities that sum to 1, numbers in their units; short texts."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ursa.training.tasks.predictions import FEW, Predictions, to_predictions, with_ids
from ursa.training.tasks.targets import Targets

LOGITS = torch.tensor([[0.0, 2.0, 1.0], [3.0, -1.0, 0.0]])


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(2, 6))
def test_the_label_is_the_likeliest_class_and_probabilities_are_the_softmax(seed, count, classes):
    logits = torch.randn(count, classes, generator=torch.Generator().manual_seed(seed)) * 5
    found = to_predictions(logits, Targets.measured(np.arange(classes)))
    assert len(found) == count and found.numbers is None and not found.parts
    assert np.array_equal(found.labels, found.probabilities.argmax(1))
    np.testing.assert_allclose(found.probabilities, logits.softmax(1), atol=1e-6)
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        (["a", "b", "c"], ["b", "a"]),
        (np.array([0, 1, 2], np.int8), np.array([1, 0], np.int8)),
    ],
)
def test_labels_have_the_type_of_the_targets(y, labels):
    found = to_predictions(LOGITS, Targets.measured(y)).labels
    assert found.tolist() == list(labels)
    assert found.dtype == np.asarray(labels).dtype


@pytest.mark.parametrize(("y", "labels"), [([False, True], [False, True, False]), (["no", "yes"], ["no", "yes", "no"])])
def test_one_output_tells_how_likely_the_second_class_is(y, labels):
    found = to_predictions(torch.tensor([[-2.0], [1.0], [0.0]]), Targets.measured(y))
    assert found.labels.tolist() == labels  # at exactly a half the first one
    likely = 1 / (1 + np.exp(-np.array([-2.0, 1.0, 0.0])))
    np.testing.assert_allclose(found.probabilities, np.stack([1 - likely, likely], 1), atol=1e-6)


def test_each_of_several_labels_is_there_where_its_logit_is_above_0():
    found = to_predictions(
        torch.tensor([[1.0, -1.0], [0.0, 0.1], [-1, -1], [2, 2]]), Targets.measured([["x"], ["y", "x"]])
    )
    assert found.labels == [["x"], ["y"], [], ["x", "y"]]
    np.testing.assert_allclose(found.probabilities[0], [0.7310586, 0.2689414], atol=1e-6)
    numbered = to_predictions(torch.tensor([[1.0, -1.0], [1.0, 1.0]]), Targets.measured(np.eye(2)))
    assert numbered.labels == [[0], [0, 1]]


def test_numbers_come_in_their_units_and_a_single_column_as_a_list():
    targets = Targets.measured(np.array([100.0, 300.0]))
    found = to_predictions(torch.tensor([[0.0], [1.0]], dtype=torch.bfloat16), targets)
    assert found.numbers.tolist() == [200, 300] and found.numbers.dtype == np.float32
    assert found.probabilities is None and len(found.labels) == 0
    two = to_predictions(torch.zeros(3, 2), Targets.measured(np.array([[1.0, 5], [3, 7]])))
    assert two.numbers.tolist() == [[2, 6]] * 3
    assert to_predictions(LOGITS, Targets("own")).numbers.tolist() == LOGITS.tolist()


def test_several_outputs_are_each_told_in_their_own_way_and_unknown_ones_bare():
    targets = Targets.measured({"kind": ["a", "b", "c"], "age": [10.0, 30.0]})
    found = to_predictions({"kind": LOGITS, "age": torch.tensor([[1.0], [0.0]])}, targets)
    assert len(found) == 2
    assert found.parts["kind"].labels.tolist() == ["b", "a"] and found.parts["age"].numbers.tolist() == [30, 20]
    bare = to_predictions((LOGITS, LOGITS[:, 0]), Targets("own"))
    assert set(bare.parts) == {"0", "1"} and bare.parts["1"].numbers.tolist() == [0, 3]
    named = to_predictions({"x": LOGITS}, Targets("own"))
    assert named.parts["x"].numbers.tolist() == LOGITS.tolist()


def test_predicting_holds_on_to_no_graph_and_ids_go_with_a_copy():
    outputs = LOGITS.clone().requires_grad_()
    found = to_predictions(outputs, Targets.measured([0, 1, 2]))
    named = with_ids(found, ["a.jpg", "b.jpg"])
    assert named.ids == ("a.jpg", "b.jpg") and found.ids == ()
    assert named.probabilities is found.probabilities


def test_a_short_text_counts_the_commonest_labels_and_shows_a_range_of_numbers():
    many = np.repeat([f"c{i}" for i in range(FEW + 2)], range(FEW + 2, 0, -1))
    found = Predictions(many, np.ones((len(many), 1), np.float32))
    assert repr(found) == "Predictions(36 examples; c0 8, c1 7, c2 6, c3 5, c4 4, c5 3, ...)"
    exactly = Predictions(many[many < f"c{FEW}"], np.ones((3, 1), np.float32))
    assert not repr(exactly).endswith("...)")
    lists = Predictions([["x"], ["x", "y"], []], np.ones((3, 2), np.float32))
    assert "x 2, y 1" in repr(lists)
    assert "no label" in repr(Predictions([[], []], np.ones((2, 2), np.float32)))
    numbers = Predictions(numbers=np.array([[1.5, -2], [3, 4]], np.float32))
    assert repr(numbers) == "Predictions(2 examples; numbers [2, 2] from -2 to 4)"
    assert "numbers [0] from nan to nan" in repr(Predictions(numbers=np.zeros(0, np.float32)))
    both = Predictions(parts={"k": lists, "n": numbers})
    assert repr(both) == f"Predictions(3 examples; k: {lists._short()}; n: {numbers._short()})"
    assert "&lt;b&gt;" in Predictions(np.array(["<b>"]), np.ones((1, 1), np.float32))._repr_html_()
