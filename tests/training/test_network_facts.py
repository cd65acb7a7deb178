"""What a network answers now: one class for all, the same whatever the input, units that are never above 0."""

import math

import pytest
import torch
from torch import nn

from ursa.training.network_facts import dead_share, predicted_share, response, watched


def test_the_share_of_the_class_that_is_predicted_most():
    assert predicted_share(torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [1.0, 0.0]])) == 0.75


def test_a_response_is_relative_and_0_only_where_nothing_differs():
    outputs = torch.tensor([[1.0, 5.0], [1.0, 7.0]])
    assert response(outputs) == pytest.approx(math.sqrt(2) / 7)
    assert response(1000 * outputs) == pytest.approx(response(outputs))
    assert response(torch.full((4, 3), 7.0)) == 0.0
    assert response(torch.zeros(4, 3)) == 0.0
    assert math.isnan(response(outputs[:1]))
    assert math.isnan(response(torch.full((4, 3), math.inf)))


def test_a_unit_counts_as_dead_where_no_example_of_any_batch_wakes_it():
    model = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    with watched(model) as alive:
        model(torch.tensor([[1.0, -1.0, -1.0, -1.0]]))
        model(torch.tensor([[-1.0, 1.0, -1.0, -1.0]]))
    assert dead_share(alive) == 0.5
    model(torch.ones(1, 4))  # nobody watches any more
    assert dead_share(alive) == 0.5
    pictures = nn.Sequential(nn.ReLU(inplace=True))
    with watched(pictures) as alive:
        pictures(torch.stack([torch.ones(3, 3), -torch.ones(3, 3)])[None])  # two channels
    assert dead_share(alive) == 0.5
    with watched(nn.Sequential(nn.Tanh())) as alive:
        pass
    assert dead_share(alive) is None
