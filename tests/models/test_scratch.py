"""Networks from scratch and composed ones: shapes, starts that neither fade nor explode, errors that help."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from ursa import models
from ursa.errors import TrainingError
from ursa.models.dense import ACTIVATIONS
from ursa.models.init import RECTIFIERS, SATURATING

SIZES = st.integers(1, 9)


@settings(max_examples=40, deadline=None)
@given(
    SIZES, SIZES, st.lists(SIZES, max_size=3), st.floats(0, 0.9), st.sampled_from(sorted(ACTIVATIONS)), st.booleans()
)
def test_an_mlp_has_the_layers_and_the_weights_that_its_sizes_say(features, classes, hidden, dropout, activation, norm):
    net = models.mlp(features, classes, hidden=hidden, dropout=dropout, activation=activation, norm=norm)
    sizes = [features, *hidden, classes]
    expected = sum(a * b + b for a, b in itertools.pairwise(sizes)) + 2 * norm * sum(hidden)
    assert sum(p.numel() for p in net.parameters()) == expected
    assert sum(isinstance(part, nn.Dropout) for part in net) == (len(hidden) if dropout else 0)
    assert net(torch.rand(4, features)).shape == (4, classes)


def test_pictures_go_into_dense_networks_as_they_are():
    pictures = torch.rand(3, 1, 6, 6)
    assert models.mlp(36, 4)(pictures).shape == models.linear(36, 4)(pictures).shape == (3, 4)
    assert models.perceptron(36)(pictures).shape == (3, 1)


@pytest.mark.parametrize("side", [8, 9, 28, 33, 64])
def test_a_small_cnn_takes_pictures_from_8_to_64_pixels(side):
    net = models.small_cnn(3, 5, widths=(4, 8, 8), dropout=0.1)
    assert net(torch.rand(2, 3, side, side + 3)).shape == (2, 5)
    assert models.small_cnn(1, None, widths=4)(torch.rand(2, 1, side, side)).shape == (2, 4)


def test_the_same_seed_gives_the_same_weights_and_the_users_random_numbers_stay_theirs():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    one, same, other = (models.small_cnn(1, 3, seed=seed).state_dict() for seed in (0, 0, 1))
    models.create("resnet10t", 3)
    models.pooled_head(8, 3)
    assert torch.equal(torch.rand(2), wanted)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["0.weight"], other["0.weight"])


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "gelu", "silu", "mish", "tanh"])
def test_what_flows_through_20_layers_neither_fades_nor_explodes(activation):
    """SiLU and its like amplify small deviations, so the bounds are wide; a tenth off in the gain is far outside."""
    net = models.mlp(384, 384, hidden=[384] * 20, activation=activation)
    flowing, moments = torch.randn(256, 384, generator=torch.Generator().manual_seed(0)), []
    with torch.no_grad():
        for layer in net:
            flowing = layer(flowing)
            if type(layer) in RECTIFIERS | SATURATING:
                moments.append(float(flowing.square().mean()))
    assert len(moments) == 20 and all(0.1 < moment < 10 for moment in moments), moments
    assert 0.3 < float(net[-1](flowing).detach().var()) < 3 or activation in ("gelu", "silu", "mish")


@pytest.mark.parametrize("kind", RECTIFIERS)
def test_gains_lead_from_a_second_moment_of_one_to_one_behind_the_activation(kind):
    z = torch.linspace(-9, 9, 100_001, dtype=torch.float64)
    normal = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    activation = {nn.PReLU: nn.PReLU(init=0.0), nn.LeakyReLU: nn.LeakyReLU(0.0)}.get(kind, kind()).double()
    with torch.no_grad():
        assert float((activation(RECTIFIERS[kind] * z) ** 2 * normal).sum()) == pytest.approx(1, rel=2e-3)


def spread(layer) -> float:
    return float(layer.weight.detach().std())


def test_rectifiers_are_preceded_by_he_and_everything_else_by_xavier():
    """He et al. 2015, equation 10; Glorot and Bengio 2010, equation 16."""
    net = models.initialize(nn.Sequential(nn.Linear(300, 500), nn.ReLU(), nn.Linear(500, 400)))
    assert spread(net[0]) == pytest.approx(math.sqrt(2 / 300), rel=0.01)
    bound = math.sqrt(6 / 900)
    assert 0.99 * bound < float(net[2].weight.detach().abs().max()) <= bound
    assert not net[0].bias.any() and not net[2].bias.any()
    convolution = models.initialize(nn.Conv2d(20, 50, 5, groups=2), "he")
    assert spread(convolution) == pytest.approx(math.sqrt(1 / (10 * 25)), rel=0.03)
    transposed = models.initialize(nn.ConvTranspose2d(200, 10, 3), "he")
    assert spread(transposed) == pytest.approx(math.sqrt(1 / (200 * 9)), rel=0.03)


def test_weights_are_not_the_numbers_that_a_user_draws_with_the_same_seed():
    draw = torch.Generator().manual_seed(0)
    drawn = torch.randn(50, 50, generator=draw)
    weights = models.initialize(nn.Linear(50, 50), "he", seed=0).weight.detach()
    assert abs(float(torch.corrcoef(torch.stack([drawn.flatten(), weights.flatten()]))[0, 1])) < 0.1


def test_a_residual_block_adds_what_it_was_given():
    inputs, body, skip = torch.rand(3, 4), nn.Linear(4, 5), nn.Linear(4, 5)
    assert torch.equal(models.Residual(body, skip)(inputs), body(inputs) + skip(inputs))
    square = nn.Linear(4, 4)
    assert torch.equal(models.Residual(square)(inputs), square(inputs) + inputs)


def test_a_residual_block_that_would_broadcast_is_refused():
    with pytest.raises(TrainingError) as error:
        models.Residual(nn.Linear(4, 1))(torch.rand(3, 4))
    assert "body [3, 1], skip [3, 4]" in error.value.found


def test_a_siamese_network_sees_both_inputs_with_the_same_weights():
    body, one, other = models.mlp(6, None, hidden=8), torch.rand(5, 6), torch.rand(5, 6)
    net = models.siamese(body)
    assert torch.allclose(net(one, other), F.pairwise_distance(body(one), body(other)))
    assert torch.allclose(net(one, other), net(other, one), atol=1e-4)
    assert float(net(one, one).detach().max()) < 1e-4
    assert models.siamese(body, models.linear(8, 1))(one, other).shape == (5, 1)
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in body.parameters())


def test_several_outputs_come_under_their_names_any_name():
    net = models.multi_output(models.mlp(6, None, hidden=8), {"type": models.linear(8, 3), "a.b": models.linear(8, 1)})
    outputs = net(torch.rand(2, 6))
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {"type": (2, 3), "a.b": (2, 1)}
    sum(value.sum() for value in outputs.values()).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_the_pooled_head_takes_maps_and_their_pooled_features_alike():
    head = models.pooled_head(8, 3, hidden=16).eval()
    maps = torch.rand(2, 4, 5, 5)
    features = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)
    assert torch.equal(head(maps), head(features)) and head(maps).shape == (2, 3)
    assert [part.p for part in head if isinstance(part, nn.Dropout)] == [0.25, 0.5]


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: models.mlp(0, 3), "features"),
        (lambda: models.mlp(4, True), "classes"),
        (lambda: models.mlp(4, 3, hidden="128"), "hidden"),
        (lambda: models.mlp(4, 3, hidden=[8, -1]), "hidden"),
        (lambda: models.mlp(4, 3, dropout=1.0), "dropout"),
        (lambda: models.mlp(4, 3, activation="relo"), "did you mean 'relu'"),
        (lambda: models.mlp(4, 3, initialize="hee"), "did you mean 'he'"),
        (lambda: models.mlp(4, None, hidden=()), "hidden layer"),
        (lambda: models.small_cnn(3, 2.5), "classes"),
        (lambda: models.siamese("body"), "body"),
        (lambda: models.multi_output(nn.Identity(), {}), "a head each"),
        (lambda: models.create("resnet81", 3), "did you mean 'resnet"),
        (lambda: models.create("hf-hub:someone/model", 3), "no network is called"),
        (lambda: models.create("torchvision:resnet18", 3, channels=1), "3 channels"),
    ],
)
def test_sizes_and_names_that_make_no_network_are_refused_by_name(make, word):
    with pytest.raises(TrainingError) as error:
        make()
    assert word in str(error.value)
