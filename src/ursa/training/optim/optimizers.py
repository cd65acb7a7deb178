"""Parameters in groups, with a peak rate and a decay each -> torch's optimisers.

Biases and norms never decay: pulling them to 0 limits nothing and costs accuracy (He et al. 2019, "Bag of tricks").
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ursa.errors import TrainingError, did_you_mean

NAMES = ("adagrad", "adam", "adamw", "rmsprop", "sgd")
NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


@dataclass(frozen=True)
class Group:
    """Modules (with all that is in them) or parameters that share a peak learning rate."""

    members: Sequence[nn.Module | nn.Parameter]
    lr: float


def make(
    name: str,
    groups: Sequence[Group],
    *,
    model: nn.Module | None = None,
    weight_decay: float = 0.01,
    decoupled: bool = True,
    momentum: float = 0.9,
    nesterov: bool = False,
    averaging: float = 0.99,
    eps: float = 1e-5,
) -> torch.optim.Optimizer:
    """One of NAMES over the groups, in their order: each becomes one without decay and one with, if there is decay.

    Each of the optimiser's groups carries its rate as "peak", for the loop to set `lr = peak * schedule(done)`. Frozen
    parameters are left out. With `model`, every trainable parameter of it has to be in a group.

    decoupled: decay shrinks weights by rate * weight_decay and stays out of gradient and momentum (Loshchilov and
    Hutter 2019), for every optimiser; "adam" is then AdamW. False: it is added to the gradient (L2), as Adam and SGD of
    torch do. momentum: of sgd and rmsprop, and the first beta of adam. averaging: of squared gradients, in rmsprop and
    adam. eps as in fastai: calmer first steps than 1e-8. Raises TrainingError for numbers and groups that do not fit.
    """
    if name not in NAMES:
        raise TrainingError(f"there is no optimiser {name!r}", fix=did_you_mean(name, NAMES))
    _check_numbers(groups, weight_decay, momentum, averaging, eps)
    _check_words(name, decoupled, momentum, nesterov)
    split = _split(groups, model, weight_decay)
    fused = _can_be_fused(split)
    if name in ("adam", "adamw"):
        kind = torch.optim.AdamW if decoupled else torch.optim.Adam
        return kind(split, betas=(momentum, averaging), eps=eps, fused=fused)
    for group in split:
        group["decoupled_decay"] = group["weight_decay"] if decoupled else 0.0
        group["weight_decay"] = 0.0 if decoupled else group["weight_decay"]
    if name == "sgd":
        return _SGD(split, momentum=momentum, nesterov=nesterov, fused=fused)
    if name == "rmsprop":
        return _RMSprop(split, momentum=momentum, alpha=averaging, eps=eps)
    return _Adagrad(split, eps=eps, fused=fused)


def parameters_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The weights that an optimizer updates, group by group."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def set_momentum(optimizer: torch.optim.Optimizer, momentum: float) -> None:
    """For a momentum that follows a schedule: every group's momentum, or first beta; nothing where there is none."""
    for group in optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        elif "momentum" in group:
            group["momentum"] = momentum


class _Decoupled(torch.optim.Optimizer):
    """Weights shrink by rate * decay before the step. A class, as hooks on an optimiser do not survive a copy."""

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        for group in self.param_groups:
            if group["decoupled_decay"]:
                shrink = 1 - group["lr"] * group["decoupled_decay"]
                with torch.no_grad():
                    torch._foreach_mul_([p for p in group["params"] if p.grad is not None], shrink)
        return super().step(closure)


class _SGD(_Decoupled, torch.optim.SGD):
    pass


class _RMSprop(_Decoupled, torch.optim.RMSprop):
    pass


class _Adagrad(_Decoupled, torch.optim.Adagrad):
    pass


