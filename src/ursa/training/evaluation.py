"""A network and a part -> what it says of each example, and how good that is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ursa.core.decoding.image import Pixels
from ursa.core.prepare import stacks
from ursa.core.statistics import Estimate
from ursa.data import balance
from ursa.embed.engine import BATCH, one_thread
from ursa.training.batches.batch import mapped
from ursa.training.batches.picture_batches import Views
from ursa.training.batches.splits import PictureSplit, Split
from ursa.training.loop import outputs
from ursa.training.tasks import losses, metrics
from ursa.training.tasks.losses import Loss
from ursa.training.tasks.metrics import Metric
from ursa.training.tasks.targets import Targets

AT_ONCE = 1024  # examples a forward pass, as long as they are small
NUMBERS = 1 << 22  # in their inputs, at most


def predict(model: nn.Module, part: Split, size: int, precision: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """-> outputs and targets of all examples, in order, `size` at a time, in evaluation mode and without gradients."""
    if isinstance(part, PictureSplit) and part.device == "cpu":
        return predict_views(model, part.views), torch.from_numpy(part.targets)
    model.eval()
    found, given = [], []
    with torch.inference_mode():
        for batch in part.in_order(size):
            found.append(outputs(model, batch.inputs, precision))
            given.append(batch.targets)
    return _joined(found), _joined(given)


def predict_views(model: nn.Module, views: Iterable[Pixels]) -> Any:
    """views [N] of [S, S, 3] uint8 -> what the model says of each, in float32, in evaluation mode, on the CPU.

    Of pictures in files (`Views`) every core makes some and passes them through the model by itself.
    """
    model.eval()
    device = next(model.parameters()).device

    def work(pictures: Pixels) -> Any:
        with torch.inference_mode():
            return on_cpu(outputs(model, (torch.from_numpy(pictures).to(device),)))

    if isinstance(views, Views) and device.type == "cpu":
        with one_thread() as begin:
            return _joined([*views.each(BATCH, work, begin)])
    return _joined([work(pictures) for pictures in stacks(views, 2 * BATCH)])


def evaluator(
    part: Split, loss: Loss, measures: Sequence[Metric], size: int, precision: torch.dtype = torch.float32
) -> Callable[[nn.Module], dict[str, float]]:
    """What `fit` calls after each epoch: {"valid_loss": ..., and each measure by its name}."""

    def evaluate(model: nn.Module) -> dict[str, float]:
        answers, targets = predict(model, part, size, precision)
        with torch.inference_mode():
            value = float(loss(answers, targets))
            return {"valid_loss": value, **{measure.name: measure(answers, targets) for measure in measures}}

    return evaluate


def intervals(outputs: Any, targets: Any, loss: Loss, measures: Sequence[Metric], note: str) -> dict[str, Estimate]:
    """{"loss": ..., and each measure by its name}, each with a 95 % interval. note: which examples these are."""
    every = (Metric("loss", lambda found, given: float(loss(found, given)), higher_is_better=False), *measures)
    with torch.inference_mode():
        known = {measure.name: metrics.interval(measure, outputs, targets) for measure in every}
    return {name: replace(metric, method=f"{metric.method}; {note}") for name, metric in known.items()}


def size_for(inputs: Sequence[Tensor]) -> int:
    """Examples that are evaluated at a time, from one batch of them."""
    return max(1, min(AT_ONCE, NUMBERS // max(1, sum(x[0].numel() for x in inputs))))


def loss_for(targets: Targets, label_smoothing: float = 0.0) -> Loss:
    """The usual loss of a task; of several outputs the sum of theirs, missing targets left out.

    label_smoothing: of those outputs that are classes; others have none.
    """
    if targets.task != "several":
        return losses.for_task(targets.task, label_smoothing if targets.task == "single-label" else 0.0)
    return losses.multi_task({name: _loss_of_one(part, label_smoothing) for name, part in targets.parts.items()})


def balanced(classes: npt.NDArray[np.int64], count: int, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy in which each of the `count` classes weighs the same, by how often they occur in classes [N]."""
    counts = np.bincount(classes, minlength=count).astype(np.int64)
    return losses.weighted(balance.weights(counts), label_smoothing)


def measures_for(targets: Targets) -> tuple[Metric, ...]:
    """The usual metrics of a task; of several outputs the first of each."""
    if targets.task == "own":
        return ()
    if targets.task != "several":
        return metrics.for_task(targets.task)
    each = ((name, metrics.for_task(part.task)[0], part) for name, part in targets.parts.items())
    return tuple(metrics.of_part(name, of_known(first) if part.missing else first) for name, first, part in each)


def of_known(measure: Metric) -> Metric:
    """The measure of those examples whose targets are all there."""

    def function(outputs: Tensor, targets: Tensor) -> float:
        there = losses.present_examples(targets)
        return measure(outputs[there], targets[there])

    return replace(measure, function=function)


def on_cpu(tree: Any) -> Any:
    """The same tensors, or tree of them, in main memory."""
    return mapped(tree, Tensor.cpu)


def _loss_of_one(targets: Targets, label_smoothing: float) -> Loss:
    loss = losses.for_task(targets.task, label_smoothing if targets.task == "single-label" else 0.0)
    if not targets.missing:
        return loss
    return losses.masked(loss) if targets.task == "single-label" else losses.masked_entries(loss)


def _joined(parts: list[Any]) -> Any:
    """Tensors, or equal trees of them, one after the other."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(parts) if len(parts) > 1 else first
    if isinstance(first, dict):
        return {name: _joined([part[name] for part in parts]) for name in first}
    return type(first)(_joined([part[i] for part in parts]) for i in range(len(first)))
