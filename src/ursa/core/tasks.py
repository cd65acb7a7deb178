"""What is learned, told by an array of targets. (Columns of tables tell more, see `data/sources/target_columns.py`.)"""

from typing import Any

import numpy as np
import numpy.typing as npt

SINGLE_LABEL, MULTI_LABEL, REGRESSION = TASKS = ("single-label", "multi-label", "regression")


def task_of(targets: npt.NDArray[Any]) -> str | None:
    """[N] or [N, 1] text or whole numbers: a class each; [N, K] 0 and 1: several labels; fractions: numbers.

    None for what no usual loss takes: whole numbers [N, ...], and what is neither number nor text.
    """
    kind, column = targets.dtype.kind, targets.ndim == 1 or targets.shape[1:] == (1,)
    if kind in "OUST":
        return SINGLE_LABEL
    if is_one_hot(targets):
        return MULTI_LABEL
    if kind == "f":
        return REGRESSION
    return SINGLE_LABEL if kind in "biu" and column else None


def is_one_hot(targets: npt.NDArray[Any]) -> bool:
    """Whether they are [N, K], K > 1, of 0 and 1, but for NaN where one is missing."""
    if targets.dtype.kind not in "biuf" or targets.ndim < 2 or targets.shape[1] < 2:
        return False
    known = targets[~np.isnan(targets)] if targets.dtype.kind == "f" else targets
    return bool(np.isin(known, (0, 1)).all())
