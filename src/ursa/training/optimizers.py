"""Parameters in groups, with a peak rate and a decay each -> torch's optimizers."""

from typing import Any

import torch
from torch import nn

from ursa.recipe import Recipe
from ursa.training.models import Classifier


def adamw(model: Classifier, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) with layer-wise rates; biases and norms do not decay.

    The head is the last group. The body's groups get `body_rate`, less by `layer_decay` for each group further down.
    """
    groups: list[dict[str, Any]] = []
    parts = model.layer_groups()
    for depth, modules in enumerate(parts[:-1]):
        rate = recipe.body_rate / recipe.layer_decay ** (len(parts) - 2 - depth)
        groups += _by_decay(modules, rate, recipe.weight_decay)
    groups += _by_decay(parts[-1], recipe.head_rate, recipe.weight_decay)
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-5)  # eps as in fastai: calmer first steps


def _by_decay(modules: list[nn.Module], rate: float, decay: float) -> list[dict[str, Any]]:
    parameters = [p for module in modules for p in module.parameters(recurse=False)]
    bare, weights = [p for p in parameters if p.ndim < 2], [p for p in parameters if p.ndim >= 2]
    both = ((bare, 0.0), (weights, decay))
    return [{"params": some, "lr": rate, "peak": rate, "weight_decay": d} for some, d in both if some]
