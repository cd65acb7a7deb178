"""Predictions that average over a picture and its mirror image: in evaluation and export, not while training."""

import numpy as np
import torch

from ursa.core.prepare import Preparation
from ursa.embed.extractor import Extractor
from ursa.embed.pretrained.bodies import of_pixels
from ursa.export.onnx import to_onnx
from ursa.training.classifier import Classifier


def classifier(views):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Classifier(Extractor(*of_pixels()), 960, 3, views)


def pictures(count=3):
    draw = np.random.default_rng(0)
    return torch.from_numpy(draw.integers(0, 256, (count, 64, 64, 3), dtype=np.uint8))


def test_a_picture_and_its_mirror_image_get_the_same_answer():
    model, some = classifier(2).eval(), pictures()
    torch.testing.assert_close(model(some), model(some.flip(2)))
    one = classifier(1).eval()
    assert not torch.allclose(one(some), one(some.flip(2)))
    torch.testing.assert_close(model(some), (one(some) + one(some.flip(2))) / 2)


def test_training_sees_one_view():
    some = pictures()
    assert torch.equal(classifier(2).train()(some), classifier(1).train()(some))


def test_the_exported_model_averages_too():
    import onnxruntime

    model, some = classifier(2).eval(), pictures()
    session = onnxruntime.InferenceSession(to_onnx(model, Preparation(64)))
    (logits,) = session.run(None, {"pictures": some.numpy()})
    np.testing.assert_allclose(logits, model(some).detach().numpy(), atol=1e-4)
