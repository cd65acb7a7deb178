"""Colours: the ranges that are drawn, what stays as it is, torchvision's contrast, saturation and hue."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from ursa.recipe import AugmentSettings
from ursa.training.augment import color_jitter
from ursa.training.augment.color_jitter import GRAY, Color, Factors

OFF = AugmentSettings(grayscale=0.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0, pca=0.0)


def factors(count=1, **changed):
    one = np.ones(count)
    plain = {"light": one, "contrast": one, "saturation": one, "hue": 0 * one, "offset": np.zeros((count, 3))}
    return Factors(**{**plain, **{name: np.asarray(value, float) for name, value in changed.items()}})


def applied(views, **changed):
    return color_jitter.apply(views.clone(), color_jitter.composed(factors(len(views), **changed)))


@pytest.fixture
def views(photo):
    return torch.from_numpy(np.stack([photo(n, 24, 20) for n in range(3)])).permute(0, 3, 1, 2).float()


@pytest.mark.parametrize(("draw", "way"), [(0.0, -1), (0.5, 0), (0.75, 0.5)])
def test_factors_reach_from_minus_to_plus_the_setting_around_unchanged(draw, way):
    augment = AugmentSettings(brightness=0.4, contrast=0.3, saturation=0.2, hue=0.1)
    row = np.full((1, 11), 0.99)
    row[0, :4] = draw
    found = color_jitter.drawn(augment, row)
    assert found.light == pytest.approx(1 + 0.4 * way)
    assert found.contrast == pytest.approx(1 + 0.3 * way)
    assert found.saturation == pytest.approx(1 + 0.2 * way)
    assert found.hue == pytest.approx(2 * np.pi * 0.1 * way)  # hue 0.5 is half the wheel, either way


def test_each_draw_has_one_use():
    """Changing one number of eleven changes one factor, or the three channels of the offset together."""
    augment = AugmentSettings(brightness=0.4, contrast=0.3, saturation=0.2, hue=0.1, grayscale=0.3, pca=0.1)
    base = np.full((1, 11), 0.6)
    plain = color_jitter.drawn(augment, base)
    uses = ["light", "contrast", "saturation", "hue", "saturation", *["offset"] * 6]
    for place, use in enumerate(uses):
        row = base.copy()
        row[0, place] = 0.1
        found = color_jitter.drawn(augment, row)
        changed = [name for name in vars(plain) if not np.allclose(getattr(found, name), getattr(plain, name))]
        assert changed == [use], place


def test_gray_is_drawn_below_its_probability():
    draw = np.full((4, 11), 0.5)
    draw[:, 4] = [0.0, 0.24, 0.25, 0.9]
    found = color_jitter.drawn(AugmentSettings(grayscale=0.25, saturation=0.5), draw)
    assert found.saturation.tolist() == [0, 0, 1, 1]


def test_the_normal_numbers_of_the_offset_are_finite_at_the_ends_of_the_draws():
    ends = np.array([[0.0] * 11, [1 - 2.0**-53] * 11])
    offset = color_jitter.drawn(AugmentSettings(pca=1.0), ends).offset
    assert np.isfinite(offset).all()
    assert offset[0] == pytest.approx([0, 0, 0])  # a radius of 0


@pytest.mark.parametrize(("place", "spread"), [(0, 0.2175), (1, 0.0188), (2, 0.0045)])
def test_the_directions_of_the_offset_in_numbers(place, spread):
    """One deviation along each eigenvector of ImageNet's colours, as fb.resnet.torch lists them."""
    direction = [(-0.5675, -0.5808, -0.5836), (0.7192, -0.0045, -0.6948), (0.4009, -0.8140, 0.4203)][place]
    draw = np.zeros((1, 11))
    draw[0, 5 + place] = 1 - np.exp(-0.5)  # a radius of 1, at an angle of 0
    offset = color_jitter.drawn(AugmentSettings(pca=0.1), draw).offset[0]
    assert offset == pytest.approx(np.array(direction) * spread * 0.1 * 255)
    draw[0, 8 + place] = 0.25  # a quarter of the way around
    assert color_jitter.drawn(AugmentSettings(pca=0.1), draw).offset[0] == pytest.approx([0, 0, 0], abs=1e-12)


