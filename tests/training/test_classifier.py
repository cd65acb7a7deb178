"""A classifier begins as its probe, and a custom network sees pictures as ImageNet's do."""

import numpy as np
import pytest
import torch
from torch import nn

from ursa.embed.extractor import Extractor
from ursa.embed.pretrained.bodies import of_pixels
from ursa.embed.probe import Head
from ursa.training.classifier import IMAGENET_MEAN, IMAGENET_STD, Classifier, PictureNetwork, Standardize

PICTURES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8))


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_classifier_from_a_probe_says_what_the_probe_says(views, classes):
    extractor, draw = Extractor(*of_pixels()), np.random.default_rng(1)
    vectors = extractor(PICTURES).detach().numpy()
    head = Head(
        draw.normal(size=(960, classes)).astype(np.float32),
        draw.normal(size=classes).astype(np.float32),
        vectors.mean(0),
        draw.uniform(0, 2, 960).astype(np.float32),
    )
    model = Classifier.from_probe(extractor, head, views).eval()
    if views == 1:
        np.testing.assert_allclose(model(PICTURES).softmax(1).detach(), head.probabilities(vectors), atol=1e-4)
    else:
        mirrored = extractor(PICTURES.flip(2)).detach().numpy()
        logits = [(v - head.mean) * head.scale @ head.weight + head.bias for v in (vectors, mirrored)]
        np.testing.assert_allclose(model(PICTURES).detach(), (logits[0] + logits[1]) / 2, atol=2e-3)
    assert model.views == views and model.head.out_features == classes


def test_standardizing_is_no_weight_and_new_it_changes_nothing():
    layer, features = Standardize(3), torch.randn(4, 3)
    assert torch.equal(layer(features), features)
    layer.mean.copy_(torch.tensor([1.0, 2, 3]))
    layer.scale.copy_(torch.tensor([1.0, 0, 2]))
    torch.testing.assert_close(layer(features), (features - torch.tensor([1.0, 2, 3])) * torch.tensor([1.0, 0, 2]))
    assert [*layer.parameters()] == [] and set(layer.state_dict()) == {"mean", "scale"}


class Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.norm(self.conv(x)))


def test_in_training_batch_norm_alone_keeps_its_statistics():
    model = Classifier(Extractor(Body(), IMAGENET_MEAN, IMAGENET_STD, 64), features=8, classes=3).train()
    before = model.extractor.body.norm.running_mean.clone()
    model(PICTURES)
    assert torch.equal(model.extractor.body.norm.running_mean, before)
    assert not model.extractor.body.norm.training
    assert model.extractor.body.drop.training and model.head.training and model.training
    assert not model.eval().training and not model.extractor.body.drop.training


def test_a_custom_network_gets_what_torchvisions_own_transforms_give():
    from torchvision.transforms import v2

    theirs = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET_MEAN, IMAGENET_STD)])

    class Seen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return x.flatten(1) * self.weight

    model = PictureNetwork(Seen(), 64).eval()
    expected = theirs(PICTURES.permute(0, 3, 1, 2))
    torch.testing.assert_close(model(PICTURES), expected.flatten(1), atol=1e-5, rtol=1e-5)
    mean = PictureNetwork(Seen(), 64, views=2)
    torch.testing.assert_close(
        mean.eval()(PICTURES), (expected + expected.flip(3)).flatten(1) / 2, atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(mean.train()(PICTURES), expected.flatten(1), atol=1e-5, rtol=1e-5)
