"""fit: the best weights, the reasons to stop, and what is said when the loss is no number any more."""

import math
import signal
import threading

import pytest
import torch
from torch import nn

from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.fit import Monitor, Observer, fit, interruptible
from ursa.training.history import History
from ursa.training.loop import State
from ursa.training.optim.ema import EMA
from ursa.training.optim.optimizers import Group, make
from ursa.training.tasks.losses import cross_entropy

RECIPE = Recipe.of(epochs=5, batch_size=8, max_grad_norm=0.0)


def state(lr=1e-2, model=None, optimizer="sgd"):
    if model is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return State(model, make(optimizer, [Group([model], lr)], model=model))


def batches(change=None, count=40):
    draw = torch.Generator().manual_seed(2)
    x, y = torch.randn(count, 4, generator=draw), torch.randint(3, (count,), generator=draw)
    if change is not None:
        change(x, y)
    return ArrayBatches((x,), y, batch=RECIPE.optim.batch_size)


def measuring(values):
    """An evaluation that gives these losses, epoch 0 first."""
    left = iter(values)
    return lambda _: {"valid_loss": next(left)}


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


class Remembering(Observer):
    """All that it is told, and the weights at the end of each epoch."""

    def __init__(self, model=None):
        self.steps, self.epochs, self.weights, self.closed, self.model = [], [], [], 0, model

    def step(self, step):
        self.steps.append(step)

    def epoch(self, record):
        self.epochs.append(record)
        self.weights.append(weights(self.model))

    def close(self):
        self.closed += 1


# --- the best and the last -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([5, 4, 3, 2, 1, 0.5], 5),
        ([5, 4, 1, 2, 1, 3], 2),  # the earlier of two that are alike
        ([1, 2, 3, 4, 5, 6], 0),  # the start
        ([5, 4, math.nan, math.nan, math.nan, math.nan], 1),
        ([math.nan, 4, 5, 5, 5, 5], 1),
    ],
)
def test_the_model_ends_with_the_weights_of_the_best_epoch(values, best):
    one = state()
    seen = Remembering(one.model)
    started = weights(one.model)
    history, found = fit(one, batches(), RECIPE, measuring(values), observers=[seen])
    assert found.epoch == best
    assert torch.equal(weights(one.model), [started, *seen.weights][best])
    assert len(history.epochs) == 6


def test_a_goal_can_be_higher_and_has_to_be_measured():
    _, best = fit(
        state(),
        batches(),
        RECIPE,
        measuring([0.1, 0.2, 0.9, 0.3, 0.4, 0.5]),
        monitor=Monitor("valid_loss", higher=True),
    )
    assert best.epoch == 2
    with pytest.raises(TrainingError, match="nothing measures 'accuracy'"):
        fit(state(), batches(), RECIPE, measuring([1.0]), monitor=Monitor("accuracy"))


def test_with_an_average_it_is_what_is_measured_and_kept():
    one, seen = state(), []
    one.average = EMA(one.model, 0.5)

    def evaluate(model):
        seen.append(weights(model))
        return {"valid_loss": -float(len(seen))}

    fit(one, batches(), RECIPE, evaluate)
    assert torch.equal(weights(one.model), seen[-1])
    assert not torch.equal(seen[-1], torch.cat([v.flatten() for v in one.average.tensors()]) * 0)
    assert torch.equal(seen[-1], torch.cat([v.flatten() for v in one.average.tensors()]))


def test_history_and_observers_know_every_step_and_epoch():
    one = state()
    seen = Remembering(one.model)
    history, _ = fit(one, batches(), RECIPE, measuring(range(6)), observers=[seen])
    assert [step["step"] for step in history.steps] == list(range(1, 26))
    assert [step["epoch"] for step in history.steps] == [epoch for epoch in range(5) for _ in range(5)]
    assert seen.steps == history.steps
    assert seen.epochs == history.epochs[1:]
    assert seen.closed == 1
    for record in history.epochs[1:]:
        own = [step["loss"] for step in history.steps if step["epoch"] == record["epoch"] - 1]
        assert record["train_loss"] == pytest.approx(sum(own) / 5)
    assert History.from_json(history.to_json()) == history


# --- stopping early --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patience", "epochs"),
    [(0, 5), (1, 2), (2, 5)],
)
def test_it_stops_when_there_was_no_better_epoch_for_so_long(patience, epochs):
    recipe = Recipe.of(epochs=5, batch_size=8, patience=patience)
    history, best = fit(state(), batches(), recipe, measuring([5, 4, 4.5, 3, 3.5, 3.6]))
    assert len(history.epochs) - 1 == epochs
    assert best.epoch == (1 if patience == 1 else 3)
    assert history.stopped == ("no better" if patience == 1 else None)


def test_when_time_is_up_the_epoch_ends_there_and_counts():
    calls = []
    history, best = fit(
        state(), batches(), RECIPE, measuring([5, 4, 3]), stop=lambda: calls.append(1) or len(calls) == 7
    )
    assert (len(history.steps), history.stopped, best.epoch) == (7, "time", 2)
    assert history.epochs[-1]["train_loss"] == pytest.approx(sum(step["loss"] for step in history.steps[5:]) / 2)


