"""What `check` and `train` say of one probe is reconciled in one sentence: by chance, or more than that."""

import json

import numpy as np
import pytest
from scipy import stats

import ursa
from ursa.core import statistics
from ursa.core.labels import Labels
from ursa.data.catalog import Catalog
from ursa.diagnose.judged import Judged
from ursa.embed.probe import Probe
from ursa.prepared.splitting import Parts
from ursa.recipe import Recipe
from ursa.workflow.training_run import agreement as agreements


@pytest.mark.parametrize("counts", [(19, 24, 91, 96), (0, 5, 5, 5), (7, 7, 3, 9), (50, 400, 70, 300), (1, 1, 0, 1)])
def test_the_p_value_is_that_of_scipy(counts):
    hits, total, others, of = counts
    table = [[hits, total - hits], [others, of - others]]
    assert statistics.fisher_exact(*counts) == pytest.approx(stats.fisher_exact(table).pvalue)


def said(monkeypatch, learned, held, by_check=None):
    """learned, held: (right, of) of the pictures learned from, cross-validated, and of the validation pictures."""
    monkeypatch.setattr(agreements, "_by_check", lambda *_: by_check)

    def part(right, of):
        ids = [f"{number}" for number in range(of)]
        return Catalog.of(".", {"id": ids, "path": ids, "label": ["a"] * of}), np.eye(2)[
            [0] * right + [1] * (of - right)
        ]

    (learn, known), (valid, before) = part(*learned), part(*held)
    labels, empty = Labels(("a", "b")), learn.without(learn.ids)
    parts = Parts(labels, learn, empty, valid, empty)
    probe = Probe(
        head=None,
        strength=1.0,
        shrinkage=0.1,
        stacking=(1.0, 0.0),
        probabilities=known,
        folds=np.zeros(len(known), np.int64),
    )
    return agreements.agreement(probe, parts, Judged(valid, labels, before, before, ""), None, Recipe())


def test_figures_that_differ_as_small_parts_do_agree(monkeypatch):
    found = said(monkeypatch, (88, 96), (20, 24))
    assert found.kind == "held-out-agrees" and found.numbers["p_value"] > 0.05
    assert "the 96 pictures that it learned from, the probe gets 91.7 % (84.4 to " in found.evidence
    assert "it gets 83.3 % (64.1 to 93.3) of these 24 validation pictures: the two" in found.evidence


@pytest.mark.parametrize(("right", "word"), [(40, "harder"), (100, "easier")])
def test_figures_that_differ_by_more_say_which_way(monkeypatch, right, word):
    found = said(monkeypatch, (170, 200), (right, 100))
    assert found.kind == "held-out-differs" and found.numbers["p_value"] < 0.05
    assert found.evidence.endswith(f"these are {word}.")
    assert "the figure over more pictures is the better one" in found.advice


@pytest.mark.usefixtures("without_bundle")
def test_the_figure_of_check_is_named_where_it_is_known(trained, pixels, tmp_path):
    """After `ursa check` on the same pictures its own accuracy, to the digit; in terminal, JSON and report."""
    folder, before = trained
    result = ursa.train(folder, **pixels, workspace=tmp_path / "a", recipe=Recipe.of(epochs=0), out=tmp_path / "a.ursa")
    assert "Cross-validated over the" in result.agreement.evidence
    checked = ursa.check(folder, **pixels, workspace=tmp_path / "b")
    result = ursa.train(folder, **pixels, workspace=tmp_path / "b", recipe=Recipe.of(epochs=0), out=tmp_path / "b.ursa")
    share = f"{checked.accuracy}, cross-validated over 48 pictures"
    assert f"`ursa check` gives the probe {share}" in result.agreement.evidence
    assert json.loads(json.dumps(result.to_json()))["agreement"]["evidence"] == result.agreement.evidence
    assert share in result.report.read_text()
    assert before.agreement.kind.startswith("held-out-")
