"""A first batch's outputs and targets, a loss -> nothing, or one readable error before hours are spent.

Called once, so the step itself checks nothing. Losses that are not known here, a user's own, are called and have to
give a finite scalar that depends on the outputs.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ursa.errors import TrainingError, did_you_mean
from ursa.training.tasks import losses, target_scaling
from ursa.training.tasks.losses import Loss
from ursa.training.tensor_tree import tree_leaves


def check(outputs: Any, targets: Any, loss: Loss) -> None:
    """Raises TrainingError where labels are out of range, types or shapes do not fit the loss, or it gives no number.

    outputs: what the model gives for one batch, with its graph; targets: of the same batch.
    """
    _check_form(outputs, targets, loss, "")
    try:
        value = loss(outputs, targets)
    except (RuntimeError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        message = str(error).splitlines() or [type(error).__name__]
        raise TrainingError(
            "the loss does not fit what the model gives and the targets",
            found=f"{_shown(outputs)}, {_shown(targets)}: {message[0]}",
            fix="another loss, or a model whose last layer gives what the loss takes",
        ) from error
    _check_value(value, outputs)


def _check_form(outputs: Any, targets: Any, loss: Loss, where: str) -> None:
    """What is known of this loss; nothing for one that is not known."""
    kind = loss.func if isinstance(loss, partial) else type(loss) if isinstance(loss, nn.Module) else loss
    settings = loss.keywords if isinstance(loss, partial) else {}
    if kind is losses._multi_task:
        _check_names(outputs, settings["losses"], "the model gives no output")
        _check_names(targets, settings["losses"], "there are no targets")
        for name, inner in settings["losses"].items():
            _check_form(outputs[name], targets[name], inner, f"{name}: ")
        return
    if kind is target_scaling._of_standardized:
        _check_form(outputs, targets, settings["loss"], where)
        return
    check_pair = _FORMS.get(kind)
    if kind in (losses._masked, losses._masked_entries):
        _check_length(outputs, targets, where)
        if kind is losses._masked_entries and outputs.shape != targets.shape:
            raise _shapes(outputs, targets, where)
        there = losses.present_examples(targets) if kind is losses._masked else losses.present(targets)
        if there.any():
            _check_form(outputs[there], targets[there], settings["loss"], where)
    elif check_pair is not None:
        _check_length(outputs, targets, where)
        if (ignored := getattr(loss, "ignore_index", None)) is not None:  # of torch's own losses of classes
            targets = torch.where(targets == ignored, 0, targets)
        check_pair(outputs, targets, where)
        _check_weights(outputs, settings.get("weights"), where)


def _check_names(given: Any, wanted: Mapping[str, Loss], what: str) -> None:
    if not isinstance(given, Mapping):
        raise TrainingError(
            "a loss of several tasks needs dicts of outputs and of targets",
            found=_shown(given),
            fix=f"return a dict with the names {', '.join(wanted)}",
        )
    for name in wanted:
        if name not in given:
            raise TrainingError(f"{what} {name!r}", found=", ".join(map(str, given)), fix=did_you_mean(name, given))


def _check_length(outputs: Any, targets: Any, where: str) -> None:
    for called, value in (("the model's output", outputs), ("the target", targets)):
        if not isinstance(value, Tensor):
            fix = "for several outputs, losses.multi_task with a loss for each"
            raise TrainingError(f"{where}{called} has to be a tensor for this loss", found=_shown(value), fix=fix)
    if not outputs.ndim or not targets.ndim or len(outputs) != len(targets):
        found = f"{_shown(outputs)}, {_shown(targets)}"
        raise TrainingError(
            f"{where}the model has to give one output for each target, along the first axis", found=found
        )
    if not outputs.is_floating_point():
        raise TrainingError(
            f"{where}a loss needs outputs with a fraction", found=_shown(outputs), fix="leave argmax to the metrics"
        )


def _check_classes(outputs: Tensor, targets: Tensor, where: str) -> None:
    """Class numbers, or shares where the targets have the outputs' shape and fractions."""
    if outputs.ndim < 2 or outputs.shape[1] < 2:
        raise TrainingError(
            f"{where}telling classes apart takes an output for each class",
            found=_shown(outputs),
            fix="2 outputs or more in the last layer; for one yes or no, losses.binary_cross_entropy",
        )
    _check_logits(outputs, where)
    if targets.is_floating_point() and targets.shape == outputs.shape:
        _check_shares(targets, where)
        return
    wanted = (outputs.shape[0], *outputs.shape[2:])
    if targets.is_floating_point() or targets.dtype != torch.int64 or tuple(targets.shape) != wanted:
        squeezed = targets.ndim == 2 and targets.shape[1] == 1
        numbers = 'for a regression, loss="mse"; for class numbers, whole numbers: targets.long()'
        raise TrainingError(
            f"{where}the targets do not fit a loss of classes",
            found=f"{_shown(targets)}; expected int64 {list(wanted)}",
            fix="targets[:, 0]" if squeezed and not targets.is_floating_point() else numbers,
        )
    low, high, classes = int(targets.min()), int(targets.max()), outputs.shape[1]
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        more = f"give the model {high + 1} outputs, or number the classes from 0"
        raise TrainingError(
            f"{where}a label is out of range",
            found=f"label {wrong} with {classes} classes, numbered 0 to {classes - 1}",
            fix="for missing labels, -1 and losses.masked" if low < 0 else more,
        )


