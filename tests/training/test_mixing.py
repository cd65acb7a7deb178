"""Mixup and CutMix: how often, of which pictures, with which shares; labels and targets follow the pixels."""

import numpy as np
import pytest
import torch

from ursa.recipe import AugmentSettings
from ursa.training.augment.mixing import mixed

COUNT = 24
PICTURES = torch.arange(COUNT, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 8, 8, 3) * 10
TARGETS = torch.arange(COUNT)


def at(step, targets=TARGETS, classes=COUNT, seed=0, **settings):
    return mixed(PICTURES, targets, classes, AugmentSettings(**settings), seed, 0, step)


def kind(views):
    if views.dtype == torch.float32:
        return "mixup"
    return "none" if torch.equal(views, PICTURES) else "cutmix"


def test_mixup_goes_first_and_cutmix_gets_its_share_of_the_rest():
    kinds = [kind(at(step, mixup=0.4, cutmix=0.5)[0]) for step in range(600)]
    shares = {name: kinds.count(name) / 600 for name in ("mixup", "cutmix", "none")}
    assert shares == pytest.approx({"mixup": 0.4, "cutmix": 0.3, "none": 0.3}, abs=0.07)
    assert {kind(at(step)[0]) for step in range(5)} == {"none"}
    assert {kind(at(step, mixup=1.0, cutmix=1.0)[0]) for step in range(20)} == {"mixup"}


def test_each_picture_is_a_partner_once_and_pixels_are_those_of_both():
    views, shares = at(0, mixup=1.0)
    own = shares[TARGETS, TARGETS]
    partner = (shares - torch.diag(own)).argmax(1)  # 0 where it was mixed with itself
    expected = own * PICTURES[:, 0, 0, 0] + (1 - own) * PICTURES[partner, 0, 0, 0]
    torch.testing.assert_close(views[:, 0, 0, 0], expected, atol=1e-3, rtol=0)
    assert views.eq(views[:, :1, :1, :1]).all()
    with_other = partner[own < 1]
    assert len(set(with_other.tolist())) == len(with_other)


def test_shares_follow_the_beta_distribution_folded_at_a_half():
    own = np.concatenate([at(step, mixup=1.0)[1].max(1).values.numpy() for step in range(100)])
    kept = np.random.default_rng(1).beta(0.4, 0.4, 20_000)  # as in fastai
    wanted = np.maximum(kept, 1 - kept)
    assert own.min() >= 0.5
    assert np.quantile(own, [0.25, 0.5, 0.75]) == pytest.approx(np.quantile(wanted, [0.25, 0.5, 0.75]), abs=0.03)


def test_a_rectangle_holds_the_partner_and_the_rest_is_the_picture_itself():
    views, shares = at(1, cutmix=1.0)
    assert views.dtype == torch.uint8
    for row in range(COUNT):
        values, counts = views[row, ..., 0].unique(return_counts=True)
        assert len(values) <= 2
        for value, count in zip((values // 10).tolist(), counts.tolist(), strict=True):
            assert float(shares[row, value]) == pytest.approx(count / 64, abs=1e-6)
    areas = [float(1 - at(step, cutmix=1.0)[1][TARGETS, TARGETS].mean()) for step in range(60)]
    assert 0.2 < np.mean(areas) < 0.5  # uniform areas, some of them cut off at the edges


@pytest.mark.parametrize("settings", [{"mixup": 1.0}, {"cutmix": 1.0}])
def test_several_labels_and_numbers_are_blended_as_the_pictures_are(settings):
    numbers = torch.stack([TARGETS.double(), 2 * TARGETS.double()], 1)
    of_numbers, shares = at(3, numbers, 2, **settings)[1], at(3, **settings)[1]
    assert of_numbers.dtype == torch.float32 and of_numbers.shape == (COUNT, 2)
    torch.testing.assert_close(of_numbers, shares @ numbers.float(), atol=1e-4, rtol=0)


def test_what_is_mixed_is_a_function_of_seed_and_step_and_leaves_what_came_in():
    before = PICTURES.clone()
    one, again, other, seeded = (
        at(s, mixup=0.5, cutmix=0.5, seed=seed)[1] for s, seed in ((4, 0), (4, 0), (5, 0), (4, 1))
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other) and not torch.equal(one, seeded)
    assert torch.equal(PICTURES, before)


def test_a_batch_of_one_is_mixed_with_itself():
    for settings in ({"mixup": 1.0}, {"cutmix": 1.0}):
        views, shares = mixed(PICTURES[5:6], torch.tensor([1]), 3, AugmentSettings(**settings), 0, 0, 0)
        assert torch.equal(views.round().byte(), PICTURES[5:6])
        assert shares.tolist() == [[0, 1, 0]]
