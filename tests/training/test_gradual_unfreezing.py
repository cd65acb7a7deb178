"""Gradual unfreezing goes from the head downwards, as a function of the step."""

import torch
from torch import nn

from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.loop import State, accumulated, train
from ursa.training.optim.gradual_unfreezing import gradual_unfreezing


def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)))


def changed(model, before):
    return [not torch.equal(layer.weight, old.weight) for layer, old in zip(model, before, strict=True)]


def run(steps, stop=None):
    model = network()
    state = State(model, torch.optim.SGD([{"params": list(model.parameters()), "max_lr": 0.1}], lr=0.1))
    x = torch.randn(40, 4, generator=torch.Generator().manual_seed(1))
    gradient = gradual_unfreezing(accumulated(), [[*layer.parameters()] for layer in model], steps)
    seen = []
    for step in train(state, ArrayBatches((x,), torch.arange(40) % 4, batch=4), 5, gradient=gradient):
        seen.append(changed(model, network()))
        if step.number == stop:
            break
    return seen


def test_the_head_learns_first_and_all_learn_after_the_given_steps():
    seen = run(6, stop=8)
    assert seen[0] == [False, False, False, True]
    assert seen[2] == [False, False, True, True]
    assert seen[5] == [False, True, True, True]
    assert seen[6] == [True, True, True, True]


def test_without_steps_all_learn_at_once():
    assert run(0, stop=1) == [[True] * 4]
