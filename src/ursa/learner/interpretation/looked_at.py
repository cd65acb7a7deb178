"""A learner's network and examples -> Grad-CAM of them, and the figure: shown only if it passes the sanity check."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ursa.core import seeds
from ursa.core.decoding.image import Pixels
from ursa.diagnose.explain.cam import GradCam, grad_cam
from ursa.diagnose.explain.overlays import overlays
from ursa.diagnose.explain.spatial_layers import logits_of
from ursa.errors import DataError, TrainingError, did_you_mean
from ursa.plots.figure import Figure
from ursa.plots.networks.heatmaps import MOST, heatmaps
from ursa.training.batches.batch import Batch
from ursa.training.batches.learner_data import LearnerData
from ursa.training.batches.splits import Split
from ursa.training.tasks.predictions import Predictions, to_predictions
from ursa.training.tasks.targets import Targets


@dataclass(frozen=True)
class Examples:
    """Some pictures, as the network gets them and as people see them."""

    inputs: Tensor  # [N, ...]
    pixels: Pixels | None  # [N, S, S, 3]; None where what was done to the items of a data set is not known
    ids: tuple[str, ...] = ()  # of pictures of a folder

    def shown(self) -> Pixels:
        """Raises DataError where they cannot be shown."""
        if self.pixels is None:
            fix = "ursa.grad_cam(learner.model, x) gives the maps of what a data set's items hold"
            raise DataError("the items of a data set cannot be shown: what was done to them is not known", fix=fix)
        return self.pixels


def examples(data: LearnerData, x: Any, device: str, count: int, seed: int) -> Examples:
    """Of x, as `predict` takes it, at most `count`; None: of the validation split, drawn by the seed.

    Raises DataError for a count that a figure does not hold, and for examples that are no pictures.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise DataError(f"a figure holds 1 to {MOST} pictures", found=f"count={count}", fix="count=4")
    if x is not None:
        given = data.inputs.unlabeled(x, device)
        return _of_batch(data, next(iter(given.in_order(count))), tuple(given.ids[:count]))
    if not len(data.valid):
        raise DataError("this learner was loaded without data", fix="give pictures: show_grad_cam(x)")
    return of_rows(data, data.valid, np.sort(seeds.generator(seed, "grad cam").permutation(len(data.valid))[:count]))


def of_rows(data: LearnerData, split: Split, rows: npt.NDArray[np.int64]) -> Examples:
    """These examples of a split."""
    return _of_batch(data, split.some(rows), tuple(split.ids[row] for row in rows.tolist()) if len(split.ids) else ())


def _of_batch(data: LearnerData, batch: Batch, ids: tuple[str, ...]) -> Examples:
    if len(batch.inputs) != 1 or batch.inputs[0].ndim != 4:
        found = f"{len(batch.inputs)} inputs of {', '.join(str(list(x.shape[1:])) for x in batch.inputs)}"
        raise DataError("only networks that take a picture can be looked into", found=found)
    return Examples(batch.inputs[0], data.inputs.pixels(batch.inputs), ids)


def maps_of(
    model: nn.Module, targets: Targets, seen: Examples, label: Any, layer: str | None, *, check: bool, seed: int
) -> GradCam:
    """Grad-CAM of the class that is predicted, or of `label`. Raises DataError for a class that there is not."""
    wanted = None if label is None else _number_of(label, targets, model, seen)
    return grad_cam(single_view(model), seen.inputs, wanted, layer=layer, check=check, seed=seed)


def show(model: nn.Module, targets: Targets, seen: Examples, found: GradCam) -> Figure:
    """Pictures beside their maps. Raises TrainingError for maps that do not pass the sanity check."""
    pixels = seen.shown()
    if found.check is not None and not found.check.passed:
        fix = "do not read them as an explanation; the bare numbers are grad_cam(...).maps"
        raise TrainingError("these maps do not explain the network", found=str(found.check), fix=fix)
    with torch.inference_mode():
        model.eval()
        predicted = to_predictions(model(seen.inputs), targets)
    titles = [_title(predicted, targets, row, int(found.targets[row])) for row in range(len(seen.inputs))]
    return heatmaps(pixels, overlays(pixels, found.maps), titles, found.note)


def single_view(model: nn.Module) -> nn.Module:
    """The same network, sharing its weights, on pictures without their mirror images, and as it is written, not
    compiled: hooks see its layers."""
    same = copy.copy(model)
    same._compiled_call_impl = None
    if hasattr(same, "views"):
        setattr(same, "views", 1)  # noqa: B010, known to Module
    return same


def _number_of(label: Any, targets: Targets, model: nn.Module, seen: Examples) -> int:
    with torch.inference_mode():
        model.eval()
        count = logits_of(model(seen.inputs[:1]), model).shape[1]
    if targets.task not in ("single-label", "multi-label"):
        if isinstance(label, int) and 0 <= label < max(2, count):
            return label
        raise DataError(
            "a regression has no classes", found=repr(label), fix="0 for what lowers it, 1 for what raises it"
        )
    names = targets.labels(max(2, count)).tolist()
    if label not in names:
        known = [str(name) for name in names]
        raise DataError(f"there is no class {label!r}", fix=did_you_mean(str(label), known))
    return int(names.index(label))


def _title(predicted: Predictions, targets: Targets, row: int, of: int) -> str:
    if predicted.probabilities is None:
        numbers = predicted.numbers
        value = "" if numbers is None else f"{np.ravel(numbers[row])[0]:.4g}"
        return f"{value}: what {'raises' if of else 'lowers'} it"
    likely = predicted.probabilities[row]
    names = [str(name) for name in targets.labels(len(likely))]
    best = int(likely.argmax())
    if of == best:
        return f"{names[of]} {100 * likely[of]:.0f} %"
    return f"for {names[of]} {100 * likely[of]:.0f} %; seen as {names[best]}"
