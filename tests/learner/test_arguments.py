"""All arguments of a learner and a fit are judged before the first batch, and in words."""

import functools

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import ursa
from ursa import models
from ursa.errors import DataError, TrainingError
from ursa.training.fit import Observer
from ursa.training.tasks import losses

X = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
SET = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))


class Stream(IterableDataset):
    def __iter__(self):
        return iter(SET)


def learner(data=(X, Y), model=None, **settings):
    return ursa.Learner(data, model or models.mlp(4, 2, hidden=(8, 8)), **settings)


def optimizer():
    return torch.optim.Adam(nn.Linear(2, 2).parameters())


MADE = {
    "every fit makes its own optimizer": lambda: learner(optimizer=optimizer()),
    "this is no optimizer": lambda: learner(optimizer=3),
    "there is no optimizer": lambda: learner(optimizer="adamm"),
    "there is no loss 'cross_entrpy'": lambda: learner(loss="cross_entrpy"),
    "here it is called 'binary_cross_entropy'": lambda: learner(loss="bce"),
    "this is no loss": lambda: learner(loss=nn.CrossEntropyLoss),
    "metrics are a list": lambda: learner(metrics="accuracy"),
    "this is no metric": lambda: learner(metrics=[3]),
    "the metric broken fails": lambda: learner(metrics=[broken]),
    "this is no recipe": lambda: learner(recipe=3),
    "two seeds": lambda: learner(recipe={"seed": 1}, seed=2),
    "a DataLoader": lambda: learner(DataLoader(SET)),
    "items by their number": lambda: learner(Stream()),
    "workers has no meaning": lambda: learner(workers=2),
    "size has no meaning": lambda: learner(size=64),
    "workspace has no meaning": lambda: learner(workspace="x"),
    "no such device": lambda: learner(device="gpu"),
}
FITS = {
    "resume=True needs": lambda one: one.fit(1, resume=True),
    "epochs is a whole number": lambda one: one.fit(1.5),
    "a learning rate has to be above 0": lambda one: one.fit(1, "fast"),
    "a slice of learning rates has an end": lambda one: one.fit(1, slice(1e-3, None)),
    "no schedule 'cosin'": lambda one: one.fit(1, schedule="cosin"),
    "this is no schedule": lambda one: one.fit(1, schedule=3),
    "cannot be called with a share": lambda one: one.fit(1, schedule=lambda: 1),
    "observers are a list": lambda one: one.fit(1, observers=print),
    "this is no observer": lambda one: one.fit(1, observers=[3]),
    "not its class": lambda one: one.fit(1, observers=[Observer]),
    "checkpoints are written to a folder": lambda one: one.fit(1, checkpoints=3),
    "patience is a whole number": lambda one: one.fit(1, patience=-1),
    "where the last one is kept": lambda one: one.fit(1, patience=2, keep="last"),
    "stop is a function": lambda one: one.fit(1, stop=3),
    "no weights are called": lambda one: one.fit(1, keep="first"),
    "frozen_epochs is a whole number": lambda one: one.fine_tune(1, frozen_epochs=-1),
    "itself": lambda one: one.fine_tune(1, slice(1e-4)),
    "fine_tune has no argument": lambda one: one.fine_tune(1, base_lr=1e-3),
}


def broken(outputs, targets):
    return outputs.no_such_thing + targets


def constant(outputs, targets):
    return 0.0 * (len(outputs) - len(targets))


@pytest.mark.parametrize("what", MADE)
def test_a_learner_that_cannot_be_is_refused_in_words(what):
    with pytest.raises((TrainingError, DataError)) as told:
        MADE[what]()
    assert what in str(told.value)
    assert told.value.found or told.value.fix


@pytest.mark.parametrize("what", FITS)
def test_a_fit_that_cannot_be_is_refused_before_the_first_batch(what):
    calls = []
    one = learner()
    one.model.register_forward_hook(lambda *_: calls.append(1))
    with pytest.raises(TrainingError) as told:
        FITS[what](one)
    assert what in str(told.value)
    assert not calls
    assert not one.history.epochs
    assert all(p.requires_grad for p in one.model.parameters())


def test_an_error_in_the_step_is_explained_and_fine_tuning_leaves_nothing_frozen():
    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, x):
            return self.head(self.body(x)[:, :5] if self.training else self.body(x))

    one = learner(model=Breaks())
    with pytest.raises(TrainingError, match="the layer head"):
        one.fine_tune(1)
    assert all(p.requires_grad for p in one.model.parameters())


def test_an_error_outside_the_step_stays_what_it_is():
    def observer(_):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        learner().fit(1, observers=[observer])


