"""Every picture is seen once: `ursa train` reads and runs only what a fine-tuned network has to be judged by."""

import hashlib
from collections import Counter

import numpy as np
import pytest
import torch

from ursa import sandbox
from ursa.diagnose.report import thumbnails
from ursa.embed import backbone
from ursa.embed.extractor import Extractor
from ursa.embed.pretrained import bodies
from ursa.prepared.setup import Clock, Setup, prepared
from ursa.prepared.splitting import Parts, parted, probed
from ursa.recipe import Recipe
from ursa.sandbox.pool import Pool
from ursa.serve.predictor import Predictor
from ursa.training.fine_tuning import predict
from ursa.workflow.check import check
from ursa.workflow.train import train
from ursa.workflow.training_run.held_out import HeldOut

PIXELS = {"backbone": "pixels", "precision": "fp32"}
ALL_PARTS = {"valid": 0.25, "test": 0.2, "train_dev": 0.15}


@pytest.fixture
def folder(tmp_path, picture_folder):
    return picture_folder(tmp_path / "pictures", {"red": 12, "green": 12, "blue": 12})


@pytest.fixture
def seen(monkeypatch):
    """What is decoded (by the sha256 of the bytes) and what goes through the body (by that of the view), counted."""
    decoded, run = Counter(), Counter()
    each, forward = Pool.each, Extractor.forward

    def counted_each(pool, datas, ask):
        def counted():
            for data in datas:
                decoded[hashlib.sha256(data).hexdigest()] += 1
                yield data

        return each(pool, counted(), ask)

    def counted_forward(extractor, pictures):
        if not torch.compiler.is_exporting():
            run.update(hashlib.sha256(view.numpy().tobytes()).hexdigest() for view in pictures.contiguous())
        return forward(extractor, pictures)

    monkeypatch.setattr(
        thumbnails, "_read", lambda *_: ()
    )  # the small pictures of a page: counted below, by themselves
    monkeypatch.setattr(Pool, "each", counted_each)
    monkeypatch.setattr(Extractor, "forward", counted_forward)
    return decoded, run


@pytest.fixture
def loaded(monkeypatch):
    """How often a backbone was built."""
    made = []
    monkeypatch.setattr(bodies, "of_pixels", lambda of=bodies.of_pixels: made.append(1) or of())
    backbone._built.cache_clear()
    yield made
    backbone._built.cache_clear()


def test_a_page_reads_what_it_shows_once_and_the_next_one_nothing(folder, monkeypatch):
    """Small pictures for its map, sharp ones of mistakes and findings; kept by their hashes."""
    read = Counter()
    of = thumbnails._read
    monkeypatch.setattr(thumbnails, "_read", lambda catalog, ids, how: (read.update(ids), of(catalog, ids, how))[1])
    first = check(folder, **PIXELS)
    wrong = int(first.confusion.sum() - first.confusion.trace())
    assert sum(read.values()) == len(first.catalog) + wrong and max(read.values()) <= 2
    read.clear()
    check(folder, **PIXELS)
    assert not read


def parts_of(folder, recipe) -> Parts:
    return Parts.of(parted(prepared(folder, Setup.of(**PIXELS), Clock()), recipe)[0])


def test_without_epochs_nothing_is_read_or_run_again(folder, tmp_path, seen, loaded):
    decoded, run = seen
    recipe = Recipe.of(epochs=0, **ALL_PARTS)
    checked = check(folder, **PIXELS)
    assert sum(decoded.values()) == len(checked.catalog) == 36
    views = set(run)
    decoded.clear()
    run.clear()
    result = train(folder, recipe=recipe, out=tmp_path / "m.ursa", **PIXELS)
    assert sum(decoded.values()) == 0
    assert not views & set(run)
    assert sum(run.values()) == result.pictures["valid"]  # of their thumbnails, to compare network and file
    assert result.kept == "probe" and set(result.parts) == {"valid", "test", "train-dev"}
    parity = Predictor(result.bundle).bundle.document["parity"]
    assert parity["thumbnails"] == result.pictures["valid"] and parity["difference"] < 1e-3
    assert len(loaded) == 1


def test_what_is_fine_tuned_sees_validation_once_an_epoch_and_the_rest_once(folder, tmp_path, seen, loaded):
    """Before: epochs + 4 times, and the test part twice."""
    decoded, run = seen
    recipe = Recipe.of(epochs=3, batch_size=8, head_lr=1e-2, prune_below=0.0, **ALL_PARTS)
    parts = parts_of(folder, recipe)
    decoded.clear()
    run.clear()
    result = train(folder, recipe=recipe, out=tmp_path / "m.ursa", **PIXELS)
    again = result.kept == "fine-tuned"
    assert {decoded[key] for key in parts.valid.rows["sha256"]} == {3 + again}  # again: for the exported file
    for part in (parts.test, parts.train_dev):
        assert {decoded[key] for key in part.rows["sha256"]} == {int(again)}
    assert len(loaded) == 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_probe_says_by_the_store_what_it_says_of_the_pictures(folder, precision):
    """In bf16 the store's vectors are rounded, as those are that the probe was fitted to and cross-validated on."""
    ready = prepared(folder, Setup.of(backbone="pixels", precision=precision), Clock())
    recipe = Recipe.of(epochs=0, **ALL_PARTS)
    parts = Parts.of(parted(ready, recipe)[0])
    head = probed(parts.learn, parts.labels, ready, recipe).head
    stored = HeldOut(ready, parts, head, 1)
    from ursa.training.classifier import Classifier

    model = Classifier.from_probe(ready.engine.backbone.load(), head)
    for part in (parts.valid, parts.test, parts.train_dev):
        run = predict(model, stored.views(part))
        assert np.abs(stored.of_probe(part) - run).max() < (1e-4 if precision == "fp32" else 0.1)
        assert (stored.of_probe(part).argmax(1) == run.argmax(1)).mean() > 0.9


def test_mirror_images_are_run_as_they_are_not_in_the_store(folder, tmp_path, seen):
    decoded, _ = seen
    recipe = Recipe.of(epochs=0, tta=2, **ALL_PARTS)
    parts = parts_of(folder, recipe)
    decoded.clear()
    result = train(folder, recipe=recipe, out=tmp_path / "m.ursa", **PIXELS)
    assert {decoded[key] for key in parts.test.rows["sha256"]} == {1}
    predictor, catalog = Predictor(result.bundle), parts.test
    right = [predictor(file).label == label for file, label in zip(catalog.files(), catalog.rows["label"], strict=True)]
    assert result.accuracy.value == pytest.approx(np.mean(right))


def test_a_backbone_that_was_loaded_is_not_shared(tmp_path):
    one, other = backbone.Backbone("pixels").load(), backbone.Backbone("pixels").load()
    views = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8))
    before = other(views)
    for tensor in one.state_dict().values():
        tensor.zero_()
    one.in_precision(torch.bfloat16)
    assert torch.equal(other(views), before) and torch.equal(backbone.Backbone("pixels").load()(views), before)


def test_sandbox_views_are_what_is_counted(folder, seen):
    """The counter counts: a test of the tests."""
    decoded, _ = seen
    assert len([*sandbox.views(sorted(folder.rglob("*.png")), backbone.Description("", 32).preparation)]) == 18
    assert sum(decoded.values()) == 18
