"""Files to batches: the same pixels with a cache and without, whatever the batch; what has vanished is one error."""

import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from ursa.core.prepare import Preparation
from ursa.core.threads import cores
from ursa.data import scan
from ursa.data.pixel_cache import PixelCache
from ursa.data.sources.folder_source import from_folder
from ursa.embed import resize
from ursa.embed.backbone import Backbone
from ursa.errors import DataError
from ursa.recipe import Recipe
from ursa.training import fine_tuning
from ursa.training.batches import picture_reader
from ursa.training.batches.picture_batches import PictureBatches as Batches
from ursa.training.batches.picture_batches import Views, side_for
from ursa.training.classifier import Classifier
from ursa.training.loop import State, train
from ursa.training.optim.layer_lrs import adamw

PREPARATION = Preparation(size=64)
RECIPE = Recipe.of(batch_size=4, rotate=10, brightness=0.2, random_erasing=0.3)
OFF = Recipe.of(batch_size=5, hflip=0, min_scale=1)
LARGE = [(200, 150), (150, 201), (300, 300), (641, 480), (65, 64), (64, 64)]  # width, height
SMALL = [(40, 60), (61, 40), (30, 30), (63, 64)]
BETWEEN = [(50, 90), (91, 50)]  # one side smaller than the view


def written(place, photo, sizes):
    """A scanned catalog of two classes, JPEG and PNG, with pictures of these sizes."""
    for row, size in enumerate(sizes):
        for name, ending in (("first", "jpg"), ("second", "png")):
            (place / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(photo(row, *size)).save(place / name / f"{size[0]}x{size[1]}.{ending}")
    catalog = from_folder(place)
    return scan.with_facts(catalog, [scan.read_file(file, PREPARATION)[0] for file in catalog.files()])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory, photo):
    return written(tmp_path_factory.mktemp("batches"), photo, LARGE + SMALL)


def batches(catalog, recipe=RECIPE, cache=None, preparation=PREPARATION):
    return Batches(catalog, catalog.targets(), preparation, recipe, cache=cache)


def by_id(run):
    return {id: picture for batch in run for id, picture in zip(batch.ids, batch.pictures, strict=True)}


