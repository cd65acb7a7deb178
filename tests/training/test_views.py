"""Augmentation: laws of the geometry, golden numbers of the colours, and torchvision as a second opinion."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from ursa.core.prepare import FILL, Preparation
from ursa.recipe import Recipe
from ursa.training.augment import color_jitter, geometry, mixing, patches, trivial_augment
from ursa.training.augment import views as making
from ursa.training.augment.random_numbers import uniforms

OFF = Recipe.of(hflip=0, min_scale=1)


def squares(*pictures, side=None, beyond=0):
    """Pictures [h, w, 3] -> squares [N, P, P, 3] with each in its corner, `beyond` elsewhere; sizes [N, 2]."""
    side = side or max(max(p.shape[:2]) for p in pictures)
    batch = np.full((len(pictures), side, side, 3), beyond, np.uint8)
    for square, picture in zip(batch, pictures, strict=True):
        square[: picture.shape[0], : picture.shape[1]] = picture
    return torch.from_numpy(batch), torch.tensor([p.shape[:2] for p in pictures])


def views(pictures, preparation, recipe=OFF, *, epoch=0, **options):
    batch, sizes = squares(*pictures, **options)
    draw = making.draws(recipe.seed, epoch, range(len(pictures)))
    return making.augmented(batch, sizes, preparation, recipe.augment, draw).numpy()


def changed(picture, matrix):
    """One picture [S, S, 3], changed by one homography of its view -> [S, S, 3]."""
    size = len(picture)
    place = geometry.drawn(np.array([[size, size]], float), Preparation(size), OFF.augment, np.zeros((1, 12)))
    return geometry.render(torch.from_numpy(picture.copy())[None], place.then(matrix), size)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("fit", ["pad", "squash", "crop"])
@pytest.mark.parametrize("shape", [(64, 64), (64, 40), (33, 64), (64, 1)])
def test_switched_off_a_picture_of_the_views_size_is_the_view(photo, fit, shape):
    picture = photo(1, *shape[::-1])
    if fit != "pad" and shape[0] != shape[1]:
        pytest.skip("is resized")
    (view,) = views([picture], Preparation(64, fit), beyond=255)
    assert np.array_equal(view, Preparation(64, fit).view(picture))


@pytest.mark.parametrize("fit", ["pad", "squash", "crop"])
@pytest.mark.parametrize("reduced", [1.1, 1.33, 2, 3, 4.5])
def test_switched_off_a_larger_picture_is_nearly_the_view(photo, fit, reduced):
    picture = photo(1, round(64 * reduced), round(50 * reduced), noise=3)
    (view,) = views([picture], Preparation(64, fit), beyond=255)
    whole = Preparation(64, fit).view(picture).astype(int)
    assert np.abs(view - whole).mean() < 1.5


@pytest.mark.parametrize("border", ["reflect", "constant"])
@pytest.mark.parametrize("level", [0, 37, 255])
def test_a_magnified_picture_of_one_color_is_of_one_color_to_its_edges(border, level):
    """Half a pixel of what lies beyond was blended into the outermost pixels once: digits lost 3 points by it."""
    picture = np.full((16, 16, 3), level, np.uint8)
    for side in (16, 24, 32, 100):
        (view,) = views([picture], Preparation(side), OFF.with_settings({"padding_mode": border}), side=20, beyond=99)
        assert np.array_equal(view, Preparation(side).view(picture)), side


def test_a_magnified_picture_is_the_view_with_either_border(photo):
    picture = photo(1, 20, 20)
    for border in ("reflect", "constant"):
        (view,) = views([picture], Preparation(50), OFF.with_settings({"padding_mode": border}), side=33, beyond=255)
        whole = Preparation(50).view(picture).astype(float)
        assert np.abs(view - whole).max() <= 1, border  # both are rounded


def test_what_lies_in_the_square_beyond_the_picture_never_shows(photo):
    recipe = Recipe.of(rotate=40, perspective=0.4, translate=0.2, rotate90=0.5, min_scale=0.4)
    pictures = [photo(n, 90 + 10 * n, 70) for n in range(6)]
    for border in ("constant", "reflect"):
        seen = [
            views(pictures, Preparation(32), recipe.with_settings({"padding_mode": border}), beyond=b) for b in (0, 255)
        ]
        assert np.array_equal(*seen)


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=12, unique=True), st.randoms(use_true_random=False))
def test_a_view_depends_on_seed_epoch_and_row_not_on_the_batch(rows, random):
    recipe = Recipe.of(
        rotate=20, brightness=0.3, contrast=0.3, hue=0.1, random_erasing=0.5, trivial_augment=0.5, min_scale=0.5
    )
    pictures = {row: np.random.default_rng(row).integers(0, 256, (24, 17, 3), np.uint8) for row in rows}

    def seen(order, epoch=0):
        batch, sizes = squares(*(pictures[row] for row in order))
        out = making.augmented(batch, sizes, Preparation(16), recipe.augment, making.draws(0, epoch, order))
        return dict(zip(order, out.numpy(), strict=True))

    together, shuffled = seen(rows), seen(random.sample(rows, len(rows)))
    alone = seen(rows[:1])
    for row in rows:  # one level of grey: matrix products of other batches may round otherwise
        assert np.abs(together[row].astype(int) - shuffled[row]).max() <= 1
    assert np.abs(together[rows[0]].astype(int) - alone[rows[0]]).max() <= 1
    assert any((together[row] != seen(rows, epoch=1)[row]).any() for row in rows)


def test_uniform_numbers_are_uniform_and_independent():
    drawn = uniforms(0, "augment", 3, range(20_000), 32)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts = np.stack([np.histogram(column, 20, (0, 1))[0] for column in drawn.T])
    chi = ((counts - 1000) ** 2 / 1000).sum(1)  # 19 degrees of freedom: 43.8 is exceeded once in 1,000
    assert chi.max() < 50
    related = np.corrcoef(np.concatenate([drawn[:-1], drawn[1:]], 1).T) - np.eye(64)
    assert np.abs(related).max() < 0.035  # five standard errors
    others = [uniforms(1, "augment", 3, range(9), 32), uniforms(0, "augment", 4, range(9), 32)]
    assert all((other != drawn[:9]).all() for other in others)
    assert np.array_equal(uniforms(0, "augment", 3, [7, 2], 32), drawn[[7, 2]])
    assert uniforms(0, "augment", 3, [5], 2)[0] == pytest.approx([0.0, 0.0], abs=1)


@pytest.mark.parametrize(
    ("matrix", "as_numpy"),
    [
        (geometry.mirrors(np.array([True]), np.array([False])), lambda p: p[:, ::-1]),
        (geometry.mirrors(np.array([False]), np.array([True])), lambda p: p[::-1]),
        (geometry.turns(np.array([90.0])), lambda p: np.rot90(p)),
        (geometry.turns(np.array([180.0])), lambda p: np.rot90(p, 2)),
        (geometry.turns(np.array([-90.0])), lambda p: np.rot90(p, -1)),
        (geometry.turns(np.array([90.0])) @ geometry.mirrors(np.array([True]), np.array([False])),
         lambda p: np.rot90(p)[:, ::-1]),
    ],
)  # fmt: skip
def test_mirrors_and_quarter_turns_are_exact(photo, matrix, as_numpy):
    picture = photo(2, 31, 31)
    assert np.array_equal(changed(picture, matrix).round(), as_numpy(picture))


def test_shifts_move_by_whole_pixels_and_leave_gray(photo):
    picture = photo(2, 16, 16)
    moved = changed(picture, geometry.shifts(np.array([2 * 3 / 16]), np.array([2 * 5 / 16]))).round()
    assert np.array_equal(moved[5:, 3:], picture[:-5, :-3])
    assert (moved[:5] == FILL).all()
    assert (moved[:, :3] == FILL).all()


def test_corners_of_a_warp_go_where_fastai_puts_them():
    across, down = (geometry.warps(*(np.array([u]) for u in pair))[0] for pair in ((0.2, 0.0), (0.0, -0.3)))

    def at(matrix, x, y):
        place = matrix @ [x, y, 1]
        return place[:2] / place[2]

    assert at(across, 1, 1) == pytest.approx([1.2, 1])
    assert at(across, -1, -1) == pytest.approx([-0.8, -1])
    assert at(down, 1, 1) == pytest.approx([1, 0.7])
    assert at(down, -1, 1) == pytest.approx([-1, 1.3])


def test_one_homography_is_the_changes_one_after_another(photo):
    picture = photo(4, 96, 96, noise=0)
    parts = [geometry.turns(np.array([25.0])), geometry.warps(np.array([0.1]), np.array([-0.1]))]
    parts.append(geometry.mirrors(np.array([True]), np.array([False])))
    step = picture
    for part in parts:
        step = changed(step, part).round().astype(np.uint8)
    once = changed(picture, geometry.composed(*parts))
    assert np.abs(once - step)[24:-24, 24:-24].mean() < 1


def test_crops_keep_their_share_and_ratio_and_lie_in_the_picture():
    sizes, draw = np.tile([120.0, 200.0], (4000, 1)), making.draws(0, 0, range(4000))[:, :12]
    box = geometry.drawn(sizes, Preparation(64), Recipe.of(min_scale=0.3).augment, draw).box
    shares = (box[:, 2:] - box[:, :2]) / sizes
    assert box.min() >= 0
    assert (box[:, 2:] <= sizes).all()
    assert shares.min() >= 0.29
    assert (shares.max(1) / shares.min(1)).max() < 4 / 3 + 0.05
    assert 0.6 < shares.mean() < 0.72
    free = geometry.drawn(
        sizes, Preparation(64), Recipe().augment, draw
    ).box  # the default: both sides drawn independently
    assert np.corrcoef(((free[:, 2:] - free[:, :2]) / sizes).T)[0, 1] == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize(
    ("name", "share"), [("hflip", 0.3), ("vflip", 0.3), ("rotate90", 0.3), ("random_erasing", 0.3)]
)
def test_probabilities_are_kept(photo, name, share):
    pictures = [photo(3, 16, 16)] * 600
    plain = Preparation(16).view(pictures[0])
    seen = views(pictures, Preparation(16), OFF.with_settings({name: share}))
    different = np.mean([(view != plain).any() for view in seen])
    assert different == pytest.approx(share, abs=0.08)


def test_reflected_borders_hold_no_gray(photo):
    picture = np.clip(photo(1, 60, 40).astype(int), 150, 255).astype(np.uint8)
    recipe = OFF.with_settings({"padding_mode": "reflect", "rotate": 45, "translate": 0.3})
    assert views([picture] * 20, Preparation(32), recipe).min() >= 148
    (view,) = views([picture], Preparation(60), OFF.with_settings({"padding_mode": "reflect"}))
    assert np.array_equal(view[10:50], picture)
    assert np.array_equal(view[:10], picture[9::-1])


def test_colors_are_one_affine_map_in_the_order_told():
    one = np.ones(1)
    plain = color_jitter.Factors(one, one, one, 0 * one, np.zeros((1, 3)))
    red = np.array([200.0, 40, 80])

    def of(mean=100.0, **factors):
        whole = color_jitter.composed(color_jitter.Factors(**{**vars(plain), **factors}))
        return whole.matrix[0] @ red + whole.offset[0] + whole.pull[0] * mean

    gray = 0.299 * 200 + 0.587 * 40 + 0.114 * 80
    assert of() == pytest.approx(red)
    assert of(light=1.2 * one) == pytest.approx(1.2 * red)
    assert of(contrast=0.5 * one) == pytest.approx(0.5 * red + 50)
    assert of(light=1.2 * one, contrast=0.5 * one) == pytest.approx(0.5 * 1.2 * red + 0.5 * 120)
    assert of(saturation=0 * one) == pytest.approx([gray] * 3)
    assert of(saturation=0.5 * one) == pytest.approx(0.5 * red + 0.5 * gray)
    assert of(hue=2 * np.pi * one) == pytest.approx(red)
    turned = of(hue=np.pi * one)  # the opposite colour, as bright
    assert turned @ color_jitter.GRAY == pytest.approx(gray)
    assert (turned + of()) / 2 == pytest.approx([gray] * 3, abs=0.5)
    assert of(offset=np.array([[1.0, 2, 3]])) == pytest.approx(red + np.array([1, 2, 3]))


def test_pca_color_has_krizhevskys_directions():
    draw = uniforms(0, "test", 0, range(4000), 11)
    offset = color_jitter.drawn(Recipe.of(pca=0.1).augment, draw).offset / 255
    wide, middle, narrow = np.linalg.svd(offset - offset.mean(0), full_matrices=False)[1] / np.sqrt(4000)
    assert (wide, middle, narrow) == pytest.approx((0.02175, 0.00188, 0.00045), rel=0.05)


# What torchvision calls the same change at half strength, and how much a pixel may differ on average (it rounds and
# samples at other places).
HALF = 15 / 30
SECOND_OPINIONS = {
    "identity": (lambda p: p, 0),
    "translate_x": (lambda p: tv.affine(p, 0, [16, 0], 1, [0, 0], fill=FILL), 0.01),
    "translate_y": (lambda p: tv.affine(p, 0, [0, 16], 1, [0, 0], fill=FILL), 0.01),
    "shear_x": (lambda p: tv.affine(p, 0, [0, 0], 1, [float(np.rad2deg(np.arctan(0.495))), 0],
                                    tv.InterpolationMode.BILINEAR, FILL, [0, 0]), 1.2),
    "shear_y": (lambda p: tv.affine(p, 0, [0, 0], 1, [0, float(np.rad2deg(np.arctan(0.495)))],
                                    tv.InterpolationMode.BILINEAR, FILL, [0, 0]), 1.2),
    "rotate": (lambda p: tv.rotate(p, 67.5, tv.InterpolationMode.BILINEAR, fill=FILL), 1.2),
    "brightness": (lambda p: tv.adjust_brightness(p, 1.495), 0.6),
    "colour": (lambda p: tv.adjust_saturation(p, 1.495), 0.8),
    "contrast": (lambda p: tv.adjust_contrast(p, 1.495), 0.8),
    "sharpness": (lambda p: tv.adjust_sharpness(p, 1.495), 0.5),
    "posterize": (lambda p: tv.posterize(p, 5), 0),
    "solarize": (lambda p: tv.solarize(p, 127.5), 0),
    "autocontrast": (tv.autocontrast, 0.6),
    "equalize": (tv.equalize, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", trivial_augment.CHANGES)
def test_trivial_augment_agrees_with_torchvision(photo, name):
    theirs, differs = SECOND_OPINIONS[name]
    picture = (photo(5, 64, 64) * 0.7 + 20).astype(np.uint8)
    change = trivial_augment.Trivial(np.array([trivial_augment.CHANGES.index(name)]), np.array([HALF]), np.array([1.0]))
    place = geometry.drawn(np.array([[64.0, 64]]), Preparation(64), OFF.augment, np.zeros((1, 12)))
    seen = geometry.render(torch.from_numpy(picture)[None], place.then(trivial_augment.matrices(change, 64)), 64)
    factors = trivial_augment.factors(change, color_jitter.drawn(OFF.augment, np.full((1, 11), 0.5)))
    seen = trivial_augment.apply(color_jitter.apply(seen, color_jitter.composed(factors)), change)[0].round()
    expected = theirs(torch.from_numpy(picture).permute(2, 0, 1)).float()
    assert (seen - expected).abs().mean() <= differs
    assert name == "identity" or (expected != torch.from_numpy(picture).permute(2, 0, 1)).float().mean() > 0.1


def test_trivial_augment_draws_every_change_and_strength():
    drawn = trivial_augment.drawn(1.0, uniforms(0, "test", 0, range(5000), 4))
    assert np.bincount(drawn.change, minlength=14).min() > 250
    assert sorted(set((drawn.strength * 30).round())) == list(range(31))
    assert (trivial_augment.drawn(0.0, uniforms(0, "test", 0, range(50), 4)).change == 0).all()


def test_erased_rectangles_have_the_areas_told():
    white = torch.full((500, 3, 64, 64), 255.0)
    erased = patches.erased(white, 1.0, uniforms(0, "test", 0, range(500), 5))
    share = (erased == FILL).all(1).float().mean((1, 2)).numpy()
    assert 0.015 < share.min() < 0.04
    assert 0.3 < share.max() < 0.35


def test_mixup_shares_are_the_weights():
    dark, bright = torch.zeros(8, 4, 4, 3, dtype=torch.uint8), torch.full((8, 4, 4, 3), 255, dtype=torch.uint8)
    pictures, targets = torch.cat([dark, bright]), torch.arange(16) // 8
    seen, shares = mixing.mixed(pictures, targets, 2, Recipe.of(mixup=1).augment, 0, 0, 0)
    assert shares.sum(1).numpy() == pytest.approx(1)
    assert shares[:, 1].numpy() == pytest.approx(seen.mean((1, 2, 3)).numpy() / 255, abs=1e-5)
    assert (shares[torch.arange(16), targets] >= 0.5).all()
    again = mixing.mixed(pictures, targets, 2, Recipe.of(mixup=1).augment, 0, 0, 0)
    assert torch.equal(seen, again[0])
    assert not torch.equal(seen, mixing.mixed(pictures, targets, 2, Recipe.of(mixup=1).augment, 0, 0, 1)[0])


def test_cutmix_shares_are_the_areas():
    pictures = torch.arange(24, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 16, 16, 3)
    seen, shares = mixing.mixed(pictures, torch.arange(24), 24, Recipe.of(cutmix=1).augment, 0, 0, 0)
    for view, share in zip(seen, shares, strict=True):
        area = torch.bincount(view[..., 0].flatten().long(), minlength=24) / 256
        assert share.numpy() == pytest.approx(area.numpy(), abs=1e-6)
    assert (shares.max(1).values < 1).sum() > 12


def test_without_mixing_targets_are_whole_and_soft_ones_stay():
    pictures, soft = torch.zeros(3, 4, 4, 3, dtype=torch.uint8), torch.tensor([[1.0, 1], [0, 1], [0, 0]])
    assert torch.equal(
        mixing.mixed(pictures, torch.tensor([1, 0, 1]), 2, Recipe().augment, 0, 0)[1], torch.eye(2)[[1, 0, 1]]
    )
    assert torch.equal(mixing.mixed(pictures, soft, 2, Recipe().augment, 0, 0)[1], soft)


def test_threads_do_not_change_what_is_seen_and_are_left_as_they_were(photo):
    before = torch.get_num_threads()
    pictures = [photo(n, 40, 30) for n in range(20)]
    recipe = Recipe.of(rotate=10, brightness=0.2, trivial_augment=0.5)
    try:
        torch.set_num_threads(1)
        alone = views(pictures, Preparation(24), recipe)
        torch.set_num_threads(3)
        together = views(pictures, Preparation(24), recipe)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(alone, together)
