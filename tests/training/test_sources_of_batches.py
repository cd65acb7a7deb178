"""Laws of batches from memory and from data sets: everything once an epoch, the same order for the same seed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Dataset

from ursa.errors import DataError
from ursa.training.batches import array_batches
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.batches.batch import Batch
from ursa.training.batches.dataset_batches import DatasetBatches
from ursa.training.tensor_tree import tree_leaves


class Numbers(Dataset):
    """Item i is (i, 2 i); drawing ones add torch's noise to the input."""

    def __init__(self, count, draws=False):
        self.count, self.draws = count, draws

    def __len__(self):
        return self.count

    def __getitem__(self, row):
        x = torch.tensor([float(row)])
        return (x + torch.rand(1) if self.draws else x), 2 * row


def numbers(kind, count, batch, seed=0):
    if kind == "arrays":
        x = torch.arange(count, dtype=torch.float32)[:, None]
        return ArrayBatches((x,), 2 * torch.arange(count), batch=batch, seed=seed)
    return DatasetBatches(Numbers(count), batch=batch, seed=seed)


def flat(batches):
    return [int(x) for batch in batches for x in batch.inputs[0][:, 0]]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["arrays", "dataset"]), st.integers(1, 40), st.integers(1, 50), st.integers(0, 5))
def test_every_epoch_sees_every_example_once_with_its_target(kind, count, batch, epoch):
    source = numbers(kind, count, batch)
    run = [*source.epoch(epoch)]
    assert len(run) == len(source)
    assert sorted(flat(run)) == list(range(count))
    assert all(torch.equal(2 * b.inputs[0][:, 0].long(), b.targets) for b in run)
    assert all(len(b) == batch for b in run[:-1])


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["arrays", "dataset"]), st.integers(2, 40), st.integers(1, 9), st.data())
def test_an_epoch_can_begin_in_its_middle(kind, count, batch, data):
    source = numbers(kind, count, batch)
    first = data.draw(st.integers(0, len(source)))
    assert flat(source.epoch(3, first)) == flat(source.epoch(3))[first * batch :]


@pytest.mark.parametrize("kind", ["arrays", "dataset"])
def test_order_is_a_function_of_seed_and_epoch(kind):
    orders = {(s, e): flat(numbers(kind, 30, 7, s).epoch(e)) for s in (0, 1) for e in (0, 1)}
    assert len({tuple(order) for order in orders.values()}) == 4
    assert flat(numbers(kind, 30, 7, 0).epoch(1)) == orders[0, 1]


def test_arrays_are_cut_alike_however_many_are_brought_in_order_at_a_time(monkeypatch):
    whole = flat(numbers("arrays", 50, 8).epoch(0))
    monkeypatch.setattr(array_batches, "AT_ONCE", 100)
    assert flat(numbers("arrays", 50, 8).epoch(0)) == whole


def test_several_inputs_and_targets_stay_together():
    rows = torch.arange(20)
    source = ArrayBatches((rows, rows * 10), {"a": rows + 1, "b": (rows + 2, rows[:, None] + 3)}, batch=6)
    for batch in source.epoch(0):
        x, y = batch.inputs
        assert torch.equal(y, x * 10)
        assert torch.equal(batch.targets["a"], x + 1)
        assert torch.equal(batch.targets["b"][1][:, 0], x + 3)


def test_what_a_data_set_draws_by_torch_is_a_function_of_the_batch():
    def run(first=0):
        return [b.inputs[0] for b in DatasetBatches(Numbers(12, draws=True), batch=4).epoch(0, first)]

    torch.manual_seed(1)
    whole = run()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert all(torch.equal(a, b) for a, b in zip(whole[1:], run(first=1), strict=True))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(whole[0] % 1, whole[1] % 1)


def test_processes_read_the_same_batches():
    here, there = (DatasetBatches(Numbers(10), batch=4, workers=workers) for workers in (0, 2))
    assert flat(here.epoch(1)) == flat(there.epoch(1))


def test_parts_of_a_batch_are_the_batch():
    rows = torch.arange(7)
    batch = Batch((rows, rows * 2), (rows, {"a": rows}), [str(row) for row in range(7)])
    parts = [*batch.parts(3)]
    assert [len(part) for part in parts] == [3, 3, 1]
    assert torch.equal(torch.cat([part.inputs[1] for part in parts]), rows * 2)
    assert torch.equal(torch.cat([tree_leaves(part.targets)[1] for part in parts]), rows)
    assert [id for part in parts for id in part.ids] == list(batch.ids)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ArrayBatches((torch.zeros(0, 2),), torch.zeros(0), batch=4), "nothing to train on"),
        (lambda: ArrayBatches((torch.zeros(3, 2),), torch.zeros(4), batch=4), "differ in number"),
        (lambda: ArrayBatches((torch.zeros(3, 2),), {"a": torch.zeros(3), "b": torch.zeros(2)}, batch=4), "differ"),
        (lambda: DatasetBatches(Numbers(0), batch=4), "nothing to train on"),
        (lambda: next(DatasetBatches([torch.zeros(2)] * 3, batch=2).epoch(0)), "not \\(input, target\\)"),
        (lambda: next(DatasetBatches([("a", 1)] * 3, batch=2).epoch(0)), "have to be tensors"),
    ],
)
def test_what_cannot_be_cut_is_refused(make, says):
    with pytest.raises(DataError, match=says):
        make()
