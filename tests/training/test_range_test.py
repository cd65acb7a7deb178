"""Laws of the finder: a state comes out as it went in, bit for bit; known rates are found; NaN does not get out."""

import copy
import json
import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from ursa.errors import DataError, TrainingError
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.loop import State, accumulated, train
from ursa.training.lr_finder.range_test import Again, Consecutive, find
from ursa.training.lr_finder.restored import restored
from ursa.training.optim.ema import EMA
from ursa.training.optim.optimizers import Group, make

EPOCHS = 4
FEW = {"steps": 30, "repeats": 2}


class Shared(nn.Module):
    """Batch norm, dropout, a tied layer, a buffer that is not saved and one that is nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.drop = nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.2)
        self.again, self.head = self.first, nn.Linear(6, 3)
        self.register_buffer("seen", torch.zeros(1), persistent=False)
        self.register_buffer("nothing", None)

    def forward(self, x):
        self.seen = self.seen + len(x)
        return self.head(self.drop(self.norm(self.again(self.first(x)))))


def examples(count=160, seed=0):
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (count,), generator=draw)
    return torch.randn(count, 6, generator=draw) + 2 * F.one_hot(y, 6), y


def batches(count=160, batch=16):
    x, y = examples(count)
    return ArrayBatches((x,), y, batch=batch)


def state(optimizer="adamw", frozen=False, trained=0):
    """After some steps, with all that a state can have."""
    torch.manual_seed(0)
    model = Shared()
    model.first.requires_grad_(not frozen)
    own = State(model, make(optimizer, [Group([model.first, model.norm], 0.01), Group([model.head], 0.03)]))
    own.average = EMA(model)
    for _, step in zip(range(trained), train(own, batches(), EPOCHS), strict=False):
        assert step.number
    model.drop.eval()  # a part in evaluation mode
    return own


def everything(own):
    """All of a state, and of the random streams, as numbers."""
    model, optimizer = own.model, own.optimizer
    tensors = [*model.parameters(), *model.buffers(), *own.average.tensors()]
    tensors += [p.grad for p in model.parameters() if p.grad is not None]
    memory = copy.deepcopy([[*optimizer.state[p].items()] for g in optimizer.param_groups for p in g["params"]])
    groups = [{name: value for name, value in g.items() if name != "params"} for g in optimizer.param_groups]
    flags = [(m.training, *(p.requires_grad for p in m.parameters())) for m in model.modules()]
    streams = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    return [t.detach().clone() for t in tensors], memory, groups, flags, streams, own.step, own.average.steps


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def linear(features=6, outputs=3, optimizer="sgd", momentum=0.9):
    torch.manual_seed(0)
    model = nn.Linear(features, outputs)
    return State(model, make(optimizer, [Group([model], 1.0)], momentum=momentum, weight_decay=0.0))


# The state stays as it is


@pytest.mark.parametrize("confirm", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "rmsprop"])
@pytest.mark.parametrize("trained", [0, 13])
def test_a_state_comes_out_as_it_went_in_bit_for_bit(optimizer, trained, confirm):
    own = state(optimizer, trained=trained)
    before = everything(own)
    find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy, confirm=confirm, **FEW)
    assert same(before, everything(own))


def test_the_same_tensors_come_back_so_nobody_who_holds_them_loses_them():
    own = state(trained=5)
    weights = [p.data_ptr() for p in own.model.parameters()]
    buffers = [id(b) for b in own.model.buffers()]
    find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy, **FEW)
    assert [p.data_ptr() for p in own.model.parameters()] == weights
    assert [id(b) for b in own.model.buffers()] == buffers


def test_training_goes_on_as_if_nothing_had_been_found():
    ends = []
    for read_file in (False, True):
        own = state(trained=13)
        if read_file:
            find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy, confirm=True, **FEW)
        for _ in train(own, batches(), EPOCHS):
            pass
        ends.append(everything(own)[:2])
    assert same(*ends)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, ValueError, MemoryError])
@pytest.mark.parametrize("at", [1, 17, 70])
def test_the_state_is_put_back_by_the_time_that_an_interruption_is_seen(problem, at):
    own, calls = state(trained=5), []

    def gradient(own, batch, loss):
        calls.append(batch)
        value = accumulated()(own, batch, loss)
        np.random.random()
        random.random()
        own.model.first.requires_grad_(False)
        if len(calls) == at:
            raise problem
        return value

    before = everything(own)
    with pytest.raises(problem):
        find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy, gradient=gradient, confirm=True, **FEW)
    assert same(before, everything(own))
    assert len(calls) == at


def test_progress_rises_to_its_end():
    told = []
    find(
        linear(),
        batches(),
        epochs=EPOCHS,
        loss=F.cross_entropy,
        confirm=True,
        progress=lambda *now: told.append(now),
        **FEW,
    )
    for phase in ("lrs", "trials"):
        done = [now[1] for now in told if now[0] == phase]
        assert done == sorted(done)
        assert {now[2] for now in told if now[0] == phase} == {done[-1]}


def test_the_state_is_put_back_by_the_time_that_progress_is_interrupted():
    own = state(trained=5)
    before = everything(own)

    def interrupted(phase, done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy, progress=interrupted, **FEW)
    assert same(before, everything(own))


def test_inside_untouched_tied_weights_and_shared_buffers_stay_one():
    own = state()
    own.model.norm_too = nn.Module()
    own.model.norm_too.register_buffer("mean", own.model.norm.running_mean)
    with restored(own) as trial:
        assert trial.model.again.weight is trial.model.first.weight
        assert trial.model.norm_too.mean is trial.model.norm.running_mean
        assert trial.step == 0 and trial.average is None


# What is found


@pytest.mark.parametrize("curvature", [0.1, 1.0, 100.0])
def test_the_rate_is_below_the_edge_of_stability_of_a_quadratic_and_scales_with_it(curvature):
    """Gradient descent on curvature * w^2 / 2 is stable up to a rate of 2 / curvature."""
    x = torch.full((64, 1), math.sqrt(curvature / 2))
    own = linear(1, 1, momentum=0.0)
    with torch.no_grad():
        own.model.weight.fill_(1.0)
        own.model.bias.fill_(0.0)
    own.model.bias.requires_grad_(False)
    found = find(
        own, ArrayBatches((x,), torch.zeros(64, 1), batch=8), epochs=EPOCHS, loss=F.mse_loss, low=1e-5, high=1e3
    )
    edge = 2 / curvature
    assert edge / 100 < found.suggestion < edge
    assert edge < found.diverged_at < 10 * edge


def test_groups_keep_the_proportions_of_their_rates_and_the_suggestion_is_the_last_one_s():
    own, seen = state(), []

    def gradient(own, batch, loss):
        seen.append([group["lr"] for group in own.optimizer.param_groups])
        return accumulated()(own, batch, loss)

    found = find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy, gradient=gradient, **FEW)
    peaks = [group["max_lr"] for group in own.optimizer.param_groups]
    lrs = np.array(seen[: found.lrs.size])
    np.testing.assert_allclose(lrs[:, -1], found.lrs[: len(lrs)])
    np.testing.assert_allclose(lrs / lrs[:, -1:], np.tile(np.array(peaks) / peaks[-1], (len(lrs), 1)))
    assert (found.lrs[0], found.lrs[-1]) == pytest.approx((1e-7, 10))


def test_the_suggestion_does_not_depend_on_the_peak_that_was_set_before():
    found = []
    for max_lr in (1e-3, 1.0):
        own = linear()
        own.optimizer.param_groups[0]["max_lr"] = max_lr
        found.append(find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy, confirm=True))
    assert found[0].suggestion == pytest.approx(found[1].suggestion)
    for one, other in zip(found[0].trials, found[1].trials, strict=True):
        assert (one.lr, one.loss) == pytest.approx((other.lr, other.loss), rel=1e-4)


def test_the_same_arguments_give_the_same_answer_and_repeats_see_other_batches():
    one, other = (find(state(), batches(), epochs=EPOCHS, loss=F.cross_entropy, **FEW) for _ in range(2))
    np.testing.assert_array_equal(one.losses, other.losses)
    assert one.to_json() == other.to_json()
    assert not np.array_equal(one.losses[0], one.losses[1])


@pytest.mark.parametrize(("count", "batch"), [(160, 16), (40, 16), (20, 64), (3, 1), (1, 1)])
def test_few_batches_are_cycled_through(count, batch):
    found = find(linear(), batches(count, batch), epochs=EPOCHS, loss=F.cross_entropy, confirm=True)
    assert found.losses.shape == (3, 100)
    assert 1e-7 < found.suggestion < 10
    assert all(1e-7 <= trial.lr <= 10 for trial in found.trials)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("frozen", [False, True])
def test_training_at_the_confirmed_rate_ends_far_below_the_start(optimizer, frozen):
    own = state(optimizer, frozen)
    own.model.train()
    found = find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy, confirm=True)
    for group in own.optimizer.param_groups:
        group["max_lr"] *= found.suggestion / 0.03
    losses = [float(step.loss) for step in train(own, batches(), EPOCHS)]
    assert np.mean(losses[-10:]) < 0.6 * losses[0]


def test_regression_with_several_targets_has_a_rate():
    x, _ = examples()
    found = find(linear(), ArrayBatches((x,), x[:, :3] * 2, batch=16), epochs=EPOCHS, loss=F.mse_loss, confirm=True)
    assert 1e-3 < found.suggestion < 1


def test_confirming_moves_to_the_rate_with_the_lowest_loss_and_shows_what_it_tried():
    found = find(linear(), batches(), epochs=EPOCHS, loss=F.cross_entropy, confirm=True)
    lrs, losses = [t.lr for t in found.trials], [t.loss for t in found.trials]
    assert lrs == sorted(lrs) and len(lrs) >= 3
    assert losses[lrs.index(found.suggestion)] <= 1.1 * min(losses)
    assert lrs[0] < found.suggestion < lrs[-1]
    assert found.low <= found.suggestion <= found.high


def test_where_every_trial_diverges_the_next_is_a_lower_one():
    calls = []

    def gradient(own, batch, loss):
        calls.append(own.optimizer.param_groups[0]["lr"])
        value = accumulated()(own, batch, loss)
        return value if len(calls) <= 300 else value * math.nan

    found = find(linear(), batches(), epochs=EPOCHS, loss=F.cross_entropy, gradient=gradient, confirm=True)
    assert len(calls) > 300 and all(math.isinf(trial.loss) for trial in found.trials)
    assert found.suggestion == found.trials[0].lr and len(found.trials) == 7


def test_a_model_that_has_learnt_before_gets_a_lower_rate_than_a_new_one():
    own = linear()
    new = find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy)
    for group in own.optimizer.param_groups:
        group["max_lr"] = new.suggestion
    for _ in train(own, batches(), 20):
        pass
    again = find(own, batches(), epochs=EPOCHS, loss=F.cross_entropy)
    assert 0 < again.suggestion < 3 * new.suggestion


# Divergence and what is no number


def test_divergence_ends_a_repeat_and_no_nan_gets_out():
    x, _ = examples()
    found = find(linear(), ArrayBatches((100 * x,), 100 * x[:, :3], batch=16), epochs=EPOCHS, loss=F.mse_loss)
    assert np.isnan(found.losses[:, -1]).all()
    assert found.diverged_at is not None and found.suggestion < found.diverged_at
    assert np.isfinite([found.suggestion, found.low, found.high, found.diverged_at]).all()
    assert np.isfinite(found.smoothed).all()
    assert "NaN" not in json.dumps(found.to_json())
    assert f"{found.suggestion:.2g}" in str(found) and "diverges" in str(found)


@pytest.mark.parametrize("loss", [lambda o, _: (o * 0).sum() + 2.0, lambda o, y: 0 * o.sum() + y.float().mean()])
def test_a_loss_that_no_rate_changes_is_said_with_its_level(loss):
    with pytest.raises(TrainingError, match="no rate makes the loss fall") as error:
        find(linear(), batches(), epochs=EPOCHS, loss=loss)
    assert "a loss of about" in error.value.found


def test_inputs_that_are_no_numbers_are_named_even_where_they_come_late():
    x, y = examples()
    x[7, 3] = math.nan
    with pytest.raises(DataError, match="holds NaN or infinity") as error:
        find(linear(), ArrayBatches((x,), y, batch=16), epochs=EPOCHS, loss=F.cross_entropy)
    assert "input 1" in error.value.found


def test_a_loss_that_is_no_number_from_the_start_is_not_called_divergence():
    with pytest.raises(TrainingError, match="before anything was learnt"):
        find(linear(), batches(), epochs=EPOCHS, loss=lambda o, _: o.sum() * math.nan)


@pytest.mark.parametrize(
    "wrong", [{"low": 0}, {"low": 1, "high": 1}, {"high": math.nan}, {"steps": 2}, {"repeats": 0}, {"high": math.inf}]
)
def test_limits_that_make_no_range_are_refused(wrong):
    with pytest.raises(TrainingError):
        find(linear(), batches(), epochs=EPOCHS, loss=F.cross_entropy, **wrong)


class Nothing:
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def epoch(self, epoch, first=0):  # noqa: ARG002
        return iter(())


@pytest.mark.parametrize("length", [0, 3])
def test_a_source_without_batches_is_refused_instead_of_waited_for(length):
    with pytest.raises(DataError):
        find(linear(), Nothing(length), epochs=EPOCHS, loss=F.cross_entropy)


# Sources


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 40), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_consecutive_batches_are_those_of_the_epochs_and_may_begin_anywhere(count, batch, steps, first):
    source = ArrayBatches((torch.arange(count),), torch.arange(count), batch=batch)
    epochs = range(first, first + 1 + -(-steps // len(source)))
    expected = [b.targets.tolist() for e in epochs for b in source.epoch(e)][:steps]
    taken = [b.targets.tolist() for b in Consecutive(source, steps, first).epoch(0)]
    assert taken == expected
    start = steps // 2
    assert [b.targets.tolist() for b in Consecutive(source, steps, first).epoch(0, start)] == expected[start:]


def test_again_gives_each_batch_equally_often_and_may_begin_anywhere():
    some = list(batches().epoch(0))
    again = [id(batch) for batch in Again(some, 35).epoch(0)]
    assert {again[i : i + 10].count(id(batch)) for i in (0, 10, 20) for batch in some} == {1}
    assert again[:10] != again[10:20]
    assert [id(batch) for batch in Again(some, 35).epoch(0, 12)] == again[12:]
