"""Learning rates by layer group; the batch that batch norm can take."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ursa.training.optim.layer_lrs import adamw, batch_size_for_batch_norm, groups

NORMED, PLAIN = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), nn.Linear(2, 2)


def network():
    return nn.Sequential(*(nn.Linear(2, 2) for _ in range(4)))


def test_rates_fall_by_the_decay_from_group_to_group_below_the_head():
    found = groups(network(), head_lr=1.0, body_lr=0.1, layer_decay=0.5)
    assert [group.lr for group in found] == pytest.approx([0.025, 0.05, 0.1, 1.0])
    model = network()
    first, *_, head = groups(model, 1.0, 0.1, 0.5)
    assert first.members[0] is model[0].weight and head.members[0] is model[3].weight


@pytest.mark.parametrize("frozen", [(0,), (0, 1), (1,), (3,), (0, 1, 2)])
def test_frozen_groups_stay_out_and_the_others_keep_their_rates(frozen):
    model = network()
    for number in frozen:
        model[number].requires_grad_(False)
    whole = [0.025, 0.05, 0.1, 1.0]
    assert [g.lr for g in groups(model, 1.0, 0.1, 0.5)] == pytest.approx(
        [rate for number, rate in enumerate(whole) if number not in frozen]
    )


def test_a_group_that_is_frozen_in_part_learns_in_part():
    model = network()
    model[0].weight.requires_grad_(False)
    optimizer = adamw(model, 1.0, 0.1, 0.5, weight_decay=0.01)
    assert isinstance(optimizer, torch.optim.AdamW)
    learned = [p for group in optimizer.param_groups for p in group["params"]]
    assert any(p is model[0].bias for p in learned) and not any(p is model[0].weight for p in learned)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 0.01}


def test_a_head_alone_has_its_rate():
    assert [group.lr for group in groups(nn.Linear(2, 2), 1.0, 0.1, 0.5)] == [1.0]


@given(st.integers(2, 500), st.integers(2, 200))
def test_with_batch_norm_no_last_batch_is_a_single_example(count, batch):
    """And it is the largest that fits, or where none does (13 examples, batches of 4) the next larger one."""
    size = batch_size_for_batch_norm(NORMED, count, batch)
    assert count % size != 1
    smaller = [each for each in range(2, min(batch, count) + 1) if count % each != 1]
    assert size == max(smaller, default=size)
    if not smaller:
        assert all(count % each == 1 for each in range(min(batch, count) + 1, size))


@given(st.integers(1, 500), st.integers(1, 200))
def test_without_batch_norm_the_batch_is_what_was_asked_for_as_far_as_there_are_examples(count, batch):
    assert batch_size_for_batch_norm(PLAIN, count, batch) == min(count, batch)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm])
def test_every_batch_norm_counts_and_other_norms_do_not(norm):
    assert batch_size_for_batch_norm(norm(2), 65, 64) == 63
    assert batch_size_for_batch_norm(nn.GroupNorm(1, 2), 65, 64) == 64


def test_single_examples_that_were_asked_for_are_left_to_the_networks_own_error():
    assert batch_size_for_batch_norm(NORMED, 9, 1) == 1 and batch_size_for_batch_norm(NORMED, 1, 8) == 1