def same(first, second):
    assert [batch.ids for batch in first] == [batch.ids for batch in second]
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.pictures, other.pictures)
        assert torch.equal(one.targets, other.targets)


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded, as they are."""
    seen, read = [], picture_reader.picture_file.read
    monkeypatch.setattr(picture_reader.picture_file, "read", lambda file: seen.append(file) or read(file))
    return seen


# --- the cache is invisible ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["pad", "squash", "crop"])
def test_with_a_cache_batches_are_bit_for_bit_what_they_are_without(catalog, decoded, tmp_path, fit):
    preparation = Preparation(64, fit)
    plain = [[*batches(catalog, preparation=preparation).epoch(epoch)] for epoch in range(3)]
    decoded.clear()
    with PixelCache(tmp_path, 1 << 30) as cache:  # empty, then waiting in memory
        for epoch in (0, 1):
            same([*batches(catalog, RECIPE, cache, preparation).epoch(epoch)], plain[epoch])
    with PixelCache(tmp_path, 1 << 30) as cache:  # from the disk
        for epoch in (1, 2):
            same([*batches(catalog, RECIPE, cache, preparation).epoch(epoch)], plain[epoch])
    assert sorted(decoded) == sorted(catalog.files())  # each of them once


def test_a_cache_that_is_full_changes_nothing_either(catalog, tmp_path):
    with PixelCache(tmp_path, 100_000) as cache:
        for epoch in (0, 1):
            same([*batches(catalog, cache=cache).epoch(epoch)], [*batches(catalog).epoch(epoch)])
        assert 0 < len(cache) < len(catalog)


def test_with_a_cache_views_are_what_they_are_without(catalog, tmp_path):
    plain = [*Views(catalog, PREPARATION)]
    with PixelCache(tmp_path, 1 << 30) as cache:
        for _ in range(2):
            assert all(np.array_equal(a, b) for a, b in zip(Views(catalog, PREPARATION, cache), plain, strict=True))
        assert len(cache) == len(catalog)


def test_pictures_that_no_scan_has_read_are_not_kept(catalog, tmp_path):
    unread = from_folder(catalog.root)
    with PixelCache(tmp_path, 1 << 30) as cache:
        same([*batches(unread, cache=cache).epoch(0)], [*batches(catalog).epoch(0)])
        assert len(cache) == 0


@pytest.mark.parametrize("first", [0, 1, 4, 5])
def test_an_epoch_that_begins_in_its_middle_is_the_tail_of_the_whole_one(catalog, tmp_path, first):
    recipe = RECIPE.with_settings({"cutmix": 0.5, "mixup": 0.5})
    whole = [*batches(catalog, recipe).epoch(1)]
    with PixelCache(tmp_path, 1 << 30) as cache:
        same([*batches(catalog, recipe, cache).epoch(1, first)], whole[first:])


# --- a picture is the same in any batch ------------------------------------------------------------------------------


def test_a_picture_does_not_depend_on_the_size_of_its_batch(catalog):
    runs = [by_id(batches(catalog, RECIPE.with_settings({"batch_size": size})).epoch(0)) for size in (1, 3, 7, 64)]
    for run in runs[1:]:
        assert run.keys() == runs[0].keys()
        assert all(torch.equal(run[id], runs[0][id]) for id in run)


@pytest.mark.parametrize("fit", ["pad", "squash", "crop"])
def test_with_everything_off_training_sees_large_pictures_as_the_model_will(catalog, fit):
    """Exactly: both are reduced to the size of the view by the same function, and then nothing is interpolated."""
    preparation = Preparation(64, fit)
    large = catalog.where(catalog.rows["width"].ge(64) & catalog.rows["height"].ge(64))
    assert len(large) == 2 * len(LARGE)
    seen = by_id(batches(large, OFF, preparation=preparation).epoch(0))
    for id, view in zip(large.ids, Views(large, preparation), strict=True):
        assert np.array_equal(seen[id].numpy(), view), id


def test_with_everything_off_training_sees_small_pictures_nearly_as_the_model_will(catalog):
    """Magnified bilinearly by both; torch's antialiased kernel and `grid_sample` differ at the picture's edges."""
    small = catalog.where(catalog.rows["width"].lt(64) & catalog.rows["height"].le(64))
    seen = by_id(batches(small, OFF).epoch(0))
    for id, view in zip(small.ids, Views(small, PREPARATION), strict=True):
        assert np.abs(seen[id].numpy().astype(int) - view).mean() < 1.5, id


@pytest.mark.parametrize(
    ("fit", "sizes"),
    [
        ("pad", LARGE + BETWEEN + SMALL),
        ("squash", LARGE + BETWEEN),
        ("crop", LARGE + BETWEEN),
        ("squash", SMALL),
        ("crop", SMALL),
    ],
)
def test_training_judges_on_the_views_that_the_scan_embedded(tmp_path, photo, fit, sizes):
    catalog, preparation = written(tmp_path, photo, sizes), Preparation(64, fit)
    for file, view in zip(catalog.files(), Views(catalog, preparation), strict=True):
        _, looked = scan.read_file(file, preparation, resize.fastest())
        assert np.array_equal(view, looked), file.name


def test_no_random_part_of_a_picture_has_to_be_magnified(catalog):
    assert side_for(PREPARATION, Recipe.of(min_scale=0.75)) == 86
    read = batches(catalog, Recipe.of(min_scale=0.75)).pictures
    longest = {size: max(read[row].shape) for row, size in enumerate(catalog.rows["width"]) if size >= 200}
    assert set(longest.values()) == {86}


# --- mixed -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.5, "cutmix": 0.5}])
def test_shares_of_mixed_pictures_sum_to_one_and_one_learns_from_them(catalog, settings):
    recipe = Recipe.of(epochs=1, batch_size=8, micro_batch_size=3, **settings)
    for batch in batches(catalog, recipe).epoch(0):
        assert batch.targets.shape == (len(batch), 2)
        np.testing.assert_allclose(batch.targets.sum(1), 1, atol=1e-6)
        assert batch.pictures.shape[1:] == (64, 64, 3)
    model = Classifier(Backbone("pixels").load(), features=960, classes=2)
    before = model.head.weight.detach().clone()
    model.requires_grad_(True)
    step = next(train(State(model, adamw(model, recipe)), batches(catalog, recipe), recipe))
    assert step.loss.isfinite()
    assert not torch.equal(model.head.weight, before)
    outcome = fine_tuning.fine_tune(
        model, batches(catalog, recipe), Views(catalog, PREPARATION), catalog.targets(), recipe
    )
    assert len(outcome.steps) == 3
    assert all(np.isfinite(row["loss"]) for row in outcome.steps)


def test_the_last_class_may_be_absent_from_the_training_part(catalog):
    """Shares have as many columns as the model has classes, whichever of them are there to be learned."""
    some = catalog.where(catalog.rows["label"].eq("first"))
    recipe = Recipe.of(epochs=1, batch_size=4, mixup=1.0)
    labels = catalog.labels
    given = Batches(some, some.targets(labels), PREPARATION, recipe, classes=len(labels))
    model = Classifier(Backbone("pixels").load(), features=960, classes=len(labels))
    model.requires_grad_(True)
    assert next(train(State(model, adamw(model, recipe)), given, recipe)).loss.isfinite()


# --- memory ----------------------------------------------------------------------------------------------------------


def test_no_more_batches_of_views_are_in_memory_than_there_are_cores_and_one(picture_folder, tmp_path, monkeypatch):
    catalog = from_folder(picture_folder(tmp_path, {"red": 40, "green": 40}))
    made, blank = [], Preparation.blank
    monkeypatch.setattr(Preparation, "blank", lambda self, count: (made.append(count), blank(self, count))[1])
    for taken, views in enumerate(Views(catalog, PREPARATION).batches(8), 1):
        assert len(views) == 8
        time.sleep(0.01)  # for whatever might go on
        assert taken <= len(made) <= taken + cores()


def test_batches_are_not_decoded_ahead_on_a_cpu(picture_folder, tmp_path, decoded):
    catalog = from_folder(picture_folder(tmp_path, {"red": 40, "green": 40}))
    for taken, _ in enumerate(batches(catalog, Recipe.of(batch_size=8)).epoch(0), 1):
        time.sleep(0.01)  # for whatever might go on
        assert len(decoded) == 8 * taken


# --- what has vanished -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["vanished", "damaged"])
@pytest.mark.parametrize("kind", ["batches", "views"])
def test_a_picture_that_is_gone_since_the_scan_is_one_readable_error(picture_folder, tmp_path, photo, kind, harm):
    catalog = written(tmp_path, photo, SMALL)
    gone = catalog.files()[5]
    gone.unlink() if harm == "vanished" else gone.write_bytes(gone.read_bytes()[:60])
    threads = set(threading.enumerate())
    with pytest.raises(DataError, match="could be read before, and now cannot") as problem:
        [*(batches(catalog).epoch(0) if kind == "batches" else Views(catalog, PREPARATION))]
    assert str(gone) in problem.value.what
    assert problem.value.fix == "run the command again"
    assert set(threading.enumerate()) <= threads


def test_leaving_an_epoch_in_its_middle_leaves_no_thread(catalog):
    threads = set(threading.enumerate())
    for run in (batches(catalog).epoch(0), Views(catalog, PREPARATION).batches(4)):
        next(run)
        run.close()
    assert set(threading.enumerate()) <= threads


def test_oversampled_classes_are_shown_equally_often_each_time_in_another_view(some_unequal):
    recipe = Recipe.of(batch_size=4, oversample=True)
    labels = some_unequal.labels
    made = Batches(some_unequal, some_unequal.targets(labels), PREPARATION, recipe)
    run = [*made.epoch(0)]
    shown = [int(target) for batch in run for target in batch.targets]
    assert shown.count(0) == shown.count(1) == max(some_unequal.counts().values())
    assert len(run) == len(made)
    views = {}
    for batch in run:
        for id, view in zip(batch.ids, batch.pictures, strict=True):
            views.setdefault(id, []).append(view)
    often = [several for several in views.values() if len(several) > 1]
    assert often
    assert not any(torch.equal(several[0], several[1]) for several in often)


@pytest.fixture(scope="module")
def some_unequal(tmp_path_factory, picture_folder):
    return from_folder(picture_folder(tmp_path_factory.mktemp("unequal"), {"red": 3, "green": 9}))


def test_the_first_epochs_can_be_smaller(catalog):
    recipe = Recipe.of(epochs=4, batch_size=4, progressive_resizing=0.5)
    made = batches(catalog, recipe, preparation=Preparation(size=96))
    shapes = [next(made.epoch(epoch)).pictures.shape[1:] for epoch in range(4)]
    assert shapes == [(64, 64, 3), (64, 64, 3), (96, 96, 3), (96, 96, 3)]
    whole = batches(catalog, Recipe.of(epochs=4, batch_size=4), preparation=Preparation(size=96))
    assert torch.equal(next(made.epoch(3)).pictures, next(whole.epoch(3)).pictures)
