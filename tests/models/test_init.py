"""Initial weights: the distributions of the papers, torch's own where it has them, and nothing else is touched."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.models.init import LAYERS, RECTIFIERS, SATURATING, _fans, _gain, followed, initialize


def moments(layer) -> tuple[float, float, float]:
    """Standard deviation, largest size, and kurtosis (3 for a normal, 1.8 for a uniform distribution)."""
    weight = layer.weight.detach().double().flatten()
    z = (weight - weight.mean()) / weight.std()
    return float(weight.std()), float(weight.abs().max()), float((z**4).mean())


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 3), st.sampled_from([nn.Conv1d, nn.Conv2d, nn.Conv3d]))
def test_fans_of_plain_layers_are_those_of_torch(inputs, outputs, kernel, kind):
    for layer in (kind(inputs, outputs, kernel), nn.Linear(inputs, outputs)):
        assert _fans(layer) == nn.init._calculate_fan_in_and_fan_out(layer.weight)


@pytest.mark.parametrize(
    ("layer", "fans"),  # counted by hand: numbers summed into an output, outputs that an input flows into
    [
        (nn.Conv2d(8, 12, 3, groups=4), (2 * 9, 3 * 9)),
        (nn.Conv2d(8, 8, 5, groups=8), (25, 25)),
        (nn.ConvTranspose2d(6, 10, 3), (6 * 9, 10 * 9)),
        (nn.ConvTranspose2d(6, 10, 3, groups=2), (3 * 9, 5 * 9)),
        (nn.ConvTranspose1d(4, 2, 5), (20, 10)),
    ],
)
def test_fans_of_groups_and_of_transposed_layers(layer, fans):
    assert _fans(layer) == fans


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.2), nn.LeakyReLU(0.0), nn.Tanh(), None])
def test_gains_are_torchs_where_torch_has_them(activation):
    names = {nn.ReLU: "relu", nn.LeakyReLU: "leaky_relu", nn.Tanh: "tanh", type(None): "linear"}
    slope = getattr(activation, "negative_slope", None)
    gain, rectifier = _gain(activation)
    assert gain == pytest.approx(nn.init.calculate_gain(names[type(activation)], slope))
    assert rectifier == isinstance(activation, nn.ReLU | nn.LeakyReLU)


@given(st.floats(0, 2))
def test_the_slope_of_a_leaky_rectifier_is_in_its_gain_learned_or_not(slope):
    wanted = math.sqrt(2 / (1 + slope**2))
    assert _gain(nn.LeakyReLU(slope)) == (pytest.approx(wanted), True)
    assert _gain(nn.PReLU(init=slope)) == (pytest.approx(wanted, rel=1e-5), True)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("scheme", ["he", "xavier"])
def test_every_kind_of_layer_is_drawn_by_its_scheme(kind, scheme):
    layer = kind(64, 96) if kind is nn.Linear else kind(24, 32, 3)
    initialize(layer, scheme)
    fan_in, fan_out = _fans(layer)
    std, largest, kurtosis = moments(layer)
    if scheme == "he":
        assert std == pytest.approx(math.sqrt(1 / fan_in), rel=0.05) and kurtosis == pytest.approx(3, abs=0.4)
    else:
        bound = math.sqrt(6 / (fan_in + fan_out))
        assert std == pytest.approx(bound / math.sqrt(3), rel=0.05) and kurtosis == pytest.approx(1.8, abs=0.1)
        assert 0.95 * bound < largest <= bound
    assert not layer.bias.detach().any()


@pytest.mark.parametrize("kind", RECTIFIERS)
def test_a_rectifier_asks_for_he_with_its_gain(kind):
    layer = nn.Linear(300, 200)
    initialize(nn.Sequential(layer, kind()))
    std, _, kurtosis = moments(layer)
    assert std == pytest.approx(_gain(kind())[0] / math.sqrt(300), rel=0.03) and kurtosis > 2.7


@pytest.mark.parametrize("kind", SATURATING)
def test_a_saturating_activation_asks_for_xavier_with_its_gain(kind):
    layer = nn.Linear(300, 200)
    initialize(nn.Sequential(layer, kind()))
    _, largest, kurtosis = moments(layer)
    assert largest <= SATURATING[kind] * math.sqrt(6 / 500) < 1.02 * largest and kurtosis < 2


def test_a_named_scheme_rules_whatever_follows():
    one, other = nn.Linear(300, 200), nn.Linear(300, 200)
    initialize(nn.Sequential(one, nn.ReLU()), "xavier")
    initialize(nn.Sequential(other, nn.Tanh()), "he")
    assert moments(one)[2] < 2 < 2.7 < moments(other)[2]


def test_an_activation_belongs_to_the_layer_before_it_across_norms_and_dropout():
    one, two, three = nn.Linear(3, 4), nn.Conv2d(1, 1, 1), nn.Linear(4, 2)
    relu, tanh = nn.ReLU(), nn.Tanh()
    net = nn.Sequential(one, nn.BatchNorm1d(4), nn.Dropout(), relu, nn.Sequential(two, tanh, nn.ReLU()), three)
    assert followed(net) == [(one, relu), (two, tanh), (three, None)]
    assert followed(nn.Sequential(nn.ReLU(), one)) == [(one, None)]  # before it plays no part
    assert followed(nn.ReLU()) == []


def test_norms_embeddings_and_other_numbers_stay_as_they_are():
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Embedding(3, 4), nn.LayerNorm(4), nn.PReLU(init=0.3))
    with torch.no_grad():
        for module in net[1:]:
            for parameter in module.parameters():
                parameter.add_(0.5)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    assert initialize(net) is net
    changed = {key for key, value in net.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {"0.weight", "0.bias"}


def test_the_same_seed_gives_the_same_weights_whatever_they_were_and_torchs_stream_is_left_alone():
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    one, other = nn.Linear(6, 5), nn.Linear(6, 5)
    torch.manual_seed(5)
    initialize(one, seed=3)
    initialize(other, seed=3)
    assert torch.equal(one.weight, other.weight) and torch.equal(torch.rand(1), wanted)
    assert not torch.equal(initialize(other, seed=4).weight, one.weight)


def test_layers_of_one_network_are_drawn_independently():
    net = initialize(nn.Sequential(*[nn.Linear(40, 40) for _ in range(4)]), "he")
    for one, other in itertools.combinations(net, 2):
        both = torch.stack([one.weight.detach().flatten(), other.weight.detach().flatten()])
        assert abs(float(torch.corrcoef(both)[0, 1])) < 0.1


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_weights_keep_their_precision_and_their_gradient(dtype):
    layer = initialize(nn.Linear(30, 20).to(dtype), "he")
    assert layer.weight.dtype == dtype and layer.weight.requires_grad and layer.weight.is_leaf
    full = initialize(nn.Linear(30, 20), "he")
    assert torch.equal(layer.weight.detach(), full.weight.detach().to(dtype))  # the same draw, rounded


def test_a_network_without_memory_stays_without_and_one_without_biases_has_none():
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(30, 20), nn.ReLU())
    assert initialize(net)[0].weight.is_meta and net[0].bias.is_meta
    assert initialize(nn.Linear(3, 2, bias=False)).bias is None


@pytest.mark.parametrize("scheme", ["kaiming", "He", ""])
def test_an_unknown_scheme_is_refused_before_anything_is_drawn(scheme):
    layer = nn.Linear(3, 2)
    before = layer.weight.clone()
    with pytest.raises(TrainingError, match="no initialisation is called"):
        initialize(layer, scheme)
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("build", [lambda s: models.mlp(9, 3, seed=s), lambda s: models.small_cnn(1, 3, seed=s)])
def test_builders_draw_with_the_rule_of_this_file(build):
    net = build(2)
    again = initialize(build(7), seed=2)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