def test_a_function_is_told_of_each_epoch_and_can_stop_the_run():
    told = []

    def watch(record):
        told.append(record["epoch"])
        return "good enough" if record["epoch"] == 2 else None

    one = learner(recipe={"batch_size": 30})
    one.fit(5, observers=[watch])
    assert told == [1, 2]
    assert one.history.stopped == "good enough"
    assert [record["epoch"] for record in one.history.epochs] == [0, 1, 2]
    one.fit(2, observers=[lambda record: "at the end" if record["epoch"] == 2 else None])
    assert one.history.stopped is None  # it was over anyway


def test_patience_of_a_fit_and_of_the_recipe_are_the_same():
    def run(**patience):
        one = learner(metrics=[constant], recipe=patience.pop("recipe", {}))
        one.fit(9, **patience)
        return one.history.stopped, len(one.history.epochs)

    assert run(patience=2) == run(recipe={"patience": 2}) == ("no better", 3)


@pytest.mark.parametrize("more", [3, 5])
def test_checkpoints_are_a_folder_and_a_run_is_resumed_with_more_epochs(tmp_path, more):
    def begun():
        return learner(recipe={"batch_size": 30})

    one = begun()
    one.fit(2, checkpoints=tmp_path / "run")
    same, other = one, begun()
    for resumed in (same, other):
        resumed.fit(more, checkpoints=str(tmp_path / "run"), resume=True)
        assert [record["epoch"] for record in resumed.history.epochs] == list(range(more + 1))
        assert [step["step"] for step in resumed.history.steps] == list(range(1, 3 * more + 1))
    whole = begun()
    whole.fit(more)
    assert [step["loss"] for step in other.history.steps] == [step["loss"] for step in whole.history.steps]


def test_the_epoch_that_is_kept_is_said(capsys):
    worse = iter([0.5, 0.9, 0.1, 0.2])

    def score(outputs, targets):
        return next(worse) if len(targets) > 8 else len(outputs)  # the first small batch does not count

    one = learner(metrics=[score], progress=True)
    one.fit(3)
    assert one.kept == 1
    assert "kept: the weights from epoch 1 (of 3)" in capsys.readouterr().out
    assert "kept: the weights from epoch 1" in repr(one)


def test_a_loss_by_name_is_the_loss_and_smoothing_counts():
    one, plain = learner(loss="cross_entropy", recipe={"label_smoothing": 0.2}), learner(loss="cross_entropy")
    assert plain.loss is losses.cross_entropy
    assert one.evaluate()["loss"].value != plain.evaluate()["loss"].value
    named, own = learner(metrics=["f1"]), learner(metrics=[ursa.training.tasks.metrics.f1])
    assert named.metrics == own.metrics
    by_class = learner(optimizer=functools.partial(torch.optim.NAdam, weight_decay=0.1))
    by_class.fit(1)
    assert by_class.history.epochs


SCALAR = [
    ({"epochs": 3}, "fit(epochs)"),
    ({"rotate": 10}, "pictures in folders"),
    ({"mixup": 0.5}, "pictures in folders"),
    ({"test": 0.2}, "pictures in folders"),
    ({"folds": 3}, "ursa.check"),
    ({"head_lr": 1e-2}, "lr=..."),
    ({"oversample": True}, "class_weights"),
]


@pytest.mark.parametrize("data", ["arrays", "data set"])
@pytest.mark.parametrize(("setting", "fix"), SCALAR)
@pytest.mark.parametrize("whole", [False, True])
def test_a_setting_that_nothing_reads_is_refused_with_the_place_that_does(data, setting, fix, whole):
    recipe = ursa.Recipe.of(**setting) if whole else setting
    with pytest.raises(TrainingError, match="has no meaning") as told:
        learner(SET if data == "data set" else (X, Y), recipe=recipe)
    assert fix in told.value.fix


@pytest.mark.parametrize(
    ("settings", "recipe"),
    [
        ({"data": ((X, Y), (X, Y))}, {"valid": 0.3}),
        ({"optimizer": torch.optim.Adam}, {"weight_decay": 0.1}),
        ({"loss": nn.CrossEntropyLoss()}, {"label_smoothing": 0.2}),
        ({"loss": nn.CrossEntropyLoss()}, {"class_weights": True}),
        ({"data": (X, X[:, :2])}, {"label_smoothing": 0.2}),
    ],
)
def test_what_is_given_otherwise_leaves_a_setting_without_meaning(settings, recipe):
    with pytest.raises(TrainingError, match="has no meaning"):
        learner(**settings, recipe=recipe)
    learner(**settings)
