"""`learner.diagnose()`: faults planted in small trainings are named; a confirming run leaves the learner as it was."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import ursa
from ursa.errors import TrainingError
from ursa.learner import fit_log

X, Y = load_digits(return_X_y=True)


def learner(x=X, y=Y, model=None, **settings):
    return ursa.Learner((x, y), model or ursa.models.mlp(64, 10, hidden=32), progress=False, **settings)


def deaf():
    """A first layer whose units are never above 0."""
    model = ursa.models.mlp(64, 10, hidden=32)
    nn.init.constant_(model[1].bias, -1e3)
    return model


PLANTED = {
    "lr-too-high": lambda: (learner(), {"epochs": 4, "lr": 1.0, "keep": "last"}),
    "lr-too-low": lambda: (learner(), {"epochs": 4, "lr": 1e-5}),
    "too-few-epochs": lambda: (learner(optimizer="sgd"), {"epochs": 2, "lr": 3e-2}),
    "no-better-than-chance": lambda: (learner(y=np.random.default_rng(0).permutation(Y)), {"epochs": 8}),
    "dead-network": lambda: (learner(model=deaf()), {"epochs": 4}),
    "training-fine": lambda: (learner(), {"epochs": 20, "keep": "last"}),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_fault_is_named(kind):
    one, how = PLANTED[kind]()
    one.fit(**how)
    assert one.diagnose().kind == kind


def test_a_run_that_diverged_is_diagnosed_too():
    one = learner(optimizer="sgd")
    with pytest.raises(TrainingError):
        one.fit(2, lr=1e6)
    finding = one.diagnose()
    assert (finding.kind, finding.numbers["lr"]) == ("lr-too-high", pytest.approx(1e5))


def test_a_confirming_run_shows_it_and_leaves_the_learner_as_it_was():
    one = learner()
    one.fit(2, lr=1e-4)
    before = {name: value.clone() for name, value in one.model.state_dict().items()}
    epochs, random = [*one.history.epochs], torch.random.get_rng_state()
    finding = one.diagnose(confirm=True)
    assert (finding.kind, finding.numbers["confirmed"]) == ("lr-too-low", True)
    fresh = learner()
    fresh.fit(2, lr=1e-3, keep="last")  # what was said of the other run is what such a run comes to
    assert finding.numbers["loss_after"] == pytest.approx(fresh.history.epochs[-1]["valid_loss"])
    assert one.history.epochs == epochs
    assert torch.equal(random, torch.random.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in one.model.state_dict().items())


def test_what_cannot_be_diagnosed_or_confirmed_is_refused(monkeypatch):
    one = learner()
    with pytest.raises(TrainingError, match="no training to judge"):
        one.diagnose()
    one.fit(1, lr=1e-5)
    one.fit(1, lr=1e-5)
    assert one.diagnose().kind == "lr-too-low"
    with pytest.raises(TrainingError) as caught:
        one.diagnose(confirm=True)
    assert caught.value.found == "2 fits"
    monkeypatch.setattr(fit_log, "KEPT_BYTES", 10)
    large = learner()
    large.fit(2, lr=1e-5)
    with pytest.raises(TrainingError, match="made again"):
        large.diagnose(confirm=True)


def test_a_regression_and_a_network_without_metrics_have_an_answer():
    y = (X[:, 10] + X[:, 20]).astype(np.float32)
    one = learner(y=y, model=ursa.models.mlp(64, 1, hidden=32))
    one.fit(10, lr=3e-3)
    assert one.diagnose().kind in ("training-fine", "too-few-epochs")
    assert "standard error" not in one.diagnose().evidence
