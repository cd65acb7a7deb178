"""The average of the weights follows them, and can stand in for them."""

import pytest
import torch
from torch import nn

from ursa.training.optim.ema import EMA


def test_it_is_the_exponential_average_written_out():
    model = nn.Linear(2, 1, bias=False)
    average, decay, expected = EMA(model, 0.5), 0.5, model.weight.detach().clone()
    for number in range(1, 8):
        with torch.no_grad():
            model.weight.fill_(float(number))
        average.update()
        kept = min(decay, (1 + number) / (10 + number))
        expected = kept * expected + (1 - kept) * number
    torch.testing.assert_close(average.values[0], expected)


@pytest.mark.parametrize("decay", [0.5, 0.98])
def test_without_warmup_the_start_counts_as_if_it_had_been_there_for_long(decay):
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    average = EMA(model, decay, warmup=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    for number in range(1, 30):
        average.update()
        torch.testing.assert_close(average.values[0], torch.full((1, 2), decay**number))


def test_in_place_swaps_and_swaps_back_also_after_an_error():
    model = nn.Linear(2, 1)
    average = EMA(model)
    before, there = model.weight.detach().clone(), average.values[0].clone().add_(1)
    average.values[0].add_(1)
    try:
        with average.in_place():
            assert torch.equal(model.weight, there)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert torch.equal(model.weight, before)
    assert torch.equal(average.values[0], there)


def test_frozen_weights_are_not_averaged():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    assert len(EMA(model).values) == 2
