"""L-BFGS finds the minimum of smooth convex losses, and changes nothing that it was given."""

import numpy as np
import pytest

from ursa.embed.linear_models.lbfgs import lbfgs


def turned(size: int, seed: int = 0) -> np.ndarray:
    """A random rotation."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


@pytest.mark.parametrize("condition", [1, 10, 1000])
def test_the_minimum_of_a_quadratic_is_found(condition):
    basis, wanted = turned(12), np.random.default_rng(1).normal(size=12)
    curvature = basis @ np.diag(np.geomspace(1, condition, 12)) @ basis.T

    def loss(x):
        off = x.astype(np.float64) - wanted
        return float(off @ curvature @ off / 2), (curvature @ off).astype(np.float32)

    found = lbfgs(loss, np.zeros(12, np.float32), tolerance=1e-6)
    assert np.abs(found - wanted).max() < 1e-3


def test_the_minimum_of_a_bent_convex_valley_is_found():
    """Steep and quartic across, flat along: sum of 100 (a.x)^2 + (b.x - 1)^4 + 0.01 (b.x - 1)^2."""
    basis = turned(4)

    def loss(x):
        z = basis.T @ x.astype(np.float64)
        across, along = z[:2], z[2:] - 1
        value = (100 * across**2).sum() + (along**4 + 0.01 * along**2).sum()
        slope = np.concatenate([200 * across, 4 * along**3 + 0.02 * along])
        return float(value), (basis @ slope).astype(np.float32)

    found = lbfgs(loss, np.full(4, 3, np.float32), tolerance=1e-6)
    assert np.abs(basis.T @ found - [0, 0, 1, 1]).max() < 0.01


def test_at_the_minimum_nothing_moves_and_the_start_is_not_changed():
    calls = []

    def loss(x):
        calls.append(1)
        return float(x @ x), 2 * x

    start = np.zeros(3, np.float32)
    assert np.array_equal(lbfgs(loss, start), start)
    assert len(calls) == 1
    start = np.ones(3, np.float32)
    lbfgs(loss, start)
    assert np.array_equal(start, np.ones(3, np.float32))
