"""Learning rates of layers, the optimizer of one fit, what is tried on a first batch, errors that name the layer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import ursa
from ursa import models
from ursa.errors import DataError, TrainingError
from ursa.learner import one_fit
from ursa.learner.learner_recipe import SCRATCH
from ursa.recipe import Recipe
from ursa.training.batches.batch import Batch
from ursa.training.loop import accumulated
from ursa.training.tasks import losses
from ursa.training.tasks.metrics import Metric

X = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
Y = np.arange(24) % 3
NUMBERS = 100 * X[:, 0]


def deep():
    return nn.Sequential(*(nn.Linear(3, 3) for _ in range(4)))


def learner(y=Y, model=None, **settings):
    return ursa.Learner(((X, y), (X, y)), deep() if model is None else model, **settings)


def setup(**settings):
    return learner(**settings)._setup


# --- learning rates --------------------------------------------------------------------------------------------------


def lrs(of, lr, recipe=SCRATCH, **options):
    return [group.lr for group in one_fit.lr_groups(of, recipe, lr, **options)]


def test_without_a_backbone_all_layers_have_one_rate_the_usual_one_of_the_optimizer():
    for name, rate in one_fit.USUAL_LRS.items():
        assert lrs(setup(optimizer=name), None) == [rate]
    assert lrs(setup(optimizer=torch.optim.NAdam), None) == [1e-3]
    assert lrs(setup(), 0.7) == [0.7]


def test_a_slice_goes_in_equal_factors_from_the_first_layers_to_the_last():
    assert lrs(setup(), slice(1e-6, 1e-3)) == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3])
    assert lrs(setup(), slice(1e-3)) == pytest.approx([1e-4, 1e-4, 1e-4, 1e-3])
    assert lrs(setup(model=nn.Linear(3, 3)), slice(1e-6, 1e-3)) == [1e-3]
    assert lrs(setup(model=nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))), slice(1e-6, 1e-3)) == pytest.approx(
        [1e-6, 1e-3]
    )


def test_frozen_layers_have_none_and_the_others_keep_theirs():
    of = setup()
    of.model[0].requires_grad_(False)
    assert lrs(of, slice(1e-6, 1e-3)) == pytest.approx([1e-5, 1e-4, 1e-3])
    assert lrs(of, slice(1e-3)) == pytest.approx([1e-4, 1e-4, 1e-3])


def test_lower_layers_learn_more_slowly_after_the_head_alone_and_on_a_backbone():
    recipe = SCRATCH.with_settings({"layer_decay": 0.5, "head_lr": 1e-2, "body_lr": 1e-3})
    assert lrs(setup(), 0.8, recipe, decayed=True) == pytest.approx([0.2, 0.4, 0.8, 0.8])
    backbone = replace(setup(), backbone=True)
    assert lrs(backbone, None, recipe) == pytest.approx([2.5e-4, 5e-4, 1e-3, 1e-2])
    assert lrs(backbone, 0.1, recipe) == pytest.approx([2.5e-3, 5e-3, 1e-2, 0.1])  # the body keeps its proportion


# --- the optimizer ---------------------------------------------------------------------------------------------------


def made(optimizer, recipe=SCRATCH, lr=0.1):
    of = setup(optimizer=optimizer)
    return one_fit.state_of(of, recipe, one_fit.lr_groups(of, recipe, lr))


def test_an_optimizer_of_ones_own_gets_groups_with_their_rates_and_the_largest_is_what_schedules_scale():
    seen = []

    def own(groups):
        seen.extend(groups)
        return torch.optim.SGD(groups, momentum=0.9)

    state = made(own, lr=slice(1e-6, 1e-3))
    assert [group["lr"] for group in seen] == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3])
    assert all(set(group) == {"params", "lr"} or "max_lr" in group for group in seen)
    assert [group["max_lr"] for group in state.optimizer.param_groups] == [group["lr"] for group in seen]
    assert state.step == 0 and state.average is None and state.scaler is None


def no_optimizer(_):
    return 3


def broken(groups):
    raise ValueError("of its own\nand more")


@pytest.mark.parametrize(("own", "found"), [(no_optimizer, "int"), (broken, "of its own"), (lambda: 0, "argument")])
def test_what_makes_no_optimizer_is_named(own, found):
    with pytest.raises(TrainingError, match="makes no optimizer") as told:
        made(own)
    assert getattr(own, "__name__", "") in told.value.what and found in str(told.value.found)
    assert "\n" not in str(told.value.found)


def test_weight_decay_and_the_average_are_those_of_the_recipe():
    recipe = SCRATCH.with_settings({"weight_decay": 0.3, "ema_decay": 0.9})
    state = made("adamw", recipe)
    assert {group["weight_decay"] for group in state.optimizer.param_groups} == {0.0, 0.3}
    assert state.average.decay == 0.9


# --- a first batch ---------------------------------------------------------------------------------------------------


class Column(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize("kind", ["arrays", "data set"])
def test_targets_take_the_shape_of_the_outputs_in_both_splits(kind):
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(NUMBERS))
    one = ursa.Learner((data, data) if kind == "data set" else ((X, NUMBERS), (X, NUMBERS)), Column())
    for split in (one.data.train, one.data.valid):
        assert next(split.in_order(5)).targets.shape == (5, 1)
    one.fit(1)
    assert one.evaluate()["rmse"].value > 0


def test_trying_draws_nothing_and_leaves_norms_as_they_were():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 3))
    torch.manual_seed(3)
    before, state = model[1].running_mean.clone(), torch.get_rng_state()
    learner(model=model)
    assert torch.equal(model[1].running_mean, before) and torch.equal(torch.get_rng_state(), state)


def test_a_metric_that_fails_is_named_before_the_first_step_and_gets_numbers_in_their_units():
    seen = []

    def mean(outputs, targets):
        seen.append((float(targets.numpy().mean()), outputs.numpy().shape))
        return 0.0

    learner(NUMBERS, Column(), metrics=[mean])
    assert seen == [(pytest.approx(float(NUMBERS[:8].mean()), rel=1e-4), (8, 1))]
    with pytest.raises(TrainingError, match="the metric wrong fails") as told:
        learner(metrics=[Metric("wrong", lambda o, t: o[:, 99] - t)])
    assert told.value.found.startswith("IndexError: ")


@pytest.mark.parametrize(
    ("keep", "metrics", "now", "before", "better"),
    [
        ("best", ["accuracy"], {"accuracy": 0.6}, {"accuracy": 0.5}, True),
        ("best", ["error_rate", "accuracy"], {"error_rate": 0.6}, {"error_rate": 0.5}, False),
        ("best", [], {"valid_loss": 0.4}, {"valid_loss": 0.5}, True),
        ("last", ["accuracy"], {"accuracy": 0.1}, {"accuracy": 0.5}, True),
        ("last", ["accuracy"], {"accuracy": float("nan")}, {"accuracy": 0.5}, True),
    ],
)
def test_the_first_metric_chooses_the_epoch_without_any_the_loss(keep, metrics, now, before, better):
    from ursa.training.tasks.metrics import to_metrics

    assert one_fit._monitor(keep, to_metrics(metrics)).better(now, before) == better


# --- a step ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", one_fit.CALL_ERRORS)
def test_an_error_in_the_step_becomes_one_in_words_and_any_other_stays(error):
    state = made("sgd")
    batch = Batch((torch.from_numpy(X),), torch.from_numpy(Y))

    def breaks(*_):
        raise error("inside")

    with pytest.raises(TrainingError) as told:
        one_fit.explained(breaks)(state, batch, losses.cross_entropy)
    assert isinstance(told.value.__cause__, error)

    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one_fit.explained(interrupted)(state, batch, losses.cross_entropy)


def test_explaining_changes_no_gradient():
    batch, first, second = Batch((torch.from_numpy(X),), torch.from_numpy(Y)), made("sgd"), made("sgd")
    second.model.load_state_dict(first.model.state_dict())
    one = accumulated()(first, batch, losses.cross_entropy)
    other = one_fit.explained(accumulated())(second, batch, losses.cross_entropy)
    assert torch.equal(one, other)
    for p, q in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(p.grad, q.grad)


def test_gradual_unfreezing_leaves_everything_able_to_learn_also_after_an_error():
    of, recipe = setup(), SCRATCH.with_settings({"gradual_unfreezing": 0.5})
    state = one_fit.state_of(of, recipe, one_fit.lr_groups(of, recipe, 0.1))
    with pytest.raises(KeyError), one_fit.gradient_of(of, recipe, 10) as gradient:
        gradient(state, Batch((torch.from_numpy(X),), torch.from_numpy(Y)), losses.cross_entropy)
        assert [p.requires_grad for p in of.model.parameters()] == [False] * 6 + [True] * 2
        raise KeyError
    assert all(p.requires_grad for p in of.model.parameters())


# --- what it came to -------------------------------------------------------------------------------------------------


def test_nothing_to_predict_is_said_in_words_and_one_output_tells_two_classes_apart():
    one = learner(Y > 0, Column(), loss="binary_cross_entropy")
    with pytest.raises(DataError, match="nothing to predict"):
        one.predict(X[:0])
    matrix, labels = one.confusion(), one.predict(X).labels
    assert matrix.names == ("False", "True")
    assert matrix.counts.tolist() == [
        [int(((Y > 0) == t)[labels == p].sum()) for p in (False, True)] for t in (False, True)
    ]
    with pytest.raises(DataError, match="single classes"):
        learner(NUMBERS, Column()).confusion()
    with pytest.raises(DataError, match="no split 'test'"):
        one.predictions("test")


def test_recipes_of_a_backbone_and_of_networks_from_nothing_differ_where_they_say():
    changed = {name for name, value in SCRATCH.flat().items() if value != Recipe().flat()[name]}
    assert changed == {"optim.batch_size", "optim.max_grad_norm", "optim.label_smoothing", "optim.ema_decay"}
    assert models.linear(3, 3)(torch.from_numpy(X)).shape == (24, 3)
