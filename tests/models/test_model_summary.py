"""What a network is made of and costs, and which layer an input does not fit."""

import itertools
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.models.model_summary import WIDTHS, _amount, _line


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 5), st.lists(st.integers(1, 9), max_size=3), st.booleans(), st.integers(1, 4))
def test_totals_are_those_of_the_network(features, classes, hidden, norm, batch):
    net = models.mlp(features, classes, hidden=hidden, norm=norm)
    models.freeze(net)
    told = models.summary(net, (batch, features))
    sizes = [features, *hidden, classes]
    assert told.parameters == sum(p.numel() for p in net.parameters())
    assert told.trainable == sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert told.multiply_adds == batch * sum(a * b for a, b in itertools.pairwise(sizes))
    assert told.outputs == ((batch, classes),) and told.inputs == ((batch, features),)


@pytest.mark.parametrize(
    ("name", "size", "giga"),  # multiply-adds as published: torchvision's and timm's tables, papers
    [("resnet18", 224, 1.82), ("vit_tiny_patch16_224", 224, 1.26), ("convnext_atto", 224, 0.55)],
)
def test_a_library_network_costs_what_its_authors_say(name, size, giga):
    net = models.create(name, 1000)
    told = models.summary(net, (1, 3, size, size))
    assert told.multiply_adds / 1e9 == pytest.approx(giga, rel=0.02)
    assert told.parameters == sum(p.numel() for p in net.parameters())


def test_golden_row_of_a_convolution():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(inplace=True), nn.Flatten())
    first, relu, flat = models.summary(net, (2, 3, 9, 9)).rows
    assert (first.name, first.kind, first.outputs, first.calls) == ("0", "Conv2d", ((2, 8, 4, 4),), 1)
    assert first.parameters == 3 * 8 * 9 + 8 and first.multiply_adds == 2 * 8 * 16 * 27
    assert (first.memory, relu.memory, flat.memory) == (2 * 8 * 16 * 4, 0, 0)  # in place and views take none


def test_a_layer_that_is_called_twice_counts_its_weights_once_and_its_work_twice():
    told = models.summary(models.siamese(models.mlp(6, None, hidden=4)), (3, 6), (3, 6))
    row = next(row for row in told.rows if row.kind == "Linear")
    assert (row.calls, row.parameters, row.multiply_adds) == (2, 28, 2 * 3 * 24)
    assert "Linear x2" in str(told)


