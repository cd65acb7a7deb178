"""Laws of homographies: what composes, undoes itself and keeps its place; how parts fit; torchvision's own warp."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from ursa.core.prepare import FILL, Preparation
from ursa.recipe import AugmentSettings
from ursa.training.augment import geometry

WHOLE = AugmentSettings(hflip=0.0, min_scale=1.0)
STILL = np.zeros((1, 12))  # draws that change nothing where everything is off
amounts = st.floats(-0.9, 0.9)


def one(*values):
    return [np.array([float(value)]) for value in values]


def drawn(sizes, preparation, augment=WHOLE, draw=None):
    sizes = np.asarray(sizes, float)
    return geometry.drawn(sizes, preparation, augment, np.zeros((len(sizes), 12)) if draw is None else draw)


def at(matrix, x, y):
    place = matrix @ [x, y, 1]
    return place[:2] / place[2]


# --- matrices --------------------------------------------------------------------------------------------------------


@given(st.floats(-720, 720), st.floats(-720, 720))
def test_turns_add_up_and_undo_themselves(first, second):
    both = geometry.turns(*one(first)) @ geometry.turns(*one(second))
    assert both == pytest.approx(geometry.turns(*one(first + second)), abs=1e-9)
    assert geometry.turns(*one(first)) @ geometry.turns(*one(-first)) == pytest.approx(np.eye(3)[None], abs=1e-9)


@given(amounts, amounts)
def test_shifts_and_shears_along_one_side_undo_themselves(some, other):
    back = geometry.shifts(*one(some, other)) @ geometry.shifts(*one(-some, -other))
    assert back == pytest.approx(np.eye(3)[None], abs=1e-12)
    for way in ((some, 0), (0, some)):
        pair = geometry.shears(*one(*way)) @ geometry.shears(*one(*(-x for x in way)))
        assert pair == pytest.approx(np.eye(3)[None], abs=1e-12)


def test_quarter_turns_have_no_rounding_in_them():
    quarters = geometry.turns(np.array([0.0, 90, 180, 270, 360, -90, -450]))
    assert set(np.unique(quarters)) == {-1.0, 0.0, 1.0}
    assert np.array_equal(quarters[0], np.eye(3)) and np.array_equal(quarters[4], np.eye(3))
    assert np.array_equal(quarters[3], quarters[5]) and np.array_equal(quarters[5], quarters[6])


def test_a_positive_turn_brings_what_is_right_to_the_top():
    """The view's top middle (0, -1) shows what lay at the right (1, 0): counter-clockwise."""
    assert at(geometry.turns(*one(90))[0], 0, -1) == pytest.approx([1, 0])
    assert at(geometry.turns(*one(45))[0], 0, -1) == pytest.approx([np.sqrt(0.5), -np.sqrt(0.5)])


def test_a_shear_leaves_the_top_left_corner_where_it_was():
    assert at(geometry.shears(*one(0.3, 0))[0], -1, -1) == pytest.approx([-1, -1])
    assert at(geometry.shears(*one(0, 0.3))[0], -1, -1) == pytest.approx([-1, -1])
    assert at(geometry.shears(*one(0.3, 0))[0], -1, 1) == pytest.approx([-0.4, 1])  # 2 down, 0.6 across
    assert at(geometry.shears(*one(0, 0.3))[0], 1, -1) == pytest.approx([1, -0.4])


@given(amounts, amounts)
def test_warps_keep_edges_straight_and_the_middle_row_in_its_place(across, down):
    """A homography: points of a line stay on one. With one tilt the line through the middle keeps its length."""
    matrix = geometry.warps(*one(across, down))[0]
    first, middle, last = (at(matrix, x, 1) for x in (-1, 0.3, 1))
    area = np.linalg.det(np.array([last - first, middle - first]))
    assert area == pytest.approx(0, abs=1e-6)
    tilted = geometry.warps(*one(across, 0))[0]
    assert at(tilted, 1, -1)[0] - at(tilted, -1, -1)[0] == pytest.approx(2 * (1 - across))
    assert at(tilted, 1, 1)[0] - at(tilted, -1, 1)[0] == pytest.approx(2 * (1 + across))


def test_several_matrices_are_composed_row_by_row_in_the_order_given():
    parts = [geometry.turns(np.array([10.0, 20])), geometry.shifts(np.array([0.1, 0.2]), np.array([0.3, 0.4]))]
    whole = geometry.composed(*parts)
    for row in range(2):
        assert np.array_equal(whole[row], parts[0][row] @ parts[1][row])
    assert not np.allclose(whole, geometry.composed(*reversed(parts)))


