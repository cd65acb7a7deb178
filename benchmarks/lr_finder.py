"""Suggested learning rates: what a whole run at the suggested rate comes to, against the best rate of a grid."""

import argparse
import csv
import functools
import json
import multiprocessing
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from common import SHARED, SQUEEZENET, report, shared
from torch import Tensor, nn
from torch.nn import functional as F

from ursa.core.decoding import image
from ursa.core.prepare import Preparation
from ursa.data.sources.folder_source import from_folder
from ursa.embed.extractor import Extractor
from ursa.embed.pretrained.bodies import of_torchvision
from ursa.models import linear, mlp, small_cnn
from ursa.recipe import Recipe
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.classifier import Classifier
from ursa.training.loop import State, train
from ursa.training.lr_finder.range_test import find
from ursa.training.optim.layer_lrs import groups
from ursa.training.optim.optimizers import Group, make

Table = tuple[npt.NDArray[Any], npt.NDArray[Any], int]  # inputs, targets, examples held out

GRID = [10 ** (half / 2) for half in range(-10, 3)]  # 1e-5 to 10
OPTIMISERS = ("sgd", "adamw")
FIRST = 100  # seed: other splits and weights than those that the rule was chosen with


@dataclass(frozen=True)
class Pair:
    """Data and a model for them. A run is some hundred steps."""

    name: str
    data: Callable[[], Table]
    model: Callable[[int], nn.Module]  # seed -> model
    batch: int
    epochs: int
    seeds: int = 99  # at most; 1 where a run takes long
    regression: bool = False

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy, or the mean square."""
        return F.mse_loss(outputs[:, 0], targets) if self.regression else F.cross_entropy(outputs, targets)

    def score(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
        """Accuracy, or the share of the variance that is explained, at least 0; in points of 100."""
        model.eval()
        with torch.no_grad():
            outputs = torch.cat([model(part) for part in inputs.split(200)])
        if self.regression:
            left = float(F.mse_loss(outputs[:, 0], targets) / targets.var())
            return 100 * max(0.0, 1 - left) if left == left else 0.0
        return 100 * float((outputs.argmax(1) == targets).float().mean())


@dataclass(frozen=True)
class Cell:
    """What one seed came to."""

    grid: list[float]  # score at each rate of the grid
    lrs: tuple[float, float]  # suggested by the range test alone, and when confirmed
    scores: tuple[float, float]
    diverged: tuple[bool, bool]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3, help="splits and initial weights of a pair, at most")
    parser.add_argument("--only", default="", help="pairs whose name holds this; nothing is reported then")
    parser.add_argument("--cache", type=Path, help="folder in which what is measured is kept, to go on from there")
    arguments = parser.parse_args()
    shared("bears_thumbs")
    pairs = [pair for pair in PAIRS if arguments.only in pair.name]
    names = [
        (p.name, o, seed, arguments.cache)
        for seed in range(arguments.seeds)
        for p in pairs
        if seed < p.seeds
        for o in OPTIMISERS
    ]
    cells: dict[tuple[str, str], list[Cell]] = {}
    with ProcessPoolExecutor(arguments.workers, multiprocessing.get_context("spawn")) as pool:
        results = pool.map(kept, *zip(*names, strict=True))
        for (name, optimizer, seed, _), cell in zip(names, results, strict=True):
            cells.setdefault((name, optimizer), []).append(cell)
            print(name, optimizer, seed, [f"{score:.1f}" for score in cell.grid], cell.lrs, cell.scores, flush=True)
    rows, differences, diverged = [], [], 0
    for pair in PAIRS:
        for optimizer in OPTIMISERS:
            if found := cells.get((pair.name, optimizer)):
                row, difference = compared(pair.name, optimizer, found)
                rows.append(row)
                differences.append(difference)
                diverged += sum(cell.diverged[1] for cell in found)
    alone, confirmed = (sum(d[kind] >= -1 for d in differences) for kind in (0, 1))
    if not arguments.only:
        report(
            "lr_finder",
            "Learning-rate finder: runs of one_cycle at the suggested rate against the best of 13 rates",
            ["data, model", "optimiser", "best rate", "its score", "range test", "score", "confirmed", "score"],
            rows,
            f"Within 1 point of the best of the grid: {alone} of {len(rows)} by the range test alone (3 repeats of 100 "
            f"steps), {confirmed} of {len(rows)} when confirmed by short trials; {diverged} of "
            f"{sum(map(len, cells.values()))} confirmed runs diverged. Scores are held-out accuracy in %, for mpg the "
            f"explained variance; means over {arguments.seeds} splits and initial weights (CNN, SqueezeNet: 3), none "
            "of them used when the rule was chosen. The best of 13 noisy means is itself a little too good.",
        )


def compared(name: str, optimizer: str, cells: list[Cell]) -> tuple[list[object], tuple[float, float]]:
    """A row, and how far the suggestions' scores are from the best."""
    grid = np.mean([cell.grid for cell in cells], 0)
    best = int(np.argmax(grid))
    scores = np.mean([cell.scores for cell in cells], 0)
    lrs = [statistics.geometric_mean(cell.lrs[kind] for cell in cells) for kind in (0, 1)]
    row: list[object] = [name, optimizer, f"{GRID[best]:.2g}", f"{grid[best]:.1f}"]
    for lr, score in zip(lrs, scores, strict=True):
        row += [f"{lr:.2g}", f"{score:.1f} ({score - grid[best]:+.1f})"]
    return row, (float(scores[0] - grid[best]), float(scores[1] - grid[best]))


