"""The worst mistakes with maps of the wrong class; none where such maps cannot be believed, and why."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.data.sources.folder_source import from_folder
from ursa.diagnose.explain import sanity_check
from ursa.diagnose.judged import Judged
from ursa.embed.backbone import Backbone
from ursa.training.classifier import Classifier
from ursa.workflow.training_run.top_loss_maps import top_loss_maps

SIZE = Preparation(64)


@pytest.fixture
def judged(tmp_path, picture_folder):
    """Six pictures, of which 1, 3 and 4 are taken for another class, 4 with the highest loss."""
    catalog = from_folder(picture_folder(tmp_path, {"blue": 3, "red": 3}))
    sure = np.array([0.9, 0.3, 0.8, 0.2, 0.1, 0.7], np.float32)  # of the given class
    after = np.stack([np.where([1, 1, 1, 0, 0, 0], sure, 1 - sure), np.where([1, 1, 1, 0, 0, 0], 1 - sure, sure)], 1)
    return Judged(catalog, Labels(("blue", "red")), after, after, "held out")


def network(name):
    torch.manual_seed(0)
    return Classifier(Backbone(name).load(), 256 if name == "small_cnn" else 960, 2).eval()


def test_the_worst_mistakes_get_maps_of_what_they_were_taken_for(judged, monkeypatch):
    monkeypatch.setattr(sanity_check, "MAPS", 2)
    monkeypatch.setattr(sanity_check, "LIMIT", 2)
    found = top_loss_maps(network("small_cnn"), judged, SIZE, 2)
    assert list(found.overlays) == [judged.catalog.ids[4], judged.catalog.ids[3]]
    assert {one.shape for one in found.overlays.values()} == {(64, 64, 3)}
    assert {one.dtype for one in found.overlays.values()} == {np.dtype(np.uint8)}
    assert "destroyed by random weights" in found.note


def test_where_there_is_nothing_to_show_the_note_says_why(judged, monkeypatch):
    monkeypatch.setattr(sanity_check, "MAPS", 1)
    monkeypatch.setattr(sanity_check, "LIMIT", -1)
    failed = top_loss_maps(network("small_cnn"), judged, SIZE, 1)
    assert not failed.overlays
    assert "sanity check failed" in failed.note
    assert not failed.check.passed
    flat = top_loss_maps(network("pixels"), judged, SIZE, 1)
    assert not flat.overlays
    assert "no layer" in flat.note
    right = np.array([[1, 0]] * 3 + [[0, 1]] * 3, np.float32)
    assert "no mistakes" in top_loss_maps(network("small_cnn"), replace(judged, after=right), SIZE).note
