"""A gradient computed on all cores is the gradient."""

import torch
from torch import nn

from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.batches.batch import Batch
from ursa.training.loop import State, accumulated, train
from ursa.training.optim.data_parallel import data_parallel_cpu
from ursa.training.tasks.losses import cross_entropy


def network(dropout=0.0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(4 * 36, 5)]
        return nn.Sequential(*layers).train()


def examples(count=21):
    draw = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 8, 8, generator=draw), torch.randint(0, 5, (count,), generator=draw)


def state(model):
    optimizer = torch.optim.SGD([{"params": list(model.parameters()), "max_lr": 0.1}], lr=0.1)
    return State(model, optimizer)


def gradients(model):
    return [p.grad.clone() for p in model.parameters()]


def test_it_equals_the_gradient_of_the_whole_batch():
    x, y = examples()
    whole, parts = network(), network()
    with data_parallel_cpu(size=4) as gradient:
        loss = gradient(state(parts), Batch((x,), y), cross_entropy)
    expected = accumulated()(state(whole), Batch((x,), y), cross_entropy)
    torch.testing.assert_close(loss, expected)
    for got, wanted in zip(gradients(parts), gradients(whole), strict=True):
        torch.testing.assert_close(got, wanted)


def test_it_does_not_depend_on_which_core_was_first():
    x, y = examples(40)
    runs = []
    for _ in range(8):
        model = network()
        with data_parallel_cpu(size=3) as gradient:
            gradient(state(model), Batch((x,), y), cross_entropy)
        runs.append(torch.cat([g.flatten() for g in gradients(model)]))
    assert all(torch.equal(run, runs[0]) for run in runs)


def test_a_model_that_draws_gets_the_same_numbers_as_on_one_core():
    x, y = examples()
    weights = []
    for way in ("cores", "one"):
        one = state(network(dropout=0.5))
        batches = ArrayBatches((x,), y, batch=8)
        if way == "cores":
            with data_parallel_cpu(size=4) as gradient:
                list(train(one, batches, 2, gradient=gradient))
        else:
            list(train(one, batches, 2, gradient=accumulated(4)))
        weights.append(torch.cat([p.detach().flatten() for p in one.model.parameters()]))
    assert torch.equal(*weights)


def test_frozen_and_unused_weights_get_none():
    x, y = examples()
    model = network()
    model[0].requires_grad_(False)
    model.unused = nn.Linear(2, 2)
    model.forward = lambda x: model[4](model[3](model[1](model[0](x))))
    with data_parallel_cpu(size=4) as gradient:
        gradient(state(model), Batch((x,), y), cross_entropy)
    assert model[0].weight.grad is None
    assert model.unused.weight.grad is None
    assert model[4].weight.grad is not None
