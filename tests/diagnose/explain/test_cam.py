"""Grad-CAM: the map lies where the class is, is a number from 0 to 1, and leaves the network as it was."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import ursa
from ursa.diagnose.explain.cam import enlarged, grad_cam
from ursa.errors import DataError, TrainingError


def test_the_map_is_the_channels_weighted_by_their_mean_slope(colors, spots):
    found = grad_cam(colors, spots([(0, 8, 16), (1, 0, 0)]), check=False)
    assert found.targets.tolist() == [0, 1]
    want = np.zeros((2, 8, 8), np.float32)
    want[0, 2:4, 4:6] = 1
    want[1, 0:2, 0:2] = 1
    np.testing.assert_allclose(found.positions, want, atol=1e-6)
    assert found.maps.shape == (2, 32, 32)
    assert np.unravel_index(found.maps[0].argmax(), (32, 32)) == (10, 18)
    assert found.maps.min() >= 0
    np.testing.assert_allclose(found.maps.max((1, 2)), 1)


def test_each_channel_weighs_its_mean_slope_over_the_positions(colors, spots):
    """Of a head that reads every position by itself the slopes are its weights, here drawn: a closed form."""
    torch.manual_seed(0)
    head = nn.Linear(3 * 8 * 8, 4)
    network = nn.Sequential(colors.see, nn.Flatten(), head)
    pictures = torch.rand(2, 3, 32, 32)
    weights = head.weight.view(4, 3, 64).mean(2)[[1, 3]]  # of classes 1 and 3
    want = (weights[:, :, None, None] * colors.see(pictures)).sum(1).relu()
    want = (want / want.amax((1, 2), keepdim=True).clamp_min(1e-30)).detach().numpy()
    found = grad_cam(network, pictures, [1, 3], layer="0", check=False)
    np.testing.assert_allclose(found.positions, want, atol=1e-5)
    assert want.any((1, 2)).all()


def test_the_class_that_is_asked_for_is_looked_for_and_what_speaks_against_it_is_cut_off(colors, spots):
    pictures = spots([(0, 8, 16)])
    pictures[0, 1, 24:, :8] = 0.5
    assert grad_cam(colors, pictures, 1, check=False).positions[0, 6:, :2].min() == 1
    assert not grad_cam(colors, pictures, 2, check=False).maps.any()
    with torch.no_grad():
        colors.head.weight[0, 1] = -1
    assert not grad_cam(colors, pictures, 0, check=False).positions[0, 6:, :2].any()


def test_a_mirrored_picture_has_a_mirrored_map(colors, spots):
    pictures = spots([(0, 8, 16), (2, 20, 4)])
    one, other = (grad_cam(colors, x, [0, 2], check=False).maps for x in (pictures, pictures[..., ::-1].copy()))
    np.testing.assert_allclose(one, other[..., ::-1], atol=1e-6)


def test_one_output_is_raised_by_1_and_lowered_by_0(colors, spots):
    colors.head = nn.Linear(3, 1)
    with torch.no_grad():
        colors.head.weight.copy_(torch.tensor([[1.0, -1.0, 0.0]]))
        colors.head.bias.zero_()
    pictures = spots([(0, 0, 0), (1, 0, 0)])
    assert grad_cam(colors, pictures, check=False).targets.tolist() == [1, 0]
    assert grad_cam(colors, pictures, 1, check=False).maps.any((1, 2)).tolist() == [True, False]
    assert grad_cam(colors, pictures, 0, check=False).maps.any((1, 2)).tolist() == [False, True]


def test_batches_do_not_change_a_map(colors, spots):
    places = [(k % 3, k % 4 * 8, k // 4 * 8) for k in range(11)]
    together = grad_cam(colors, spots(places), check=False).maps
    apart = [grad_cam(colors, spots([place]), check=False).maps[0] for place in places]
    np.testing.assert_allclose(together, np.stack(apart), atol=1e-6)


def test_the_network_stays_as_it_was(spots):
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(True), nn.AdaptiveAvgPool2d(1))
    network = nn.Sequential(*network, nn.Flatten(), nn.Linear(4, 3)).train()
    network[0].requires_grad_(False)
    before, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    ursa.grad_cam(network, spots([(0, 0, 0), (1, 8, 8)]))
    assert all(torch.equal(a, b) for a, b in zip(before.values(), network.state_dict().values(), strict=True))
    assert network.training and network[1].training
    assert [p.requires_grad for p in network.parameters()] == [False, False, *[True] * 4]
    assert all(p.grad is None for p in network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert torch.equal(state, torch.get_rng_state())


def test_it_works_where_gradients_are_switched_off_and_everything_is_frozen(colors, spots):
    colors.requires_grad_(False)
    with torch.no_grad():
        assert grad_cam(colors, spots([(0, 8, 16)]), check=False).maps.any()
    with torch.inference_mode():
        pictures = torch.from_numpy(spots([(0, 8, 16)])) * 1
    assert grad_cam(colors, pictures, check=False).maps.any()


@pytest.mark.parametrize("targets", [3, -1, [0], [0, 3], 0.5, "red", [[0, 1]]])
def test_classes_that_there_are_not_are_refused(colors, spots, targets):
    with pytest.raises(DataError, match="one of the network's classes") as refused:
        grad_cam(colors, spots([(0, 0, 0), (1, 0, 0)]), targets, check=False)
    assert "0 to 2" in str(refused.value)


def test_networks_and_pictures_of_another_kind_are_refused(colors, spots):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    with pytest.raises(TrainingError, match="no layer of Sequential has a map"):
        grad_cam(flat, spots([(0, 0, 0)]))
    with pytest.raises(TrainingError, match="no pictures"):
        grad_cam(colors, np.zeros((3, 32), np.float32))
    with pytest.raises(TrainingError, match="one number a class"):
        grad_cam(nn.Conv2d(3, 3, 1), spots([(0, 0, 0)]))
    with pytest.raises(TrainingError, match=r"torch network[\s\S]*ursa grad-cam BUNDLE"):
        grad_cam("bears.ursa", spots([(0, 0, 0)]))
    with pytest.raises(TrainingError, match="Conv2d"):
        grad_cam(colors, np.zeros((2, 1, 32, 32), np.float32))
    with pytest.raises(TrainingError, match=r"no layer 'sea'[\s\S]*did you mean 'see'"):
        grad_cam(colors, spots([(0, 0, 0)]), layer="sea")


def test_enlarged_maps_keep_their_peak_and_emptiness():
    positions = np.zeros((2, 3, 3), np.float32)
    positions[0, 2, 0] = 0.5
    maps = enlarged(positions, (30, 60))
    assert maps.shape == (2, 30, 60)
    assert maps[0].max() == 1
    assert maps[0, 29, 0] == 1
    assert not maps[1].any()
