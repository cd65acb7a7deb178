"""Bundles of earlier formats, kept as they were written, open and answer as they did."""

from pathlib import Path

import numpy as np
import pytest

from ursa.core.bundles import bundle
from ursa.serve.predictor import Predictor

KEPT = Path(__file__).parent / "kept_bundles"


def red(size):
    return np.full((size, size, 3), (255, 0, 0), np.uint8)


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.ursa")), ids=lambda path: path.stem)
def test_a_bundle_of_an_earlier_format_answers_as_it_did(path):
    predictor = Predictor(path)
    assert f"format-{predictor.bundle.document['format']}" == path.stem
    (said,) = predictor.predictions([red(predictor.bundle.preparation.size)])
    assert said.label == "red"
    assert said.probabilities["red"] == pytest.approx(np.exp(12) / (np.exp(12) + 2), abs=1e-6)
    assert predictor.bundle.task == "single-label"
    assert predictor.bundle.examples == ()


def test_every_format_is_kept():
    kept = {int(path.stem.removeprefix("format-")) for path in KEPT.glob("*.ursa")}
    assert kept >= set(range(1, bundle.FORMAT))
