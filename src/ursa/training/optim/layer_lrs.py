"""A network and rates -> groups of parameters, the first layers with lower peak rates than the last ones."""

import torch
from torch import nn

from ursa.models.groups import parameter_groups
from ursa.recipe import Recipe
from ursa.training.optim.optimizers import Group, make


def groups(model: nn.Module, head: float, body: float, layer_decay: float) -> list[Group]:
    """head, body: peak rates of the head and of the layers just below it; layer_decay: the factor from group to group
    further down (Howard and Ruder 2018, ULMFiT). The head is the last group; frozen groups stay out."""
    *lower, last = parameter_groups(model)
    lrs = [body * layer_decay**above for above in reversed(range(len(lower)))]
    every = zip([*lower, last], [*lrs, head], strict=True)
    return [Group(members, lr) for members, lr in every if any(p.requires_grad for p in members)]


def adamw(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019) with the recipe's rates for a pretrained network."""
    tiers = groups(model, recipe.optim.head_lr, recipe.optim.body_lr, recipe.optim.layer_decay)
    return make("adamw", tiers, model=model, weight_decay=recipe.optim.weight_decay)


def batch_size_for_batch_norm(model: nn.Module, count: int, batch: int) -> int:
    """The largest batch up to `batch` that leaves no last one of a single example, which batch norm cannot take."""
    size = min(batch, count)
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        while size > 2 and count % size == 1:
            size -= 1
    return size
