"""A smooth convex loss -> its minimum."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

MEMORY = 8  # pairs of steps and gradient changes that are remembered (Nocedal and Wright 2006 advise 3 to 20)


def lbfgs(loss: Callable[[F32], tuple[float, F32]], start: F32, *, steps: int = 200, tolerance: float = 1e-4) -> F32:
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.5) with backtracking: for smooth convex losses.

    loss: x [n] -> value, gradient [n]. Ends when the gradient's norm is below `tolerance` times 1 + |x|.
    """
    x, (value, gradient) = start, loss(start)
    pairs: list[tuple[F32, F32, float]] = []
    for _ in range(steps):
        if np.linalg.norm(gradient) <= tolerance * (1 + np.linalg.norm(x)):
            break
        direction = _two_loops(gradient, pairs)
        slope, length = float(direction @ gradient), 1.0 if pairs else min(1.0, 1 / float(np.linalg.norm(gradient)))
        while True:
            ahead = x + np.float32(length) * direction
            value_ahead, gradient_ahead = loss(ahead)
            if value_ahead <= value + 1e-4 * length * slope + 1e-7 * abs(value):  # the last term: float32 rounding
                break
            length /= 2
            if length < 1e-6:
                return x  # no descent left at this precision
        step, change = ahead - x, gradient_ahead - gradient
        curvature = float(step @ change)
        if curvature > 1e-12:
            pairs = [*pairs[-(MEMORY - 1) :], (step, change, curvature)]
        x, value, gradient = ahead, value_ahead, gradient_ahead
    return x


def _two_loops(gradient: F32, pairs: list[tuple[F32, F32, float]]) -> F32:
    direction, kept = -gradient, []
    for step, change, curvature in reversed(pairs):
        alpha = float(step @ direction) / curvature
        direction = direction - np.float32(alpha) * change
        kept.append(alpha)
    if pairs:
        step, change, curvature = pairs[-1]
        direction = direction * np.float32(curvature / float(change @ change))
    for (step, change, curvature), alpha in zip(pairs, reversed(kept), strict=True):
        direction = direction + np.float32(alpha - float(change @ direction) / curvature) * step
    return direction
