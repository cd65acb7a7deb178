"""A small folder that was trained once, for all tests that only look at the result."""

import pytest

from ursa.recipe import Recipe
from ursa.workflow.train import train

PIXELS = {"backbone": "pixels", "precision": "fp32"}


@pytest.fixture(scope="session")
def pixels():
    """Keywords of check and train."""
    return PIXELS


@pytest.fixture(scope="session")
def trained(tmp_path_factory, picture_folder):
    """(folder, what `train` returned)."""
    place = tmp_path_factory.mktemp("trained")
    folder = picture_folder(place / "pictures", {"red": 16, "green": 16, "blue": 16})
    return folder, train(folder, **PIXELS, recipe=Recipe.of(epochs=1, batch_size=16), out=place / "model.ursa")