def kept(name: str, optimizer: str, seed: int, cache: Path | None) -> Cell:
    """`measured`, or what is in the cache."""
    file = None if cache is None else cache / f"{name}, {optimizer}, {seed}.json"
    if file is not None and file.exists():
        return Cell(**json.loads(file.read_text()))
    cell = measured(name, optimizer, seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(cell)))
    return cell


def measured(name: str, optimizer: str, seed: int) -> Cell:
    """The grid and the suggestions of one seed."""
    torch.set_num_threads(1)
    pair = next(pair for pair in PAIRS if pair.name == name)
    inputs, targets, held_out = pair.data()
    order = np.random.default_rng(FIRST + seed).permutation(len(inputs)) if held_out else np.arange(len(inputs))
    x, y = torch.from_numpy(inputs[order]), torch.from_numpy(targets[order])
    count = len(x) - (held_out or 2000)  # MNIST comes with its own part for validation, at the end
    seed += FIRST
    batches = ArrayBatches((x[:count],), y[:count], batch=pair.batch, seed=seed)

    def start(lr: float) -> State:
        model = pair.model(seed)
        below = lr / 10  # the body learns more slowly, as `Recipe` has it
        layered = isinstance(model, Classifier)
        lrs = groups(model, lr, below, Recipe().optim.layer_decay) if layered else [Group([model], lr)]
        return State(model, make(optimizer, lrs, weight_decay=0.01))

    def run(lr: float) -> tuple[float, bool]:
        state = start(lr)
        before = pair.score(state.model, x[count:], y[count:])
        for step in train(state, batches, pair.epochs, pair.loss, max_grad_norm=1.0, seed=seed):
            if not torch.isfinite(step.loss):
                return 0.0, True
        score = pair.score(state.model, x[count:], y[count:])
        return score, score < before

    run_of: dict[str, Any] = {"loss": pair.loss, "epochs": pair.epochs, "max_grad_norm": 1.0, "seed": seed}
    found = [find(start(1.0), batches, confirm=confirm, **run_of) for confirm in (False, True)]
    (alone, lost), (confirmed, lost_too) = (run(f.suggestion) for f in found)
    lrs = (found[0].suggestion, found[1].suggestion)
    return Cell([run(lr)[0] for lr in GRID], lrs, (alone, confirmed), (lost, lost_too))


def _standard(x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    standard: npt.NDArray[np.float32] = ((x - x.mean(0)) / (x.std(0) + 1e-6)).astype(np.float32)
    return standard


def _rows(name: str, needed: str) -> list[dict[str, str]]:
    with (SHARED / "data" / "tabular" / name).open() as file:
        return [row for row in csv.DictReader(file) if row[needed]]


def _numbers(rows: list[dict[str, str]], columns: str) -> npt.NDArray[np.float64]:
    table = np.array([[float(row[name] or "nan") for name in columns.split()] for row in rows])
    return np.where(np.isnan(table), np.nanmedian(table, 0), table)


def titanic() -> Table:
    rows = _rows("titanic.csv", "survived")
    male = [[row["sex"] == "male", row["embarked"] == "S", row["embarked"] == "C"] for row in rows]
    x = np.concatenate([_numbers(rows, "pclass age sibsp parch fare"), np.array(male, float)], 1)
    return _standard(x), np.array([int(row["survived"]) for row in rows]), 250


def penguins() -> Table:
    rows = _rows("penguins.csv", "body_mass_g")
    x = _numbers(rows, "bill_length_mm bill_depth_mm flipper_length_mm body_mass_g")
    return _standard(x), np.unique([row["species"] for row in rows], return_inverse=True)[1], 120


def pima() -> Table:
    table = np.loadtxt(SHARED / "data" / "tabular" / "jb_pima-indians-diabetes.csv", delimiter=",")
    return _standard(table[:, :8]), table[:, 8].astype(np.int64), 250


def mpg() -> Table:
    rows = _rows("mpg.csv", "horsepower")
    x = _numbers(rows, "cylinders displacement horsepower weight acceleration model_year")
    return _standard(x), _standard(_numbers(rows, "mpg"))[:, 0], 120


def moons() -> Table:
    from sklearn.datasets import make_moons

    x, y = make_moons(1500, noise=0.25, random_state=0)
    return _standard(x), y, 1000


def digits() -> Table:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 8 - 1).astype(np.float32), y, 600


