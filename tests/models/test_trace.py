"""One run of a network, watched: every call in its order, and afterwards nothing is as if it had been watched."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.models.trace import as_inputs, calls, tensors, undisturbed


def test_calls_come_in_the_order_in_which_they_began_with_their_names_and_shapes():
    net = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), nn.Linear(4, 2))
    found = calls(net, (torch.rand(5, 3),))
    assert [call.name for call in found] == ["", "0", "0.0", "0.1", "1"]
    assert [call.leaf for call in found] == [False, False, True, True, True]
    assert found[0].inputs == ((5, 3),) and found[0].outputs == found[-1].outputs == ((5, 2),)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 8), max_size=4), st.integers(1, 4))
def test_work_is_counted_where_it_is_done_and_once(hidden, batch):
    net = models.mlp(5, 3, hidden=hidden)
    found = calls(net, (torch.rand(batch, 5),))
    linear = {call.name: call.multiply_adds for call in found if isinstance(call.module, nn.Linear)}
    weights = {name: module.weight.numel() for name, module in net.named_modules() if isinstance(module, nn.Linear)}
    assert linear == {name: batch * size for name, size in weights.items()}
    assert all(call.multiply_adds == 0 for call in found if call.name not in linear)


def test_what_only_refers_to_an_input_takes_no_memory():
    flat, relu = calls(nn.Sequential(nn.Flatten(), nn.ReLU()), (torch.rand(2, 3, 4),))[1:]
    assert (flat.memory, relu.memory) == (0, 2 * 12 * 4)


def test_a_shape_becomes_zeros_of_the_type_of_the_weights():
    net = nn.Linear(3, 2).double()
    (made,) = as_inputs(net, [(4, 3)])
    assert made.dtype == torch.float64 and made.shape == (4, 3) and not made.any()
    mine = torch.ones(4, 3, dtype=torch.float64)
    assert as_inputs(net, [mine])[0] is mine
    assert as_inputs(nn.ReLU(), [[2, 2]])[0].dtype == torch.float32  # a network without weights


@pytest.mark.parametrize(
    ("given_", "words"), [([], "a batch, or its shape"), ([(0, 3)], "above 0"), ([(-1,)], "above 0")]
)
def test_nothing_and_no_shape_are_refused(given_, words):
    with pytest.raises(TrainingError, match=words):
        as_inputs(nn.Linear(3, 2), given_)


def test_tensors_are_found_in_order_in_whatever_holds_them():
    one, two, three = torch.rand(1), torch.rand(2), torch.rand(3)
    assert [len(t) for t in tensors({"a": [one, (two, "text", None)], "b": {"c": three}, "d": 7})] == [1, 2, 3]


@pytest.mark.parametrize("evaluate", [True, False])
def test_modes_statistics_gradients_and_random_numbers_are_as_before_even_after_an_error(evaluate):
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    net[1].eval()
    modes = [module.training for module in net.modules()]
    mean, stream = net[1].running_mean.clone(), torch.get_rng_state()
    with pytest.raises(RuntimeError), undisturbed(net, evaluate=evaluate):
        assert not torch.is_grad_enabled() and net[2].training == (not evaluate)
        if not evaluate:
            net.train()
        net(torch.rand(4, 3))
        net(torch.rand(4, 7))
    assert [module.training for module in net.modules()] == modes
    assert torch.equal(net[1].running_mean, mean) and torch.equal(torch.get_rng_state(), stream)
    assert torch.is_grad_enabled() and not any(module._forward_hooks for module in net.modules())
