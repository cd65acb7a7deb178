"""How blurred a view is: one number, whatever the contrast, the noise, or how much of it is sharp."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ursa.core.prepare import Preparation
from ursa.data import scan
from ursa.data.blur import LAG, blur

DRAW = np.random.default_rng(0)


def scene(height=160, width=200, seed=0):
    """Disks of all sizes before each other, as things in a photo are."""
    draw, picture = np.random.default_rng(seed), np.full((height, width, 3), 110.0)
    rows, columns = np.mgrid[:height, :width]
    for _ in range(40):
        y, x, radius = draw.uniform(0, height), draw.uniform(0, width), draw.uniform(5, 40)
        picture[np.hypot(rows - y, columns - x) < radius] = draw.uniform(0, 255, 3)
    return picture.astype(np.uint8)


def blurred(pixels, radius):
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def test_it_grows_with_the_radius_from_sharp_edges_to_none():
    seen = [blur(blurred(scene(), radius)) for radius in (0, 0.7, 1, 1.5, 2, 3, 5)]
    assert seen == sorted(seen)
    assert seen[0] == pytest.approx(LAG**0.25, abs=0.1)
    assert seen[3] > 3 and 3.7 < seen[-1] <= LAG


def test_contrast_and_brightness_do_not_count():
    faint = (scene() // 4 + 100).astype(np.uint8)
    assert blur(faint) == pytest.approx(blur(scene()), abs=0.05)
    assert blur(blurred(faint, 2)) == pytest.approx(blur(blurred(scene(), 2)), abs=0.1)


def test_one_thing_in_focus_is_enough_and_noise_is_not():
    soft = blurred(scene(), 3)
    focused = soft.copy()
    focused[60:90, 80:120] = scene()[60:90, 80:120]
    assert blur(focused) < 2.5
    noisy = np.clip(soft + DRAW.normal(0, 3, soft.shape), 0, 255).astype(np.uint8)
    assert blur(noisy) > 3


def test_both_directions_count():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::16], stripes[:, 8::16] = 200, 100
    assert blur(stripes) < 2 and blur(stripes.swapaxes(0, 1)) < 2
    assert blur(stripes) == pytest.approx(blur(stripes.swapaxes(0, 1)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 4), (5, 5)])
def test_strips_and_single_colors_have_a_number(shape):
    assert blur(np.full((*shape, 3), 77, np.uint8)) == 1.0
    assert 0 < blur(DRAW.integers(0, 256, (*shape, 3)).astype(np.uint8)) < 10**6


@pytest.mark.parametrize("fit", ["pad", "squash", "crop"])
def test_a_scan_measures_the_picture_and_not_that_it_was_enlarged(tmp_path, fit):
    file = tmp_path / "small.png"
    Image.fromarray(scene(60, 60)).save(file)
    facts, _ = scan.read_file(file, Preparation(240, fit))
    assert facts.blur is not None and facts.blur < 2.5
    Image.fromarray(blurred(scene(240, 240), 3)).save(file)
    facts, _ = scan.read_file(file, Preparation(240, fit))
    assert facts.blur is not None and facts.blur > 3.4
