"""What an array of targets says is to be learned."""

import numpy as np
import pytest

from ursa.core.tasks import TASKS, is_one_hot, task_of

NAN = np.nan


@pytest.mark.parametrize(
    ("targets", "task"),
    [
        (np.array([0, 2, 1]), "single-label"),
        (np.array([[0], [2]]), "single-label"),
        (np.array([True, False]), "single-label"),
        (np.array(["a", "b"]), "single-label"),
        (np.array(["a", None], object), "single-label"),
        (np.array([[0, 1], [1, 1]]), "multi-label"),
        (np.array([[0.0, 1.0], [NAN, 1.0]]), "multi-label"),
        (np.array([[True, False]]), "multi-label"),
        (np.array([0.0, 1.0]), "regression"),
        (np.array([[0.5], [1.0]]), "regression"),
        (np.array([[0.5, 1.0]]), "regression"),
        (np.array([[3, 4], [1, 2]]), None),
        (np.zeros((2, 3, 4), int) + 2, None),
        (np.array([1j]), None),
    ],
)
def test_the_task_is_told_by_type_shape_and_values(targets, task):
    assert task_of(targets) == task
    assert is_one_hot(targets) == (task == "multi-label")
    assert task is None or task in TASKS
