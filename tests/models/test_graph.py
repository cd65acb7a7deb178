"""The diagram of a network: which layer leads to which, and that as Mermaid text."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.models.layer_graph.flow import collapsed, flow
from ursa.models.layer_graph.mermaid import READABLE, LayerGraph, _text


def edges(net: nn.Module, *inputs: torch.Tensor, depth: int = 3) -> set[tuple[str, str]]:
    nodes = flow(net, inputs, depth)
    words = [node.name or node.title for node in nodes]
    return {(words[source], words[number]) for number, node in enumerate(nodes) for source in node.sources}


def parsed(text: str) -> tuple[dict[int, str], set[tuple[int, int]]]:
    """A small reader of flowcharts: number -> the label as it is shown, and the arrows."""
    first, *lines = text.splitlines()
    assert first == "flowchart TD"
    labels, arrows = {}, set()
    for line in lines:
        box = re.fullmatch(r'  n(\d+)(?:\["|\[\["|\(\["|\(\(")([^"]*)(?:"\]|"\]\]|"\]\)|"\)\))(?::::\w+)?', line)
        arrow = re.fullmatch(r"  n(\d+) --> n(\d+)", line)
        if box:
            labels[int(box[1])] = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), box[2])
        elif arrow:
            arrows.add((int(arrow[1]), int(arrow[2])))
        else:
            assert re.fullmatch(r"  classDef \w+ [\w:.,\- ]+", line), line
    return labels, arrows


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
    drawn = models.graph(net, (2, 3), (2, 3))
    text = str(drawn)
    _, arrows = parsed(text)
    assert arrows == {(source, number) for number, node in enumerate(drawn.nodes) for source in node.sources}
    assert text.count("Linear, again") == 1 and '(("−"))' in text
    assert next(line for line in text.splitlines() if "Linear, again" in line).endswith(":::again")


def test_several_outputs_branch_under_their_names():
    net = models.multi_output(
        models.mlp(3, None, hidden=4), {"kind": models.linear(4, 2), "<age>": models.linear(4, 1)}
    )
    found = edges(net, torch.rand(2, 3))
    assert ("heads.0.1", "kind") in found and ("heads.1.1", "<age>") in found
    assert ("body.2", "heads.0.0") in found and ("body.2", "heads.1.0") in found
    drawn = models.graph(net, (2, 3))
    assert "<age>" not in str(drawn) and "<age> [2, 1]" in parsed(str(drawn))[0].values()


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


def test_equal_blocks_in_a_row_are_one_box_and_keep_the_count_of_weights():
    net = nn.Sequential(*[nn.Linear(4, 4) for _ in range(5)], nn.Linear(4, 2))
    nodes = collapsed(flow(net, (torch.rand(2, 4),), 1))
    assert [(node.title, node.repeats, node.parameters) for node in nodes[1:-1]] == [
        ("Linear", 5, 100),
        ("Linear", 1, 10),
    ]
    assert nodes[1].name == "0 to 4"
    assert 'n1[["<b>Linear × 5</b><br/>0 to 4<br/>100 parameters<br/>[2, 4]"]]:::learns' in str(
        models.graph(net, (2, 4))
    )


def test_a_block_whose_output_goes_elsewhere_too_is_not_merged_with_the_next():
    net = nn.Sequential(nn.Linear(4, 4), models.Residual(nn.Linear(4, 4)))
    assert [node.repeats for node in collapsed(flow(net, (torch.rand(2, 4),), 2))] == [1] * 5


@pytest.mark.parametrize("name", ["resnet34", "vit_tiny_patch16_224", "densenet121"])
def test_a_large_network_stays_readable_and_every_arrow_of_the_text_is_one_of_the_network(name):
    drawn = models.graph(models.create(name, 10), (1, 3, 64, 64) if "vit" not in name else (1, 3, 224, 224))
    labels, arrows = parsed(str(drawn))
    assert 4 < len(labels) <= READABLE and list(labels) == list(range(len(drawn.nodes)))
    assert arrows == {(source, number) for number, node in enumerate(drawn.nodes) for source in node.sources}
    assert all(source < number for source, number in arrows)
    if name == "resnet34":
        assert re.findall(r"BasicBlock × (\d)", str(drawn)) == ["3", "3", "5", "2"]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_depth_opens_so_many_levels(depth):
    net = nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Tanh()), nn.ELU())
    titles = [node.title for node in models.graph(net, (1, 2), depth=depth).nodes[1:-1]]
    inside = {1: ["Sequential"], 2: ["Sequential", "Tanh"], 3: ["Linear", "ReLU", "Tanh"]}[depth]
    assert titles == [*inside, "ELU"]


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=30))
def test_any_name_is_text_of_its_label_and_nothing_else(name):
    from ursa.core.text import escaped

    shown = _text(name)
    assert not set('"<>`;{}()|\\\n') & set(re.sub(r"#\d+;", "", shown))
    assert re.sub(r"#(\d+);", lambda code: chr(int(code[1])), shown) == escaped(name)


def test_in_a_notebook_it_is_drawn_and_at_a_prompt_it_is_one_line():
    drawn = models.graph(models.mlp(3, 2, hidden=4), (1, 3))
    assert isinstance(drawn, LayerGraph)
    bundle = drawn._repr_mimebundle_(include=(), exclude=())
    assert bundle["text/vnd.mermaid"] == str(drawn)
    assert bundle["text/markdown"] == f"```mermaid\n{drawn}\n```\n"
    assert bundle["text/plain"].startswith("<LayerGraph of Sequential: 6 boxes, 5 arrows") and "\n" not in repr(drawn)


def test_a_depth_below_one_is_refused():
    with pytest.raises(TrainingError, match="one level"):
        models.graph(models.linear(3, 2), (1, 3), depth=0)
