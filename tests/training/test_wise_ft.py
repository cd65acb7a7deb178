"""WiSE-FT: in place of the weights stand those between where training began and where its average is."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ursa.training.optim.ema import EMA
from ursa.training.optim.wise_ft import WiseFT


def moved(model, average, steps=5):
    """A few steps of some training."""
    for number in range(steps):
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.full_like(weight, 0.1 * (number + 1)))
        average.update()


def weights(model):
    return [weight.detach().clone() for weight in model.parameters()]


@given(alpha=st.floats(0.01, 1), decay=st.sampled_from([0.0, 0.5, 0.98]))
def test_it_lies_on_the_line_from_the_start_to_the_average(alpha, decay):
    model = nn.Linear(3, 2)
    start, plain = weights(model), copy.deepcopy(model)
    between, average = WiseFT(model, alpha, decay), EMA(plain, decay, warmup=False)
    moved(model, between)
    moved(plain, average)
    last = weights(model)
    with between.in_place(), average.in_place():
        for now, began, there in zip(weights(model), start, weights(plain), strict=True):
            torch.testing.assert_close(now, (1 - alpha) * began + alpha * there)
    assert all(torch.equal(*pair) for pair in zip(weights(model), last, strict=True))


def test_alpha_1_without_an_average_is_the_last_weights():
    model = nn.Linear(3, 2)
    between = WiseFT(model, 1.0, 0.0)
    moved(model, between)
    last = weights(model)
    with between.in_place():
        assert all(torch.equal(*pair) for pair in zip(weights(model), last, strict=True))
    assert between.start == []  # nothing is kept that is not read


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_training_goes_on_from_the_last_weights_also_after_an_error(alpha):
    model = nn.Linear(3, 2)
    between = WiseFT(model, alpha, 0.5)
    moved(model, between)
    last, averages = weights(model), [value.clone() for value in between.tensors()]
    with pytest.raises(KeyboardInterrupt), between.in_place():
        raise KeyboardInterrupt
    assert all(torch.equal(*pair) for pair in zip(weights(model), last, strict=True))
    assert all(torch.equal(*pair) for pair in zip(between.tensors(), averages, strict=True))


def test_logits_of_a_linear_model_are_the_mean_of_both_ends():
    """Where the network is linear in its weights, weights between are the mean of the answers."""
    model, x = nn.Linear(4, 3), torch.randn(7, 4)
    first = model(x).detach()
    between = WiseFT(model, 0.5, 0.0)
    moved(model, between)
    last = model(x).detach()
    with between.in_place():
        torch.testing.assert_close(model(x).detach(), (first + last) / 2)


def test_frozen_layers_stay_as_they_are():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    between = WiseFT(model, 0.5, 0.9)
    assert len(between.start) == len(between.tensors()) == 2
