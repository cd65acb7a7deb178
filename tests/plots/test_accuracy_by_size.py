"""The figures of a learning curve and of reliability: every number where it belongs, and all of them inside."""

from dataclasses import dataclass

import numpy as np
import pytest

from ursa import plots
from ursa.core.statistics import Estimate, proportion


@dataclass(frozen=True)
class Curve:
    sizes: np.ndarray
    draws: int = 20

    def accuracy(self):
        return [proportion(60 + 5 * number, 100, "") for number in range(len(self.sizes))]


@dataclass(frozen=True)
class Ahead:
    times: float
    accuracy: Estimate


@dataclass(frozen=True)
class Bins:
    confidence: np.ndarray
    accuracy: list
    error: float = 0.021
    floor: float = 0.018


CURVE = Curve(np.geomspace(25, 800, 8))
AHEAD = [Ahead(2, Estimate(0.96, 0.93, 0.98, "")), Ahead(4, Estimate(0.97, 0.92, 0.99, ""))]


def words(figure):
    return " ".join(text.get_text() for text in figure.texts)


@pytest.mark.parametrize("ahead", [[], AHEAD])
def test_a_learning_curve_shows_all_sizes_and_forecasts_with_intervals(ahead, legible):
    figure = plots.learning_curve(CURVE, ahead)
    legible(figure)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log" and ("forecast" in words(figure)) == bool(ahead)
    curve = axes.lines[0]
    np.testing.assert_allclose(curve.get_xdata(), CURVE.sizes)
    np.testing.assert_allclose(curve.get_ydata(), [each.value for each in CURVE.accuracy()])
    bars = [segment for some in axes.collections for segment in some.get_segments()]
    assert len(bars) == 8 + len(ahead)
    assert axes.get_ylim()[0] < min(bar[:, 1].min() for bar in bars) and axes.get_ylim()[1] == 1
    if ahead:
        np.testing.assert_allclose(axes.lines[2].get_xdata(), [1600, 3200])
        np.testing.assert_allclose(bars[-1], [[3200, 0.92], [3200, 0.99]])
        assert axes.get_xlim()[1] > 3200


def test_ticks_are_pictures_and_per_cent():
    axes = plots.learning_curve(CURVE, AHEAD).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()][-2:] == ["1,600", "3,200"]
    assert all(text.get_text().endswith(" %") for text in axes.get_yticklabels())


def test_reliability_shows_every_bin_its_interval_and_the_diagonal(legible):
    bins = Bins(np.array([0.55, 0.8, 0.97]), [proportion(*both, "") for both in ((5, 10), (9, 10), (10, 10))])
    figure = plots.reliability(bins)
    legible(figure)
    (axes,) = figure.axes
    diagonal, dots = axes.lines
    assert np.array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_allclose(dots.get_xdata(), bins.confidence)
    np.testing.assert_allclose(dots.get_ydata(), [0.5, 0.9, 1.0])
    assert len(axes.collections[0].get_segments()) == 3
    assert axes.get_xlim() == axes.get_ylim() and axes.get_ylim()[0] < bins.accuracy[0].low
    assert "calibration error 2.1 %, by chance alone 1.8 %" in words(figure)
