"""Two sets of predictions for the same pictures: their figures are those of scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix

from ursa.core.labels import Labels
from ursa.data.catalog import Catalog
from ursa.diagnose.judged import Judged

NAMES = ("ant", "bee", "cat")


def judged(targets: list[int], after: np.ndarray, before: np.ndarray | None = None) -> Judged:
    ids = [f"{number}.jpg" for number in range(len(targets))]
    catalog = Catalog.of(Path(), {"id": ids, "path": ids, "label": [NAMES[target] for target in targets]})
    return Judged(catalog, Labels(NAMES), after if before is None else before, after, "held out")


def drawn(seed: int, count: int) -> tuple[list[int], np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 3, count).tolist(), random.dirichlet(np.ones(3), count).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_accuracy_and_confusion_are_those_of_scikit_learn(seed, count):
    targets, after = drawn(seed, count)
    result = judged(targets, after)
    predicted = after.argmax(1)
    assert result.accuracy.value == pytest.approx(accuracy_score(targets, predicted))
    assert result.accuracy.low <= result.accuracy.value <= result.accuracy.high
    assert result.confusion.tolist() == confusion_matrix(targets, predicted, labels=[0, 1, 2]).tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 50))
def test_top_losses_are_the_mistakes_alone_the_least_probable_label_first(seed, count, most):
    targets, after = drawn(seed, count)
    found = judged(targets, after).top_losses(most)
    wrong = [row for row in range(count) if after[row].argmax() != targets[row]]
    assert len(found) == min(most, len(wrong))
    rows = [int(id.removesuffix(".jpg")) for id, *_ in found]
    assert set(rows) <= set(wrong) and len(set(rows)) == len(rows)
    losses = [-np.log(after[row, targets[row]]) for row in rows]
    assert losses == sorted(losses, reverse=True)
    for row, (_, label, predicted, probability) in zip(rows, found, strict=True):
        assert (label, predicted) == (NAMES[targets[row]], NAMES[int(after[row].argmax())])
        assert probability == pytest.approx(float(after[row].max()))


def test_the_probe_is_judged_by_its_own_predictions():
    sure, unsure = np.eye(3, dtype=np.float32)[[0, 1, 2]], np.eye(3, dtype=np.float32)[[1, 1, 1]]
    result = judged([0, 1, 2], sure, before=unsure)
    assert (result.probe.value, result.accuracy.value) == (pytest.approx(1 / 3), 1.0)
    assert result.probe.method.startswith("held out") and result.top_losses(9) == []
