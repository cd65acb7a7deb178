"""A small folder that was trained once, for all tests that only look at the result."""

import importlib
from types import SimpleNamespace

import pytest

from ursa.recipe import Recipe
from ursa.workflow.train import train

PIXELS = {"backbone": "pixels", "precision": "fp32"}


@pytest.fixture(scope="session")
def pixels():
    """Keywords of check and train."""
    return PIXELS


@pytest.fixture
def without_bundle(monkeypatch):
    """`train` writes no bundle, which takes most of the time of a small run: for tests that look at all else."""
    bundle = SimpleNamespace(document={"parity": {"difference": 0.0}}, parts={"weights.safetensors": b""})
    workflow = importlib.import_module("ursa.workflow.train")
    monkeypatch.setattr(workflow, "exported", lambda *_: SimpleNamespace(bundle=bundle))


@pytest.fixture(scope="session")
def trained(tmp_path_factory, picture_folder):
    """(folder, what `train` returned)."""
    place = tmp_path_factory.mktemp("trained")
    folder = picture_folder(place / "pictures", {"red": 16, "green": 16, "blue": 16})
    return folder, train(folder, **PIXELS, recipe=Recipe.of(epochs=1, batch_size=16), out=place / "model.ursa")
