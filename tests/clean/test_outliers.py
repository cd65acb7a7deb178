"""Pictures unlike all others: found whatever their label, not hidden by copies, and few in sets that are wide."""

import numpy as np
import pytest

from ursa.clean.outliers import FEWEST, SEEN, distances, outliers
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings

WIDTH = 64


def pictures(count, seed=0, classes=2, spread=1.0):
    """[count, WIDTH] features above 0, of some classes, as pooled maps are."""
    draw = np.random.default_rng(seed)
    centers = draw.gamma(1.0, 1.0, (classes, WIDTH))
    return (centers[np.arange(count) % classes] + spread * draw.gamma(1.0, 0.3, (count, WIDTH))).astype(np.float32)


def found(vectors, sha256=None):
    ids = [f"{row % 2}/{row:04}.jpg" for row in range(len(vectors))]
    bytes_ = [f"{row:064x}" for row in range(len(vectors))] if sha256 is None else sha256
    catalog = Catalog.of(".", {"id": ids, "path": ids, "label": [id[0] for id in ids], "sha256": bytes_})
    return [int(id[2:6]) for finding in outliers(catalog, Embeddings(tuple(ids), vectors, "")) for id in finding.where]


def foreign(count, seed=9):
    return pictures(count, seed, classes=1)


def test_foreign_pictures_come_first_though_they_are_alike():
    vectors = pictures(400)
    assert len(found(vectors)) <= 4
    assert sorted(found(np.concatenate([vectors, foreign(6)]))[:6]) == list(range(400, 406))


def test_copies_of_a_foreign_picture_do_not_hide_each_other():
    copies = np.repeat(foreign(1), 30, axis=0)
    names = [f"{row:064x}" for row in range(400)] + ["f" * 64] * 30
    far, _ = distances(np.concatenate([pictures(400), copies]), np.r_[np.arange(400), np.full(30, 400)])
    assert far[400:].min() > far[:400].max()
    assert set(found(np.concatenate([pictures(400), copies]), names)) >= set(range(400, 430))


def test_a_set_of_wide_classes_is_no_heap_of_outliers():
    for classes in (2, 10, 60):
        assert len(found(pictures(600, classes=classes, spread=3.0))) <= 6


def test_how_rich_a_picture_is_does_not_count_and_neither_does_the_order():
    vectors = np.concatenate([pictures(300), foreign(3)])
    brighter = vectors * np.random.default_rng(1).uniform(0.5, 2, (303, 1)).astype(np.float32)
    assert found(brighter) == found(vectors)
    order = np.random.default_rng(2).permutation(303)
    assert sorted(order[found(vectors[order])].tolist()) == sorted(found(vectors))


def test_more_than_are_compared_are_all_judged():
    vectors = np.concatenate([pictures(SEEN + 500), foreign(5)])
    assert set(found(vectors)) >= set(range(SEEN + 500, SEEN + 505))


def test_of_the_nearest_none_is_a_copy_and_all_are_near():
    vectors, groups = pictures(200), np.arange(200) // 2
    vectors[1::2] = vectors[::2]
    _, nearest = distances(vectors, groups)
    assert (groups[nearest] != groups[:, None]).all()
    assert (nearest % 2 == 0).mean() == 1  # one of each group stands for it


@pytest.mark.parametrize("count", [1, 2, FEWEST - 1])
def test_of_few_pictures_nothing_is_said(count):
    assert found(np.concatenate([pictures(count - 1), foreign(1)])) == []
    assert found(np.concatenate([pictures(FEWEST - 1), foreign(1)])) == [FEWEST - 1]
    assert outliers(Catalog.of(".", {"id": [], "path": []}), Embeddings((), np.zeros((0, 1), np.float32), "")) == []


def test_pictures_without_features_are_not_judged():
    vectors = np.zeros((100, WIDTH), np.float32)
    assert found(vectors) == []


def test_a_blank_picture_is_named_for_that_alone():
    vectors = np.concatenate([pictures(100), foreign(1), foreign(1, seed=11)])
    ids = [str(row) for row in range(102)]
    levels = [*np.random.default_rng(3).integers(0, 256, (101, 1024)), np.full(1024, 7)]
    thumbnails = [some.astype(np.uint8).tobytes() for some in levels]
    catalog = Catalog.of(".", {"id": ids, "path": ids, "sha256": ids, "thumbnail": thumbnails, "phash": range(102)})
    named = {id for finding in outliers(catalog, Embeddings(tuple(ids), vectors, "")) for id in finding.where}
    assert "100" in named and "101" not in named
