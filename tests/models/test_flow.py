"""Following tensors through a network: every weight is in one box, arrows go forward, and watching changes nothing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.models.layer_graph.flow import LayerNode, _title, collapsed, flow

PARTS = st.recursive(
    st.sampled_from([lambda: nn.Linear(3, 3), lambda: nn.ReLU(), lambda: nn.LayerNorm(3), lambda: nn.Dropout(0.1)]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: lambda: nn.Sequential(*[part() for part in parts])),
        inner.map(lambda part: lambda: models.Residual(part())),
    ),
    max_leaves=8,
)


@settings(max_examples=30)
@given(PARTS, st.integers(1, 6))
def test_every_weight_is_counted_in_one_box_at_any_depth_and_boxes_follow_what_they_need(part, depth):
    net = nn.Sequential(part(), nn.Linear(3, 2))
    inputs = torch.rand(2, 3)
    nodes = flow(net, (inputs,), depth)
    for shown in (nodes, collapsed(nodes)):
        assert sum(node.parameters for node in shown) == sum(p.numel() for p in net.parameters())
        assert all(source < number for number, node in enumerate(shown) for source in node.sources)
        assert [node.role for node in shown].count("output") == 1 and shown[0].role == "input"
        assert all(node.sources for node in shown[1:])  # nothing hangs in the air
        used = {source for node in shown for source in node.sources}
        assert used == set(range(len(shown) - 1))  # and everything leads somewhere
    assert nodes[-1].shape == tuple(net(inputs).shape)


@settings(max_examples=30)
@given(PARTS)
def test_collapsing_keeps_the_number_of_layers_and_once_is_enough(part):
    nodes = flow(nn.Sequential(part(), part()), (torch.rand(2, 3),), 6)
    small = collapsed(nodes)
    assert sum(node.repeats for node in small) == len(nodes)
    assert collapsed(small) == small or any(node.repeats > 1 for node in small)


def test_layers_alike_but_for_their_shape_or_weights_stay_apart():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 5), nn.Linear(5, 4))
    assert [node.repeats for node in collapsed(flow(net, (torch.rand(1, 4),), 1))] == [1] * 6
    twice = nn.Linear(4, 4)
    again = collapsed(flow(nn.Sequential(twice, twice), (torch.rand(1, 4),), 1))
    assert [node.call for node in again[1:-1]] == [1, 2]  # the same layer again is no layer alike


@pytest.mark.parametrize(
    ("join", "sign"),
    [
        (lambda a, b: a + b, "+"),
        (lambda a, b: a - b, "−"),
        (lambda a, b: a * b, "×"),
        (lambda a, b: a / b, "÷"),
        (lambda a, b: a @ b, "@"),
        (lambda a, b: torch.cat([a, b]), "cat"),
        (lambda a, b: torch.stack([a, b]), "stack"),
        (torch.maximum, "max"),
        (torch.hypot, "hypot"),  # what has no sign has its name
    ],
)
def test_where_two_tensors_meet_stands_what_joins_them(join, sign):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, inputs):
            return join(self.one(inputs), self.two(inputs))

    nodes = flow(Net(), (torch.rand(3, 3),), 1)
    (place,) = [node for node in nodes if node.role == "join"]
    assert place.title == sign and [nodes[source].name for source in place.sources] == ["one", "two"]


@pytest.mark.parametrize(
    ("module", "title"),
    [
        (nn.Conv2d(1, 1, (3, 5), stride=2), "Conv2d 3×5 /2"),
        (nn.Conv1d(1, 1, 7), "Conv1d 7"),
        (nn.Dropout(0.25), "Dropout 0.25"),
        (nn.Linear(2, 2), "Linear"),
    ],
)
def test_a_title_is_the_kind_and_what_tells_it_from_its_like(module, title):
    assert _title(module) == title


def test_a_part_that_is_not_called_is_not_drawn_and_one_within_a_list_is():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
            self.unused = nn.Linear(2, 2)

        def forward(self, inputs):
            return self.parts[1](inputs)

    assert [node.name for node in flow(Net(), (torch.rand(1, 2),), 1)] == ["", "parts.1", ""]


def test_attention_and_recurrent_layers_are_one_box_and_each_output_has_one():
    recurrent = nn.LSTM(3, 4, batch_first=True)
    nodes = flow(recurrent, (torch.rand(2, 5, 3),), 4)
    assert [node.role for node in nodes] == ["input", "layer", "output", "output", "output"]
    assert all(node.sources == (1,) for node in nodes[2:])
    attention = flow(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (torch.rand(1, 3, 8),), 1)
    assert "self_attn" in [node.name for node in attention]


def test_inputs_are_numbered_only_where_there_are_several():
    assert flow(nn.ReLU(), (torch.rand(1),), 1)[0].title == "input"
    two = flow(models.siamese(nn.Linear(2, 2)), (torch.rand(1, 2), torch.rand(1, 2)), 1)
    assert [node.title for node in two if node.role == "input"] == ["input 1", "input 2"]


def test_watching_changes_no_number_and_leaves_nothing_behind():
    net = models.small_cnn(1, 3, widths=(2, 2), dropout=0.4)
    pictures, state = torch.rand(2, 1, 8, 8), {key: value.clone() for key, value in net.state_dict().items()}
    flow(net, (pictures,), 3)
    assert net.training and all(torch.equal(state[key], value) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert isinstance(flow(net, (pictures,), 3)[1], LayerNode)


def test_a_layer_that_does_nothing_is_not_drawn():
    net = nn.Sequential(nn.Linear(2, 2), nn.Identity(), models.Residual(nn.Linear(2, 2), nn.Identity()))
    nodes = flow(net, (torch.rand(1, 2),), 3)
    assert [node.name for node in nodes if node.role == "layer"] == ["0", "2.body"]
    assert nodes[2].sources == (1,)
