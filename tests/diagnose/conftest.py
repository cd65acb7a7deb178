"""Curves whose law is known, and embeddings whose classes overlap as much as wanted."""

import numpy as np
import pytest

from ursa.diagnose.more_data.learning_curve import LearningCurve


@pytest.fixture
def curve_of():
    """error(n) -> a curve of pictures that are wrong with that probability, the hard ones at every size."""

    def make(error, *, pictures=1000, sizes=None, classes=2, seed=0, shuffles=4):
        sizes = np.geomspace(25, 800, 8) * pictures / 1000 if sizes is None else np.asarray(sizes, float)
        draw = np.random.default_rng(seed)
        hard = draw.random(pictures)  # one number a picture: mistakes at one size go with those at another
        noise = draw.random((len(sizes), shuffles, pictures))
        threshold = np.array([error(size) for size in sizes])[:, None, None]
        wrong = np.where(noise < 0.3, draw.random(noise.shape), hard) < threshold
        targets = np.arange(pictures) % classes
        return LearningCurve(sizes, ~wrong, np.zeros(len(sizes)), targets, np.arange(pictures))

    return make


@pytest.fixture
def clouds():
    """-> vectors [N, D], targets [N]: normal clouds, nearer to each other the smaller `apart`."""

    def make(counts=(60, 60), *, apart=2.0, features=24, seed=0):
        draw = np.random.default_rng(seed)
        targets = np.repeat(np.arange(len(counts)), counts)
        centers = draw.normal(size=(len(counts), features))
        centers *= apart / np.linalg.norm(centers, axis=1, keepdims=True)
        return (centers[targets] + draw.normal(size=(len(targets), features))).astype(np.float32), targets

    return make
