"""Dense networks: the sums of torch's own layers, in the order that the docstring names, for any leading shape."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from ursa import models
from ursa.errors import TrainingError
from ursa.models.built import built_of
from ursa.models.dense import ACTIVATIONS

FUNCTIONS = {
    "elu": F.elu,
    "gelu": F.gelu,
    "leaky_relu": F.leaky_relu,
    "mish": F.mish,
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "tanh": torch.tanh,
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_mlp_computes_what_its_layers_written_out_do(activation):
    net, rows = models.mlp(5, 3, hidden=(7, 4), activation=activation), torch.randn(6, 5)
    state, flowing = list(net.parameters()), rows
    for weight, bias in ((state[0], state[1]), (state[2], state[3])):
        flowing = FUNCTIONS[activation](flowing @ weight.T + bias)
    assert torch.allclose(net(rows), flowing @ state[4].T + state[5], atol=1e-6)
    assert sorted(FUNCTIONS) == sorted(ACTIVATIONS)


def test_a_hidden_layer_is_linear_norm_activation_dropout():
    kinds = [type(part) for part in models.mlp(5, 3, hidden=4, norm=True, dropout=0.25, activation="gelu")]
    assert kinds == [nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.GELU, nn.Dropout, nn.Linear]
    assert models.mlp(5, 3, hidden=4, dropout=0.25)[3].p == 0.25
    assert [type(part) for part in models.mlp(5, None, hidden=4)] == [nn.Flatten, nn.Linear, nn.ReLU]
    assert [type(part) for part in models.mlp(5, 3, hidden=())] == [nn.Flatten, nn.Linear]


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))
def test_an_example_is_judged_by_itself_and_its_axes_are_flattened(height, width, count):
    net, rows = models.mlp(height * width, 3, hidden=4, norm=True, dropout=0.5).eval(), torch.rand(count, height, width)
    together = net(rows)
    apart = torch.cat([net(rows[number : number + 1]) for number in range(count)])
    assert torch.allclose(together, apart, atol=1e-6) and torch.equal(net(rows.flatten(1)), together)


def test_linear_is_an_affine_map_and_the_perceptron_its_case_of_one_output():
    net, one, other = models.linear(4, 3), torch.rand(2, 4), torch.rand(2, 4)
    zero = net(torch.zeros(2, 4))
    assert torch.allclose(net(one + other) + zero, net(one) + net(other), atol=1e-6)
    assert built_of(models.perceptron(4, seed=2)) == built_of(models.linear(4, 1, seed=2))
    assert all(
        torch.equal(a, b)
        for a, b in zip(models.perceptron(4).parameters(), models.linear(4, 1).parameters(), strict=True)
    )


def test_cross_entropy_on_a_linear_network_is_logistic_regression():
    """The gradient at zero weights, by hand: (1/K - y) x, averaged (Bishop 2006, 4.109)."""
    net, rows, targets = models.linear(3, 2), torch.tensor([[1.0, 2, 3], [0, 1, 0]]), torch.tensor([0, 1])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    F.cross_entropy(net(rows), targets).backward()
    residual = torch.tensor([[-0.5, 0.5], [0.5, -0.5]])
    assert torch.allclose(net[1].weight.grad, residual.T @ rows / 2)
    assert torch.allclose(net[1].bias.grad, residual.mean(0))


@pytest.mark.parametrize("scheme", ["he", "xavier", None])
def test_a_scheme_is_passed_on_and_remembered(scheme):
    net = models.mlp(300, 3, hidden=200, activation="tanh", initialize=scheme)
    weight = net[1].weight.detach()
    assert (float(weight.abs().max()) > 0.19) == (scheme == "he")  # a normal distribution has no bound
    assert built_of(net).arguments["initialize"] == scheme


@pytest.mark.parametrize("activation", [None, 3, "ReLU", ["relu"]])
def test_an_activation_is_one_of_the_names(activation):
    with pytest.raises(TrainingError, match="no activation is called"):
        models.mlp(3, 2, activation=activation)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_networks_are_made_where_torch_makes_tensors(device):
    with torch.device(device):
        made = [models.mlp(3, 2), models.linear(3, 2), models.small_cnn(1, 2), models.pooled_head(4, 2)]
    assert all(p.device.type == device for net in made for p in net.parameters())
