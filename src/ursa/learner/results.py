"""Examples beside their targets and predictions: pictures as figures, anything else as tables."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor, nn

from ursa.core import seeds
from ursa.errors import DataError
from ursa.recipe import Recipe
from ursa.training.batches.batch import Batch
from ursa.training.batches.learner_data import LearnerData
from ursa.training.batches.splits import Split
from ursa.training.tasks.losses import Loss
from ursa.training.tasks.predictions import Predictions, to_predictions
from ursa.training.tasks.targets import Targets
from ursa.training.tensor_tree import tree_map

if TYPE_CHECKING:
    from ursa.plots.figure import Figure

TEXT = 60  # characters of an input in a table


def show_results(model: nn.Module, data: LearnerData, count: int, seed: int) -> "Figure | pl.DataFrame":
    """`count` validation examples, drawn by the seed: pictures with both classes, or a table of both."""
    _check_count(count)
    rows = seeds.generator(seed, "results").permutation(len(data.valid))[:count]
    batch = data.valid.some(rows)
    model.eval()
    with torch.inference_mode():
        predictions = to_predictions(model(*batch.inputs), data.targets)
    true, pixels = words(batch.targets, data.targets), data.inputs.pixels(batch.inputs)
    if pixels is None or not len(predictions.labels):
        return _table(predictions, true)
    from ursa.plots.batch_grid import show_batch as grid_of

    pairs = zip(_label_words(predictions), true, strict=True)
    return grid_of(pixels, [p if p == str(t) else f"{p}, not {t}" for p, t in pairs])


def show_batch(data: LearnerData, recipe: Recipe, count: int) -> "Figure | pl.DataFrame":
    """The first training examples of the first epoch as the network gets them, augmented: pictures, or a table."""
    _check_count(count)
    batch = next(iter(data.train.batches(recipe).epoch(0))).cut(slice(0, count))
    true, pixels = words(batch.targets, data.targets), data.inputs.pixels(batch.inputs)
    if pixels is None:
        inputs = {f"input {i}".removesuffix(" 0"): _inputs(x) for i, x in enumerate(batch.inputs)}
        targets = true if isinstance(true, dict) else {"": true}
        return pl.DataFrame({**inputs, **{f"{name} target".strip(): y for name, y in targets.items()}}, strict=False)
    from ursa.plots.batch_grid import show_batch as grid_of

    return grid_of(pixels, [str(word) for word in true])


def top_losses(outputs: Any, split: Split, true: Any, loss: Loss, targets: Targets, count: int) -> pl.DataFrame:
    """outputs and targets [N, ...] of a split -> the examples with the largest losses, the largest first."""
    _check_count(count)
    with torch.inference_mode():
        each = torch.stack([_loss_of(loss, outputs, true, row) for row in range(len(split))])
    worst = each.argsort(descending=True, stable=True)[:count]
    chosen, known = (tree_map(tree, lambda x: x[worst]) for tree in (outputs, true))
    predictions = to_predictions(chosen, targets)
    named = {"picture": [split.ids[row] for row in worst.tolist()]} if len(split.ids) else {"row": worst.tolist()}
    table = _table(predictions, words(known, targets))
    likely = {} if predictions.probabilities is None else {"probability": predictions.probabilities.max(1)}
    losses = {"loss": each[worst].tolist()}
    return pl.DataFrame({**named, **table.to_dict(as_series=False), **likely, **losses}, strict=False)


def words(true: Any, targets: Targets) -> Any:
    """Targets as tensors -> labels or numbers, one an example; by name where there are several outputs."""
    if not isinstance(true, Tensor):
        return {name: words(y, targets.parts.get(name, Targets("own"))) for name, y in true.items()}
    true = true.detach().cpu()
    if targets.task == "multi-label" and true.ndim == 2:
        names = targets.labels(true.shape[1])
        return [", ".join(str(name) for name in names[row]) or "none" for row in (true > 0.5).numpy()]
    if true.ndim == 2 and true.shape[1] == 1:
        true = true[:, 0]
    if targets.task != "single-label":
        return true.tolist()
    if true.ndim == 2:  # blended: the class of the largest share
        true = true.argmax(1)
    names = targets.labels(max(2, len(targets.names)))
    return [None if k < 0 else names[k].item() if k < len(names) else k for k in true.long().tolist()]


def _loss_of(loss: Loss, outputs: Any, true: Any, row: int) -> Tensor:
    """Of a single example, which a loss is a mean over."""
    one = slice(row, row + 1)
    return loss(tree_map(outputs, lambda x: x[one]), tree_map(true, lambda y: y[one])).float().cpu()


def _label_words(predictions: Predictions) -> list[str]:
    labels = predictions.labels if isinstance(predictions.labels, list) else predictions.labels.tolist()
    return [", ".join(map(str, each)) or "none" if isinstance(each, list) else str(each) for each in labels]


def _table(predictions: Predictions, true: Any) -> pl.DataFrame:
    columns: dict[str, Any] = {}
    for name, part in (predictions.parts or {"": predictions}).items():
        known = true[name] if isinstance(true, dict) else true
        columns |= {f"{name} target".strip(): known, f"{name} prediction".strip(): _column(part)}
    return pl.DataFrame(columns, strict=False)


def _column(predictions: Predictions) -> Any:
    if predictions.numbers is not None:
        return predictions.numbers.tolist()
    if isinstance(predictions.labels, list):
        return _label_words(predictions)
    return predictions.labels.tolist()


def _inputs(x: Tensor) -> list[str]:
    values: npt.NDArray[np.float32] = x.detach().cpu().float().numpy()
    return [np.array2string(row, precision=3, threshold=8, separator=" ").replace("\n", "")[:TEXT] for row in values]


def _check_count(count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise DataError("there is nothing to show", found=f"count={count}", fix="1 or more")


def first_batch(split: Split, count: int) -> Batch:
    """The first examples of a split, at most `count`."""
    return next(iter(split.in_order(max(1, min(count, len(split))))))
