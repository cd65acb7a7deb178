"""Layers in groups: every parameter in exactly one, cuts between blocks, the head last."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.errors import TrainingError

# name -> the part whose copies must not be cut, as a prefix of module names that ends with a number
TIMM = {
    "vit_tiny_patch16_224": "blocks.",
    "convnext_atto": "stages.*.blocks.",
    "swin_tiny_patch4_window7_224": "layers.*.blocks.",
    "efficientnet_b0": "blocks.*.",
    "resnet34": "layer?.",
    "regnetx_002": "s?.b",
    "mobilenetv3_small_050": "blocks.*.",
    "densenet121": "features.denseblock?.denselayer",
    "ghostnet_050": "blocks.*.",
    "deit_tiny_distilled_patch16_224": "blocks.",
    "mixer_s32_224": "blocks.",
    "vgg11": "features.",
}
TORCHVISION = {"squeezenet1_0": "features.", "vit_b_16": "encoder.layers.encoder_layer_", "swin_t": "features.*."}


def built(name: str) -> nn.Module:
    """On no device: its parameters are counted, not used."""
    with torch.device("meta"):
        return models.create(name, 7)


def layers(group) -> int:
    return sum(any(p.ndim >= 2 for p in module.parameters(recurse=False)) for module in group)


def block_of(name: str, pattern: str) -> str | None:
    """The block that a module stands in: the pattern, where * is a number and ? a digit, and one more number."""
    import re

    found = re.match(re.escape(pattern).replace(r"\*", r"\d+").replace(r"\?", r"\d") + r"\d+", name)
    return found[0] if found else None


@pytest.mark.parametrize("name", [*TIMM, *(f"torchvision:{name}" for name in TORCHVISION)])
def test_every_parameter_of_a_library_network_is_in_one_group_and_no_block_is_cut(name):
    pattern = (TIMM | TORCHVISION)[name.rpartition(":")[2]]
    net = built(name)
    groups = models.layer_groups(net)
    names = {module: module_name for module_name, module in net.named_modules()}
    kept = [id(p) for group in models.parameter_groups(net) for p in group]
    assert sorted(kept) == sorted(id(p) for p in net.parameters())
    assert len(groups) == 4 and layers(groups[-1]) == 1 and groups[-1][-1].weight.shape[0] == 7
    sizes = [layers(group) for group in groups[:-1]]
    assert max(sizes) <= 2.2 * min(sizes), sizes
    blocks = [{block_of(names[module], pattern) for module in group} - {None} for group in groups]
    assert all(blocks[:-1]) and sum(len(block) for block in blocks) == len(set().union(*blocks))
    if any(True for _ in net.parameters(recurse=False)):
        assert groups[0][0] is net  # class token, position embeddings


class Mine(nn.Module):
    """Defined in another order than used; the head first, one layer used twice, one shared weight."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.last = nn.Linear(4, 4)
        self.first = nn.Linear(3, 4)
        self.middle = nn.Linear(4, 4)
        self.middle.weight = self.last.weight
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, inputs):
        return self.head(self.last(self.middle(self.middle(self.first(inputs)))) * self.scale)


def test_the_head_is_the_last_group_and_inputs_tell_the_order_of_use():
    net = Mine()
    in_order = [module for group in models.layer_groups(net) for module in group]
    assert in_order == [net, net.last, net.first, net.middle, net.head]
    used = [module for group in models.layer_groups(net, inputs=(torch.rand(2, 3),)) for module in group]
    assert used == [net, net.first, net.middle, net.last, net.head]
    kept = [id(p) for group in models.parameter_groups(net) for p in group]
    assert sorted(kept) == sorted(id(p) for p in net.parameters())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=0, max_size=9), st.integers(1, 5), st.booleans())
def test_any_mlp_is_cut_into_runs_in_order_that_differ_by_two_layers_at_most(hidden, parts, norm):
    net = models.mlp(3, 2, hidden=hidden, norm=norm)
    groups = models.layer_groups(net, parts)
    flat = [module for group in groups for module in group]
    assert flat == [module for module in net if any(True for _ in module.parameters())]
    assert all(groups) and len(groups) == min(parts, len(hidden)) + 1
    sizes = [layers(group) for group in groups[:-1]]
    assert not sizes or max(sizes) - min(sizes) <= 2
    assert all(isinstance(group[0], nn.Linear) for group in groups)  # a norm stays with the layer before it


def test_freezing_goes_by_groups_from_the_first_and_back():
    net = models.mlp(3, 2, hidden=(4, 4, 4))

    def learning() -> list[bool]:
        return [module.weight.requires_grad for module in net if isinstance(module, nn.Linear)]

    models.freeze(net)
    assert learning() == [False, False, False, True]
    models.freeze_to(net, -2)
    assert learning() == [False, False, True, True]
    models.freeze_to(net, 1)
    assert learning() == [False, True, True, True]
    models.unfreeze(net)
    assert learning() == [True] * 4
    with pytest.raises(TrainingError, match="group 9"):
        models.freeze_to(net, 9)


def test_a_network_without_weights_has_no_groups():
    with pytest.raises(TrainingError, match="no weights"):
        models.layer_groups(nn.Sequential(nn.ReLU()))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=7), st.integers(1, 4), st.integers(-9, 9))
def test_freezing_to_a_group_freezes_those_before_it_and_no_other_whatever_was_before(hidden, parts, n):
    net = models.mlp(3, 2, hidden=hidden)
    groups = models.parameter_groups(net, parts)
    for number, parameter in enumerate(net.parameters()):
        parameter.requires_grad_(number % 2 == 0)
    if not -len(groups) <= n <= len(groups):
        with pytest.raises(TrainingError) as problem:
            models.freeze_to(net, n, parts)
        assert problem.value.fix == f"give {-len(groups)} to {len(groups)}"
        return
    models.freeze_to(net, n, parts)
    first = n if n >= 0 else len(groups) + n
    assert [all(p.requires_grad for p in group) for group in groups] == [at >= first for at in range(len(groups))]
    assert [any(p.requires_grad for p in group) for group in groups] == [at >= first for at in range(len(groups))]


def test_frozen_layers_do_not_move_and_the_others_do():
    net = models.mlp(3, 2, hidden=(4, 4, 4))
    models.freeze(net)
    before = [p.clone() for p in net.parameters()]
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    net(torch.rand(8, 3)).square().sum().backward()
    optimizer.step()
    moved = [not torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True)]
    assert moved == [False] * 6 + [True] * 2


def test_a_weight_of_several_modules_is_in_the_group_of_the_first_and_learns_or_not_as_one():
    net = models.mlp(3, 3, hidden=(3, 3, 3))
    net[7].weight = net[1].weight
    first, *_, last = models.parameter_groups(net)
    assert any(p is net[1].weight for p in first) and [id(p) for p in last] == [id(net[7].bias)]
    models.freeze(net)
    assert not net[7].weight.requires_grad and net[7].bias.requires_grad


@pytest.mark.parametrize("parts", [0, -1])
def test_a_network_has_at_least_one_part(parts):
    with pytest.raises(TrainingError, match="at least one part"):
        models.layer_groups(models.linear(3, 2), parts)


def test_a_head_that_is_no_module_or_has_no_weights_is_not_the_head():
    class Net(nn.Module):
        def __init__(self, head):
            super().__init__()
            self.one, self.two = nn.Linear(2, 2), nn.Linear(2, 2)
            self.head = head

    for head in (nn.Identity(), "two", None):
        net = Net(head)
        assert models.layer_groups(net)[-1] == [net.two]
    deep = Net(nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)))
    assert models.layer_groups(deep)[-1] == list(deep.head)
