"""Random weights have to destroy a map; one that they do not destroy is found out."""

import copy
import itertools

import numpy as np
import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr
from torch import nn

from ursa.diagnose.explain import sanity_check as checks
from ursa.diagnose.explain.cam import grad_cam, maps_at
from ursa.diagnose.explain.sanity_check import SanityCheck, randomize, rank_correlation, sanity_check
from ursa.diagnose.explain.spatial_layers import last_spatial_layer, recorded


@pytest.fixture(autouse=True)
def few_maps(monkeypatch):
    """A draw of random weights or two, where people get as many as make twelve maps."""
    monkeypatch.setattr(checks, "MAPS", 4)


def small(values):
    return arrays(np.float32, (5, 5), elements=values)


@given(small(st.integers(0, 4).map(float)), small(st.integers(0, 4).map(float)))
def test_rank_correlation_is_spearmans_with_ties_and_0_without_any_difference(one, other):
    found = rank_correlation(one, other)
    if np.ptp(one) and np.ptp(other):
        assert found == pytest.approx(spearmanr(one.ravel(), other.ravel()).statistic, abs=1e-9)
        assert rank_correlation(one, 3 * one**3 + 1) == pytest.approx(1)
    else:
        assert found == 0


@pytest.mark.parametrize(
    "name", ["test_resnet", "mobilenetv3_small_050", "test_efficientnet", "test_convnext", "test_vit"]
)
def test_grad_cam_of_each_family_passes(name):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=10).eval()
    found = grad_cam(model, torch.randn(3, 3, 160 if name == "test_vit" else 128, 160 if name == "test_vit" else 128))
    assert found.check.passed, found.check
    assert (found.check.pictures, found.check.draws) == (3, 2)
    assert "passed" in str(found.check) and "destroyed by random weights" in found.note


def planted(maps_of, model, pictures):
    layer = last_spatial_layer(model, pictures)
    targets = torch.zeros(len(pictures), dtype=torch.long)
    return sanity_check(model, pictures, targets, layer, maps_of(model, pictures, targets, layer), maps_of)


def test_maps_of_the_picture_alone_and_of_no_class_are_found_out(spots):
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=10).eval()
    pictures = torch.randn(3, 3, 96, 96)

    def edges(_, pictures, __, layer):
        return nn.functional.adaptive_avg_pool2d(pictures.abs().mean(1), (layer.height, layer.width)).numpy()

    def mean_activation(model, pictures, _, layer):
        with recorded(model, only=layer.name) as outputs, torch.no_grad():
            model(pictures.clone())
        return layer.maps(outputs[0].value).mean(1).numpy()

    of_picture = planted(edges, model, pictures)
    assert of_picture.similarity == pytest.approx([1] * 5)
    of_no_class = planted(mean_activation, model, pictures)
    assert of_no_class.similarity[0] == pytest.approx(1)
    for check in (of_picture, of_no_class):
        assert not check.passed
        assert "failed" in str(check) and "a random head" in str(check)


def test_maps_that_are_the_same_everywhere_can_not_pass():
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=10).eval()
    nothing = planted(
        lambda _, x, __, at: np.ones((len(x), at.height, at.width), np.float32), model, torch.randn(2, 3, 96, 96)
    )
    assert not nothing.passed
    assert "same everywhere" in str(nothing)
    assert nothing.to_json()["similarity"] == []


def test_each_step_makes_one_more_group_random_and_the_network_stays_as_it_was(monkeypatch):
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=10).eval()
    before, seen = copy.deepcopy(model.state_dict()), []
    parameters = dict(model.named_parameters())

    def spy(other, pictures, targets, layer):
        changed = {name for name, p in other.named_parameters() if not torch.equal(p, parameters[name])}
        seen.append(changed)
        return maps_at(other, pictures, targets, layer)

    pictures = torch.randn(2, 3, 96, 96)
    layer, targets = last_spatial_layer(model, pictures), torch.zeros(2, dtype=torch.long)
    monkeypatch.setattr(checks, "MAPS", 2)
    check = sanity_check(model, pictures, targets, layer, maps_at(model, pictures, targets, layer), spy)
    assert len(seen) == len(check.similarity) == 5
    assert seen[0] and all(name.startswith("fc.") for name in seen[0])
    assert all(less < more for less, more in itertools.pairwise(seen))
    matrices = {name for name, p in parameters.items() if p.ndim > 1}
    assert matrices <= seen[-1]
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))


def test_random_weights_are_the_same_numbers_in_another_order():
    layer = nn.Linear(20, 30)
    before = layer.weight.detach().clone()
    randomize(layer, np.random.default_rng(0))
    assert not torch.equal(layer.weight, before)
    assert torch.equal(layer.weight.flatten().sort().values, before.flatten().sort().values)


def test_batch_norm_is_measured_anew_so_that_deep_networks_stay_alive():
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", num_classes=10).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(1e-6)  # as it would be for other weights
    sizes = []

    def spy(other, pictures, targets, layer):
        with torch.no_grad():
            sizes.append(float(other(pictures).abs().max()))
        return maps_at(other, pictures, targets, layer)

    pictures = torch.randn(2, 3, 96, 96)
    layer, targets = last_spatial_layer(model, pictures), torch.zeros(2, dtype=torch.long)
    sanity_check(model, pictures, targets, layer, maps_at(model, pictures, targets, layer), spy)
    assert max(sizes[4::5]) < 1e3  # with all weights random


def test_passing_is_decided_by_every_step():
    assert SanityCheck((0.1, 0.2, 0.49), 4, 3).passed
    assert not SanityCheck((0.6, 0.2, 0.1), 4, 3).passed
    assert not SanityCheck((0.1, 0.2, 0.5), 4, 3).passed
    assert "a random head" in str(SanityCheck((0.6, 0.2, 0.1), 4, 3))
    assert "random weights the maps still" in str(SanityCheck((0.1, 0.7), 4, 3))


def test_the_same_seed_gives_the_same_check(colors, spots):
    pictures = spots([(0, 8, 16), (1, 0, 0)])
    assert grad_cam(colors, pictures).check == grad_cam(colors, pictures).check
