"""Losses: a batch in parts gives what the whole gives; golden values; missing targets; what does not fit is refused."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from ursa.errors import TrainingError
from ursa.training.tasks import losses
from ursa.training.tasks.loss_check import check

CLASSES = 4


def logits(n, *shape):
    return torch.randn(n, *(shape or (CLASSES,)))


def classes(n):
    return torch.randint(CLASSES, (n,))


def some_missing(targets):
    gone = torch.rand(targets.shape) < 0.4
    return torch.where(gone, torch.tensor(math.nan if targets.is_floating_point() else -1), targets)


# name -> loss, outputs of n examples, targets of n examples
CASES = {
    "cross_entropy": (losses.cross_entropy, logits, classes),
    "smoothed": (losses.smoothed(0.1), logits, classes),
    "of shares": (losses.smoothed(0.1), logits, lambda n: torch.rand(n, CLASSES).softmax(1)),
    "weighted": (losses.weighted([0.1, 1, 2, 5]), logits, classes),
    "weighted and smoothed": (losses.weighted([0.1, 1, 2, 5], 0.2), logits, classes),
    "weighted, of shares": (losses.weighted([0.1, 1, 2, 5]), logits, lambda n: torch.rand(n, CLASSES).softmax(1)),
    "of pixels": (losses.cross_entropy, lambda n: logits(n, 3, 5), lambda n: torch.randint(3, (n, 5))),
    "weighted, of pixels": (losses.weighted([1, 2, 3]), lambda n: logits(n, 3, 5), lambda n: torch.randint(3, (n, 5))),
    "binary": (losses.binary_cross_entropy, logits, lambda n: torch.randint(2, (n, CLASSES))),
    "nll": (losses.nll, lambda n: logits(n).log_softmax(1), classes),
    "mse": (losses.mse, logits, logits),
    "mse of one number": (losses.mse, lambda n: torch.randn(n), lambda n: torch.randn(n, dtype=torch.float64)),
    "mae": (losses.mae, logits, logits),
    "huber": (losses.huber, logits, logits),
    "masked classes": (losses.masked(losses.cross_entropy), logits, lambda n: some_missing(classes(n))),
    "masked, weighted": (losses.masked(losses.weighted([1, 2, 3, 4])), logits, lambda n: some_missing(classes(n))),
    "masked numbers": (losses.masked(losses.mse), logits, lambda n: some_missing(logits(n))),
    "masked entries": (losses.masked_entries(losses.mse), logits, lambda n: some_missing(logits(n))),
    "masked labels": (
        losses.masked_entries(losses.binary_cross_entropy),
        logits,
        lambda n: some_missing(torch.randint(2, (n, CLASSES))),
    ),
}


@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("name", CASES)
@given(count=st.integers(1, 12), size=st.integers(1, 12), seed=st.integers(0, 10**6))
def test_a_batch_in_parts_gives_the_loss_and_the_gradient_of_the_whole(name, count, size, seed):
    loss, outputs_of, targets_of = CASES[name]
    torch.manual_seed(seed)
    outputs, targets = outputs_of(count).double().requires_grad_(), targets_of(count)
    if targets.is_floating_point():
        targets = targets.double()
    whole = loss(outputs, targets)
    (gradient,) = torch.autograd.grad(whole, outputs)
    parts = sum(
        loss(outputs[i : i + size], targets[i : i + size]) * (len(targets[i : i + size]) / count)
        for i in range(0, count, size)
    )
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts, outputs)[0], gradient)


@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_a_finite_scalar_that_the_check_accepts(name):
    loss, outputs_of, targets_of = CASES[name]
    torch.manual_seed(0)
    outputs, targets = outputs_of(16).requires_grad_(), targets_of(16)
    assert loss(outputs, targets).shape == () and loss(outputs, targets).isfinite()
    check(outputs, targets, loss)


def test_golden_values():
    outputs = torch.tensor([[math.log(1), math.log(3)], [math.log(4), math.log(1)]])
    right, half = torch.tensor([1, 0]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    golden = {  # by hand, from probabilities 1/4, 3/4 and 4/5, 1/5
        losses.cross_entropy(outputs, right): (math.log(4 / 3) + math.log(5 / 4)) / 2,
        losses.cross_entropy(outputs, half): (math.log(4 / 3) + math.log(5 / 4)) / 2,
        losses.smoothed(0.2)(outputs, right): (
            0.9 * math.log(4 / 3) + 0.1 * math.log(4) + 0.9 * math.log(5 / 4) + 0.1 * math.log(5)
        )
        / 2,
        losses.weighted([3, 1])(outputs, right): (math.log(4 / 3) + 3 * math.log(5 / 4)) / 2,
        losses.nll(outputs.log_softmax(1), right): (math.log(4 / 3) + math.log(5 / 4)) / 2,
        losses.binary_cross_entropy(outputs, half): (math.log(2) + math.log(4 / 3) + math.log(5 / 4) + math.log(2)) / 4,
        losses.mse(torch.tensor([1.0, 4.0]), torch.tensor([0.0, 1.0])): 5.0,
        losses.mae(torch.tensor([1.0, 4.0]), torch.tensor([0.0, 1.0])): 2.0,
        losses.huber(torch.tensor([0.5, 4.0]), torch.tensor([0.0, 1.0])): (0.125 + 2.5) / 2,
    }
    for value, expected in golden.items():
        assert float(value) == pytest.approx(expected, rel=1e-5)


def test_weights_that_are_1_on_average_leave_the_scale_as_it_is():
    torch.manual_seed(0)
    targets = torch.tensor([0] * 6 + [1] * 3 + [2] + [3] * 2)
    outputs = torch.zeros(12, CLASSES)
    balanced = 12 / (4 * torch.bincount(targets))
    assert float(losses.weighted(balanced)(outputs, targets)) == pytest.approx(math.log(4), rel=1e-5)


@pytest.mark.parametrize("name", ["cross_entropy", "of shares", "of pixels"])
def test_weights_of_1_change_nothing(name):
    _, outputs_of, targets_of = CASES[name]
    outputs, targets = outputs_of(6), targets_of(6)
    ones = losses.weighted(torch.ones(outputs.shape[1]))
    torch.testing.assert_close(ones(outputs, targets), losses.cross_entropy(outputs, targets))


@pytest.mark.parametrize("name", [name for name in CASES if "masked" in name])
def test_what_is_missing_adds_nothing_and_gets_no_gradient(name):
    loss, outputs_of, targets_of = CASES[name]
    torch.manual_seed(0)
    outputs, targets = outputs_of(20).requires_grad_(), targets_of(20)
    there = losses.present(targets)
    if "entries" not in name and "labels" not in name:
        there = there if targets.ndim == 1 else there.all(1)
    assert there.any() and not there.all()
    value = loss(outputs, targets)
    (gradient,) = torch.autograd.grad(value, outputs)
    assert not gradient[~there].any() and gradient[there].any()
    wild = torch.where(there.reshape(there.shape + (1,) * (outputs.ndim - there.ndim)), outputs, 1e6)
    assert torch.equal(loss(wild, targets), value)


@pytest.mark.parametrize(
    ("of", "mask", "targets"),
    [
        (losses.cross_entropy, losses.masked, classes(8)),
        (losses.mse, losses.masked, logits(8)),
        (losses.mse, losses.masked_entries, logits(8)),
        (losses.binary_cross_entropy, losses.masked_entries, torch.randint(2, (8, CLASSES))),
    ],
)
def test_with_nothing_missing_a_masked_loss_is_the_loss_and_with_all_missing_it_is_0(of, mask, targets):
    outputs = logits(8).requires_grad_()
    torch.testing.assert_close(mask(of)(outputs, targets), of(outputs, targets))
    none = torch.full_like(targets, math.nan if targets.is_floating_point() else -1)
    nothing = mask(of)(outputs, none)
    assert nothing.item() == 0
    assert not torch.autograd.grad(nothing, outputs)[0].any()


def test_several_tasks_add_up_with_their_weights():
    loss = losses.multi_task({"kind": losses.cross_entropy, "age": losses.masked(losses.mse)}, {"age": 0.5})
    outputs = {"kind": logits(6), "age": logits(6, 1)}
    targets = {"kind": classes(6), "age": some_missing(logits(6, 1))}
    kind = losses.cross_entropy(outputs["kind"], targets["kind"])
    age = losses.masked(losses.mse)(outputs["age"], targets["age"])
    torch.testing.assert_close(loss(outputs, targets), kind + 0.5 * age)
    check(outputs, targets, loss)
    assert torch.equal(copy.deepcopy(loss)(outputs, targets), loss(outputs, targets))


def test_a_task_has_its_loss():
    assert losses.for_task("single-label", 0.0) is losses.cross_entropy
    outputs, targets = logits(5), classes(5)
    value = losses.for_task("single-label", 0.3)(outputs, targets)
    assert torch.equal(value, F.cross_entropy(outputs, targets, label_smoothing=0.3))
    assert losses.for_task("multi-label") is losses.binary_cross_entropy
    assert losses.for_task("regression") is losses.mse
    for task in ("multi-label", "regression"):
        with pytest.raises(TrainingError, match="one class an example"):
            losses.for_task(task, 0.1)


def test_a_loss_of_ones_own_and_torchs_are_accepted():
    outputs, targets = logits(5).requires_grad_(), classes(5)
    check(outputs, targets, lambda o, t: (o.softmax(1).gather(1, t[:, None]) - 1).square().mean())
    check(outputs, targets, nn.CrossEntropyLoss())
    check(outputs, torch.where(targets == 0, -100, targets), nn.CrossEntropyLoss())
    check(outputs, logits(5), F.smooth_l1_loss)


TASKS = losses.multi_task({"kind": losses.cross_entropy, "age": losses.mse})
PAIR = {"kind": logits(4), "age": logits(4, 1)}
GRAPH = logits(4).requires_grad_()
NAN = math.nan


@pytest.mark.parametrize(
    ("outputs", "targets", "loss", "said"),
    [
        (logits(3), torch.tensor([0, 4, 1]), losses.cross_entropy, "label 4 with 4 classes, numbered 0 to 3"),
        (logits(3), torch.tensor([0, -1, 1]), losses.cross_entropy, "losses.masked"),
        (logits(3), torch.tensor([0, -1, 9]), losses.masked(losses.cross_entropy), "label 9 with 4 classes"),
        (logits(3), torch.tensor([0, 4, 1]), nn.CrossEntropyLoss(), "label 4 with 4 classes"),
        (logits(3), torch.tensor([0, 4, 1]), F.cross_entropy, "label 4 with 4 classes"),
        (logits(3), torch.tensor([0, 1, 1], dtype=torch.int32), losses.cross_entropy, "int32 [3]; expected int64 [3]"),
        (logits(3), torch.rand(3), losses.cross_entropy, "for a regression"),
        (logits(3), torch.tensor([[0], [1], [1]]), losses.cross_entropy, "fix:   targets[:, 0]"),
        (logits(3), torch.tensor([[0.0, 1, 1, 0]] * 3), losses.cross_entropy, "a sum of 2"),
        (logits(3), torch.tensor([[0.5, 0.5, NAN, 0]] * 3), losses.cross_entropy, "sum to 1"),
        (logits(3, 1), torch.tensor([0, 0, 0]), losses.cross_entropy, "binary_cross_entropy"),
        (logits(3), classes(4), losses.cross_entropy, "float32 [3, 4], int64 [4]"),
        (classes(3), classes(3), losses.cross_entropy, "leave argmax to the metrics"),
        (logits(3), classes(3), losses.weighted([1, 2, 3]), "3 weights"),
        (logits(3), torch.rand(3, 4), losses.nll, "takes shares"),
        (logits(3), classes(3), losses.binary_cross_entropy, "losses.cross_entropy"),
        (logits(3), torch.full((3, 4), 2), losses.binary_cross_entropy, "targets from 2 to 2"),
        (logits(3), torch.full((3, 4), NAN), losses.binary_cross_entropy, "masked_entries"),
        (logits(3, 1), torch.rand(3), losses.mse, "targets.reshape(-1, 1)"),
        (torch.rand(3), torch.rand(3, 1), losses.mae, "targets[:, 0]"),
        (logits(3), torch.rand(3, 2), losses.huber, "a model with 2 outputs"),
        (logits(3, 1), torch.rand(3), nn.MSELoss(), "outputs [3, 1], targets [3]"),
        (logits(3, 1), torch.rand(3), losses.masked_entries(losses.mse), "outputs [3, 1], targets [3]"),
        (logits(3, 1), torch.tensor([[1.0], [NAN], [2.0]]), losses.mse, "1 of 3"),
        (PAIR, {"kind": classes(4)}, TASKS, "there are no targets 'age'"),
        ({"kind": logits(4), "agee": logits(4, 1)}, PAIR, TASKS, "did you mean 'agee'"),
        (logits(4), classes(4), TASKS, "return a dict with the names kind, age"),
        (PAIR, {"kind": classes(4), "age": torch.rand(4)}, TASKS, "age: this loss needs outputs and targets"),
        (PAIR, classes(4), losses.cross_entropy, "losses.multi_task"),
        (logits(4), classes(4), lambda o, t: (o[:, 0] - t).abs(), "the mean over the examples"),
        (logits(4), classes(4), lambda o, t: len(o) / len(t), "scalar tensor"),
        (logits(4), classes(4), lambda o, t: o @ t, "the loss does not fit"),
        (GRAPH, classes(4), lambda o, t: o.detach().mean() * len(t), "does not depend on"),
        (GRAPH * NAN, classes(4), losses.cross_entropy, "16 of the model's outputs are not finite"),
        (GRAPH, classes(4), lambda o, t: o.sum() * NAN * len(t), "the model's outputs are finite"),
    ],
)
def test_what_does_not_fit_is_one_readable_error(outputs, targets, loss, said):
    with pytest.raises(TrainingError) as problem:
        check(outputs, targets, loss)
    assert said in str(problem.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: losses.smoothed(1), "from 0 to below 1"),
        (lambda: losses.smoothed(NAN), "from 0 to below 1"),
        (lambda: losses.weighted([1, -1]), "0 or more"),
        (lambda: losses.weighted([0, 0]), "0 or more"),
        (lambda: losses.weighted([[1, 2]]), "one number"),
        (lambda: losses.multi_task({}), "no task"),
        (lambda: losses.multi_task({"kind": losses.mse}, {"kinds": 2}), "did you mean 'kind'"),
        (lambda: losses.for_task("single_label"), "did you mean 'single-label'"),
    ],
)
def test_a_wrong_setting_of_a_loss_says_what_to_do(make, said):
    with pytest.raises(TrainingError) as problem:
        make()
    assert said in str(problem.value)
