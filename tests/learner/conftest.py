"""Catalogs of several labels and of numbers, for all tests of the learner; and they resample less: how wide an interval
is, is held in tests/core and tests/training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ursa.data.sources.constructors import Catalog
from ursa.training.tasks import metrics


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty instead of 500: `evaluate` of a learner takes a second otherwise, most of it scikit-learn's metrics."""
    monkeypatch.setattr(metrics, "BOOTSTRAPS", (30, 30))


LABELS = {"red": "red|warm", "orange": "warm", "blue": "blue"}
WARMTH = {"red": (3.0, 1.0), "orange": (1.0, 2.0), "blue": (-4.0, 3.0)}


def _named(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("[!.]*/*"))


@pytest.fixture(scope="session")
def labels_of() -> Callable[[Path], Catalog]:
    """Pictures in folders red, orange and blue -> with labels in a table, one or two a picture."""

    def catalog(folder: Path) -> Catalog:
        files = _named(folder)
        table = pl.DataFrame({"file": files, "label": [LABELS[file.split("/")[0]] for file in files]})
        return Catalog.from_table(table, root=folder, separator="|")

    return catalog


@pytest.fixture(scope="session")
def numbers_of() -> Callable[..., Catalog]:
    """Pictures in folders red, orange and blue -> with two numbers each."""

    def catalog(folder: Path, scale: float = 1.0, shift: float = 0.0) -> Catalog:
        files = _named(folder)
        warm, size = (np.array([WARMTH[file.split("/")[0]] for file in files]) * scale + shift).T
        return Catalog.from_table(pl.DataFrame({"file": files, "w": warm, "s": size}), root=folder, label=["w", "s"])

    return catalog