def test_with_everything_off_the_very_same_pixels_come_back(views):
    color = color_jitter.composed(color_jitter.drawn(OFF, np.random.default_rng(0).random((3, 11))))
    assert not color.changes
    assert color_jitter.apply(views, color) is views


@pytest.mark.parametrize("part", ["matrix", "offset", "pull"])
def test_a_map_that_changes_one_picture_in_any_way_says_so(part):
    parts = {"matrix": np.tile(np.eye(3), (2, 1, 1)), "offset": np.zeros((2, 3)), "pull": np.zeros(2)}
    assert not Color(**parts).changes
    parts[part][1] += 1e-6
    color = Color(**parts)
    assert color.changes and color.rows(slice(1, 2)).changes and not color.rows(slice(0, 1)).changes


@given(st.floats(-3, 3), st.floats(0, 2), st.tuples(*[st.floats(0, 255)] * 3))
def test_hue_and_saturation_keep_how_bright_a_colour_looks(hue, saturation, color):
    matrix = color_jitter.composed(factors(hue=[hue], saturation=[saturation])).matrix[0]
    assert GRAY @ matrix @ color == pytest.approx(GRAY @ color, abs=0.2)  # NTSC's matrix has three digits
    assert matrix @ np.full(3, 100.0) == pytest.approx(np.full(3, 100), abs=0.5)  # greys stay greys


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_hues_add_up_around_the_wheel(first, second):
    def of(hue):
        return color_jitter.composed(factors(hue=[hue])).matrix[0]

    assert of(first) @ of(second) == pytest.approx(of(first + second), abs=1e-9)
    assert of(first + 2 * np.pi) == pytest.approx(of(first), abs=1e-9)


@pytest.mark.parametrize("amount", [0.4, 0.8, 1.3])
def test_light_contrast_and_saturation_are_those_of_torchvision(views, amount):
    """Within the rounding of its steps, on pictures far from the ends of the range, so that nothing is cut off."""
    soft = (views * 0.4 + 70).round()
    theirs = {
        "light": tv.adjust_brightness(soft.byte(), amount),
        "contrast": tv.adjust_contrast(soft.byte(), amount),
        "saturation": tv.adjust_saturation(soft.byte(), amount),
    }
    for name, expected in theirs.items():
        assert (applied(soft, **{name: [amount] * 3}) - expected.float()).abs().max() < 1.6, name


def test_half_the_wheel_turns_red_into_cyan():
    red = torch.tensor([150.0, 60, 60]).reshape(1, 3, 1, 1).expand(-1, -1, 4, 4)
    turned = applied(red, hue=[np.pi])[0, :, 0, 0]
    assert turned[1] == pytest.approx(float(turned[2]), abs=3)
    assert turned[0] < turned[1]


def test_contrast_pulls_towards_the_brightness_of_its_own_view_after_light(views):
    seen = applied(views, contrast=[0.0] * 3, light=[1.0, 0.5, 1.0])
    gray = (views.mean((2, 3)) @ torch.from_numpy(GRAY.astype(np.float32))) * torch.tensor([1, 0.5, 1])
    torch.testing.assert_close(seen, gray[:, None, None, None].expand_as(views), atol=0.01, rtol=0)


def test_rows_do_not_depend_on_each_other_and_values_stay_in_their_range(views):
    changed = {"light": [1.8, 0.2, 1], "contrast": [2, 1, 0.5], "saturation": [2, 1, 0], "hue": [1.0, 0, 2]}
    changed["offset"] = [[90, -90, 0], [-300, 0, 300], [0, 0, 0]]
    together = applied(views, **changed)
    assert together.min() >= 0 and together.max() <= 255
    for row in range(3):
        alone = applied(views[row : row + 1], **{name: value[row : row + 1] for name, value in changed.items()})
        torch.testing.assert_close(together[row : row + 1], alone, atol=0.01, rtol=0)
