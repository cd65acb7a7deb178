"""Rectangles of views, a row a view: drawn, and erased (Zhong et al. 2020)."""

import numpy as np
import torch
from torch import Tensor

from ursa.core.prepare import FILL
from ursa.training.augment.random_numbers import F64

AREA = (0.02, 1 / 3)  # share of a view that is erased; Zhong et al. 2020, as the next
RATIO = 0.3  # least ratio of a rectangle's sides, either way


def erased(views: Tensor, probability: float, draw: F64) -> Tensor:
    """views [N, 3, S, S], changed in place; draw [N, 5]: with this probability a random rectangle becomes grey."""
    some = np.flatnonzero(draw[:, 0] < probability)
    if not len(some):
        return views
    area = AREA[0] + (AREA[1] - AREA[0]) * draw[some, 1]
    ratio = RATIO ** (2 * draw[some, 2] - 1)
    size = views.shape[2]
    sides = np.minimum(1, np.sqrt(area[:, None] * np.stack([ratio, 1 / ratio], 1)))
    sides = np.maximum(1, np.round(size * sides))
    corner = np.floor(draw[some, 3:5] * (size - sides + 1))
    inside = mask(np.concatenate([corner, corner + sides], 1), size, views.device)
    rows = torch.from_numpy(some).to(views.device)
    views[rows] = views[rows].masked_fill_(inside[:, None], FILL)
    return views


def cut(draw: F64, size: int) -> F64:
    """draw [N, 3] -> rectangles [N, 4] of uniformly drawn areas about uniformly drawn places, cut at the view's edges.

    Top, left, bottom, right in whole pixels: as CutMix draws them (Yun et al. 2019, with alpha = 1).
    """
    half = np.sqrt(draw[:, :1]) * size / 2
    middle = draw[:, 1:] * size
    return np.clip(np.round(np.concatenate([middle - half, middle + half], 1)), 0, size)


def mask(boxes: F64, size: int, device: torch.device) -> Tensor:
    """boxes [N, 4] top, left, bottom, right -> [N, S, S], true inside."""
    places = np.arange(size)
    inside = (places >= boxes[:, :2, None]) & (places < boxes[:, 2:, None])  # [N, 2, S]
    down, across = torch.from_numpy(inside).to(device).unbind(1)
    return down[:, :, None] & across[:, None, :]
