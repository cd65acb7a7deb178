"""Splits: the same examples by rows, in order and in batches, whatever they are made of; how they lie in memory."""

from itertools import chain

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from ursa.core.prepare import Preparation
from ursa.data.sources.constructors import Catalog
from ursa.recipe import Recipe
from ursa.training.batches.memory_format import NARROW, is_channels_last_faster, to_channels_last
from ursa.training.batches.splits import ArraySplit, DatasetSplit, PictureSplit

COUNT = 20
RECIPE = Recipe.of(batch_size=6, seed=3)


class Items(Dataset):
    def __len__(self):
        return COUNT

    def __getitem__(self, row):
        return torch.full((2,), float(row)), row * 10


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, picture_folder):
    catalog = Catalog.from_folder(picture_folder(tmp_path_factory.mktemp("splits"), {"red": 12, "green": 8}))
    return PictureSplit(catalog, np.arange(COUNT), 2, Preparation(16))


@pytest.fixture(params=["arrays", "several", "data set", "pictures"])
def split(request, pictures):
    x, y = torch.arange(float(COUNT))[:, None].repeat(1, 2), torch.arange(COUNT) * 10
    made = {
        "arrays": ArraySplit((x,), y),
        "several": ArraySplit((x, y), {"a": y, "b": (y, x)}),
        "data set": DatasetSplit(Items()),
        "pictures": pictures,
    }
    return made[request.param]


def numbers(batch):
    """Which examples these are, told by their targets."""
    targets = batch.targets["a"] if isinstance(batch.targets, dict) else batch.targets
    return [int(y) // (1 if targets.max() < COUNT and len(batch.pictures.shape) == 4 else 10) for y in targets]


def same(one, other):
    assert all(torch.equal(x, y) for x, y in zip(one.inputs, other.inputs, strict=True))


@pytest.mark.parametrize("size", [1, 7, 20, 50])
def test_in_order_is_every_example_once_in_order(split, size):
    run = [*split.in_order(size)]
    assert [len(batch) for batch in run] == [size] * (COUNT // size) + ([COUNT % size] if COUNT % size else [])
    assert [*chain(*map(numbers, run))] == list(range(COUNT))
    assert len(split) == COUNT


def test_some_rows_come_in_the_order_asked_with_what_they_have_in_order(split):
    rows = np.array([13, 2, 19, 2])
    found, whole = split.some(rows), next(iter(split.in_order(COUNT)))
    assert numbers(found) == [13, 2, 19, 2]
    for x, all_of_it in zip(found.inputs, whole.inputs, strict=True):
        assert torch.equal(x, all_of_it[torch.from_numpy(rows)])
    assert list(found.ids) == [split.ids[row] for row in rows] if split.ids else list(found.ids) == []


def test_batches_take_size_and_seed_from_the_recipe_and_no_more_than_there_are(split):
    run = [*split.batches(RECIPE).epoch(0)]
    assert [len(batch) for batch in run] == [6, 6, 6, 2]
    assert sorted(chain(*map(numbers, run))) == list(range(COUNT))
    again, other = (next(split.batches(RECIPE.with_settings({"seed": seed})).epoch(0)) for seed in (3, 4))
    same(run[0], again)
    assert numbers(other) != numbers(again)
    (whole,) = split.batches(RECIPE.with_settings({"batch_size": 500})).epoch(0)
    assert len(whole) == COUNT


def test_the_order_of_a_seed_is_the_same_whatever_the_examples_are(pictures):
    arrays = ArraySplit((torch.arange(COUNT),), torch.arange(COUNT))
    first, second = (next(each.batches(RECIPE).epoch(1)).targets.tolist() for each in (arrays, pictures))
    assert first == second


def test_targets_of_a_data_set_are_reshaped_wherever_they_are_read():
    reshaped = DatasetSplit(Items(), reshape=lambda y: y[:, None])
    batches = reshaped.some(np.arange(3)), next(reshaped.in_order(3)), next(reshaped.batches(RECIPE).epoch(0))
    assert all(batch.targets.shape == (len(batch), 1) for batch in batches)


@pytest.mark.parametrize("several", [True, False])
def test_arrays_in_order_are_views_and_moving_them_keeps_their_form(several):
    rows = torch.arange(COUNT)
    split = ArraySplit((rows, rows + 1), {"a": rows, "b": (rows,)} if several else rows)
    assert next(split.in_order(5)).inputs[1].data_ptr() == split.inputs[1].data_ptr()
    moved = split.to("cpu")
    assert type(moved.targets) is type(split.targets) and len(moved) == COUNT
    same(next(moved.in_order(COUNT)), next(split.in_order(COUNT)))


def test_pictures_follow_the_recipe_of_their_views(pictures):
    def first(**settings):
        return next(pictures.batches(RECIPE.with_settings(settings)).epoch(0))

    plain = first(hflip=0.0, min_scale=1.0)
    by_id = dict(zip(pictures.ids, next(pictures.in_order(COUNT)).pictures, strict=True))
    for id, view in zip(plain.ids, plain.pictures, strict=True):
        assert (view.int() - by_id[id].int()).abs().float().mean() < 3
    assert not torch.equal(first(hflip=0.0, min_scale=0.3).pictures, plain.pictures)
    shown = [id for batch in pictures.batches(RECIPE.with_settings({"oversample": True})).epoch(0) for id in batch.ids]
    assert len(shown) == COUNT  # each picture is a class of its own here


# --- in memory -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("widest", "device", "precision", "faster"),
    [
        (NARROW, "cpu", torch.float32, True),
        (NARROW + 1, "cpu", torch.float32, False),
        (NARROW, "cpu", torch.bfloat16, True),
        (512, "cuda:1", torch.float32, False),
        (512, "cuda:1", torch.bfloat16, True),
        (0, "cpu", torch.float32, False),
        (0, "cuda", torch.float16, False),
    ],
)
def test_when_channels_last_are_faster(widest, device, precision, faster):
    convolutions = [nn.Conv2d(3, 8, 3), nn.Conv2d(8, widest, 3)] if widest else [nn.Linear(2, 300)]
    assert is_channels_last_faster(nn.Sequential(*convolutions), device, precision) == faster


def test_channels_last_changes_where_numbers_lie_and_no_number(pictures):
    split = ArraySplit((torch.rand(3, 4, 5, 6), torch.rand(3, 4)), torch.arange(3))
    moved = to_channels_last(split)
    same(next(moved.in_order(3)), next(split.in_order(3)))
    assert moved.inputs[0].is_contiguous(memory_format=torch.channels_last) and not moved.inputs[0].is_contiguous()
    assert moved.inputs[1] is split.inputs[1]
    assert to_channels_last(pictures) is pictures