class Odd(nn.Module):
    """A parameter of its own, tied weights, a part that is never called, a matrix product as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.unused = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(2, 2)
        self.two.weight = self.one.weight
        self.token = nn.Parameter(torch.zeros(4))

    def forward(self, inputs, *, more):
        return {"a": self.two(self.one(inputs + self.token)), "b": (inputs @ more, more)}


def test_nothing_is_forgotten_or_counted_twice_in_an_odd_network():
    class Closed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.odd = Odd()

        def forward(self, inputs):
            return self.odd(inputs, more=inputs.T)

    net = Closed()
    told = models.summary(net, (5, 4))
    assert told.parameters == sum(p.numel() for p in net.parameters())
    assert told.multiply_adds == 2 * 5 * 16 + 5 * 5 * 4
    assert told.outputs == ((5, 4), (5, 5), (4, 5))
    assert [row.calls for row in told.rows if row.name == "odd.unused"] == [0] and "not called" in str(told)


def test_attention_and_recurrent_layers_count():
    attention = models.summary(nn.MultiheadAttention(8, 2, batch_first=True), *[(3, 5, 8)] * 3)
    assert attention.multiply_adds == 3 * (5 * 8 * 8 * 4 + 2 * 5 * 5 * 8)
    block = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    assert models.summary(block, (3, 5, 8)).multiply_adds == attention.multiply_adds + 3 * 5 * 2 * 8 * 16
    recurrent = models.summary(nn.LSTM(4, 6, batch_first=True), (3, 5, 4))
    assert recurrent.multiply_adds == 3 * 5 * (4 * 6 * 4 + 4 * 6 * 6)


def test_the_network_is_left_as_it_was():
    net = models.small_cnn(1, 3, widths=(4, 4), dropout=0.5)
    net[1].eval()
    state = {key: value.clone() for key, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    stream = torch.get_rng_state()
    models.summary(net, (2, 1, 8, 8))
    models.graph(net, (2, 1, 8, 8))
    with pytest.raises(TrainingError):
        models.summary(net, (2, 3, 8, 8))
    assert all(torch.equal(state[key], value) for key, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes and torch.equal(torch.get_rng_state(), stream)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_the_table_fits_100_columns_and_goes_into_json_and_a_notebook(name):
    told = models.summary(models.create(name, 3), (1, 3, 224, 224))
    lines = str(told).splitlines()
    assert max(map(len, lines[1:])) <= 100 and len(lines) == len(told.rows) + 6
    document = json.loads(json.dumps(told.to_json()))
    assert document["parameters"] == told.parameters and len(document["rows"]) == len(told.rows)
    assert told._repr_html_().count("<tr>") == len(told.rows) + 1
    assert repr(told) == str(told)


CNN = models.small_cnn(3, 2, widths=(4,))


@pytest.mark.parametrize(
    ("net", "inputs", "words"),
    [
        (models.mlp(20, 3), (4, 21), ("layer 1 (Linear)", "got [4, 21]", "expected [..., 20]", "take 21")),
        (CNN, (4, 1, 8, 8), ("layer 0 (Conv2d)", "expected [N, 3, H, W]", "3 channels")),
        (CNN, (4, 8, 8, 3), ("put the channels second",)),
        (CNN, (3, 8, 8), ("give a batch",)),
        (models.small_cnn(1, 2), (4, 8, 8), ("add the channel",)),
        (CNN, torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ("got [1, 3, 8, 8] uint8", "expected float32")),
        (nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(4)), (2, 3), ("layer 1 (LayerNorm)", "expected [..., 4]")),
        (nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4)), (2, 3), ("BatchNorm1d", "expected [N, 4]", "for 3 channels")),
        (nn.Embedding(3, 2), torch.tensor([3]), ("whole numbers from 0 to 2",)),
        (models.siamese(models.mlp(4, None)), (2, 4), ("Siamese", "missing 1 required")),
        (CNN, (0, 3, 8, 8), ("above 0",)),
    ],
)
def test_an_input_that_does_not_fit_is_refused_naming_the_layer_what_it_got_and_expected(net, inputs, words):
    for look in (models.summary, models.graph):
        with pytest.raises(TrainingError) as error:
            look(net, inputs)
        assert all(word in str(error.value) for word in words), str(error.value)


def test_an_error_of_training_alone_is_explained_and_running_statistics_stay():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4))
    before = net[1].running_mean.clone()
    with pytest.raises(ValueError) as raised:
        net(torch.rand(1, 3))
    error = models.explain(net, (torch.rand(1, 3),), raised.value)
    assert "layer 1 (BatchNorm1d)" in error.what and "batches of 2" in error.fix
    failing = models.explain(net, (torch.rand(5, 3),), RuntimeError("out of memory\nand more"))
    assert failing.found == "out of memory" and torch.equal(net[1].running_mean, before)


@pytest.mark.parametrize(
    ("number", "step", "said"),
    [
        (0, 1000, "0 "),
        (999, 1000, "999 "),
        (1000, 1000, "1 K"),
        (1_234_567, 1000, "1.23 M"),
        (1024, 1024, "1 K"),
        (1023, 1024, "1023 "),
        (3 << 20, 1024, "3 M"),
        (5 * 10**15, 1000, "5000 T"),
    ],
)
def test_amounts_by_hand(number, step, said):
    assert _amount(number, step) == said


@given(st.integers(1, 10**15), st.sampled_from([1000, 1024]))
def test_an_amount_is_within_a_hundredth_of_what_it_says(number, step):
    figure, _, unit = _amount(number, step).partition(" ")
    assert float(figure) * step ** " KMGT".index(unit or " ") == pytest.approx(number, rel=0.01)


def test_a_name_that_is_too_long_keeps_its_end_and_other_cells_their_beginning():
    line = _line(["a.very.long.name.of.a.layer.in.a.network.weight", "K" * 40, *[""] * 5], WIDTHS)
    name, kind = line.split()
    assert len(name) == WIDTHS[0] and name.startswith("…") and name.endswith("network.weight")
    assert len(kind) == WIDTHS[1] and kind.endswith("K…")


def test_frozen_and_partly_frozen_layers_say_so():
    net = models.mlp(3, 2, hidden=4)
    net[1].bias.requires_grad_(False)
    for parameter in net[3].parameters():
        parameter.requires_grad_(False)
    told = models.summary(net, (1, 3))
    cells = [line.split() for line in str(told).splitlines() if "Linear" in line]
    assert [("part" in row, "no" in row) for row in cells] == [(True, False), (False, True)]
    assert "26 parameters, 14 of them frozen" in str(told)
    models.unfreeze(net)
    assert "frozen" not in str(models.summary(net, (1, 3)))


def test_memory_of_weights_counts_buffers_and_a_shared_tensor_once_in_its_precision():
    norm = models.summary(nn.BatchNorm1d(8), (2, 8))
    assert norm.weights_memory == 4 * 8 * 4 + 8  # weight, bias, mean, variance; and a count in 8 bytes
    tied = nn.Sequential(nn.Linear(5, 5, bias=False), nn.Linear(5, 5, bias=False))
    tied[1].weight = tied[0].weight
    assert models.summary(tied, (1, 5)).weights_memory == 100 and models.summary(tied, (1, 5)).parameters == 25
    half = models.summary(nn.Linear(5, 5, bias=False).to(torch.bfloat16), (1, 5))
    assert half.weights_memory == 50 and half.memory == 10


@settings(max_examples=15)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(4, 9), st.integers(1, 4))
def test_the_cost_grows_with_the_batch_and_the_weights_do_not(batch, channels, side, width):
    net = models.small_cnn(channels, 3, widths=(width, width))
    one, many = models.summary(net, (1, channels, side, side)), models.summary(net, (batch, channels, side, side))
    assert (many.multiply_adds, many.memory) == (batch * one.multiply_adds, batch * one.memory)
    assert (many.parameters, many.weights_memory) == (one.parameters, one.weights_memory)


def test_markup_in_the_name_of_a_layer_is_text_in_a_notebook():
    net = nn.Sequential()
    net.add_module("<img src=x>", nn.Linear(2, 2))
    shown = models.summary(net, (1, 2))._repr_html_()
    assert "<img" not in shown and "&lt;img src=x&gt;" in shown
