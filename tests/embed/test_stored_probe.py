"""A fitted probe is read again as it was, and fitted again where it does not fit what is asked."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from ursa.data.scanning import scanned
from ursa.data.sources.folder_source import from_folder
from ursa.embed import probe, stored_probe
from ursa.embed.store import Embeddings
from ursa.embed.stored_probe import ProbeInputs
from ursa.workspace import Workspace


@pytest.fixture
def asked(tmp_path):
    """What a probe depends on, but seed and folds; and the workspace."""
    rng = np.random.default_rng(0)
    for number in range(40):
        folder = tmp_path / "pictures" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    catalog = scanned(from_folder(tmp_path / "pictures")).usable()
    vectors = rng.normal(size=(40, 6)).astype(np.float32)
    vectors[:, 0] += 2 * (catalog.rows["label"] == "a").to_numpy()
    return catalog, catalog.labels, Embeddings(tuple(catalog.ids), vectors, "known"), Workspace.open(tmp_path, None)


def fitted_probe(catalog, labels, embeddings, space, **how):
    return stored_probe.fitted_probe(ProbeInputs.of(catalog, labels, embeddings, **how), space)


@pytest.fixture
def fits(monkeypatch):
    """Counts how often a probe is fitted."""
    seen, fit = [], probe.fit
    monkeypatch.setattr(probe, "fit", lambda *given, **named: seen.append(1) or fit(*given, **named))
    return seen


def same(one, other):
    arrays = ("probabilities", "folds")
    heads = ("weight", "bias", "mean", "scale")
    return (
        (one.strength, one.shrinkage, one.stacking) == (other.strength, other.shrinkage, other.stacking)
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
        and all(np.array_equal(getattr(one.head, name), getattr(other.head, name)) for name in heads)
    )


def test_what_was_fitted_is_read_and_not_fitted_again(asked, fits):
    one = fitted_probe(*asked, seed=0, folds=5)
    assert same(one, fitted_probe(*asked, seed=0, folds=5))
    assert len(fits) == 1


def test_other_questions_and_earlier_versions_are_fitted_again(asked, fits, monkeypatch):
    fitted_probe(*asked, seed=0, folds=5)
    fitted_probe(*asked, seed=1, folds=5)
    fitted_probe(*asked, seed=0, folds=4)
    assert len(fits) == 3
    catalog, labels, embeddings, space = asked
    swapped = catalog.rows.with_columns(pl.col("label").replace({"a": "b", "b": "a"}))
    fitted_probe(replace(catalog, rows=swapped), labels, embeddings, space, seed=0, folds=5)
    assert len(fits) == 4
    monkeypatch.setattr(stored_probe, "VERSION", stored_probe.VERSION + 1)
    fitted_probe(*asked, seed=0, folds=5)
    assert len(fits) == 5


def test_a_file_of_other_tensors_is_fitted_again(asked, fits):
    from safetensors.numpy import save

    from ursa import workspace

    fitted_probe(*asked, seed=0, folds=5)
    (path,) = asked[3].root.rglob("*.safetensors")
    workspace.write_sealed(path, save({"strength": np.array([0.03])}))  # as an earlier version wrote them
    fitted_probe(*asked, seed=0, folds=5)
    assert len(fits) == 2


def test_other_divisions_into_folds_are_kept_with_the_first_and_computed_once(asked, monkeypatch):
    catalog, labels, embeddings, space = asked
    inputs = ProbeInputs.of(catalog, labels, embeddings, seed=0, folds=5)
    fitted = stored_probe.fitted_probe(inputs, space)
    seen, fold_repeats = [], probe.fold_repeats
    monkeypatch.setattr(probe, "fold_repeats", lambda *given, **named: seen.append(1) or fold_repeats(*given, **named))
    first = stored_probe.repeated_probabilities(inputs, fitted, space)
    assert np.array_equal(first[0], fitted.probabilities)
    assert len(first) == stored_probe.REPEATS
    again = stored_probe.repeated_probabilities(inputs, fitted, space)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert len(seen) == 1
    (path,) = (space.root / "fold_repeats").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    stored_probe.repeated_probabilities(inputs, fitted, space)
    assert len(seen) == 2


def test_no_repeat_judges_a_picture_by_its_copies():
    """Labels are chance, each picture is there twice: who had seen the other copy would know."""
    draw = np.random.default_rng(0)
    vectors, labels = (
        np.repeat(draw.normal(size=(60, 80)), 2, axis=0).astype(np.float32),
        np.repeat(draw.integers(0, 2, 60), 2),
    )
    groups = np.repeat(np.arange(60), 2)
    fitted = probe.fit(vectors, labels, 2, groups=groups)
    one, other = probe.fold_repeats(fitted, vectors, labels, groups=groups, seed=0, folds=5, repeats=2)
    assert not np.array_equal(one, other)
    for some in (one, other):
        assert some.sum(1) == pytest.approx(np.ones(120), abs=1e-5)
        assert (some.argmax(1) == labels).mean() < 0.75


def test_pictures_without_a_label_are_part_of_what_it_depends_on(asked, fits):
    rest = np.random.default_rng(1).normal(size=(60, 6)).astype(np.float32)
    one = fitted_probe(*asked, seed=0, folds=5, unlabeled=rest)
    assert same(one, again := fitted_probe(*asked, seed=0, folds=5, unlabeled=rest)) and len(fits) == 1
    assert again.unlabeled == one.unlabeled > 0
    assert fitted_probe(*asked, seed=0, folds=5).unlabeled == 0 and len(fits) == 2
    fitted_probe(*asked, seed=0, folds=5, unlabeled=rest + 1)
    assert len(fits) == 3
