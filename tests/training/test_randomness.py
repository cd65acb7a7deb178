"""torch's random stream inside a step, and after it; which networks may draw at all."""

import functools

import pytest
import torch
from torch import nn

from ursa.training.randomness import drawing, generators, may_draw
from ursa.training.tasks import losses


def drawn(stream, step, count=4):
    with drawing(stream, step):
        return torch.rand(count)


def test_what_is_drawn_is_a_function_of_stream_and_step():
    assert torch.equal(drawn(3, 5), drawn(3, 5))
    different = [drawn(3, 5), drawn(3, 6), drawn(4, 5), drawn(0, 0)]
    assert len({tuple(each.tolist()) for each in different}) == 4


def test_neighbouring_steps_and_streams_do_not_meet():
    """Seeds a step apart are far apart: stream 1 at step 0 is not stream 0 at step 1."""
    seen = {tuple(drawn(stream, step).tolist()) for stream in range(20) for step in range(20)}
    assert len(seen) == 400


@pytest.mark.parametrize("stream", [0, 2**63 - 1, 2**62 + 1])
@pytest.mark.parametrize("step", [0, 10**12])
def test_any_seed_of_63_bits_and_any_step_can_be_drawn(stream, step):
    assert torch.equal(drawn(stream, step), drawn(stream, step))


def test_outside_the_users_stream_goes_on_as_if_nothing_had_been_drawn_also_after_an_error():
    torch.manual_seed(1)
    expected = torch.rand(6)
    torch.manual_seed(1)
    first = torch.rand(2)
    with pytest.raises(KeyError), drawing(7, 0):
        torch.rand(100)
        raise KeyError
    second = torch.rand(2)
    drawn(7, 1)
    assert torch.equal(torch.cat([first, second, torch.rand(2)]), expected)


def test_one_inside_another_puts_back_the_outer_one():
    with drawing(1, 0):
        whole = torch.rand(4)
    with drawing(1, 0):
        head = torch.rand(2)
        drawn(2, 0)
        assert torch.equal(torch.cat([head, torch.rand(2)]), whole)


def test_without_cuda_in_use_there_is_one_generator():
    if not torch.cuda.is_initialized():
        assert generators() == (torch.default_generator,)


class Own(nn.Module):
    def forward(self, x):
        return x + torch.rand(1)


class Layer(nn.Linear):
    """A subclass may do anything."""


CALM = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))


def own_loss(outputs, targets):
    return (outputs - targets).mean()


@pytest.mark.parametrize(
    ("model", "loss", "may"),
    [
        (CALM, losses.cross_entropy, False),
        (CALM, losses.smoothed(0.1), False),  # a partial of one of ours
        (CALM, nn.functional.mse_loss, False),
        (CALM, own_loss, True),
        (CALM, functools.partial(own_loss, targets=0), True),
        (nn.Sequential(CALM, nn.Dropout(0.1)), losses.mse, True),
        (nn.Sequential(CALM, nn.RReLU()), losses.mse, True),
        (nn.Sequential(CALM, Own()), losses.mse, True),
        (nn.Sequential(Layer(2, 2)), losses.mse, True),
        (nn.LSTM(2, 2, num_layers=2, dropout=0.5), losses.mse, True),
        (nn.Linear(2, 2), losses.mse, False),
    ],
)
def test_only_what_is_known_not_to_draw_is_trusted(model, loss, may):
    assert may_draw(model, loss) == may
