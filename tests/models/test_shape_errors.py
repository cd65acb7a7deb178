"""An input that does not fit -> the layer, what it got and expected; what is told can be done, and works."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.models.shape_errors import explain


def told(net, *inputs) -> TrainingError:
    """What `explain` makes of the error that the network ends in."""
    with pytest.raises(Exception) as raised:
        net(*inputs)
    return explain(net, inputs, raised.value)


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 3))
def test_of_a_row_of_linear_layers_the_one_that_does_not_fit_is_named(wanted, got, at):
    if wanted == got:
        return
    layers = [nn.Linear(got, got) for _ in range(at)]
    net = nn.Sequential(*layers, nn.Linear(wanted, 2))
    problem = told(net, torch.rand(3, got))
    assert problem.what == f"the input does not fit the layer {at} (Linear)"
    assert problem.found == f"got [3, {got}] float32; expected [..., {wanted}]"
    assert f"give {wanted} numbers" in problem.fix and f"take {got}" in problem.fix


CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


@pytest.mark.parametrize("window", [1, 2, 3])
def test_convolutions_of_every_kind_say_their_axes(window):
    axes = {1: "L", 2: "H, W", 3: "D, H, W"}[window]
    net = nn.Sequential(CONVOLUTIONS[window](3, 4, 1))
    problem = told(net, torch.rand(2, 5, *[4] * window))
    assert problem.found.endswith(f"expected [N, 3, {axes}]") and "give 3 channels, or this one take 5" in problem.fix
    swapped = told(net, torch.rand(2, *[4] * window, 3))
    assert swapped.fix == "put the channels second: inputs.movedim(-1, 1)"


@pytest.mark.parametrize("window", [1, 2, 3])
def test_norms_of_every_kind_say_their_axes(window):
    net = nn.Sequential(NORMS[window](3))
    problem = told(net, torch.rand(2, 5, *[4] * window))
    axes = {1: "", 2: ", H, W", 3: ", D, H, W"}[window]
    assert problem.found.endswith(f"expected [N, 3{axes}]") and problem.fix == "make this norm for 5 channels"


@pytest.mark.parametrize(
    ("net", "inputs"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 1)), torch.rand(4, 8, 8, 1)),
        (nn.Sequential(nn.Conv2d(3, 2, 1)), torch.rand(4, 8, 8, 3)),
        (nn.Sequential(nn.BatchNorm2d(3)), torch.rand(3, 8, 8)),
        (nn.Sequential(nn.BatchNorm2d(1)), torch.rand(4, 8, 8)),
        (nn.Sequential(nn.Linear(3, 2)), torch.rand(4, 3, dtype=torch.float64)),
        (nn.Sequential(nn.Linear(3, 2).double()), torch.rand(4, 3)),
        (nn.Sequential(nn.Conv2d(3, 2, 1)), torch.zeros(4, 3, 8, 8, dtype=torch.uint8)),
    ],
)
def test_a_fix_that_is_code_works(net, inputs):
    code = re.search(r"inputs[.\[].*", told(net, inputs).fix)
    mended = eval(code[0], {"inputs": inputs, "torch": torch})
    assert net(mended) is not None


def test_the_name_of_a_layer_is_its_place_in_the_network_whatever_its_depth():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.ModuleDict({"deep": nn.Sequential(nn.Identity(), nn.Linear(3, 3))})

        def forward(self, inputs):
            return self.body["deep"](inputs)

    assert "the layer body.deep.1 (Linear)" in told(Net(), torch.rand(2, 4)).what
    assert "the network (Linear)" in told(nn.Linear(3, 3), torch.rand(2, 4)).what


def test_a_layer_that_fails_for_another_reason_says_torchs_words_what_it_got_and_what_worked_last():
    class Sum(nn.Module):
        def forward(self, one):
            return one + torch.zeros(99)

    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), Sum())
    problem = told(net, torch.rand(2, 3))
    assert problem.what == "the layer 2 (Sum) cannot compute its output"
    assert "must match the size" in problem.found
    assert problem.found.endswith("got [2, 4] float32; last to work: 1, which gave [2, 4]")


def test_an_error_of_the_forward_between_its_layers_is_that_of_the_network():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(3, 4)

        def forward(self, inputs):
            return self.one(inputs).reshape(7, 7)

    problem = told(Net(), torch.rand(2, 3))
    assert problem.what == "the network (Net) cannot compute its output" and "last to work: one" in problem.found


@pytest.mark.parametrize("shape", [(1, 4), (1, 4, 1), (1, 4, 1, 1)])
def test_a_batch_of_one_is_too_small_for_a_norm_that_learns_and_fits_one_that_does_not(shape):
    net = nn.Sequential(NORMS[max(1, len(shape) - 2)](4))
    problem = told(net, torch.rand(shape))
    assert problem.found.endswith("expected more than one value a channel while training")
    assert "2 or more" in problem.fix
    net.eval()(torch.rand(shape))


def test_categories_beyond_the_table_say_its_size():
    problem = told(nn.Sequential(nn.Embedding(5, 2)), torch.tensor([5]))
    assert problem.found.endswith("expected whole numbers from 0 to 4")
    assert "float32; expected whole numbers" in told(nn.Sequential(nn.Embedding(5, 2)), torch.tensor([0.5])).found


def test_a_norm_over_several_axes_says_them_all():
    problem = told(nn.Sequential(nn.LayerNorm((3, 4))), torch.rand(2, 4, 3))
    assert problem.found.endswith("expected [..., 3, 4]")


def test_our_own_errors_are_left_as_they_are():
    mine = TrainingError("mine")
    assert explain(nn.Linear(3, 2), (torch.rand(2, 3),), mine) is mine


@pytest.mark.parametrize(
    ("words", "found"), [("out of memory\nmore", "out of memory"), ("", "ValueError"), ("x" * 999, "x" * 300)]
)
def test_an_error_that_does_not_come_again_is_told_in_its_first_line(words, found):
    problem = explain(nn.Linear(3, 2), (torch.rand(2, 3),), ValueError(words))
    assert problem.what == "Linear failed on a batch" and problem.found == found


def test_looking_for_the_layer_leaves_modes_statistics_gradients_and_hooks_as_they_were():
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 2), nn.Linear(3, 2))
    net[1].eval()
    modes = [module.training for module in net.modules()]
    mean, stream = net[0].running_mean.clone(), torch.get_rng_state()
    explain(net, (torch.ones(4, 3),), RuntimeError("shapes"))
    assert torch.equal(net[0].running_mean, mean) and int(net[0].num_batches_tracked) == 0
    assert [module.training for module in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), stream)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize("look", [models.summary, models.graph])
def test_shapes_in_place_of_tensors_are_explained_too(look):
    with pytest.raises(TrainingError, match=r"the layer 1 \(Linear\)"):
        look(models.mlp(6, 2), (3, 5))
