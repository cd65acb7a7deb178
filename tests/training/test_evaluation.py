"""A network's outputs for a whole split: in order, in any pieces; losses and metrics that follow from the targets."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from ursa.core.prepare import Preparation
from ursa.data.sources.constructors import Catalog
from ursa.errors import DataError
from ursa.training import evaluation
from ursa.training.batches.picture_batches import Views
from ursa.training.batches.splits import ArraySplit, PictureSplit
from ursa.training.tasks import losses, metrics
from ursa.training.tasks.targets import Targets
from ursa.training.tensor_tree import tree_leaves

NAN = math.nan
X = torch.randn(23, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(23) % 3


class Answers(nn.Module):
    """Several outputs, in whatever they are held; notes how many examples came at a time, and in which mode."""

    def __init__(self, held) -> None:
        super().__init__()
        self.layer, self.held, self.seen = nn.Linear(4, 3), held, []

    def forward(self, x):
        self.seen.append((len(x), self.training, torch.is_inference_mode_enabled()))
        return self.held(self.layer(x))


HELD = {
    "a tensor": lambda y: y,
    "a dict": lambda y: {"a": y, "b": [y, y + 1]},
    "a tuple": lambda y: (y, {"c": y * 2}),
}


@settings(max_examples=12)
@pytest.mark.parametrize("held", HELD)
@given(size=st.integers(1, 30))
def test_in_any_pieces_outputs_are_those_of_all_at_once(held, size):
    model = Answers(HELD[held]).train()
    whole = model.eval()(X)
    model.seen.clear()
    found, targets = evaluation.predict(model.train(), ArraySplit((X,), Y), size)
    for one, other in zip(tree_leaves(found), tree_leaves(whole), strict=True):
        torch.testing.assert_close(one, other)
    assert torch.equal(targets, Y)
    assert type(found) is type(whole)
    assert {seen[1:] for seen in model.seen} == {(False, True)}  # evaluation mode, no graph
    assert [seen[0] for seen in model.seen] == [size] * (23 // size) + ([23 % size] if 23 % size else [])


def test_targets_may_be_several_and_nothing_is_an_error_that_says_so():
    split = ArraySplit((X,), {"kind": Y, "age": (Y + 1,)})
    _, targets = evaluation.predict(Answers(HELD["a tensor"]), split, 5)
    assert torch.equal(targets["kind"], Y) and torch.equal(targets["age"][0], Y + 1)
    with pytest.raises(DataError, match="nothing to predict"):
        evaluation.predict(Answers(HELD["a tensor"]), ArraySplit((X[:0],), Y[:0]), 5)


def test_half_precision_is_answered_in_float32():
    found, _ = evaluation.predict(Answers(HELD["a dict"]), ArraySplit((X,), Y), 5, torch.bfloat16)
    exact, _ = evaluation.predict(Answers(HELD["a dict"]), ArraySplit((X,), Y), 5)
    assert found["b"][1].dtype == torch.float32 and found["a"].shape == exact["a"].shape


def test_pictures_in_files_are_those_in_memory(tmp_path, picture_folder):
    """By all cores at once, as an array of views, one by one, and as a split."""
    catalog = Catalog.from_folder(picture_folder(tmp_path, {"red": 11, "green": 9}))
    preparation = Preparation(16)

    class Means(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, pictures):
            return pictures.float().mean((1, 2)) * self.scale

    views = Views(catalog, preparation)
    seen = np.stack([*views])
    expected = torch.from_numpy(seen.astype(np.float32).mean((1, 2)))
    split = PictureSplit(catalog, catalog.targets(), 2, preparation)
    by_split, targets = evaluation.predict(Means(), split, 3)
    for found in (by_split, evaluation.predict_views(Means(), views), evaluation.predict_views(Means(), seen)):
        torch.testing.assert_close(found, expected)
    assert targets.tolist() == catalog.targets().tolist()


@pytest.mark.parametrize(
    ("shapes", "size"),
    [
        ([(2, 4)], 1024),  # small ones: as many as are allowed
        ([(1, 3, 224, 224)], (1 << 22) // (3 * 224 * 224)),
        ([(1, 1 << 21), (1, 1 << 20)], 1),
        ([(1, 1 << 23)], 1),  # never none
        ([(1, 0)], 1024),
    ],
)
def test_examples_at_a_time_are_limited_by_their_numbers(shapes, size):
    assert evaluation.size_for([torch.zeros(shape, dtype=torch.uint8) for shape in shapes]) == size


# --- what is measured ------------------------------------------------------------------------------------------------


def test_an_epoch_is_measured_by_loss_and_metrics_of_the_whole_split_not_by_means_of_pieces():
    model, split = Answers(HELD["a tensor"]), ArraySplit((X,), Y)
    outputs = model.eval()(X).detach()
    found = evaluation.evaluator(split, losses.cross_entropy, metrics.to_metrics(["f1", "accuracy"]), 5)(model)
    assert list(found) == ["valid_loss", "f1", "accuracy"]
    assert found["valid_loss"] == pytest.approx(float(F.cross_entropy(outputs, Y)))
    assert found["f1"] == metrics.f1(outputs, Y)


def test_metrics_of_a_regression_are_in_the_targets_units_and_its_loss_is_not():
    y = torch.tensor([100.0, 300, 500]).repeat(5)
    targets = Targets.measured(y)
    loss, split = evaluation.loss_for(targets), ArraySplit((X[:15],), y)
    model = Answers(lambda out: out[:, 0] * 0 + 1)  # one deviation above the mean
    found = evaluation.evaluator(split, loss, metrics.to_metrics(["mae"]), 4, targets=targets)(model)
    std = float(y.std(correction=0))
    assert found["mae"] == pytest.approx(float((300 + std - y).abs().mean()), rel=1e-5)
    assert found["valid_loss"] == pytest.approx(2)  # mean of (1 - z)^2, z with mean 0 and deviation 1
    whole = evaluation.estimates(torch.ones(15), y, loss, metrics.to_metrics(["mae"]), targets, "a note")
    assert list(whole) == ["loss", "mae"]
    assert (whole["loss"].value, whole["mae"].value) == (pytest.approx(2), pytest.approx(found["mae"]))
    assert all(each.method.endswith("; a note") and each.low <= each.value <= each.high for each in whole.values())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_task_has_its_usual_loss(smoothing):
    outputs = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    classes, labels = torch.tensor([0, 1, 2, 2, 1, 0]), torch.eye(3)[[0, 1, 2, 2, 1, 0]]
    of_classes = evaluation.loss_for(Targets.measured(classes), smoothing)
    assert torch.equal(of_classes(outputs, classes), F.cross_entropy(outputs, classes, label_smoothing=smoothing))
    of_labels = evaluation.loss_for(Targets.measured(labels), smoothing)  # which smoothing does not concern
    assert torch.equal(of_labels(outputs, labels), F.binary_cross_entropy_with_logits(outputs, labels))


def test_the_loss_of_several_outputs_is_the_sum_of_theirs_without_what_is_missing():
    y = {"kind": np.array([0, -1, 1]), "age": np.array([10.0, 30, NAN]), "tags": np.array([[1.0, NAN], [0, 1], [1, 1]])}
    targets = Targets.measured(y)
    known = targets.of(y, "x")
    outputs = {"kind": torch.randn(3, 2), "age": torch.randn(3), "tags": torch.randn(3, 2)}
    kind = F.cross_entropy(outputs["kind"][[0, 2]], known["kind"][[0, 2]], label_smoothing=0.1) * 2 / 3
    age = F.mse_loss(outputs["age"][:2], (known["age"][:2] - 20) / 10) * 2 / 3
    there = torch.tensor([[True, False], [True, True], [True, True]])
    tags = F.binary_cross_entropy_with_logits(outputs["tags"][there], known["tags"][there]) * 5 / 6
    found = evaluation.loss_for(targets, 0.1)(outputs, known)
    torch.testing.assert_close(found, kind + age + tags)


def test_balanced_classes_weigh_the_same_and_absent_ones_nothing():
    classes = np.array([0] * 8 + [2] * 2)
    loss = evaluation.balanced(classes, 3)
    wrong = {k: float(loss(torch.zeros(1, 3), torch.tensor([k]))) for k in range(3)}
    assert wrong[2] == pytest.approx(4 * wrong[0]) and wrong[1] == 0
    outputs = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    each = F.cross_entropy(outputs, torch.from_numpy(classes), reduction="none")
    expected = (each[:8].mean() + each[8:].mean()) / 2
    torch.testing.assert_close(loss(outputs, torch.from_numpy(classes)), expected)


@pytest.mark.parametrize(
    ("y", "names"),
    [
        ([0, 1], ["accuracy"]),
        (np.eye(2), ["average_precision", "f1"]),
        ([0.5, 1.5], ["rmse", "r2"]),
        (np.arange(8).reshape(2, 4), []),
        ({"kind": [0, 1], "age": [0.5, 1.5]}, ["kind_accuracy", "age_rmse"]),
    ],
)
def test_a_task_has_its_usual_metrics_and_of_several_outputs_the_first_of_each(y, names):
    found = evaluation.metrics_for(Targets.measured(y))
    assert [metric.name for metric in found] == names
    assert all(metric.higher_is_better != metric.name.endswith("rmse") for metric in found)


def test_a_metric_of_targets_of_which_some_are_missing_counts_the_others():
    y = {"kind": np.array([0, -1, 1, 1]), "age": np.array([10.0, NAN, 30, 20])}
    targets = Targets.measured(y)
    outputs = {"kind": torch.tensor([[2.0, 0], [0, 2], [2, 0], [0, 2]]), "age": torch.tensor([12.0, 99, 33, 20])}
    found = {m.name: m(outputs, targets.of(y, "x")) for m in evaluation.metrics_for(targets)}
    assert found == pytest.approx({"kind_accuracy": 2 / 3, "age_rmse": math.sqrt((4 + 9) / 3)})
    known = evaluation.of_known(metrics.create("accuracy"))
    assert math.isnan(known(torch.zeros(2, 3), torch.tensor([-1, -1])))  # nothing to count is no number, not an error
