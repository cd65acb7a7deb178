"""What `ursa train` keeps, and what it says of it, against pictures that chose nothing.

Training twenty times takes hours, so it is done a few times (`--runs`), and the probabilities of every epoch are kept
for validation and untouched pictures together. Of those, validation parts of several sizes are drawn with replacement,
200 of each: the rule chooses on the drawn ones, and all of a run's pictures say what is true. Columns: accuracy gained
on the probe by what is kept, with today's rule and with the one before it (the best of all epochs, if it has more
pictures right); how far the reported accuracy is from the true one; how often its interval holds the true one; of the
runs that are thrown away, the share of their steps that was trained; of those that would be kept, the share that was
ended.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import polars as pl
from common import BACKBONE, SQUEEZENET, report, shared

from ursa.core import seeds
from ursa.data.catalog import Catalog
from ursa.data.split import split
from ursa.embed.stored_probe import select
from ursa.prepared.setup import Clock, Prepared, Setup, prepared
from ursa.prepared.splitting import Parts, probed
from ursa.recipe import Recipe
from ursa.training import fine_tuning
from ursa.training.batches.picture_batches import PictureBatches, Views
from ursa.training.classifier import Classifier
from ursa.training.model_selection import PairedComparison
from ursa.training.pruning import FIRST, chance_to_win

SIZES = (24, 60, 120, 200)  # of the validation parts that are drawn
DRAWS = 200
UNTOUCHED = 300
CASES = (("dogs_cats", 60), ("bears_thumbs", 60), ("clothing", 30), ("clothing", 60))  # set, pictures a class

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3, help="seeds of each set")
    parser.add_argument("--keep", type=Path, help="a folder for the probabilities: they are computed once")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = arguments.keep or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        runs = [
            answers(name, per_class, Recipe.of(seed=seed).with_settings(arguments.set), folder)
            for seed in range(arguments.runs)
            for name, per_class in CASES
        ]
    by_epoch(runs)
    rows = [row(size, runs) for size in SIZES]
    columns = ["validation pictures", "gain", "worst run", "rule before", "worst run", "reported - true", "worst run"]
    report(
        "kept",
        f"What is kept, and how true its figure is: SqueezeNet, {len(runs)} runs, {DRAWS} validation parts each",
        [*columns, "rule before", "interval holds it", "steps of thrown away", "ended of kept"],
        rows,
        "Points of accuracy. Validation parts are drawn from each run's validation and untouched pictures together, "
        "which say what is true.",
    )


def by_epoch(runs: list[dict[str, Any]]) -> None:
    """Does fine-tuning fall below the probe it starts from? A line for each run."""
    rows = []
    for run in sorted(runs, key=lambda run: run["name"]):
        epochs, targets = run["epochs"].astype(np.float64), run["targets"]
        right = 100 * (epochs.argmax(-1) == targets).mean(1)
        given = np.clip(epochs[:, np.arange(len(targets)), targets], 1e-9, 1)
        halves = np.log(np.clip(epochs[0], 1e-9, 1)) + np.log(np.clip(epochs[-1], 1e-9, 1))
        both = 100 * (halves.argmax(-1) == targets).mean()
        losses = [f"{-np.log(given[number]).mean():.3f}" for number in (0, -1)]
        cells = [f"{right[0]:.1f}", " ".join(f"{each:.1f}" for each in right[1:])]
        rows.append([run["name"], *cells, f"{(right[1:3] - right[0]).min():+.1f}", f"{both:.1f}", *losses])
    columns = ["pictures a class, seed", "probe", "after each epoch", "worst of the first two"]
    report(
        "first_epoch",
        "Fine-tuning from the probe, epoch by epoch: SqueezeNet",
        [*columns, "mean of both", "log-loss of the probe", "at the end"],
        rows,
        f"% right of {UNTOUCHED} pictures that chose nothing and the validation part; a difference of one picture is "
        "0.3. Mean of both: probe and last epoch, their logits averaged (as Wortsman et al. 2022 average weights).",
    )


def row(size: int, runs: list[dict[str, Any]]) -> list[object]:
    """A line of the table: means over runs of means over draws."""
    found = np.array([np.mean([judged(run, size, draw) for draw in range(DRAWS)], axis=0) for run in runs])
    gain, old, apart, old_apart, held, kept, spent, ended = found.T
    thrown = float(spent.sum() / max(1e-9, (1 - kept).sum()))
    return [
        size,
        *(f"{100 * value:+.2f}" for value in (gain.mean(), gain.min(), old.mean(), old.min(), apart.mean())),
        f"{100 * apart[np.abs(apart).argmax()]:+.2f}",
        f"{100 * old_apart.mean():+.2f}",
        f"{100 * held.mean():.1f} %",
        f"{100 * thrown:.0f} %",
        f"{100 * ended.sum() / max(1e-9, kept.sum()):.0f} %",
    ]


def judged(run: dict[str, Any], size: int, draw: int) -> list[float]:
    """One validation part: gains, distances, whether the interval holds the truth, kept, steps spent in vain, ended."""
    epochs, targets = run["epochs"], run["targets"]
    drawn = seeds.generator(draw, "kept", size).integers(len(targets), size=size)
    true = (epochs.argmax(-1) == targets).mean(1)  # [E + 1], the probe first
    compared = [PairedComparison.of(epochs[0, drawn], later[drawn], targets[drawn]) for later in epochs[1:]]
    last, share = compared[-1], 1.0
    for done, one in reversed(list(enumerate(compared[:-1], 1))):
        if done / len(compared) >= FIRST and chance_to_win(one.z, done / len(compared)) < run["below"]:
            share = done / len(compared)
    kept = last.better and share == 1.0
    said, truth = last.accuracy_of_kept("", kept=kept), true[-1] if kept else true[0]
    hits = (epochs[:, drawn].argmax(-1) == targets[drawn]).mean(1)
    before = int(hits.argmax())  # ties go to the earlier epoch, the probe first of all
    return [
        truth - true[0],
        true[before] - true[0],
        said.value - truth,
        hits[before] - true[before],
        float(said.low <= truth <= said.high),
        float(kept),
        0.0 if kept else share,
        float(last.better and share < 1),
    ]


def answers(name: str, per_class: int, recipe: Recipe, folder: Path) -> dict[str, Any]:
    """The probabilities [E + 1, N, K] of the probe and after each epoch, and targets [N]; kept in the folder."""
    path = folder / f"{name}-{per_class}-{recipe.seed}.npz"
    if not path.exists():
        setup = Setup.of(backbone=BACKBONE, weights=SQUEEZENET, workspace=folder / name, precision="fp32")
        ready = prepared(shared(name), setup, Clock())
        parts, rest = drawn_parts(ready, per_class, recipe)
        epochs, targets = trained(ready, parts, rest, recipe)
        np.savez(path, epochs=epochs, targets=targets)
        print(path.stem, np.round(100 * (epochs.argmax(-1) == targets).mean(1), 1), flush=True)
    with np.load(path) as known:
        return {
            "name": path.stem,
            "epochs": known["epochs"],
            "targets": known["targets"],
            "below": recipe.optim.prune_below,
        }


def drawn_parts(ready: Prepared, per_class: int, recipe: Recipe) -> tuple[Parts, Catalog]:
    """So many pictures of each class in their parts, and others that are left alone."""
    catalog = ready.catalog.usable().with_columns(split=pl.lit(None, pl.String))
    draw = seeds.generator(recipe.seed, "kept", per_class)
    named = catalog.labels.names
    ids = {id for label in named for id in draw.permutation(catalog.where(pl.col("label") == label).ids)[:per_class]}
    some = split(catalog.where(pl.col("id").is_in(ids)), valid=recipe.split.valid, seed=recipe.seed)
    rest = catalog.without(ids)
    return Parts.of(some), rest.where(pl.col("id").is_in(draw.permutation(rest.ids)[:UNTOUCHED].tolist()))


def trained(ready: Prepared, parts: Parts, rest: Catalog, recipe: Recipe) -> tuple[F32, I64]:
    """Fine-tunes to the end, whatever the chances."""
    optim = replace(recipe.optim, prune_below=0.0)
    both = replace(rest, rows=pl.concat([parts.valid.rows, rest.rows]))
    head, preparation = probed(parts.learn, parts.labels, ready, recipe).head, ready.engine.about.preparation
    start = head.probabilities(select(both, ready.embeddings).vectors)
    batches = PictureBatches(
        parts.learn,
        parts.learn.targets(parts.labels),
        preparation,
        batch_size=optim.batch_size,
        seed=recipe.seed,
        augment=recipe.augment,
        epochs=optim.epochs,
        classes=len(parts.labels),
    )
    model, known = Classifier.from_probe(ready.engine.backbone.load(), head), [start]
    targets, views = both.targets(parts.labels), Views(both, preparation)
    predict = fine_tuning.predict

    def remembered(*given: Any) -> F32:
        known.append(predict(*given))
        return known[-1]

    with mock.patch.object(fine_tuning, "predict", remembered):
        fine_tuning.fine_tune(model, batches, views, targets, optim, seed=recipe.seed, before=start)
    return np.stack(known), targets


if __name__ == "__main__":
    main()
