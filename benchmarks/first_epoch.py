"""Does fine-tuning fall below the probe it starts from? Accuracy on untouched pictures, epoch by epoch.

A run of the usual recipe is followed by three readers: the weights themselves, their average as it was (which forgets
the start), and as it is (which begins as the probe). The untouched pictures choose nothing.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from common import BACKBONE, SQUEEZENET, report, shared

from ursa.core import statistics
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.embed import probe
from ursa.embed.stored_probe import select
from ursa.prepared.setup import Clock, Prepared, Setup, prepared
from ursa.recipe import Recipe
from ursa.training.batches.picture_batches import PictureBatches, Views
from ursa.training.classifier import Classifier
from ursa.training.evaluation import predict_views
from ursa.training.loop import State, train
from ursa.training.optim.data_parallel import gradients
from ursa.training.optim.ema import EMA
from ursa.training.optim.layer_lrs import adamw
from ursa.training.tasks.losses import smoothed

EACH = {"dogs_cats": 60, "bears_thumbs": 60, "clothing": 30}  # pictures a class to learn from: few, where it falls most
Scores = dict[str, tuple[float, float]]  # reader -> accuracy, log-loss


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", default=EACH)
    parser.add_argument("--untouched", type=int, default=400, help="pictures to be judged by, at most")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, help="append a line of JSON for each run")
    asked = parser.parse_args()
    rows = []
    for name in asked.sets:
        with tempfile.TemporaryDirectory() as place:
            ready = prepared(shared(name), Setup(BACKBONE, SQUEEZENET, Path(place)), Clock(), classes=True)
            for seed in asked.seeds:
                recipe = Recipe.of(seed=seed).with_settings(asked.set)
                learn, untouched = drawn(ready.catalog.usable(), EACH[name], asked.untouched, seed)
                epochs = list(followed(ready, learn, untouched, recipe, asked.size))
                print(name, seed, epochs, flush=True)
                if asked.out:
                    with asked.out.open("a") as file:
                        file.write(json.dumps([name, seed, asked.size, asked.set, epochs]) + "\n")
                rows.append(row(f"{name}, split {seed}", len(learn), len(untouched), epochs))
    report(
        "first_epoch",
        f"Fine-tuning from the probe, epoch by epoch: SqueezeNet, {asked.size} px",
        ["data", "learned from", "untouched", "probe", "weights", "average that forgets", "average from the probe",
         "log-loss: probe", "at the end: forgets", "from the probe"],
        rows,
        "% right of untouched pictures, which chose nothing, after each epoch of the usual recipe. What is kept is the "
        "average from the probe.",
    )  # fmt: skip


def drawn(catalog: Catalog, each: int, untouched: int, seed: int) -> tuple[Catalog, Catalog]:
    """Pictures to learn from, as many of each class, and others."""
    draw, targets = np.random.default_rng(seed), catalog.targets()
    order = draw.permutation(len(catalog))
    rank = np.empty(len(catalog), int)  # of each picture among those of its class
    for label in np.unique(targets):
        own = order[targets[order] == label]
        rank[own] = np.arange(len(own))
    parts = np.flatnonzero(rank < each), order[rank[order] >= each][:untouched]
    learn, others = (replace(catalog, rows=catalog.rows[rows]) for rows in parts)
    return learn, others


def followed(ready: Prepared, learn: Catalog, untouched: Catalog, recipe: Recipe, size: int) -> Iterator[Scores]:
    """What the probe reaches, then after each epoch each reader."""
    optim, targets, labels = recipe.optim, untouched.targets(ready.catalog.labels), ready.catalog.labels
    preparation = Preparation(size)
    extractor = ready.engine.backbone.load()
    views = np.stack([*Views(untouched, preparation)])
    vectors = features(extractor, Views(learn, preparation))
    if size == ready.engine.about.preparation.size:
        vectors = select(learn, ready.embeddings).vectors
    head = probe.fit(vectors, learn.targets(labels), len(labels), seed=recipe.seed).head
    model = Classifier.from_probe(extractor, head)
    yield {"probe": scores(model, views, targets)}
    model.requires_grad_(True)
    model.extractor.body.to(memory_format=torch.channels_last)
    state = State(
        model,
        adamw(model, optim.head_lr, optim.body_lr, optim.layer_decay, optim.weight_decay),
        average=EMA(model, optim.ema_decay, warmup=False),
    )
    forgets = EMA(model, optim.ema_decay)
    batches = PictureBatches(
        learn, learn.targets(labels), preparation, batch_size=optim.batch_size, seed=recipe.seed, augment=recipe.augment
    )
    with gradients("cpu", torch.bfloat16, optim.micro_batch_size) as gradient:
        for step in train(
            state,
            batches,
            optim.epochs,
            smoothed(optim.label_smoothing),
            gradient=gradient,
            max_grad_norm=optim.max_grad_norm,
            seed=recipe.seed,
        ):
            forgets.update()
            if step.ends_epoch and state.average is not None:
                found = {"weights": scores(model, views, targets)}
                for name, average in (("forgets", forgets), ("from the probe", state.average)):
                    with average.in_place():
                        found[name] = scores(model, views, targets)
                yield found


def features(extractor: torch.nn.Module, views: Views) -> npt.NDArray[np.float32]:
    with torch.inference_mode():
        found = [extractor(torch.from_numpy(some)).numpy() for some in views.batches(16)]
    return np.concatenate(found)


def scores(model: Classifier, views: Pixels, targets: npt.NDArray[np.int64]) -> tuple[float, float]:
    with torch.autocast("cpu", torch.bfloat16):
        answers = statistics.softmax(predict_views(model, views).float().numpy())
    return float((answers.argmax(1) == targets).mean()), float(statistics.log_loss(answers, targets))


def row(name: str, learned: int, untouched: int, epochs: list[Scores]) -> list[str]:
    first, *rest = epochs

    def line(reader: str) -> str:
        return " ".join(f"{100 * epoch[reader][0]:.1f}" for epoch in rest)

    readers = ("weights", "forgets", "from the probe")
    losses = [f"{first['probe'][1]:.3f}", *(f"{rest[-1][reader][1]:.3f}" for reader in readers[1:])]
    return [name, str(learned), str(untouched), f"{100 * first['probe'][0]:.1f}", *map(line, readers), *losses]


if __name__ == "__main__":
    main()
