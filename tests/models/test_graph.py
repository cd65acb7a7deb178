"""The picture of a network: its edges, its rows, its SVG."""

import itertools
import re
import xml.etree.ElementTree as ET

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.models.layer_graph.drawing import READABLE
from ursa.models.layer_graph.flow import collapsed, flow
from ursa.models.layer_graph.layout import layout


def edges(net: nn.Module, *inputs: torch.Tensor, depth: int = 3) -> set[tuple[str, str]]:
    nodes = flow(net, inputs, depth)
    words = [node.name or node.title for node in nodes]
    return {(words[source], words[number]) for number, node in enumerate(nodes) for source in node.sources}


def test_a_skip_goes_around_the_body_to_the_sum():
    net = nn.Sequential(nn.Linear(3, 3), models.Residual(nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True))))
    assert edges(net, torch.rand(2, 3)) == {
        ("input", "0"),
        ("0", "1.body.0"),
        ("1.body.0", "1.body.1"),
        ("1.body.1", "+"),
        ("0", "+"),
        ("+", "output"),
    }


def test_a_skip_starts_before_a_dropout_that_lets_all_through():
    net = models.Residual(nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 3)))
    assert ("input", "+") in edges(net, torch.rand(2, 3)) and ("body.0", "+") not in edges(net, torch.rand(2, 3))


def test_two_inputs_meet_and_the_second_call_of_a_shared_body_says_so():
    net = models.siamese(models.mlp(3, None, hidden=4), models.linear(4, 1))
    nodes = flow(net, (torch.rand(2, 3), torch.rand(2, 3)), 3)
    assert [node.call for node in nodes if node.name == "body.1"] == [1, 2]
    join = next(node for node in nodes if node.role == "join")
    assert join.title == "−" and len(join.sources) == 2
    assert models.graph(net, (2, 3), (2, 3)).count("Linear, again") == 1


def test_several_outputs_branch_under_their_names():
    net = models.multi_output(
        models.mlp(3, None, hidden=4), {"kind": models.linear(4, 2), "<age>": models.linear(4, 1)}
    )
    found = edges(net, torch.rand(2, 3))
    assert ("heads.0.1", "kind") in found and ("heads.1.1", "<age>") in found
    assert ("body.2", "heads.0.0") in found and ("body.2", "heads.1.0") in found
    assert "&lt;age&gt;" in models.graph(net, (2, 3))


def test_functions_and_tensors_added_in_place_are_followed():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, inputs):
            total = self.one(inputs).relu()
            total += self.two(inputs)
            left, right = total.chunk(2, dim=0)
            return torch.cat([left, right, self.one(left)])

    assert edges(Net(), torch.rand(2, 3)) == {
        ("input", "one"),
        ("input", "two"),
        ("one", "+"),
        ("two", "+"),
        ("+", "one"),
        ("+", "cat"),
        ("one", "cat"),
        ("cat", "output"),
    }


def test_blocks_alike_in_a_row_are_one_box_and_keep_the_count_of_weights():
    net = nn.Sequential(*[nn.Linear(4, 4) for _ in range(5)], nn.Linear(4, 2))
    nodes = collapsed(flow(net, (torch.rand(2, 4),), 1))
    assert [(node.title, node.repeats, node.parameters) for node in nodes[1:-1]] == [
        ("Linear", 5, 100),
        ("Linear", 1, 10),
    ]
    assert nodes[1].name == "0 to 4"


def test_a_block_whose_output_goes_elsewhere_too_is_not_merged_with_the_next():
    net = nn.Sequential(nn.Linear(4, 4), models.Residual(nn.Linear(4, 4)))
    assert [node.repeats for node in collapsed(flow(net, (torch.rand(2, 4),), 2))] == [1] * 5


@pytest.mark.parametrize("name", ["resnet34", "vit_tiny_patch16_224", "densenet121"])
def test_a_large_network_stays_readable_and_is_well_formed(name):
    drawn = models.graph(models.create(name, 10), (1, 3, 64, 64) if "vit" not in name else (1, 3, 224, 224))
    root = ET.fromstring(drawn)
    groups = root.findall("{http://www.w3.org/2000/svg}g")
    assert 4 < len(groups) <= READABLE and "<script" not in drawn
    height = float(root.attrib["height"])
    assert all(
        float(box.attrib["y"]) < height for box in root.iter("{http://www.w3.org/2000/svg}rect") if "y" in box.attrib
    )
    if name == "resnet34":
        assert re.findall(r"BasicBlock × (\d)", drawn) == ["3", "3", "5", "2"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_in_any_layout_arrows_go_down_and_nothing_lies_on_another_thing(data):
    count = data.draw(st.integers(1, 12))
    sources = [
        sorted(data.draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else [] for number in range(count)
    ]
    widths = [data.draw(st.sampled_from([30.0, 250.0])) for _ in range(count)]
    found = layout(widths, sources)
    spans: dict[int, list[tuple[float, float]]] = {}
    for number, mine in enumerate(sources):
        assert all(found.rows[source] < found.rows[number] for source in mine)
        at, half = found.places[number], widths[number] / 2
        spans.setdefault(found.rows[number], []).append((at - half, at + half))
        for source in mine:
            bends = found.bends[source, number]
            assert len(bends) == found.rows[number] - found.rows[source] - 1
            for row, at_bend in enumerate(bends, found.rows[source] + 1):
                spans.setdefault(row, []).append((at_bend, at_bend))
    for row in spans.values():
        row.sort()
        assert all(one[1] < other[0] for one, other in itertools.pairwise(row))
        assert row[0][0] >= -1e-6 and row[-1][1] <= found.width + 1e-6


def test_a_chain_stands_straight():
    assert len(set(layout([250, 30, 250, 250], [[], [0], [1], [2]]).places)) == 1


def test_a_depth_below_one_is_refused():
    with pytest.raises(TrainingError, match="one level"):
        models.graph(models.linear(3, 2), (1, 3), depth=0)
