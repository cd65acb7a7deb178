"""Laws of the loop: nothing is lost or seen twice, a resume equals never having stopped, accumulation is invisible."""

import copy
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from ursa.core.prepare import Preparation
from ursa.data.sources.folder_source import from_folder
from ursa.embed.extractor import Extractor
from ursa.embed.pretrained.bodies import of_pixels
from ursa.errors import TrainingError
from ursa.training.batches.picture_batches import PictureBatches as Batches
from ursa.training.batches.picture_batches import Views
from ursa.training.classifier import Classifier
from ursa.training.loop import State, accumulated, train
from ursa.training.optim.layer_lrs import adamw
from ursa.training.tasks.losses import smoothed

PREPARATION = Preparation(size=64)
EPOCHS = 3


@pytest.fixture(scope="module")
def catalog(tmp_path_factory, picture_folder):
    return from_folder(picture_folder(tmp_path_factory.mktemp("loop"), {"red": 13, "green": 14}))


def batches(catalog, seed=0):
    return Batches(catalog, catalog.targets(), PREPARATION, batch_size=8, seed=seed)


def state():
    torch.manual_seed(0)
    body, mean, std, size = of_pixels()
    body = nn.Sequential(body, nn.Dropout(0.2))
    model = Classifier(Extractor(body, mean, std, size), features=960, classes=2)
    return State(model, adamw(model, 1e-3, 3e-4, 0.385, 0.01))


def weights(state):
    return torch.cat([p.detach().flatten() for p in state.model.parameters()])


def test_every_epoch_sees_every_picture_once(catalog):
    for epoch in range(2):
        seen = Counter(id for batch in batches(catalog).epoch(epoch) for id in batch.ids)
        assert seen == Counter(catalog.ids)


def test_batches_carry_the_target_of_their_pictures(catalog):
    of = dict(zip(catalog.ids, catalog.targets(), strict=True))
    for batch in batches(catalog).epoch(0):
        assert batch.targets.tolist() == [of[id] for id in batch.ids]


def test_epochs_differ_in_order_and_view(catalog):
    first, second = ([*batches(catalog).epoch(epoch)] for epoch in (0, 1))
    assert [b.ids for b in first] != [b.ids for b in second]
    views = [{id: p for b in run for id, p in zip(b.ids, b.pictures, strict=True)} for run in (first, second)]
    assert any(not torch.equal(views[0][id], views[1][id]) for id in catalog.ids)


def test_an_epoch_can_begin_in_its_middle(catalog):
    whole, rest = [*batches(catalog).epoch(1)], [*batches(catalog).epoch(1, first=2)]
    assert [b.ids for b in whole[2:]] == [b.ids for b in rest]
    assert all(torch.equal(a.pictures, b.pictures) for a, b in zip(whole[2:], rest, strict=True))


def test_the_same_seed_gives_the_same_run_and_another_seed_another(catalog):
    runs = []
    for seed in (1, 1, 2):
        one = state()
        for _ in train(one, batches(catalog, seed), 1, seed=seed):
            pass
        runs.append(weights(one))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("stop", [1, 5, 7])  # 4 steps an epoch: the edges of epochs are 4 and 8
def test_a_resume_in_mid_epoch_equals_never_having_stopped(catalog, stop):
    straight = state()
    losses = [float(step.loss) for step in train(straight, batches(catalog), EPOCHS)]

    broken = state()
    for step in train(broken, batches(catalog), EPOCHS):
        if step.number == stop:
            break
    saved = copy.deepcopy((broken.model.state_dict(), broken.optimizer.state_dict(), broken.step))
    torch.manual_seed(99)  # whatever else has been drawn meanwhile
    resumed = state()
    resumed.model.load_state_dict(saved[0])
    resumed.optimizer.load_state_dict(saved[1])
    resumed.step = saved[2]
    rest = [float(step.loss) for step in train(resumed, batches(catalog), EPOCHS)]

    assert rest == losses[stop:]
    assert torch.equal(weights(resumed), weights(straight))


def test_a_gradient_is_scaled_down_to_its_largest_norm(catalog):
    def change(max_grad_norm):
        one = state()
        one.optimizer = torch.optim.SGD([{"params": [*one.model.parameters()], "max_lr": 1.0}], lr=1.0)
        before = weights(one)
        next(train(one, batches(catalog), 1, schedule=lambda _: 1.0, max_grad_norm=max_grad_norm))
        return float((weights(one) - before).norm())

    free = change(0.0)
    assert change(free / 3) == pytest.approx(free / 3, rel=1e-3)
    assert change(3 * free) == pytest.approx(free, rel=1e-3)


@pytest.mark.parametrize(
    "wrong", [{"epochs": -1}, {"epochs": 1, "max_grad_norm": -1.0}, {"epochs": 1, "max_grad_norm": np.nan}]
)
def test_what_means_nothing_is_refused_before_the_first_step(catalog, wrong):
    with pytest.raises(TrainingError, match="0 or more"):
        train(state(), batches(catalog), **wrong)


def test_accumulation_is_invisible(catalog):
    def gradient(micro):
        one = state()
        one.model.extractor.body[1].p = 0.0
        step = next(train(one, batches(catalog), 1, gradient=accumulated(micro)))
        return step.loss, torch.cat([p.grad.flatten() for p in one.model.parameters()])

    (loss, whole), (loss_of_parts, parts) = gradient(8), gradient(3)
    torch.testing.assert_close(loss, loss_of_parts)
    torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-6)


def test_the_loss_is_the_mean_over_the_pictures_of_the_batch(catalog):
    one = state()
    one.model.extractor.body[1].p = 0.0
    before = copy.deepcopy(one.model)
    batch = next(iter(batches(catalog).epoch(0)))
    step = next(train(one, batches(catalog), EPOCHS, smoothed(0.1)))
    expected = nn.functional.cross_entropy(before(batch.pictures), batch.targets, label_smoothing=0.1)
    torch.testing.assert_close(step.loss, expected.detach())


def test_the_users_random_stream_is_left_alone(catalog):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    for _ in train(state_kept_stream(), batches(catalog), 1):
        pass
    assert torch.equal(torch.rand(1), expected)


def state_kept_stream():
    with torch.random.fork_rng(devices=[]):
        return state()


def test_batch_norm_keeps_its_statistics():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    model = Classifier(Extractor(body, (0, 0, 0), (1, 1, 1), 8), 8, 2).train()
    assert [module.training for module in body] == [True, False, True]
    assert not model.eval().training


def test_training_learns(catalog):
    one = state()
    losses = [float(step.loss) for step in train(one, batches(catalog), 6)]
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])


def test_views_are_what_the_preparation_makes_of_the_files(catalog):
    from ursa.core.decoding import image

    views = [*Views(catalog, PREPARATION)]
    assert len(views) == len(catalog)
    assert np.array_equal(views[5], PREPARATION.view(image.read(catalog.files()[5].read_bytes()).pixels))


def test_a_run_that_nobody_finishes_puts_no_old_state_back(catalog):
    unfinished = train(state_kept_stream(), batches(catalog), 1)
    torch.manual_seed(3)
    next(unfinished)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = torch.rand(1)
    del unfinished
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)
