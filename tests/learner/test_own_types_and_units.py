"""Labels keep their own type, numbers their units; targets that may be meant in two ways are asked about."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import ursa
from ursa import models
from ursa.errors import DataError, TrainingError
from ursa.training.tasks import losses
from ursa.training.tasks.target_scaling import TargetScaling

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)).astype(np.float32)
SIGN = X[:, 0] > 0
PRICE = (200_000 + 100_000 * (X @ [1.0, -0.5, 0.2])).astype(np.float32)


def fitted(y, outputs=2, **settings):
    one = ursa.Learner(((X, y), (X, y)), models.linear(3, outputs), **settings)
    one.fit_one_cycle(25, 0.05)
    return one


@pytest.mark.parametrize(
    "y",
    [
        SIGN.astype(np.int64),
        SIGN.astype(np.uint8),
        SIGN.astype(np.int32)[:, None],
        SIGN,
        np.where(SIGN, "warm", "cold"),
        np.where(SIGN, "warm", "cold").astype(object),
    ],
    ids=["int64", "uint8", "column", "bool", "text", "object"],
)
def test_predicted_labels_are_compared_with_the_targets_themselves(y):
    labels = fitted(y).predict(X).labels
    assert (labels == y.reshape(-1)).mean() > 0.9
    assert labels.dtype == y.dtype or labels.dtype.kind == "U"


def test_names_of_classes_are_predicted_where_they_are_given():
    labels = fitted(SIGN.astype(int), names=["cold", "warm"]).predict(X).labels
    assert (labels == np.where(SIGN, "warm", "cold")).mean() > 0.9


def test_several_labels_are_lists_of_numbers_or_of_text():
    y = np.stack([SIGN, X[:, 1] > 0, np.ones(200)], axis=1)
    assert set(fitted(y, 3).predict(X[:9]).labels[0]) <= {0, 1, 2}
    text = [[name for name, there in zip("abc", row, strict=True) if there] for row in y]
    assert set(fitted(text, 3).predict(X[:9]).labels[0]) <= {"a", "b", "c"}


def test_data_sets_have_labels_of_their_own_type_and_numbers_in_their_units():
    def of(y, outputs):
        data = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
        one = ursa.Learner((data, data), models.linear(3, outputs), recipe={"batch_size": 16})
        one.fit_one_cycle(15, 0.05)
        return one

    assert (of(SIGN.astype(np.int64), 2).predict(X).labels == SIGN).mean() > 0.9
    assert of(PRICE, 1).evaluate()["r2"].value > 0.95


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_the_unit_of_a_regression_changes_nothing(optimizer, scale):
    def run(unit, shift):
        one = ursa.Learner((X, PRICE / 1e5 * unit + shift), models.mlp(3, 1, hidden=8), optimizer=optimizer)
        one.fit_one_cycle(10, 0.03)
        return one

    one, other = run(1.0, 0.0), run(scale, 7 * scale)
    np.testing.assert_allclose((other.predict(X).numbers - 7 * scale) / scale, one.predict(X).numbers, atol=0.02)
    found = {name: each.evaluate()["rmse"].value for name, each in (("one", one), ("other", other))}
    assert found["other"] == pytest.approx(scale * found["one"], rel=0.02)
    assert one.history.epochs[-1]["rmse"] == pytest.approx(one.evaluate()["rmse"].value, rel=1e-4)


def test_a_loss_of_ones_own_gets_the_targets_as_they_are():
    seen = []

    def poisson(outputs, targets):
        seen.append(float(targets.mean()))
        return (outputs.exp() - targets * outputs).mean()

    y = RNG.poisson(3.0, 200).astype(np.float32)
    one = fitted(y, 1, loss=poisson)
    assert seen[-1] == pytest.approx(3, abs=1)
    assert one.data.targets.scaling is None
    assert fitted(y, 1, loss="mae").data.targets.scaling is not None
    assert fitted(y, 1, standardize=False).data.targets.scaling is None


def test_scaling_is_undone_and_missing_numbers_do_not_count():
    y = np.array([[1.0, 50], [3, np.nan], [5, 70]])
    scaling = TargetScaling.measured(y)
    assert scaling.mean == (3, 60)
    there = torch.from_numpy(y)
    torch.testing.assert_close(scaling.undo(scaling.of(there)), there, equal_nan=True)
    assert TargetScaling.measured(np.full(4, 7.0)).std == (1.0,)
    plain, wrapped = losses.mse(scaling.of(there), there * 0), scaling.loss(losses.mse)(there * 0, there)
    torch.testing.assert_close(plain, wrapped, equal_nan=True)


@pytest.mark.parametrize("y", [PRICE.clip(1).astype(np.int64), RNG.integers(0, 5000, 200)])
def test_whole_numbers_of_many_values_are_asked_about(y):
    with pytest.raises(DataError, match="classes or numbers") as told:
        ursa.Learner((X, y), models.linear(3, 1))
    assert "float32" in told.value.fix
    assert "return_inverse" in told.value.fix
    ursa.Learner((X, y.astype("float32")), models.linear(3, 1))
    ursa.Learner((X, np.unique(y, return_inverse=True)[1]), models.linear(3, 200))


def test_whole_numbers_and_a_network_of_one_output_are_asked_about():
    with pytest.raises(TrainingError, match="out of range") as told:
        ursa.Learner((X, RNG.integers(0, 90, 200)), models.linear(3, 1))
    assert "regression" in told.value.fix


def test_one_hot_classes_are_named_unless_they_are_meant():
    one_hot = np.eye(4)[RNG.integers(0, 4, 200)]
    with pytest.raises(TrainingError, match="one-hot") as told:
        ursa.Learner((X, one_hot), models.linear(3, 4))
    assert "argmax" in told.value.fix
    ursa.Learner((X, one_hot.argmax(1)), models.linear(3, 4))
    ursa.Learner((X, one_hot), models.linear(3, 4), loss="binary_cross_entropy")


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x).softmax(1)


@pytest.mark.parametrize(
    ("network", "y", "said"),
    [
        (nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)), SIGN.astype(int), "Softmax"),
        (Functional(), SIGN.astype(int), "Softmax"),
        (nn.Sequential(nn.Linear(3, 3), nn.Sigmoid()), X > 0, "Sigmoid"),
        (nn.Sequential(nn.Linear(3, 1), nn.ReLU()), PRICE, "ReLU"),
    ],
)
def test_an_activation_at_the_end_is_named(network, y, said):
    with pytest.raises(TrainingError) as told:
        ursa.Learner((X, y), network)
    assert said in str(told.value)
    assert "out" in told.value.fix


def test_log_probabilities_and_activations_for_bare_numbers_are_left_alone():
    ursa.Learner((X, SIGN.astype(int)), nn.Sequential(nn.Linear(3, 2), nn.LogSoftmax(1)))
    ursa.Learner((X, PRICE), nn.Sequential(nn.Linear(3, 1), nn.ReLU()), standardize=False)


def test_a_loss_beyond_all_measure_stops_the_run():
    one = ursa.Learner((X, PRICE), models.linear(3, 1), optimizer="sgd", standardize=False)
    with pytest.raises(TrainingError, match="diverged"):
        one.fit(20, 3.0)
    assert all(np.isfinite(step["loss"]) for step in one.history.steps)
    assert max(step["loss"] for step in one.history.steps) < 1e38


@pytest.mark.slow
def test_california_housing_in_dollars_is_learned_by_the_defaults(shared):
    table = np.genfromtxt(next((shared / "data/tabular").glob("california*.csv")), delimiter=",", skip_header=1)
    table = table[~np.isnan(table[:, :9]).any(1), :9].astype(np.float32)
    x, y = table[:, :8], table[:, 8]
    assert y.mean() > 1e5
    one = ursa.Learner((x, y), models.mlp(8, 1, hidden=64))
    one.fit_one_cycle(5)
    assert one.evaluate()["r2"].value > 0.6
