"""A learner's validation examples beside what it says of them."""

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from ursa.core import seeds
from ursa.errors import DataError
from ursa.training.batches.batch import Batch
from ursa.training.batches.splits import PictureSplit
from ursa.training.tasks.predictions import Predictions, to_predictions
from ursa.training.tensor_tree import tree_map

if TYPE_CHECKING:
    from ursa.learner.learner import Learner
    from ursa.plots.figure import Figure


def results(learner: "Learner", count: int) -> "Figure | pl.DataFrame":
    """`count` examples drawn by the recipe's seed: pictures with both classes, or a table of targets and answers."""
    part = learner.given.valid
    if count < 1:
        raise DataError("there is nothing to show", found=f"count={count}", fix="1 or more")
    rows = seeds.generator(learner.recipe.seed, "results").permutation(len(part))[:count]
    batch = _examples(part, rows)
    learner.model.eval()
    with torch.inference_mode():
        found = to_predictions(learner.model(*batch.inputs), learner.given.targets)
    given = _words(batch.targets, learner.given.targets.names)
    pictures = _pixels(learner, batch)
    if pictures is None or not found.labels:
        return _table(found, given)
    from ursa.plots.batch_grid import show_batch

    said = [label if isinstance(label, str) else ", ".join(label) or "none" for label in found.labels]
    titles = [s if s == g else f"{s}, not {g}" for s, g in zip(said, given, strict=True)]
    return show_batch(pictures, titles)


def _examples(part: Any, rows: "np.typing.NDArray[np.int64]") -> Batch:
    """Some examples of a part, in the order of the rows."""
    if isinstance(part, PictureSplit):
        catalog, targets = part.catalog, part.targets[rows]
        few = PictureSplit(type(catalog)(catalog.root, catalog.rows[rows]), targets, part.classes, part.preparation)
        return next(iter(few.in_order(len(rows)))).to(part.device)
    chosen = {int(row) for row in rows}
    batches = (batch for number, batch in enumerate(part.in_order(1)) if number in chosen)
    each = list(batches)
    inputs = tuple(torch.cat([one.inputs[i] for one in each]) for i in range(len(each[0].inputs)))
    first = each[0].targets
    if isinstance(first, torch.Tensor):
        return Batch(inputs, torch.cat([one.targets for one in each]))
    return Batch(inputs, {name: torch.cat([one.targets[name] for one in each]) for name in first})


def _pixels(learner: "Learner", batch: Batch) -> Any:
    """The first input as pictures, scaled back as it was; None where it is none."""
    x = batch.inputs[0].detach().cpu()
    if learner.pictures is not None:
        return x.numpy()
    scaling = None if learner.given.inputs is None else learner.given.inputs.scalings[0]
    if scaling is None or scaling.kind != "pictures":
        return None
    pixels = scaling.undone(x, tuple(x.shape[1:])).permute(0, 2, 3, 1)
    return pixels.expand(-1, -1, -1, 3).numpy() if pixels.shape[3] == 1 else pixels.numpy()


def _words(targets: Any, names: tuple[str, ...]) -> Any:
    """Targets -> words or numbers, one an example; by name where there are several outputs."""
    if not isinstance(targets, torch.Tensor):
        return {name: _words(y, ()) for name, y in targets.items()}
    targets = tree_map(targets, torch.Tensor.cpu)
    if targets.ndim == 2 and targets.shape[1] == len(names):
        return [", ".join(n for n, y in zip(names, row, strict=True) if y > 0.5) or "none" for row in targets.tolist()]
    values = (targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets).tolist()
    return [names[int(v)] if names and isinstance(v, int) and v < len(names) else v for v in values]


def _table(found: Predictions, given: Any) -> pl.DataFrame:
    columns: dict[str, Any] = {}
    parts = found.parts or {"": found}
    for name, part in parts.items():
        known = given[name] if isinstance(given, dict) else given
        said = part.labels or (part.numbers if part.numbers is None else part.numbers.tolist())
        columns |= {f"{name} target".strip(): known, f"{name} answer".strip(): said}
    return pl.DataFrame(columns, strict=False)
