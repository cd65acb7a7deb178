"""Filters, activations layer by layer, and the pictures that excite a unit most."""

import numpy as np
import pytest
import torch
from torch import nn

from ursa.diagnose.explain import responses
from ursa.errors import DataError, TrainingError


def test_filters_are_the_first_kernels_of_more_than_one_pixel(colors):
    assert responses.filters(colors).shape == (3, 3, 4, 4)
    begins_flat = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 5, 3), nn.Conv2d(5, 2, 5))
    np.testing.assert_array_equal(responses.filters(begins_flat), begins_flat[1].weight.detach().numpy())
    with pytest.raises(TrainingError, match="no filters"):
        responses.filters(nn.Linear(3, 3))
    with torch.no_grad():
        begins_flat[1].weight[0] = torch.nan
    with pytest.raises(TrainingError, match="not finite"):
        responses.filters(begins_flat)


def test_activations_go_from_the_first_layers_to_the_last_with_every_resolution():
    steps = [
        nn.Sequential(nn.Conv2d(8 if k else 3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU()) for k in range(4)
    ]
    model = nn.Sequential(*steps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    picture = torch.randn(1, 3, 64, 64)
    found = responses.activations(model, picture)
    sides = [one.layer.height for one in found]
    assert len(found) == responses.MOST_LAYERS
    assert sides == sorted(sides, reverse=True)
    assert set(sides) == {32, 16, 8, 4}
    with torch.no_grad():
        np.testing.assert_allclose(found[-1].maps, model[:4](picture)[0].numpy(), atol=1e-6)


def test_the_pictures_that_excite_a_unit_most_come_first_with_their_places(colors, spots):
    pictures = torch.from_numpy(spots([(1, 0, 0), (0, 8, 16), (0, 0, 0), (2, 0, 0)]))
    pictures[2] *= 2
    layer = responses.unit_layer(colors, pictures, None)
    assert layer.name == "see"
    for size in (1, 3, 4):  # whatever the batches
        found = responses.top_activations(colors, pictures.split(size), 0, layer, 2)
        assert found.rows.tolist() == [2, 1]
        np.testing.assert_allclose(found.values, [2 / 1, 1], atol=1e-6)
        assert np.argwhere(found.maps[1] > 0.5).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]
    assert len(responses.top_activations(colors, [pictures], 0, layer, 99).rows) == 4


def test_units_and_layers_that_there_are_not_are_refused(colors, spots):
    pictures = torch.from_numpy(spots([(1, 0, 0)]))
    layer = responses.unit_layer(colors, pictures, "see")
    with pytest.raises(DataError, match=r"no unit 3[\s\S]*0 to 2"):
        responses.top_activations(colors, [pictures], 3, layer)
    with pytest.raises(DataError, match="nothing to show"):
        responses.top_activations(colors, [pictures], 0, layer, 0)
    with pytest.raises(DataError, match="no picture"):
        responses.top_activations(colors, [], 0, layer)
    with pytest.raises(TrainingError, match="no layer 'sew'"):
        responses.unit_layer(colors, pictures, "sew")
