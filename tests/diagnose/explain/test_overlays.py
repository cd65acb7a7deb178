"""Overlays: as large as the pictures, gray where nothing speaks for a class, bright where most does."""

import numpy as np
import pytest

from ursa.diagnose.explain.overlays import FAINT, overlays
from ursa.errors import DataError


def test_nothing_is_gray_and_the_peak_is_the_brightest_color():
    pictures = np.full((2, 20, 20, 3), (200, 100, 50), np.uint8)
    maps = np.zeros((2, 20, 20), np.float32)
    maps[1, 5, 5] = 1
    drawn = overlays(pictures, maps)
    assert drawn.dtype == np.uint8
    assert drawn.shape == pictures.shape
    assert np.ptp(drawn[0].astype(int), axis=2).max() < 50 < np.ptp(pictures[0, 0, 0].astype(int))
    np.testing.assert_array_equal(drawn[0], drawn[0, 0, 0][None, None].repeat(20, 0).repeat(20, 1))
    np.testing.assert_array_equal(drawn[1][maps[1] == 0], drawn[0][maps[1] == 0])
    red, _, blue = drawn[1, 5, 5].astype(int)
    assert red - blue > 150  # yellow


def test_faint_places_show_the_picture_as_it_is():
    pictures = np.random.default_rng(0).integers(0, 255, (1, 9, 9, 3), np.uint8)
    none, faint, some = (overlays(pictures, np.full((1, 9, 9), v, np.float32)) for v in (0, FAINT, FAINT + 0.05))
    np.testing.assert_array_equal(none, faint)
    assert (none != some).any()


def test_more_is_brighter_step_by_step():
    steps = np.linspace(0.25, 1, 16, dtype=np.float32)[None, None]
    drawn = overlays(np.full((1, 1, 16, 3), 60, np.uint8), steps)[0, 0]
    luminance = drawn @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(luminance) > 0).all()


def test_other_shapes_are_refused():
    with pytest.raises(DataError, match="as large as it is"):
        overlays(np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 4, 4), np.float32))
