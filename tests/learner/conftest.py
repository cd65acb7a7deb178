"""Tests of the learner resample less: how wide an interval is, is held in tests/core and tests/training."""

import pytest

from ursa.training.tasks import metrics


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty instead of 500: `evaluate` of a learner takes a second otherwise, most of it scikit-learn's metrics."""
    monkeypatch.setattr(metrics, "BOOTSTRAPS", (30, 30))
