"""Metrics: equal to scikit-learn's whatever the data; intervals that hold the value; what does not fit is refused."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from ursa.core import statistics as core
from ursa.errors import TrainingError
from ursa.training.tasks import metrics
from ursa.training.tasks.metrics import Metric, create, for_task, interval, of_output, to_metrics


def single(seed, count, classes):
    """Outputs with ties, and targets that may leave classes out."""
    draw = np.random.default_rng(seed)
    return draw.integers(-3, 4, (count, classes)).astype(np.float32), draw.integers(0, classes, count)


def several(seed, count, labels):
    draw = np.random.default_rng(seed)
    return draw.integers(-3, 4, (count, labels)).astype(np.float32), (draw.random((count, labels)) < 0.4).astype(int)


def numbers(seed, count, outputs):
    draw = np.random.default_rng(seed)
    return draw.normal(size=(count, outputs)), draw.normal(size=(count, outputs)) * 3 + 1


MACRO = {"average": "macro", "zero_division": 0}
SINGLE = {
    "accuracy": lambda o, t: sk.accuracy_score(t, o.argmax(1)),
    "error_rate": lambda o, t: sk.zero_one_loss(t, o.argmax(1)),
    "subset_accuracy": lambda o, t: sk.accuracy_score(t, o.argmax(1)),
    "precision": lambda o, t: sk.precision_score(t, o.argmax(1), **MACRO),
    "recall": lambda o, t: sk.recall_score(t, o.argmax(1), **MACRO),
    "f1": lambda o, t: sk.f1_score(t, o.argmax(1), **MACRO),
    "balanced_accuracy": lambda o, t: sk.balanced_accuracy_score(t, o.argmax(1)),
}
SEVERAL = {
    "accuracy": lambda o, t: 1 - sk.hamming_loss(t, o > 0),
    "subset_accuracy": lambda o, t: sk.accuracy_score(t, o > 0),
    "precision": lambda o, t: sk.precision_score(t, o > 0, **MACRO),
    "recall": lambda o, t: sk.recall_score(t, o > 0, **MACRO),
    "f1": lambda o, t: sk.f1_score(t, o > 0, **MACRO),
}
NUMBERS = {
    "mse": lambda o, t: sk.mean_squared_error(t, o),
    "rmse": lambda o, t: sk.root_mean_squared_error(t, o),
    "mae": lambda o, t: sk.mean_absolute_error(t, o),
    "r2": lambda o, t: sk.r2_score(t, o),
}
seeds = st.integers(0, 10**6)


def value_of(name, outputs, targets):
    return create(name)(torch.from_numpy(outputs), torch.from_numpy(targets))


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("name", SINGLE)
@given(seed=seeds, count=st.integers(1, 40), classes=st.integers(2, 7))
def test_metrics_of_single_labels_are_those_of_sklearn(name, seed, count, classes):
    outputs, targets = single(seed, count, classes)
    with warnings.catch_warnings():  # classes said that are never given
        warnings.simplefilter("ignore")
        expected = SINGLE[name](outputs, targets)
    assert value_of(name, outputs, targets) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("name", SEVERAL)
@given(seed=seeds, count=st.integers(1, 40), labels=st.integers(2, 6))
def test_metrics_of_several_labels_are_those_of_sklearn(name, seed, count, labels):
    outputs, targets = several(seed, count, labels)
    assert value_of(name, outputs, targets) == pytest.approx(SEVERAL[name](outputs, targets))


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("name", NUMBERS)
@given(seed=seeds, count=st.integers(2, 40), outputs=st.integers(1, 4))
def test_metrics_of_numbers_are_those_of_sklearn(name, seed, count, outputs):
    said, given_ = numbers(seed, count, outputs)
    assert value_of(name, said, given_) == pytest.approx(NUMBERS[name](said, given_))
    assert value_of(name, said[:, 0], given_[:, 0]) == pytest.approx(NUMBERS[name](said[:, 0], given_[:, 0]))


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(4, 40), st.integers(2, 6))
def test_areas_under_curves_are_those_of_sklearn(seed, count, labels):
    outputs, targets = several(seed, count, labels)
    targets[0], targets[1] = 0, 1  # each label occurs, and is missing
    assert value_of("roc_auc", outputs, targets) == pytest.approx(sk.roc_auc_score(targets, outputs, average="macro"))
    expected = sk.average_precision_score(targets, outputs, average="macro")
    assert value_of("average_precision", outputs, targets) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(8, 40), st.integers(2, 6))
def test_the_area_of_single_labels_is_that_of_sklearn_one_against_the_rest(seed, count, classes):
    _, targets = single(seed, count, classes)
    targets[:classes] = np.arange(classes)
    outputs = np.random.default_rng(seed + 1).normal(size=(count, classes))  # no ties, which rounding could break
    scores = outputs[:, 1] - outputs[:, 0] if classes == 2 else torch.from_numpy(outputs).softmax(1).numpy()
    expected = sk.roc_auc_score(targets, scores, **({} if classes == 2 else {"multi_class": "ovr"}))
    assert value_of("roc_auc", outputs, targets) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 40), st.integers(3, 7), st.integers(1, 7))
def test_top_k_is_that_of_sklearn(seed, count, classes, k):
    draw = np.random.default_rng(seed)  # without ties, which sklearn breaks in its own way
    outputs, targets = (
        draw.permuted(np.tile(np.arange(classes, dtype=np.float32), (count, 1)), axis=1),
        draw.integers(0, classes, count),
    )
    value = value_of(f"top_{k}", outputs, targets)
    if k >= classes:
        assert value == 1
    else:
        assert value == pytest.approx(sk.top_k_accuracy_score(targets, outputs, k=k, labels=np.arange(classes)))


def test_golden_values():
    outputs = torch.tensor([[2.0, 1, 0], [0, 2, 1], [2, 0, 1], [1, 2, 0]])  # says 0, 1, 0, 1
    targets = torch.tensor([0, 1, 1, 2])
    assert metrics.accuracy(outputs, targets) == 0.5
    assert metrics.top_k_accuracy(outputs, targets, 2) == 0.5
    assert metrics.precision(outputs, targets) == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert metrics.recall(outputs, targets) == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert metrics.f1(outputs, targets) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert metrics.r2(torch.tensor([1.0, 2, 3]), torch.tensor([1.0, 2, 4])) == pytest.approx(1 - 1 / (14 / 3))


def test_metrics_without_a_value_say_so():
    one = torch.tensor([[1.0], [2.0]])
    assert math.isnan(metrics.roc_auc(one, torch.ones(2, 1)))
    assert math.isnan(metrics.average_precision(one, torch.zeros(2, 1)))
    assert math.isnan(metrics.r2(one[:1], one[:1]))
    assert metrics.r2(torch.full((3,), 0.1), torch.full((3,), 0.1)) == 1
    assert metrics.r2(torch.tensor([0.1, 0.1, 0.2]), torch.full((3,), 0.1)) == 0


def test_every_metric_says_which_way_is_better():
    lower = {metric.name for metric in metrics.METRICS if not metric.higher_is_better}
    assert lower == {"error_rate", "mse", "rmse", "mae"}
    assert to_metrics([metrics.rmse])[0].higher_is_better is False


def test_a_function_of_ones_own_is_a_metric():
    def share_of_first(outputs, targets):
        return float((targets == 0).float().mean())

    named_, own, other = to_metrics(["accuracy", share_of_first, Metric("cost", lambda o, t: len(o) - len(t), False)])
    assert (named_.name, own.name, other.name) == ("accuracy", "share_of_first", "cost")
    assert own.higher_is_better and not other.higher_is_better
    assert own(torch.zeros(4, 2), torch.tensor([0, 0, 0, 1])) == 0.75


def test_a_metric_of_one_of_several_outputs():
    outputs, targets = single(0, 20, 3)
    said, given_ = {"kind": torch.from_numpy(outputs)}, {"kind": torch.from_numpy(targets)}
    metric = of_output("kind", "error_rate")
    assert (metric.name, metric.higher_is_better) == ("kind_error_rate", False)
    assert metric(said, given_) == value_of("error_rate", outputs, targets)
    low, value, high = (lambda m: (m.low, m.value, m.high))(interval(metric, said, given_))
    assert low < value < high


def test_tasks_have_usual_metrics():
    assert [m.name for m in for_task("single-label")] == ["accuracy"]
    assert for_task("multi-label")[0].name == "average_precision"
    assert not for_task("regression")[0].higher_is_better


def test_shares_of_examples_have_wilsons_interval_and_others_are_resampled(monkeypatch):
    monkeypatch.setattr(metrics, "BOOTSTRAPS", (60, 60))
    outputs, targets = map(torch.from_numpy, single(0, 50, 3))
    found = interval(create("error_rate"), outputs, targets)
    assert found == core.proportion(round(50 * found.value), 50, "error_rate")
    found = interval(create("f1"), outputs, targets)
    assert found.low < found.value < found.high and "bootstrap" in found.method
    assert found == interval(create("f1"), outputs, targets) != interval(create("f1"), outputs, targets, seed=1)
    several_ = interval(create("accuracy"), *map(torch.from_numpy, several(0, 50, 3)))
    assert "bootstrap" in several_.method  # labels of one picture are not independent


@pytest.mark.parametrize(("numbers_", "repeats"), [(3, 50), (30, 33), (99, 10), (200, 10)])
def test_the_more_numbers_the_fewer_resamples_within_limits(monkeypatch, numbers_, repeats):
    monkeypatch.setattr(metrics, "BOOTSTRAPS", (50, 10))
    monkeypatch.setattr(metrics, "NUMBERS", 1000)
    calls = []
    interval(
        Metric("count", lambda o, t: float(calls.append(len(o) + len(t)) or 0)), torch.zeros(numbers_), torch.zeros(3)
    )
    assert len(calls) == repeats + 1  # and once for the value


def test_the_resampled_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(0).normal(size=400)
    found = core.bootstrap(lambda rows: float(values[rows].mean()), 400, "mean", repeats=2000)
    half = core.Z95 * values.std() / 20
    assert (found.low, found.value, found.high) == pytest.approx(
        (values.mean() - half, values.mean(), values.mean() + half), abs=0.1 * half
    )


def test_a_metric_without_a_value_has_a_document():
    found = core.bootstrap(lambda rows: math.nan * len(rows), 3, "none")
    assert found.to_json() == {"value": None, "low": None, "high": None, "method": "none; nothing to resample"}


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda: create("acuracy"), "did you mean 'accuracy'"),
        (lambda: create("top_0"), "unknown metric 'top_0'"),
        (lambda: to_metrics(["f1", "f1"]), "same name"),
        (lambda: for_task("regresion"), "did you mean 'regression'"),
        (lambda: metrics.accuracy(torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64)), "targets [3, 1]"),
        (lambda: metrics.f1(torch.zeros(3, 2), torch.tensor([0, 1, 2])), "0 to 2 with 2 outputs"),
        (lambda: metrics.top_k_accuracy(torch.zeros(3, 2), torch.zeros(3, 2)), "whole classes"),
        (lambda: metrics.rmse(torch.zeros(3, 1), torch.zeros(3)), "outputs [3, 1], targets [3]"),
    ],
)
def test_what_cannot_be_measured_says_what_to_do(attempt, said):
    with pytest.raises(TrainingError) as problem:
        attempt()
    assert said in str(problem.value)