def _split(groups: Sequence[Group], model: nn.Module | None, decay: float) -> list[dict[str, Any]]:
    """Each group's trainable parameters by whether they decay: bare ones first. The order is that of the modules."""
    whole = [member for group in groups for member in group.members if isinstance(member, nn.Module)]
    norms = _of_norms([*whole, *([] if model is None else [model])])
    seen: dict[int, int] = {}  # id of a parameter -> its group
    split: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        halves: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
        for parameter in _trainable(group.members):
            if seen.setdefault(id(parameter), number) != number:
                raise TrainingError(
                    "a parameter is in two groups, so it would have two rates",
                    found=f"{_called(parameter, model)} in groups {seen[id(parameter)]} and {number}",
                    fix="put what shares weights into one group",
                )
            bare = decay > 0 and (parameter.ndim < 2 or id(parameter) in norms)  # no decay: fewer groups are faster
            halves[not bare].append(parameter)
        for parameters, own in zip(halves, (0.0, decay), strict=True):
            if parameters:
                split.append({"params": parameters, "lr": group.lr, "max_lr": group.lr, "weight_decay": own})
    _check_complete(seen, model)
    return split


def _trainable(members: Iterable[nn.Module | nn.Parameter]) -> list[nn.Parameter]:
    """Each once, in order."""
    every = [p for m in members for p in ([m] if isinstance(m, nn.Parameter) else m.parameters())]
    return [p for p in {id(p): p for p in every}.values() if p.requires_grad]


def _of_norms(modules: Iterable[nn.Module]) -> set[int]:
    norms = (part for module in modules for part in module.modules() if isinstance(part, NORMS))
    return {id(parameter) for norm in norms for parameter in norm.parameters(recurse=False)}


def _check_complete(grouped: dict[int, int], model: nn.Module | None) -> None:
    if not grouped:
        raise TrainingError(
            "there is nothing to train",
            found="every parameter is frozen, or there is none",
            fix="unfreeze, or give the model a layer with weights",
        )
    own = [] if model is None else [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    left = [name for name, parameter in own if id(parameter) not in grouped]
    if left:
        raise TrainingError(
            f"{len(left)} trainable parameters are in no group, so they would never learn",
            found=", ".join(left[:5]) + (", ..." if len(left) > 5 else ""),
            fix="add them to a group, or freeze them with requires_grad_(False)",
        )


def _check_numbers(groups: Sequence[Group], weight_decay: float, momentum: float, averaging: float, eps: float) -> None:
    for number, group in enumerate(groups):
        if not 0 < group.lr < math.inf:  # false for NaN too
            fix = "a rate such as 1e-3; to keep weights as they are, freeze them with requires_grad_(False)"
            raise TrainingError("a learning rate has to be above 0", found=f"{group.lr} for group {number}", fix=fix)
    limits = (
        ("weight decay", weight_decay, 0 <= weight_decay < math.inf, "0 or more"),
        ("momentum", momentum, 0 <= momentum < 1, "from 0 to below 1"),
        ("averaging", averaging, 0 <= averaging < 1, "from 0 to below 1"),
        ("eps", eps, 0 < eps < math.inf, "above 0"),
    )
    for called, value, holds, wanted in limits:
        if not holds:
            raise TrainingError(f"the {called} has to be a number {wanted}", found=value)


def _check_words(name: str, decoupled: bool, momentum: float, nesterov: bool) -> None:
    if name == "adamw" and not decoupled:
        raise TrainingError("adamw is Adam with decoupled decay", found="decoupled=False", fix='use "adam" for L2')
    if nesterov and (name != "sgd" or not momentum):
        raise TrainingError("Nesterov's step is for sgd with momentum", found=f"{name} with momentum {momentum:g}")


def _can_be_fused(split: Sequence[dict[str, Any]]) -> bool:
    """One kernel for the whole update, the fastest on CPU and CUDA (measured: docs/decisions.md)."""
    return all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for g in split for p in g["params"])


def _called(parameter: nn.Parameter, model: nn.Module | None) -> str:
    names = {} if model is None else {id(p): name for name, p in model.named_parameters()}
    return names.get(id(parameter), f"a parameter of shape {list(parameter.shape)}")
