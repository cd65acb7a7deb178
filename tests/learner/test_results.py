"""Targets and predictions side by side: labels in their own words, the largest losses first, tables of anything."""

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional as F

import ursa
from ursa import models
from ursa.errors import DataError
from ursa.learner import results
from ursa.learner.results import first_batch, top_losses, words
from ursa.training.batches.splits import ArraySplit
from ursa.training.tasks import losses
from ursa.training.tasks.targets import Targets

X = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
LOGITS = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))


class Named(ArraySplit):
    """Examples that have ids, as pictures have."""

    @property
    def ids(self):
        return [f"{row}.jpg" for row in range(len(self))]


@pytest.mark.parametrize(
    ("y", "true", "expected"),
    [
        (["a", "b"], torch.tensor([1, 0, -1]), ["b", "a", None]),
        ([0, 1, 2], torch.tensor([2, 0]), [2, 0]),
        ([0, 1], torch.tensor([1, 5]), [1, 5]),  # beyond what is known: by number
        ([True, False], torch.tensor([1, 0]), [True, False]),
        (["a", "b"], torch.tensor([[0.3, 0.7], [0.9, 0.1]]), ["b", "a"]),  # blended: the largest share
        (["a", "b"], torch.tensor([[1], [0]]), ["b", "a"]),
        ([["x"], ["y"]], torch.tensor([[1.0, 1], [0, 0.6], [0.5, 0]]), ["x, y", "y", "none"]),
        ([0.5, 1.5], torch.tensor([[2.5], [3.5]]), [2.5, 3.5]),
        ([0.5, 1.5], torch.tensor([2.5]), [2.5]),
        (np.array([[0.5, 1], [2, 3]]), torch.tensor([[2.5, 3.5]]), [[2.5, 3.5]]),
    ],
)
def test_targets_are_told_in_the_words_that_they_came_in(y, true, expected):
    found = words(true, Targets.measured(y))
    assert found == expected
    assert [type(each) for each in found] == [type(each) for each in expected]


def test_several_targets_are_told_by_name_and_unknown_ones_bare():
    found = words({"kind": torch.tensor([1]), "else": torch.tensor([7])}, Targets.measured({"kind": ["a", "b"]}))
    assert found == {"kind": ["b"], "else": [7]}


def test_the_largest_losses_are_those_of_each_example_alone():
    y = torch.arange(30) % 3
    split, targets = ArraySplit((torch.from_numpy(X),), y), Targets.measured(["a", "b", "c"])
    table = top_losses(LOGITS, split, y, losses.cross_entropy, targets, 5)
    each = F.cross_entropy(LOGITS, y, reduction="none")
    order = each.argsort(descending=True)[:5]
    assert table["row"].to_list() == order.tolist()
    assert table["loss"].to_list() == pytest.approx(each[order].tolist())
    assert table["target"].to_list() == ["abc"[k] for k in y[order]]
    assert table["prediction"].to_list() == ["abc"[k] for k in LOGITS[order].argmax(1)]
    assert table["probability"].to_list() == pytest.approx(LOGITS[order].softmax(1).max(1).values.tolist())


def test_equal_losses_stay_in_order_pictures_have_ids_and_no_more_are_shown_than_there_are():
    y = torch.zeros(30)
    split = Named((torch.from_numpy(X),), y)
    table = top_losses(torch.ones(30), split, y, losses.mse, Targets.measured([0.5, 1.5], standardize=False), 99)
    assert table["picture"].to_list() == [f"{row}.jpg" for row in range(30)]
    assert "probability" not in table.columns and "row" not in table.columns
    assert table["prediction"].to_list() == [1.0] * 30


def test_losses_of_several_outputs_are_shown_with_a_column_of_each():
    y = {"kind": torch.arange(4) % 2, "age": torch.tensor([0.0, 0, 0, 9])}
    outputs = {"kind": torch.zeros(4, 2), "age": torch.zeros(4)}
    loss = losses.multi_task({"kind": losses.cross_entropy, "age": losses.mse})
    targets = Targets.measured({"kind": ["a", "b"], "age": [0.5, 1.5]}, standardize=False)
    table = top_losses(outputs, ArraySplit((torch.zeros(4, 1),), y), y, loss, targets, 2)
    assert table.columns == ["row", "kind target", "kind prediction", "age target", "age prediction", "loss"]
    assert table["row"][0] == 3 and table["loss"][0] == pytest.approx(81 + np.log(2))


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "3", None])
def test_a_number_to_show_is_a_whole_one_above_0(count):
    one = ursa.Learner((X, np.arange(30) % 3), models.linear(3, 3))
    for show in (one.show_batch, one.show_results, one.top_losses):
        with pytest.raises(DataError, match="nothing to show") as told:
            show(count)
        assert told.value.found == f"count={count}"


def test_what_is_shown_are_the_training_examples_as_the_network_gets_them():
    one = ursa.Learner((X, np.arange(30) % 3), models.linear(3, 3), recipe={"batch_size": 8})
    table = one.show_batch(4)
    batch = next(one.data.train.batches(one.recipe).epoch(0))
    assert table["target"].to_list() == batch.targets[:4].tolist()
    shown = [np.fromstring(text.strip("[]"), sep=" ") for text in table["input"]]
    np.testing.assert_allclose(shown, batch.inputs[0][:4].numpy(), atol=1e-3)
    assert one.show_batch(99).height == 8  # of the first batch
    wide = ursa.Learner((np.ones((30, 500)), np.arange(30) % 3), models.linear(500, 3))
    assert all(0 < len(text) <= results.TEXT for text in wide.show_batch(2)["input"])


def test_results_are_drawn_by_the_seed_and_say_what_the_network_predicts():
    y = np.where(X[:, 0] > 0, "warm", "cold")
    one = ursa.Learner(((X, y), (X, y)), models.linear(3, 2), seed=3)
    table = one.show_results(12)
    assert isinstance(table, pl.DataFrame) and table.columns == ["target", "prediction"] and table.height == 12
    assert table.equals(one.show_results(12)) and one.show_results(99).height == 30
    assert table.head(5).equals(one.show_results(5))
    rows = ursa.core.seeds.generator(3, "results").permutation(30)[:12]
    assert table["target"].to_list() == y[rows].tolist()
    assert table["prediction"].to_list() == one.predict(X[rows]).labels.tolist()
    other = ursa.Learner(((X, y), (X, y)), models.linear(3, 2), seed=4)
    assert not other.show_results(12)["target"].equals(table["target"])


def test_first_examples_are_at_least_one_and_at_most_all():
    split = ArraySplit((torch.arange(5.0),), {"a": torch.arange(5)})
    assert len(first_batch(split, 3)) == 3 and len(first_batch(split, 99)) == 5 and len(first_batch(split, 0)) == 1
