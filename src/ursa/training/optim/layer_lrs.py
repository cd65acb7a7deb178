"""A network and learning rates -> groups of parameters, the first layers with lower rates than the last ones."""

import torch
from torch import nn

from ursa.models.groups import parameter_groups
from ursa.training.optim.optimizers import Group, make


def groups(model: nn.Module, head_lr: float, body_lr: float, layer_decay: float) -> list[Group]:
    """head_lr, body_lr: largest learning rates of the head and of the layers just below it; layer_decay: what they are
    multiplied by from group to group further down (Howard and Ruder 2018, ULMFiT: 1 / 2.6). The head is the last group;
    frozen groups stay out."""
    *lower, last = parameter_groups(model)
    lrs = [body_lr * layer_decay**above for above in reversed(range(len(lower)))]
    every = zip([*lower, last], [*lrs, head_lr], strict=True)
    return [Group(members, lr) for members, lr in every if any(p.requires_grad for p in members)]


def adamw(
    model: nn.Module, head_lr: float, body_lr: float, layer_decay: float, weight_decay: float
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019) over the `groups` of a pretrained network."""
    return make("adamw", groups(model, head_lr, body_lr, layer_decay), model=model, weight_decay=weight_decay)


def batch_size_for_batch_norm(model: nn.Module, count: int, batch: int) -> int:
    """The largest batch up to `batch` that leaves no last one of a single example, which batch norm cannot take; where
    every smaller one does (13 examples, batches of 4), the next larger one."""
    size = min(batch, count)
    if size < 2 or not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        return size
    sizes = [*range(size, 1, -1), *range(size + 1, count + 1)]
    fitting: int = next(each for each in sizes if count % each != 1)
    return fitting
