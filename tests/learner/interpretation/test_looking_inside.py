"""A learner's own maps and figures: shown where they can be believed, refused by name where not."""

import numpy as np
import pytest
import torch
from torch import nn

import ursa
from ursa.diagnose.explain import sanity_check
from ursa.errors import DataError, TrainingError
from ursa.learner.interpretation.looked_at import single_view
from ursa.training.classifier import PictureNetwork


@pytest.fixture(scope="module")
def learner():
    """Of squares somewhere on black, white for 1 and gray for 0; it has hardly learned."""
    random = np.random.default_rng(0)
    x, y = np.zeros((60, 24, 24), np.uint8), np.arange(60) % 2
    for picture, label, (top, left) in zip(x, y, random.integers(16, size=(60, 2)), strict=True):
        picture[top : top + 8, left : left + 8] = 255 if label else 90
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU())
    network = nn.Sequential(network, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    learner = ursa.Learner((x, y), network, names=["gray", "white"], progress=False)
    learner.fit(1)
    return learner


def test_its_figures_can_be_read(learner, monkeypatch):
    monkeypatch.setattr(sanity_check, "LIMIT", 2)  # whether it can be believed is not what is tested here
    for figure in (
        learner.show_grad_cam(count=2),
        learner.show_grad_cam(learner_pictures(), "white"),
        learner.show_filters(),
        learner.show_activations(),
        learner.show_top_activations(3, count=3),
    ):
        assert len(figure.png()) > 2000
    titles = [text.get_text() for text in learner.show_grad_cam(learner_pictures(), "gray").texts]
    assert any(title.startswith(("gray ", "for gray ")) for title in titles)


def learner_pictures():
    x = np.zeros((2, 24, 24), np.uint8)
    x[:, 8:16, 8:16] = 255
    return x


def test_maps_are_of_the_class_and_the_examples_that_are_asked_for(learner):
    found = learner.grad_cam(learner_pictures(), "white", check=False)
    assert found.targets.tolist() == [1, 1]
    assert found.maps.shape == (2, 24, 24)
    np.testing.assert_allclose(found.maps[0], found.maps[1], atol=1e-6)
    assert len(learner.grad_cam(count=3, check=False)) == 3
    same = ursa.grad_cam(learner.model, learner.data.inputs.read(learner_pictures())[0], 1, check=False)
    np.testing.assert_allclose(found.maps, same.maps)


def test_maps_that_do_not_pass_the_sanity_check_are_not_shown(learner, monkeypatch):
    monkeypatch.setattr(sanity_check, "LIMIT", -1)
    with pytest.raises(TrainingError, match=r"do not explain the network[\s\S]*sanity check failed"):
        learner.show_grad_cam(count=2)
    assert not learner.grad_cam(count=2).check.passed  # the numbers stay to be had


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"label": "black"}, "no class 'black'"),
        ({"label": 2}, "no class 2"),
        ({"count": 0}, "1 to 32 pictures"),
        ({"count": 99}, "1 to 32 pictures"),
        ({"layer": "features"}, "no layer 'features'"),
    ],
)
def test_what_cannot_be_is_refused(learner, given, what):
    with pytest.raises((DataError, TrainingError), match=what):
        learner.show_grad_cam(**given)


def test_tables_cannot_be_looked_into():
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    learner = ursa.Learner((x, (x[:, 0] > 0).astype(int)), ursa.models.mlp(5, 2, hidden=(4,)), progress=False)
    with pytest.raises(DataError, match="only networks that take a picture"):
        learner.show_grad_cam()
    with pytest.raises(TrainingError, match="no filters"):
        learner.show_filters()


def test_mirror_images_of_test_time_augmentation_have_no_part_in_a_map():
    network = PictureNetwork(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), 16, views=2
    ).eval()
    pictures = torch.randint(0, 255, (2, 16, 16, 3), dtype=torch.uint8)
    single = single_view(network)
    assert (single.views, network.views) == (1, 2)
    assert single.extractor is network.extractor
    plain = ursa.grad_cam(single, pictures, 0, check=False)
    flipped = ursa.grad_cam(single, pictures.flip(2), 0, check=False)
    assert not np.allclose(plain.maps, flipped.maps)
    assert torch.equal(single(pictures), network.extractor(pictures))
