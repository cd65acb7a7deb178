"""Losses: outputs, targets -> a scalar, the mean over the N examples of a term that each example has for itself.

So a batch taken in parts, each part's loss weighted by its share of the examples, gives the loss and the gradient of
the whole. A user's loss is a function of that form. Losses with settings are `functools.partial`s of the ones here.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ursa.errors import TrainingError, did_you_mean

Loss = Callable[[Any, Any], Tensor]

OTHER_NAMES = {
    "bce": "here it is called 'binary_cross_entropy'",
    "ce": "here it is called 'cross_entropy'",
    "crossentropy": "here it is called 'cross_entropy'",
    "l1": "here it is called 'mae'",
    "l2": "here it is called 'mse'",
    "smooth_l1": "here it is called 'huber'",
}
MISSING = -1  # the class of an example whose class is not known; NaN among numbers


def cross_entropy(
    outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """logits [N, K, ...], classes [N, ...] int64 or shares [N, K, ...] -> scalar, nats.

    label_smoothing: this much of each target is spread over all classes (Szegedy et al. 2016). weights [K]: of the
    classes; the sum is divided by N, not by the weights in the batch as torch does, so that parts add up to the whole.
    With the weights of `ursa.data.balance` an example weighs 1 on average.
    """
    if weights is None:
        return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
    total = F.cross_entropy(outputs, targets, _like(weights, outputs), reduction="sum", label_smoothing=label_smoothing)
    return total / (outputs.numel() // outputs.shape[1])


def smoothed(label_smoothing: float = 0.1) -> Loss:
    """Cross-entropy with label smoothing."""
    if not 0 <= label_smoothing < 1:
        raise TrainingError("label smoothing is a share from 0 to below 1", found=label_smoothing)
    return partial(cross_entropy, label_smoothing=label_smoothing) if label_smoothing else cross_entropy


def weighted(weights: Any, label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy with a weight for each class, [K]: an array, a tensor or numbers."""
    found = torch.as_tensor(weights, dtype=torch.float32)
    if found.ndim != 1 or not (found.isfinite().all() and (found >= 0).all() and found.any()):
        raise TrainingError("class weights are one number of 0 or more for each class", found=found.tolist())
    return partial(cross_entropy, label_smoothing=label_smoothing, weights=found)


def binary_cross_entropy(outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """logits [N, K], 0 or 1 (or between) [N, K] -> scalar: the mean over examples and labels, nats.

    weights [K]: of the positive examples of each label.
    """
    weights = None if weights is None else _like(weights, outputs)
    return F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype), pos_weight=weights)


def nll(outputs: Tensor, targets: Tensor) -> Tensor:
    """log-probabilities [N, K, ...], classes [N, ...] int64 -> scalar: for models that end in a log-softmax."""
    return F.nll_loss(outputs, targets)


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """[N, ...], [N, ...] of the same shape -> mean squared error over examples and numbers."""
    return F.mse_loss(outputs, targets.to(outputs.dtype))


def mae(outputs: Tensor, targets: Tensor) -> Tensor:
    """[N, ...], [N, ...] of the same shape -> mean absolute error over examples and numbers."""
    return F.l1_loss(outputs, targets.to(outputs.dtype))


def huber(outputs: Tensor, targets: Tensor, delta: float = 1.0) -> Tensor:
    """[N, ...], [N, ...] -> squared for errors up to delta, straight beyond (Huber 1964): outliers pull less."""
    return F.huber_loss(outputs, targets.to(outputs.dtype), delta=delta)


def masked(loss: Loss) -> Loss:
    """The same loss for targets that are missing for some examples: class -1, or a NaN anywhere in an example's target.

    Those add nothing and get no gradient; the others count as they would otherwise, so the sum is still divided by N.
    """
    return partial(_masked, loss=loss)


def masked_entries(loss: Loss) -> Loss:
    """The same for losses that are means over all entries of [N, K] (binary_cross_entropy, mse, mae, huber).

    Single entries may be missing: NaN, or -1 among whole numbers.
    """
    return partial(_masked_entries, loss=loss)


def multi_task(losses: Mapping[str, Loss], weights: Mapping[str, float] | None = None) -> Loss:
    """{"kind": cross_entropy, "age": masked(mse)} -> a loss of outputs and targets that are dicts with these names.

    weights: of the tasks, 1 each where not given.
    """
    for name in weights or {}:
        if name not in losses:
            raise TrainingError(f"there is a weight but no loss for {name!r}", fix=did_you_mean(name, losses))
    if not losses:
        raise TrainingError("no task has a loss", fix='for example multi_task({"kind": cross_entropy})')
    return partial(_multi_task, losses=dict(losses), weights={name: (weights or {}).get(name, 1.0) for name in losses})


def for_task(task: str, label_smoothing: float = 0.0) -> Loss:
    """ "single-label", "multi-label" or "regression" -> its loss. label_smoothing: of single labels alone."""
    usual: dict[str, Loss] = {
        "single-label": smoothed(label_smoothing),
        "multi-label": binary_cross_entropy,
        "regression": mse,
    }
    if task not in usual:
        raise TrainingError(f"there is no task {task!r}", fix=did_you_mean(task, usual))
    if label_smoothing and task != "single-label":
        found = f"label_smoothing={label_smoothing:g} for a {task} task"
        raise TrainingError("label smoothing is for one class an example", found=found, fix="label_smoothing=0")
    return usual[task]


def create(name: str) -> Loss:
    """ "mse" -> mse. Raises TrainingError for an unknown name."""
    known = (cross_entropy, binary_cross_entropy, nll, mse, mae, huber)
    named: dict[str, Loss] = {loss.__name__: loss for loss in known}
    if name not in named:
        raise TrainingError(f"there is no loss {name!r}", fix=OTHER_NAMES.get(name) or did_you_mean(name, named))
    return named[name]


def present(targets: Tensor) -> Tensor:
    """targets [...] -> bool [...]: False where the target is missing."""
    if targets.is_floating_point():
        return ~targets.isnan()
    return targets != MISSING if targets.dtype != torch.bool else torch.ones_like(targets)


def present_examples(targets: Tensor) -> Tensor:
    """targets [N, ...] -> bool [N]: False where any of an example's target is missing."""
    there = present(targets)
    return there.flatten(1).all(1) if there.ndim > 1 else there


def _masked(outputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    there = present_examples(targets)
    return _of_some(outputs[there], targets[there], len(targets), loss)


def _masked_entries(outputs: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    there = present(targets)
    return _of_some(outputs[there], targets[there], targets.numel(), loss)


def _of_some(outputs: Tensor, targets: Tensor, total: int, loss: Loss) -> Tensor:
    """The mean over `total`, of which only these are there. The mean of none would be NaN."""
    return loss(outputs, targets) * (len(targets) / total) if len(targets) else outputs.sum()


def _multi_task(
    outputs: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    losses: Mapping[str, Loss],
    weights: Mapping[str, float],
) -> Tensor:
    terms = [loss(outputs[name], targets[name]) * weights[name] for name, loss in losses.items()]
    return torch.stack(terms).sum()


def _like(weights: Tensor, outputs: Tensor) -> Tensor:
    return weights.to(outputs.device, outputs.dtype)