# --- what part is shown ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fit", "size"), [("squash", (120, 200)), ("crop", (120, 200)), ("pad", (120, 200))])
def test_corners_of_the_view_lie_where_the_fit_says(fit, size):
    matrix = drawn([size], Preparation(60, fit)).matrix[0]
    shown = {"squash": ((0, 0), (200, 120)), "crop": ((40, 0), (160, 120)), "pad": ((0, -40), (200, 160))}[fit]
    assert at(matrix, -1, -1) == pytest.approx(shown[0])
    assert at(matrix, 1, 1) == pytest.approx(shown[1])


def test_a_mirror_image_is_drawn_below_its_probability_and_the_middle_stays():
    draw = np.zeros((3, 12))
    draw[:, 10] = [0.0, 0.29, 0.3]
    draw[:, 11] = 0.9
    matrix = drawn([(50, 50)] * 3, Preparation(50), AugmentSettings(hflip=0.3, min_scale=1.0), draw).matrix
    assert [m[0, 0] < 0 for m in matrix] == [True, True, False]
    assert all(m[1, 1] > 0 for m in matrix)
    assert all(at(m, 0, 0) == pytest.approx([25, 25]) for m in matrix)


@pytest.mark.parametrize(("draw", "quarter"), [(0.0, 1), (0.19, 1), (0.21, 2), (0.41, 3), (0.59, 3), (0.61, 0)])
def test_each_quarter_turn_has_a_third_of_the_probability(draw, quarter):
    """Below rotate90, in three equal parts: 90, 180 and 270 degrees."""
    row = np.zeros((1, 12))
    row[0, 7], row[0, 10:] = draw, 0.99
    matrix = drawn([(40, 40)], Preparation(40), AugmentSettings(hflip=0.0, min_scale=1.0, rotate90=0.6), row).matrix
    plain = drawn([(40, 40)], Preparation(40)).matrix
    assert matrix == pytest.approx(plain @ geometry.turns(*one(90 * quarter)))


@pytest.mark.parametrize(("setting", "place"), [("rotate", 6), ("perspective", 4), ("translate", 8)])
@pytest.mark.parametrize(("draw", "sign"), [(0.0, -1), (0.5, 0), (0.75, 0.5)])
def test_ranges_reach_from_minus_to_plus_the_setting(setting, place, draw, sign):
    row = np.full((1, 12), 0.5)
    row[0, place] = draw
    most = {"rotate": 30.0, "perspective": 0.4, "translate": 0.2}[setting]
    settings_ = AugmentSettings(hflip=0.0, min_scale=1.0, **{setting: most})
    made = (
        np.linalg.inv(drawn([(64, 64)], Preparation(64)).matrix)
        @ drawn([(64, 64)], Preparation(64), settings_, row).matrix
    )
    wanted = {
        "rotate": geometry.turns(*one(sign * most)),
        "perspective": geometry.warps(*one(sign * most, 0)),
        "translate": geometry.shifts(*one(2 * sign * most, 0)),
    }[setting]
    assert made / made[:, 2:, 2:] == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=60)
@given(st.integers(20, 400), st.integers(20, 400), st.floats(0.05, 1), st.floats(1, 3), st.integers(0, 99))
def test_a_part_is_whole_pixels_of_its_picture_and_no_longer_than_the_ratio_allows(height, width, least, ratio, row):
    draw = np.random.default_rng(row).random((8, 12))
    augment = AugmentSettings(min_scale=least, aspect_ratio=ratio)
    box = drawn([(height, width)] * 8, Preparation(32), augment, draw).box
    assert np.array_equal(box, np.round(box))
    assert (box[:, :2] >= 0).all() and (box[:, 2:] <= [height, width]).all()
    sides = box[:, 2:] - box[:, :2]
    assert (sides >= 1).all()
    shares = (sides + 0.5) / [height, width], np.maximum(sides - 0.5, 1e-9) / [height, width]
    assert (shares[0] >= least - 1e-9).all()
    assert (shares[1].max(1) / shares[0].min(1) <= ratio + 1e-9).all()


