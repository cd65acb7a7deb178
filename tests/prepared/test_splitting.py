"""Prepared pictures in their parts: copies together, what was drawn once stays, the probe of those to learn from."""

import shutil
from collections import Counter

import numpy as np
import polars as pl
import pytest

from ursa.data.saved_splits import load_splits
from ursa.embed.probe import fit
from ursa.embed.stored_probe import select
from ursa.prepared.setup import Clock, Setup, prepared
from ursa.prepared.splitting import Parts, parted, probed
from ursa.recipe import Recipe

RECIPE = Recipe.of(valid=0.25, test=0.25, folds=3)


def ready_of(folder, space):
    return prepared(folder, Setup(backbone="pixels", precision="fp32", workspace=space), Clock())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    """Two classes; of one picture there is a copy, byte for byte, and a broken file lies among them."""
    place = picture_folder(tmp_path_factory.mktemp("splitting") / "pictures", {"red": 12, "green": 12})
    shutil.copy(place / "red" / "red_000.jpg", place / "red" / "again.jpg")
    (place / "green" / "broken.jpg").write_bytes(b"no picture")
    return place


@pytest.fixture
def ready(folder, tmp_path):
    return ready_of(folder, tmp_path / "space")


@pytest.fixture
def given(tmp_path, picture_folder):
    """A folder whose validation part is given."""
    place = picture_folder(
        tmp_path / "given", {f"{part}/{c}": 6 for part in ("train", "valid") for c in ("red", "green")}
    )
    return ready_of(place, tmp_path / "space of given")


def split_of(parts):
    return dict(parts.rows.select("id", "split").iter_rows())


def test_every_usable_picture_is_in_one_part_and_classes_keep_their_shares(ready):
    parts, findings = parted(ready, RECIPE)
    assert len(parts) == 25 and "green/broken.jpg" not in parts.ids
    split = Parts.of(parts)
    assert split.counts() == dict(Counter(parts.rows["split"])) | {"train-dev": 0}
    assert sum(split.counts().values()) == 25 and split.aside == len(split.test)
    assert split.labels.names == ("green", "red")
    for part in (split.valid, split.test):
        assert set(part.counts().values()) == {3} or max(part.counts().values()) - min(part.counts().values()) <= 1
    assert findings == []


@pytest.mark.parametrize("seed", range(4))
def test_copies_are_never_on_both_sides(ready, seed):
    split = split_of(parted(ready, RECIPE.with_settings({"seed": seed}))[0])
    assert split["red/red_000.jpg"] == split["red/again.jpg"]


def test_what_looks_the_same_is_never_on_both_sides(tmp_path, picture_folder):
    """Saved again a little smaller in quality: other bytes, the same picture."""
    from PIL import Image

    place = picture_folder(tmp_path / "p", {"red": 8, "green": 8}, side=96)
    for number in (1, 3, 5):
        Image.open(place / "red" / f"red_{number:03}.png").save(place / "red" / f"near_{number}.jpg", quality=80)
    ready = ready_of(place, tmp_path / "space")
    for seed in range(3):
        split = split_of(parted(ready, RECIPE.with_settings({"seed": seed}))[0])
        assert all(split[f"red/red_{n:03}.png"] == split[f"red/near_{n}.jpg"] for n in (1, 3, 5))


def test_what_was_drawn_is_remembered_by_seed_and_new_pictures_move_no_old_one(ready, folder, tmp_path):
    first = split_of(parted(ready, RECIPE)[0])
    assert split_of(parted(ready, RECIPE)[0]) == first
    saved = load_splits(ready.space.splits, 0)
    keys = dict(ready.catalog.rows.select("id", "sha256").iter_rows())
    assert {id: saved[keys[id]] for id in first} == first
    assert load_splits(ready.space.splits, 1) == {}
    other = split_of(parted(ready, RECIPE.with_settings({"seed": 1}))[0])
    assert other != first and split_of(parted(ready, RECIPE)[0]) == first
    fewer = ready.catalog.where(~pl.col("id").is_in(["red/red_003.png", "green/green_004.jpg"]))
    some = type(ready)(fewer, ready.embeddings, ready.engine, ready.space)
    kept = split_of(parted(some, RECIPE)[0])
    assert kept == {id: part for id, part in first.items() if id in kept}


def test_a_part_that_is_given_stays_and_only_missing_ones_are_drawn(given):
    parts = split_of(parted(given, Recipe.of(valid=0.5, test=0.25))[0])
    assert all((part == "valid") == id.startswith("valid/") for id, part in parts.items())
    assert set(parts.values()) == {"train", "valid", "test"}
    again = parted(given, Recipe.of(valid=0.1, test=0.25))[0]  # a share of what is given means nothing
    assert split_of(again) == parts


def test_the_names_of_parts_say_what_is_learned_from(ready):
    drawn = Parts.of(parted(ready, Recipe.of(valid=0.2, test=0.2, train_dev=0.2))[0])
    assert list(drawn.counts()) == ["train", "train-dev", "valid", "test"]
    assert all(drawn.counts().values()) and drawn.aside == len(drawn.train_dev) + len(drawn.test)
    ids = [set(part.ids) for part in (drawn.learn, drawn.train_dev, drawn.valid, drawn.test)]
    assert sum(map(len, ids)) == len(set.union(*ids)) == 25


def test_the_probe_is_that_of_the_training_pictures_alone_and_kept(ready):
    split = Parts.of(parted(ready, RECIPE)[0])
    found = probed(split.learn, split.labels, ready, RECIPE)
    vectors, targets = select(split.learn, ready.embeddings).vectors, split.learn.targets(split.labels)
    assert len(found.probabilities) == len(split.learn) and found.folds.max() == 2
    copies = [split.learn.ids.index(id) for id in ("red/red_000.jpg", "red/again.jpg") if id in split.learn.ids]
    assert len({found.folds[row] for row in copies}) <= 1
    alone = fit(vectors, targets, 2, seed=0, folds=3)
    assert np.abs(found.head.probabilities(vectors) - alone.head.probabilities(vectors)).max() < 0.2
    kept = [*(ready.space.root / "probes").iterdir()]
    again = probed(split.learn, split.labels, ready, RECIPE)
    assert np.array_equal(again.head.weight, found.head.weight)
    assert [*(ready.space.root / "probes").iterdir()] == kept
    probed(split.learn, split.labels, ready, RECIPE.with_settings({"folds": 4}))
    assert len([*(ready.space.root / "probes").iterdir()]) > len(kept)