def mnist() -> Table:
    """2,000 digits to learn from, and the 2,000 of the validation part."""
    arrays = np.load(SHARED / "data" / "mnist_12k.npz")
    x = np.concatenate([arrays["x_train"][:2000], arrays["x_valid"]])[:, None]
    y = np.concatenate([arrays["y_train"][:2000], arrays["y_valid"]])
    return ((x / 255 - 0.13) / 0.31).astype(np.float32), y.astype(np.int64), 0


@functools.cache
def _views(name: str, size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
    catalog, preparation = from_folder(SHARED / "data" / name), Preparation(size)
    pixels = [image.read(file.read_bytes(), at_least=size).pixels for file in catalog.files()]
    return np.stack([preparation.view(picture) for picture in pixels]), np.asarray(catalog.targets())


@functools.cache
def _features(name: str, size: int) -> npt.NDArray[np.float32]:
    extractor = _extractor().eval()
    with torch.no_grad():
        parts = [extractor(part) for part in torch.from_numpy(_views(name, size)[0]).split(32)]
    return np.asarray(torch.cat(parts).numpy())


def bears_features() -> Table:
    return _standard(_features("bears_thumbs", 128)), _views("bears_thumbs", 128)[1], 240


def clothing_features() -> Table:
    return _standard(_features("clothing", 128)), _views("clothing", 128)[1], 400


def bears() -> Table:
    return *_views("bears_thumbs", 64), 160


def _extractor() -> Extractor:
    return Extractor(*of_torchvision("squeezenet1_0", Path(SQUEEZENET)))


def squeezenet(seed: int) -> nn.Module:
    """A pretrained body, all of it to be trained, and a new head."""
    torch.manual_seed(seed)
    features = torch.from_numpy(_features("bears_thumbs", 64))
    model = Classifier(_extractor(), features.shape[1], 3)
    model.standardize.mean.copy_(features.mean(0))
    model.standardize.scale.copy_(1 / (features.std(0) + 1e-6))
    return model


PAIRS = (
    Pair("moons, MLP", moons, lambda s: mlp(2, 2, hidden=(32, 32), seed=s), 32, 25),
    Pair("titanic, MLP with dropout", titanic, lambda s: mlp(8, 2, hidden=(64, 32), dropout=0.2, seed=s), 32, 20),
    Pair("penguins, MLP", penguins, lambda s: mlp(4, 3, hidden=32, seed=s), 16, 25),
    Pair("pima, MLP with batch norm", pima, lambda s: mlp(8, 2, hidden=64, norm=True, seed=s), 32, 20),
    Pair("mpg, MLP", mpg, lambda s: mlp(6, 1, hidden=(64, 64), seed=s), 16, 25, regression=True),
    Pair("digits, MLP", digits, lambda s: mlp(64, 10, hidden=64, seed=s), 32, 12),
    Pair("MNIST, linear", mnist, lambda s: linear(784, 10, seed=s), 64, 12),
    Pair("MNIST, MLP", mnist, lambda s: mlp(784, 10, hidden=(64, 64), seed=s), 64, 12),
    Pair("bears, head on SqueezeNet", bears_features, lambda s: linear(1024, 3, seed=s), 16, 20),
    Pair("clothing, head on SqueezeNet", clothing_features, lambda s: linear(1024, 10, seed=s), 32, 15),
    Pair("MNIST, small CNN", mnist, lambda s: small_cnn(1, 10, widths=(8, 16, 32), seed=s), 32, 6, seeds=3),
    Pair("bears at 64 px, SqueezeNet", bears, squeezenet, 16, 3, seeds=3),
)

if __name__ == "__main__":
    main()
