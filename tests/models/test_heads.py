"""The head for pretrained bodies: the pooling of the extractor, and the layers of fastai's `vision_learner`."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.embed.extractor import Extractor
from ursa.errors import TrainingError
from ursa.models.heads import ConcatPool


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6))
def test_pooling_is_the_mean_then_the_maximum_of_each_map(count, channels, height, width):
    maps = torch.randn(count, channels, height, width)
    average, largest = nn.AdaptiveAvgPool2d(1)(maps).flatten(1), nn.AdaptiveMaxPool2d(1)(maps).flatten(1)
    assert torch.allclose(ConcatPool()(maps), torch.cat([average, largest], 1), atol=1e-6)


def test_pooling_gives_the_numbers_of_the_extractor_in_its_order():
    body = nn.Conv2d(3, 5, 3)
    extractor = Extractor(body, (0.4, 0.5, 0.6), (0.2, 0.3, 0.2), 16)
    pictures = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(ConcatPool()(body(extractor.normalized(pictures))), extractor(pictures))


@pytest.mark.parametrize("shape", [(3, 8), (3, 8, 1, 1), (3, 4, 2)])
def test_only_maps_are_pooled(shape):
    inputs = torch.rand(shape)
    pooled = ConcatPool()(inputs)
    assert torch.equal(pooled, torch.cat([inputs.flatten(1)] * 2, 1)) if len(shape) == 4 else pooled is inputs


def test_its_layers_are_those_of_fastai():
    """fastai 2.7, create_head: pooling, norm, dropout p / 2, linear, ReLU, norm, dropout p, linear."""
    head = models.pooled_head(12, 3, hidden=7, dropout=0.4)
    kinds = [ConcatPool, nn.BatchNorm1d, nn.Dropout, nn.Linear, nn.ReLU, nn.BatchNorm1d, nn.Dropout, nn.Linear]
    assert [type(part) for part in head] == kinds
    assert [part.p for part in head if isinstance(part, nn.Dropout)] == [0.2, 0.4]
    assert [tuple(part.weight.shape) for part in head if isinstance(part, nn.Linear)] == [(7, 12), (3, 7)]
    assert [part.num_features for part in head if isinstance(part, nn.BatchNorm1d)] == [12, 7]


@pytest.mark.parametrize("option", [{"hidden": 0}, {"dropout": 1}, {"seed": 0.5}])
def test_options_that_make_no_head_are_refused_by_name(option):
    with pytest.raises(TrainingError, match=next(iter(option))):
        models.pooled_head(4, 2, **option)