def test_the_first_ctrl_c_only_asks_and_the_second_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_stays_ignored_where_it_is_and_other_threads_are_left_alone():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as asked:
            signal.raise_signal(signal.SIGINT)
            assert not asked()
    finally:
        signal.signal(signal.SIGINT, before)
    found = []

    def elsewhere():
        with interruptible() as asked:
            found.append((asked(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [(False, before)]


def test_ctrl_c_ends_the_fit_after_the_step_with_the_best_weights_so_far():
    class Pressing(Observer):
        def step(self, step):
            if step["step"] == 5:
                signal.raise_signal(signal.SIGINT)

    one = state()
    seen = Remembering(one.model)
    history, best = fit(one, batches(), RECIPE, measuring([5, 4, 3]), observers=[Pressing(), seen])
    assert (len(history.steps), history.stopped, best.epoch) == (5, "interrupted", 1)
    assert torch.equal(weights(one.model), seen.weights[0])


# --- divergence ------------------------------------------------------------------------------------------------------


def failing(*, recipe=RECIPE, one=None, **settings):
    one = one or state()
    with pytest.raises(TrainingError, match="diverged") as problem:
        fit(one, settings.pop("batches", batches()), recipe, measuring(range(99)), **settings)
    assert all(bool(value.isfinite().all()) for value in one.model.state_dict().values())
    return problem.value


def test_a_rate_that_is_too_high_is_said_with_where_the_loss_began_to_rise():
    recipe = Recipe.of(epochs=60, batch_size=8, max_grad_norm=0.0, warmup=1.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 32), nn.Linear(32, 32), nn.Linear(32, 3))
    problem = failing(
        recipe=recipe, one=state(1e4, model), loss=lambda said, wanted: (said.pow(4) - wanted[:, None]).mean()
    )
    assert "rate" in problem.found and "weights from before the first step are kept" in problem.found
    assert "head_lr" in problem.fix


def test_a_rate_that_is_too_high_at_once_is_said():
    problem = failing(one=state(1e30), schedule=constant)
    assert "the learning rate, 1e+30, is too high" in problem.found
    assert "1e+29" in problem.fix


def test_inputs_that_hold_no_numbers_are_said_with_how_many_and_which():
    problem = failing(batches=batches(lambda x, _: x[3:5].fill_(math.nan)))
    assert "inputs hold NaN or infinity" in problem.found
    assert "such as number" in problem.found


def test_targets_that_are_no_numbers_are_said():
    x, y = torch.randn(20, 4), torch.randn(20, 3)
    y[7] = math.inf
    problem = failing(batches=ArrayBatches((x,), y, batch=20), loss=nn.functional.mse_loss)
    assert "1 of the batch's 20 targets" in problem.found


def test_a_loss_that_is_no_number_with_good_weights_either_is_said():
    def loss(said, targets):
        return cross_entropy(said, targets) + (torch.log(torch.zeros(())) if bool((targets == 2).all()) else 0)

    def change(_, y):
        y[:] = 2

    problem = failing(batches=batches(change), loss=loss)
    assert "the loss of step 1's batch is not finite" in problem.found
    assert "log(0)" in problem.fix


def test_a_gradient_that_is_no_number_is_said_though_the_loss_is_one():
    def loss(said, targets):
        return cross_entropy(said, targets) + ((said - said).sum().sqrt() if bool((targets == 2).all()) else 0)

    problem = failing(batches=Marked(9), loss=loss)
    assert "step 10 of 25" in problem.found  # the first whose loss shows it
    assert "the gradient of step 9's batch is not finite" in problem.found


def test_weights_that_are_no_numbers_from_the_start_are_said():
    one = state()
    with torch.no_grad():
        one.model[2].bias[1] = math.nan
    with pytest.raises(TrainingError, match="diverged") as problem:
        fit(one, batches(), RECIPE, measuring(range(9)))
    assert "no numbers from the start, first 2.bias" in problem.value.found


def test_the_first_bad_step_is_the_one_that_is_named():
    def loss(said, targets):
        return cross_entropy(said, targets) * (math.nan if bool((targets == 2).all()) else 1.0)

    assert "step 13 of 25, epoch 3" in failing(batches=Marked(13, 15), loss=loss).found


@pytest.mark.parametrize("every", [1, 2, 7])
def test_what_went_bad_is_never_saved(tmp_path, every):
    checkpoints = Checkpoints(tmp_path, every_steps=every)
    failing(one=state(3e2), batches=batches(count=400), schedule=constant, loss=explosive, checkpoints=checkpoints)
    last = checkpoints.last()
    assert all(bool(value.isfinite().all()) for value in last.model.values())
    assert all(math.isfinite(step["loss"]) for step in last.history.steps)


class Marked:
    """Batches of which some, by the number of their step, have only targets of class 2, which the others lack."""

    def __init__(self, *marked):
        self.marked, self.inner = marked, batches(lambda _, y: y.clamp_(max=1))

    def __len__(self):
        return len(self.inner)

    def epoch(self, epoch, first=0):
        for number, batch in enumerate(self.inner.epoch(epoch, first), epoch * len(self) + first + 1):
            if number in self.marked:
                batch.targets = torch.full_like(batch.targets, 2)
            yield batch


def constant(_):
    return 1.0


def explosive(said, targets):
    return (said - targets[:, None]).pow(4).mean()