def test_a_reflected_border_may_use_all_of_the_picture_and_grey_only_the_part():
    draw = np.full((1, 12), 0.5)
    kinds = [AugmentSettings(min_scale=0.5, padding_mode=mode) for mode in ("reflect", "constant")]
    reflect, constant = (drawn([(100, 80)], Preparation(32), kind, draw) for kind in kinds)
    assert reflect.box.tolist() == [[0, 0, 100, 80]] and reflect.reflect
    assert constant.box.tolist() != reflect.box.tolist() and not constant.reflect
    assert np.array_equal(reflect.matrix, constant.matrix)


@pytest.mark.parametrize(("side", "level"), [(64, 0), (111, 0), (113, 1), (223, 1), (225, 2), (449, 3), (32, 0)])
def test_pictures_are_halved_where_they_are_reduced_by_more_than_sharp(side, level):
    """1.75 x 64 = 112, and twice as much for each level."""
    assert drawn([(side, side)], Preparation(64)).level.tolist() == [level]


# --- pixels ----------------------------------------------------------------------------------------------------------


def test_pictures_of_different_reductions_are_rendered_as_each_alone(photo):
    sides = (40, 150, 90, 300)
    squares = np.zeros((4, 300, 300, 3), np.uint8)
    for square, side in zip(squares, sides, strict=True):
        square[:side, :side] = photo(side, side, side)
    place = drawn([(side, side) for side in sides], Preparation(48))
    assert len(set(place.level)) > 1
    together = geometry.render(torch.from_numpy(squares), place, 48)
    for row in range(4):
        some = slice(row, row + 1)
        alone = geometry.render(torch.from_numpy(squares[some]), place.rows(some), 48)
        torch.testing.assert_close(together[some], alone, atol=0.01, rtol=0)


@pytest.mark.parametrize("quad", [[(4, 2), (60, 6), (58, 62), (1, 55)], [(0, 0), (63, 10), (50, 63), (0, 63)]])
def test_a_perspective_is_that_of_torchvision(photo, quad):
    """torchvision maps start points to end points of pixels' middles; the same homography in our coordinates."""
    picture = photo(7, 64, 64, noise=0)
    corners = [(0, 0), (63, 0), (63, 63), (0, 63)]
    theirs = tv.perspective(
        torch.from_numpy(picture).permute(2, 0, 1), quad, corners, tv.InterpolationMode.BILINEAR, fill=FILL
    )
    to_view = [((x + 0.5) / 32 - 1, (y + 0.5) / 32 - 1) for x, y in corners]
    to_place = [((x + 0.5) / 32 - 1, (y + 0.5) / 32 - 1) for x, y in quad]
    equations, right = [], []
    for (u, v), (x, y) in zip(to_view, to_place, strict=True):
        equations += [[u, v, 1, 0, 0, 0, -x * u, -x * v], [0, 0, 0, u, v, 1, -y * u, -y * v]]
        right += [x, y]
    matrix = np.append(np.linalg.solve(equations, right), 1).reshape(1, 3, 3)
    place = drawn([(64, 64)], Preparation(64)).then(matrix)
    ours = geometry.render(torch.from_numpy(picture)[None], place, 64)[0]
    assert (ours - theirs.float())[:, 2:-2, 2:-2].abs().mean() < 1


@pytest.mark.parametrize("times", [1, 2, 3])
def test_halving_averages_squares_and_fills_an_odd_edge_with_grey(times):
    pixels = torch.arange(49, dtype=torch.float32).reshape(1, 1, 7, 7)
    seen = pixels
    for _ in range(times):
        padded = np.pad(seen[0, 0].numpy(), ((0, seen.shape[2] % 2),) * 2, constant_values=FILL)
        side = len(padded) // 2
        seen = torch.from_numpy(padded.reshape(side, 2, side, 2).mean((1, 3)))[None, None]
    torch.testing.assert_close(geometry._halved(pixels, times), seen)


def test_grey_lies_around_a_picture_and_in_its_square_beyond_the_box(photo):
    square = torch.from_numpy(photo(0, 8, 8))[None]
    framed = geometry._framed(square, np.array([[1.0, 2, 5, 8]]), 2)
    assert framed.shape == (1, 3, 12, 12)
    inside = framed[0, :, 3:7, 4:10]
    assert torch.equal(inside, square[0, 1:5, 2:8].permute(2, 0, 1).float())
    assert int((framed != FILL).any(1).sum()) <= 4 * 6
    whole = geometry._framed(square, np.array([[0.0, 0, 8, 8]]), 1)
    assert torch.equal(whole[0, :, 1:-1, 1:-1], square[0].permute(2, 0, 1).float())
