"""Fine-tuning does not fall below the probe first, whatever kind of network it goes on from.

The networks have random weights, and learn at a rate at which those weights do fall.
"""

import numpy as np
import pytest
import torch
from PIL import Image

from ursa.core.prepare import Preparation
from ursa.data.sources.folder_source import from_folder
from ursa.embed import probe
from ursa.embed.backbone import Backbone
from ursa.recipe import Recipe
from ursa.training import fine_tuning
from ursa.training.batches.picture_batches import PictureBatches, Views
from ursa.training.classifier import Classifier

SIDE = 32


def drawn(place, each, draw):
    """Circles and squares of any color before blurred patches: not to be told by a mean alone."""
    rows, columns = np.mgrid[-8:8, -8:8]
    shapes = {"circle": rows**2 + columns**2 < 49, "square": np.maximum(abs(rows), abs(columns)) < 6}
    for name, inside in shapes.items():
        (place / name).mkdir(parents=True)
        for number in range(each):
            pixels = draw.normal(120, 40, (4, 4, 3)).repeat(8, 0).repeat(8, 1) + draw.normal(0, 12, (SIDE, SIDE, 3))
            x, y = draw.integers(0, SIDE - 16, 2)
            pixels[y : y + 16, x : x + 16][inside] = draw.uniform(30, 225, 3)
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(place / name / f"{number}.png")
    return from_folder(place)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """To learn from, and untouched."""
    place, draw = tmp_path_factory.mktemp("shapes"), np.random.default_rng(0)
    return drawn(place / "learn", 20, draw), drawn(place / "untouched", 40, draw)


def starting(name, learn):
    """A classifier that predicts what a probe on this network predicts, and how pictures are prepared for it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        extractor = Backbone(name).load(pretrained=name == "pixels")
    preparation = Preparation(extractor.size if "vit" in name else 64)
    with torch.inference_mode():
        vectors = torch.cat([extractor(torch.from_numpy(views)) for views in Views(learn, preparation).batches(8)])
    return Classifier.from_probe(extractor, probe.fit(vectors.numpy(), learn.targets(), 2).head), preparation


@pytest.mark.parametrize("name", ["pixels", "test_resnet", "test_convnext", "test_vit", "torchvision:squeezenet1_1"])
def test_no_epoch_is_worse_than_the_probe_by_more_than_noise(pictures, name):
    """Of 80 pictures with p near 1/2, a few change sides whatever is done; the log-loss has far less noise."""
    learn, untouched = pictures
    model, preparation = starting(name, learn)
    outcome = fine_tuning.fine_tune(
        model,
        PictureBatches(learn, learn.targets(), preparation, batch_size=8),
        Views(untouched, preparation),
        untouched.targets(),
        Recipe.of(epochs=2, batch_size=8).optim,
    )
    start, *epochs = outcome.epochs
    assert all(epoch["valid_loss"] < start["valid_loss"] + 0.03 for epoch in epochs)
    assert all(epoch["accuracy"] > start["accuracy"] - 0.06 for epoch in epochs)
    assert all(np.isfinite(step["loss"]) and step["loss"] < 5 for step in outcome.steps)
