"""Maps of a network -> whether they are its own: random weights must destroy them (Adebayo et al. 2018).

From the head to the first layers the weights are made random, one group of layers after the other, and the maps are
computed again. A map that stays the same was a map of the picture (its edges, its middle), not of what was learned.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ursa.core import seeds
from ursa.diagnose.explain.spatial_layers import SpatialLayer
from ursa.models.groups import layer_groups
from ursa.models.trace import undisturbed

F32 = npt.NDArray[np.float32]
Maps = Callable[[nn.Module, Tensor, Tensor, SpatialLayer], F32]

LIMIT = 0.5  # see `SanityCheck.passed`
PICTURES = 4  # that are computed again, drawn by the seed
MAPS = 12  # of random weights, that the similarity is a mean over: with one picture 12 draws, with four 3
PARTS = 4  # runs of layers in which the body is made random, after the head


@dataclass(frozen=True)
class SanityCheck:
    """How alike the maps are to those of the same network with random weights."""

    similarity: tuple[float, ...]  # mean rank correlation after each step: head, then one more part of the body each
    pictures: int
    draws: int  # of random weights

    @property
    def passed(self) -> bool:
        """Whether random weights destroy the maps: after each step, a mean rank correlation below LIMIT.

        After the first one too: a map that survives a random head is of no class. Measured on SqueezeNet
        (benchmarks/grad_cam.py): Grad-CAM at most 0.1; guided backpropagation 0.6 after the head, 0.2 in the end; the
        layer's mean activation 1 after the head; the picture's edges 1 throughout.
        """
        return bool(self.similarity) and max(self.similarity) < LIMIT

    def __str__(self) -> str:
        if not self.similarity:
            return "sanity check failed: every map is the same everywhere, so there is nothing that could be destroyed"
        worst = max(self.similarity)
        left = f"maps of random weights have a rank correlation of at most {worst:.2f} with these"
        if self.passed:
            return f"sanity check passed: {left} (1 would be the same map; below {LIMIT:g} passes)"
        which = "a random head" if self.similarity.index(worst) == 0 else "random weights"
        left = f"with {which} the maps still have a rank correlation of {worst:.2f} with these"
        return (
            f"sanity check failed: {left} (below {LIMIT:g} passes): they show the picture rather than what was learned"
        )

    def to_json(self) -> dict[str, Any]:
        """{"passed", "similarity" after each step, "limit", "pictures", "draws"}."""
        return {
            "passed": self.passed,
            "similarity": list(self.similarity),
            "limit": LIMIT,
            "pictures": self.pictures,
            "draws": self.draws,
        }


def sanity_check(
    model: nn.Module,
    pictures: Tensor,
    targets: Tensor,
    layer: SpatialLayer,
    maps: F32,
    maps_of: Maps,
    *,
    seed: int = 0,
) -> SanityCheck:
    """maps [N, h, w], which `maps_of` made for these pictures and targets at this layer, against random weights."""
    order = seeds.generator(seed, "sanity check").permutation(len(pictures))
    rows = np.array([row for row in order if np.ptp(maps[row]) > 0][:PICTURES], np.int64)  # others cannot change
    if not len(rows):
        return SanityCheck((), 0, 0)
    chosen = torch.from_numpy(rows).to(pictures.device)
    some, of, own = pictures[chosen], targets[chosen], maps[rows]
    draws = -(-MAPS // len(rows))
    similar = []
    for draw in range(draws):
        other = copy.deepcopy(model)
        random = seeds.generator(seed, "random weights", draw)
        steps, changed = [], list[nn.Module]()
        for group in reversed(layer_groups(other, PARTS, inputs=(some,))):
            for module in group:
                randomize(module, random)
            changed += group
            _measure_batch_norm(other, changed, some)
            found = maps_of(other, some, of, layer)
            steps.append([rank_correlation(a, b) for a, b in zip(own, found, strict=True)])
        similar.append(steps)
    return SanityCheck(tuple(np.mean(similar, axis=(0, 2)).tolist()), len(rows), draws)


def rank_correlation(one: F32, other: F32) -> float:
    """Spearman's, from -1 to 1, of two maps of one shape; 0 where one of them is the same everywhere."""
    a, b = _ranks(one), _ranks(other)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def randomize(module: nn.Module, random: np.random.Generator) -> None:
    """The module's own weights in random order: all that was learned is gone, their sizes stay as they were."""
    with torch.no_grad():
        for parameter in module.parameters(recurse=False):
            order = torch.from_numpy(random.permutation(parameter.numel())).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))


def _measure_batch_norm(model: nn.Module, changed: list[nn.Module], pictures: Tensor) -> None:
    """Means and variances of batch norm among the changed layers, as they are with these weights.

    With those of other weights activations would grow or die layer by layer, and any map with them.
    """
    norms = [m for m in changed if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    if not norms:
        return
    momentum = [norm.momentum for norm in norms]
    with undisturbed(model):
        for norm in norms:
            norm.train()
            norm.momentum = 1.0
        model(pictures)
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before


def _ranks(values: F32) -> npt.NDArray[np.float64]:
    """1 for the smallest; equal ones share the mean of their ranks."""
    _, inverse, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[inverse]