def _check_logits(outputs: Tensor, where: str) -> None:
    """Raises TrainingError for outputs that are probabilities already: that by chance they sum to 1 does not happen."""
    if len(outputs) > 1 and outputs.shape[1] > 1 and (outputs >= 0).all():
        sums = outputs.sum(1)
        if torch.isclose(sums, torch.ones_like(sums), atol=1e-4).all():
            raise TrainingError(
                f"{where}the network gives probabilities, but cross-entropy takes logits",
                found="outputs of 0 or more that sum to 1, as after a Softmax",
                fix="leave the Softmax out of the network; predict(x).probabilities gives them",
            )


def _check_shares(targets: Tensor, where: str) -> None:
    sums = targets.sum(1)
    if not (targets >= 0).all() or not torch.isclose(sums, torch.ones_like(sums), atol=1e-3).all():
        worst = sums.flatten()[(sums - 1).abs().flatten().nan_to_num(torch.inf).argmax()]
        raise TrainingError(
            f"{where}an example's shares of the classes have to be 0 or more and sum to 1",
            found=f"a sum of {float(worst):g}, smallest share {float(targets.min()):g}",
            fix="for several labels an example, losses.binary_cross_entropy",
        )


def _check_class_numbers(outputs: Tensor, targets: Tensor, where: str) -> None:
    """For the loss that takes no shares."""
    if targets.is_floating_point():
        raise TrainingError(
            f"{where}this loss takes class numbers only", found=_shown(targets), fix="losses.cross_entropy takes shares"
        )
    _check_classes(outputs, targets, where)


def _check_labels(outputs: Tensor, targets: Tensor, where: str) -> None:
    if outputs.shape != targets.shape:
        one = targets.ndim == 1 and outputs.ndim == 2 and outputs.shape[1] > 1
        raise _shapes(outputs, targets, where, "for one class an example, losses.cross_entropy" if one else None)
    low, high = targets.min(), targets.max()
    if not (low >= 0 and high <= 1):  # false for NaN too
        fix = "for missing labels, losses.masked_entries; for numbers, losses.mse"
        found = f"targets from {float(low):g} to {float(high):g}"
        raise TrainingError(f"{where}labels that are there or not are 1 or 0", found=found, fix=fix)


def _check_numbers(outputs: Tensor, targets: Tensor, where: str) -> None:
    if outputs.shape != targets.shape:
        raise _shapes(outputs, targets, where)
    bad = int((~targets.isfinite()).sum())
    if bad:
        found = f"{bad} of {targets.numel()}"
        fix = "leave those examples out, or losses.masked_entries for NaN"
        raise TrainingError(f"{where}targets are not finite numbers", found=found, fix=fix)


def _check_weights(outputs: Tensor, weights: Tensor | None, where: str) -> None:
    if weights is not None and weights.shape != outputs.shape[1:2]:
        found = f"{weights.numel()} weights, outputs {list(outputs.shape)}"
        raise TrainingError(f"{where}there has to be one weight for each class", found=found)


def _check_value(value: Any, outputs: Any) -> None:
    if not isinstance(value, Tensor) or value.ndim or not value.is_floating_point():
        fix = "the mean over the examples, for example .mean()"
        raise TrainingError("a loss has to give one number, a scalar tensor", found=_shown(value), fix=fix)
    if not value.isfinite():
        wrong = sum(int((~part.isfinite()).sum()) for part in tree_leaves(outputs))
        origin = f"{wrong} of the model's outputs are not finite" if wrong else "the model's outputs are finite"
        fix = "look for NaN or very large numbers in the inputs" if wrong else "look at the loss and the targets"
        raise TrainingError("the loss of the first batch is not a number", found=f"{value.item()}; {origin}", fix=fix)
    if any(part.requires_grad for part in tree_leaves(outputs)) and not value.requires_grad:
        raise TrainingError(
            "the loss does not depend on the model's outputs, so nothing would be learned",
            fix="leave out .detach(), argmax and torch.no_grad()",
        )


def _shapes(outputs: Tensor, targets: Tensor, where: str, fix: str | None = None) -> TrainingError:
    """torch would stretch [N] against [N, 1] to [N, N] and learn the mean of all."""
    if fix is None and outputs.numel() == targets.numel():
        fix = f"targets.reshape(-1, {', '.join(map(str, outputs.shape[1:]))})" if outputs.ndim > 1 else "targets[:, 0]"
    found = f"outputs {list(outputs.shape)}, targets {list(targets.shape)}"
    fix = fix or f"a model with {targets[0].numel()} outputs"
    return TrainingError(f"{where}this loss needs outputs and targets of the same shape", found=found, fix=fix)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_shown(part)}" for name, part in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(_shown, value)) + ")"
    return type(value).__name__


_Form = Callable[[Tensor, Tensor, str], None]
_FORMS: dict[Any, _Form] = {
    **dict.fromkeys((losses.cross_entropy, F.cross_entropy, nn.CrossEntropyLoss), _check_classes),
    **dict.fromkeys((losses.nll, F.nll_loss, nn.NLLLoss), _check_class_numbers),
    **dict.fromkeys(
        (losses.binary_cross_entropy, F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss), _check_labels
    ),
    **dict.fromkeys((losses.mse, F.mse_loss, nn.MSELoss), _check_numbers),
    **dict.fromkeys((losses.mae, F.l1_loss, nn.L1Loss), _check_numbers),
    **dict.fromkeys((losses.huber, F.huber_loss, nn.HuberLoss, F.smooth_l1_loss, nn.SmoothL1Loss), _check_numbers),
}
