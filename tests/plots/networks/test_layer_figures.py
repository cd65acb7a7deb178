"""Filters and activations as squares in rows."""

import numpy as np
import pytest

from ursa.errors import DataError
from ursa.plots.networks.layer_figures import GAP, activations, filters, mosaic


def test_a_mosaic_keeps_every_pixel_and_its_order():
    squares = np.arange(5, dtype=np.uint8)[:, None, None, None].repeat(24, 1).repeat(24, 2).repeat(3, 3)
    whole = mosaic(squares, 3)
    assert whole.shape == (2 * 24 + GAP, 3 * 24 + 2 * GAP, 3)
    assert [int(whole[r * (24 + GAP), c * (24 + GAP), 0]) for r in range(2) for c in range(3)] == [0, 1, 2, 3, 4, 255]


@pytest.mark.parametrize(
    ("shape", "says"), [((32, 1, 3, 3), "32 filters"), ((64, 3, 7, 7), "colors"), ((300, 5, 3, 3), "256 of 300")]
)
def test_filters_of_one_three_or_more_channels(shape, says, legible):
    kernels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    kernels[0] = 0  # a dead one is gray
    figure = filters(kernels)
    assert any(says in text for text in legible(figure))
    drawn = np.asarray(figure.axes[0].images[0].get_array())
    assert (drawn[:20, :20] == 128).all()
    assert len(np.unique(drawn)) > 50


def test_no_filters_are_refused():
    with pytest.raises(DataError, match="F, C, k, k"):
        filters(np.zeros((0, 3, 3, 3), np.float32))


def test_activations_show_the_channels_that_respond_most(legible):
    maps = np.zeros((20, 6, 6), np.float32)
    maps[13] = 1
    maps[4] = np.nan
    figure = activations(np.zeros((32, 48, 3), np.uint8), [maps, np.zeros((3, 2, 2), np.float32)], ["first", "last"])
    texts = legible(figure)
    assert any("first: 6 × 6 positions, 8 of 20 channels" in text for text in texts)
    assert any("last: 2 × 2 positions, 3 of 3 channels" in text for text in texts)
    row = np.asarray(figure.axes[1].images[0].get_array())
    assert row[0, 0, 0] > 200 > 100 > row[0, -1, 0]
    with pytest.raises(DataError, match="each layer"):
        activations(None, [], [])
