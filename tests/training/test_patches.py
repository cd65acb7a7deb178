"""Rectangles: where they lie, how large they are, what they leave alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ursa.core.prepare import FILL
from ursa.training.augment import patches

CPU = torch.device("cpu")


def boxes_of(erased):
    """[N, 3, S, S] of white pictures -> top, left, bottom, right of what is grey."""
    found = []
    for picture in (erased == FILL).all(1).numpy():
        rows, columns = np.flatnonzero(picture.any(1)), np.flatnonzero(picture.any(0))
        assert picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # a rectangle, without holes
        found.append((rows[0], columns[0], rows[-1] + 1, columns[-1] + 1))
    return np.array(found)


def white(count, size=64):
    return torch.full((count, 3, size, size), 255.0)


def test_a_mask_is_true_from_the_first_edge_to_below_the_last():
    inside = patches.mask(np.array([[1.0, 2, 3, 5], [0, 0, 0, 4], [0, 0, 6, 6]]), 6, CPU)
    expected = torch.zeros(3, 6, 6, dtype=torch.bool)
    expected[0, 1:3, 2:5] = True
    expected[2] = True
    assert torch.equal(inside, expected)


@pytest.mark.parametrize(
    ("draw", "box"),
    [
        ((0.25, 0.5, 0.5), (16, 16, 48, 48)),  # a quarter of the area: half of each side
        ((1.0, 0.5, 0.5), (0, 0, 64, 64)),
        ((0.25, 0.0, 1.0), (0, 48, 16, 64)),  # cut off at the edges
        ((0.0, 0.3, 0.7), (19, 45, 19, 45)),
    ],
)
def test_rectangles_of_cutmix_in_numbers(draw, box):
    assert patches.cut(np.array([draw]), 64).tolist() == [list(map(float, box))]


@given(st.tuples(*[st.floats(0, 1, exclude_max=True)] * 3), st.integers(1, 300))
def test_rectangles_of_cutmix_are_whole_pixels_of_the_view_and_no_larger_than_drawn(draw, size):
    top, left, bottom, right = patches.cut(np.array([draw]), size)[0]
    assert 0 <= top <= bottom <= size and 0 <= left <= right <= size
    assert all(edge == round(edge) for edge in (top, left, bottom, right))
    assert max(bottom - top, right - left) <= np.sqrt(draw[0]) * size + 1


def test_views_that_draw_no_less_than_the_probability_stay_and_the_others_change_in_place():
    draw = np.full((4, 5), 0.5)
    draw[:, 0] = [0.0, 0.3, 0.29, 0.9]
    views = white(4)
    out = patches.erased(views, 0.3, draw)
    assert out is views
    assert (views == FILL).flatten(1).any(1).tolist() == [True, False, True, False]
    kept = white(4)
    assert patches.erased(kept, 0.0, draw) is kept and (kept == 255).all()


@pytest.mark.parametrize(("draw", "share"), [(0.0, 0.02), (0.5, (0.02 + 1 / 3) / 2), (1 - 1e-9, 1 / 3)])
def test_the_erased_share_follows_its_draw(draw, share):
    """Zhong et al. 2020: from 2 % to a third of the picture; square where the draw of the ratio is in the middle."""
    row = np.array([[0.0, draw, 0.5, 0.5, 0.5]])
    top, left, bottom, right = boxes_of(patches.erased(white(1, 200), 1.0, row))[0]
    assert bottom - top == right - left == round(200 * np.sqrt(share))


def test_the_ratio_of_the_sides_goes_from_0_3_to_its_inverse():
    draw = np.array([[0.0, 0.2, ratio, 0.5, 0.5] for ratio in (0.0, 0.25, 0.5, 1 - 1e-9)])
    boxes = boxes_of(patches.erased(white(4, 400), 1.0, draw))
    ratios = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])
    # draw 0: a ratio of 1 / 0.3, whose sides are as its roots
    assert ratios == pytest.approx([1 / 0.3, 0.3**-0.5, 1, 0.3], rel=0.03)


def test_a_rectangle_lies_inside_and_can_touch_every_edge():
    draw = np.random.default_rng(0).random((300, 5))
    draw[:, 0] = 0
    draw[:4, 3:] = [[0, 0], [0, 1 - 1e-9], [1 - 1e-9, 0], [1 - 1e-9, 1 - 1e-9]]
    boxes = boxes_of(patches.erased(white(300, 32), 1.0, draw))
    assert boxes[:4, 0].tolist() == [0, 0, boxes[2, 0], boxes[3, 0]]
    assert boxes[2:4, 2].tolist() == [32, 32] and boxes[1, 3] == boxes[3, 3] == 32
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= 32).all()


def test_at_least_a_pixel_is_erased_of_the_smallest_view():
    assert (patches.erased(white(1, 1), 1.0, np.zeros((1, 5))) == FILL).all()
