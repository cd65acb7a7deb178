"""Near copies by embeddings: proposals are complete, bounded, and the same whatever the block size."""

from pathlib import Path

import numpy as np
import pytest

from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.embed import similar_embeddings
from ursa.embed.similar_embeddings import close, near_duplicate_groups
from ursa.embed.store import Embeddings

N, D = 200, 32


@pytest.fixture
def planted():
    """vectors [N, D] and hashes [N], rows 0 and 1, 2 and 3, ... close by both up to row 20."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N, D)).astype(np.float32) + 5  # a large mean, as features have it
    hashes = rng.integers(0, 2**64, N, dtype=np.uint64)
    vectors[1:20:2] = vectors[0:20:2] + 0.2 * rng.normal(size=(10, D)).astype(np.float32)
    hashes[1:20:2] = hashes[0:20:2] ^ np.uint64(0b1011)
    return vectors, hashes


def pairs(found: np.ndarray) -> set[tuple[int, int]]:
    return {(int(i), int(j)) for i, j in found}


def test_what_is_close_by_both_is_proposed(planted):
    assert {(i, i + 1) for i in range(0, 20, 2)} <= pairs(close(*planted))


def test_close_by_one_of_both_is_not_enough(planted):
    vectors, hashes = planted
    found = pairs(close(vectors, ~hashes[::-1].copy()))
    assert len({(i, i + 1) for i in range(0, 20, 2)} & found) <= 2  # by chance
    rng = np.random.default_rng(1)
    assert not pairs(close(rng.normal(size=(N, 256)).astype(np.float32), np.zeros(N, np.uint64)))


def test_blocks_play_no_part(planted, monkeypatch):
    whole = close(*planted)
    monkeypatch.setattr(similar_embeddings, "BLOCK", 4 * N * 7)
    assert np.array_equal(close(*planted), whole)


def test_a_picture_gets_few_proposals_even_among_many_copies():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N, D)).astype(np.float32)
    vectors[:100] = vectors[0] + 0.01 * rng.normal(size=(100, D)).astype(np.float32)
    found = close(vectors, np.zeros(N, np.uint64))
    assert 0 < len(found) <= similar_embeddings.NEAREST * N


def test_a_crop_is_found_by_its_embedding_and_not_by_its_hash(photo):
    pictures = [photo(seed, 160, 120) for seed in range(60)]
    pictures.append(pictures[5][6:, :148])
    ids = [f"{i:02}.png" for i in range(len(pictures))]
    columns = {"id": ids, "path": ids, "sha256": ids, "phash": [scan.difference_hash(p) for p in pictures]}
    catalog = Catalog.of(Path(), columns | {"thumbnail": [scan.thumbnail(p) for p in pictures]})
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(61, D)).astype(np.float32)
    vectors[60] = vectors[5] + 0.1
    embeddings = Embeddings(tuple(ids), vectors, "made up")
    assert len(near_duplicate_groups(catalog).pairs) == 0
    assert near_duplicate_groups(catalog, embeddings).pairs.tolist() == [[5, 60]]
    some = Embeddings(tuple(ids[:60]), vectors[:60], "made up")  # the crop has none, as what cannot be used
    assert len(near_duplicate_groups(catalog, some).pairs) == 0
