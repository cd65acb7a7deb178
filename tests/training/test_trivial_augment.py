"""TrivialAugment's own changes: torchvision's at every strength and either sign, and pictures that have no contrast."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from ursa.training.augment import geometry, trivial_augment
from ursa.training.augment.color_jitter import Factors
from ursa.training.augment.random_numbers import uniforms
from ursa.training.augment.trivial_augment import CHANGES, Trivial

ONE = np.ones(1)


def trivial(name, strength=1.0, sign=1.0):
    return Trivial(np.array([CHANGES.index(name)]), np.array([strength]), np.array([sign]))


def applied(picture, name, strength=1.0, sign=1.0):
    """picture [3, S, S] uint8 -> the same."""
    return trivial_augment.apply(picture[None].float().clone(), trivial(name, strength, sign))[0].round().byte()


@pytest.fixture(scope="module")
def picture(photo):
    return torch.from_numpy(photo(3, 40, 40)).permute(2, 0, 1).contiguous()


def test_the_strengths_are_those_of_torchvisions_wide_space():
    """Its own table: 31 bins, and the largest strength of each change."""
    space = v2.TrivialAugmentWide()._AUGMENTATION_SPACE
    names = {"ShearX": "shear_x", "TranslateX": "translate_x", "Rotate": "rotate", "Color": "colour"}
    full = {name: float(space[theirs][0](31, 224, 224)[-1]) for theirs, name in names.items()}
    assert full == pytest.approx({"shear_x": 0.99, "translate_x": 32.0, "rotate": 135.0, "colour": 0.99})
    size = 224
    assert trivial_augment.matrices(trivial("translate_x"), size) == pytest.approx(
        geometry.shifts(ONE * 32 * 2 / size, 0 * ONE)
    )
    assert trivial_augment.matrices(trivial("rotate", 0.5, -1), size) == pytest.approx(geometry.turns(ONE * -67.5))
    assert trivial_augment.matrices(trivial("shear_y", 1, -1), size) == pytest.approx(
        geometry.shears(0 * ONE, ONE * -0.99)
    )
    assert len(CHANGES) == len(space)


@pytest.mark.parametrize("strength", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_sharpness_is_that_of_torchvision_either_way(picture, strength, sign):
    expected = tv.adjust_sharpness(picture, 1 + sign * 0.99 * strength)
    assert (applied(picture, "sharpness", strength, sign).int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("step", range(0, 31, 5))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_posterize_and_solarize_know_no_sign_and_are_those_of_torchvision(picture, step, sign):
    strength = step / 30
    bits = 8 - round(6 * strength)
    assert torch.equal(applied(picture, "posterize", strength, sign), tv.posterize(picture, bits))
    assert torch.equal(applied(picture, "solarize", strength, sign), tv.solarize(picture, 255 * (1 - strength)))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 255), st.integers(0, 3))
def test_equalize_and_autocontrast_are_those_of_pillow(seed, spread, channels):
    """Also where a channel has one value, few values, or only the ends."""
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, spread + 1, (12, 12, 3)).astype(np.uint8)
    pixels[..., :channels] = pixels[0, 0, :channels]
    some = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
    for name, theirs, most in (("equalize", ImageOps.equalize, 0), ("autocontrast", ImageOps.autocontrast, 1)):
        expected = np.array(theirs(Image.fromarray(pixels))).astype(int)
        assert np.abs(applied(some, name).permute(1, 2, 0).numpy().astype(int) - expected).max() <= most, name


@pytest.mark.parametrize("name", CHANGES)
def test_a_picture_of_one_colour_keeps_it_where_the_change_is_none_of_colour(name):
    flat = torch.full((3, 8, 8), 77, dtype=torch.uint8)
    if name not in ("posterize", "solarize"):  # which change every value alone
        assert torch.equal(applied(flat, name), flat)


@pytest.mark.parametrize("name", ["sharpness", "posterize", "solarize"])
def test_no_strength_is_no_change(picture, name):
    same = applied(picture, name, 0.0)
    if name == "solarize":  # from 255 on: only pure white turns
        assert torch.equal(same[picture < 255], picture[picture < 255])
    else:
        assert torch.equal(same, picture)


@pytest.mark.parametrize("sign", [-1, 1])
def test_light_is_changed_on_top_of_what_was_drawn_before(sign):
    before = Factors(ONE * 1.2, ONE * 0.8, ONE * 0.5, ONE * 0.1, np.ones((1, 3)))
    for name, field in (("brightness", "light"), ("contrast", "contrast"), ("colour", "saturation")):
        after = trivial_augment.factors(trivial(name, 0.5, sign), before)
        assert getattr(after, field) == pytest.approx(getattr(before, field) * (1 + sign * 0.495))
        others = {"light", "contrast", "saturation", "hue", "offset"} - {field}
        assert all(np.array_equal(getattr(after, other), getattr(before, other)) for other in others)
    assert trivial_augment.factors(trivial("rotate"), before).light == before.light


def test_only_pictures_that_drew_a_change_are_touched(picture):
    four = torch.stack([picture] * 4).float()
    change = Trivial(
        np.array([CHANGES.index(n) for n in ("identity", "solarize", "rotate", "equalize")]), *[np.ones(4)] * 2
    )
    out = trivial_augment.apply(four.clone(), change)
    assert [torch.equal(out[row], four[row]) for row in range(4)] == [True, False, True, False]
    assert trivial_augment.matrices(change, 40)[[0, 1, 3]] == pytest.approx(np.tile(np.eye(3), (3, 1, 1)))
    assert change.rows(slice(1, 3)).drew("rotate").tolist() == [False, True]


def test_each_draw_has_its_use_and_the_signs_are_even():
    draw = np.array([[0.49, 0.0, 0.5, 0.4], [0.5, 0.99, 0.99, 0.6], [0.0, 0.99, 1 - 1e-9, 0.49]])
    found = trivial_augment.drawn(0.5, draw)
    assert found.change.tolist() == [0, 0, 13]  # the second draws no change at all
    assert found.strength == pytest.approx([0.5, 1, 1]) and found.sign.tolist() == [-1, 1, -1]
    many = trivial_augment.drawn(0.5, uniforms(0, "test", 0, range(4000), 4))
    assert (many.change > 0).mean() == pytest.approx(0.5 * 13 / 14, abs=0.03)
    assert many.sign.mean() == pytest.approx(0, abs=0.06)
