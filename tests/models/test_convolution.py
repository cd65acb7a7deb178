"""The small convolutional network: which layers, which sizes, and what pictures it cannot tell apart."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.models.built import built_of


@settings(max_examples=25)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_its_layers_and_weights_follow_from_its_widths(widths, channels, classes, dropped):
    net = models.small_cnn(channels, classes, widths=widths, dropout=0.5 * dropped)
    block, between = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU], [nn.MaxPool2d]
    wanted = block + (between + block) * (len(widths) - 1) + [nn.AdaptiveMaxPool2d, nn.Flatten]
    assert [type(part) for part in net] == [*wanted, *[nn.Dropout] * dropped, nn.Linear]
    sizes = zip([channels, *widths], widths, strict=False)
    kernels = sum(9 * a * b + 2 * b for a, b in sizes)  # no bias before a norm, which has two numbers a channel
    assert sum(p.numel() for p in net.parameters()) == kernels + widths[-1] * classes + classes


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(1, 20))
def test_pictures_of_any_size_down_to_a_pixel_go_through_each_by_itself(height, width):
    net, pictures = models.small_cnn(1, 3, widths=(2, 3, 2)).eval(), torch.rand(3, 1, height, width)
    apart = torch.cat([net(one[None]) for one in pictures])
    assert apart.shape == (3, 3) and torch.allclose(net(pictures), apart, atol=1e-5)


def test_a_picture_and_its_shift_by_whole_pools_are_alike_to_it():
    net = models.small_cnn(1, 4, widths=(4, 4, 4)).eval()
    picture = torch.zeros(1, 1, 48, 48)
    picture[..., 12:20, 12:20] = torch.rand(8, 8)
    assert torch.allclose(net(picture), net(picture.roll((8, 4), (2, 3))), atol=1e-5)
    assert not torch.allclose(net(picture), net(torch.zeros_like(picture)), atol=1e-3)


def test_without_classes_it_gives_the_maxima_of_its_last_maps():
    net, pictures = models.small_cnn(3, None, widths=(4, 6)).eval(), torch.rand(2, 3, 9, 9)
    maps = net[:-2](pictures)
    assert maps.shape == (2, 6, 5, 5)  # halved once, rounded up
    assert torch.equal(net(pictures), maps.amax((2, 3)))


@pytest.mark.parametrize("widths", [8, (8,), [8]])
def test_one_width_is_a_list_of_one(widths):
    assert built_of(models.small_cnn(1, 2, widths=widths)) == built_of(models.small_cnn(1, 2, widths=(8,)))


def test_it_learns_what_two_pictures_differ_in():
    torch.manual_seed(0)
    pictures, targets = torch.rand(8, 1, 12, 12) * 0.1, torch.tensor([0, 1] * 4)
    pictures[targets == 1, :, 2:6, 2:6] += 1
    net = models.small_cnn(1, 2, widths=(4, 4))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(pictures), targets).backward()
        optimizer.step()
    assert torch.equal(net.eval()(pictures).argmax(1), targets)
