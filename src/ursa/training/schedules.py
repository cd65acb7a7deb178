"""Schedules: pure functions of the fraction of the run that is done -> factor on the peak learning rate."""

import math


def one_cycle(done: float, warm_up: float = 0.25, start: float = 1 / 25, end: float = 1e-5) -> float:
    """Up and down along cosines (Smith 2018; start and end as in fastai's `fit_one_cycle`). done in [0, 1]."""
    if done < warm_up:
        return _cosine(start, 1.0, done / warm_up)
    return _cosine(1.0, end, (done - warm_up) / (1 - warm_up) if warm_up < 1 else 1.0)


def _cosine(a: float, b: float, share: float) -> float:
    return a + (b - a) * (1 - math.cos(math.pi * min(1.0, share))) / 2
