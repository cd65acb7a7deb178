"""Views and their classes -> views of two pictures each, and of both their classes. A pair depends on the batch."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ursa.core import seeds
from ursa.recipe import AugmentSettings
from ursa.training.augment import patches

ALPHA = 0.4  # of mixup's Beta(ALPHA, ALPHA), as in fastai: most pairs are nearly one picture (Zhang et al. 2018)


def mixed(
    views: Tensor, targets: Tensor, classes: int, augment: AugmentSettings, seed: int, *step: int
) -> tuple[Tensor, Tensor]:
    """views [N, S, S, 3], targets [N] whole or [N, K] shares -> views of the same shape, targets [N, K] float32.

    With the probability `mixup` all of a batch become weighted means of two pictures (Zhang et al. 2018), else,
    with the probability `cutmix`, each gets a rectangle of another one (Yun et al. 2019). A class's share is the
    weight or the area of its picture. A function of (seed, step) and of the order of the batch.
    """
    soft = F.one_hot(targets, classes).float() if targets.ndim == 1 else targets.float()
    draw = seeds.generator(seed, "mix", *step)
    kind, partner = draw.random(2), torch.from_numpy(draw.permutation(len(views))).to(views.device)
    if kind[0] < augment.mixup:
        kept = draw.beta(ALPHA, ALPHA, len(views))
        share = _tensor(np.maximum(kept, 1 - kept), views)  # its own picture prevails: pairs then never come twice
        blend = torch.lerp(views[partner].float(), views.float(), share[:, None, None, None])
        return blend, torch.lerp(soft[partner], soft, share[:, None])
    if kind[1] < augment.cutmix:
        size = views.shape[1]
        boxes = patches.cut(draw.random((len(views), 3)), size)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / size**2
        inside = patches.mask(boxes, size, views.device)
        share = _tensor(1 - area, views)
        return torch.where(inside[..., None], views[partner], views), torch.lerp(soft[partner], soft, share[:, None])
    return views, soft


def _tensor(values: "np.typing.NDArray[np.float64]", like: Tensor) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(like.device)
