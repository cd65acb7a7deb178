"""Near copies by hash and miniature: what is tied, what never is, and that groups are what pairs say."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ursa.core.decoding import image
from ursa.data import near_duplicates as finding
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.data.near_duplicates import (
    enough,
    gradient_correlation,
    mirror,
    near_duplicates,
    similar_hashes,
    with_groups,
)

MANY = finding.FEW + 20  # so that not all are compared with each other


def catalog(pictures: list[np.ndarray]) -> Catalog:
    ids = [f"{i:03}.png" for i in range(len(pictures))]
    columns = {"id": ids, "path": ids, "sha256": ids}
    hashes = [scan.difference_hash(pixels) for pixels in pictures]
    return Catalog.of(Path(), columns | {"phash": hashes, "thumbnail": [scan.thumbnail(p) for p in pictures]})


def changed(pixels: np.ndarray, how: str, encode) -> np.ndarray:
    picture = Image.fromarray(pixels)
    w, h = picture.size
    if how == "jpeg":
        return image.read(encode(picture, "JPEG", quality=35)).pixels
    made = {
        "smaller": lambda: picture.resize((w // 3, h // 3)),
        "larger": lambda: picture.resize((w * 2, h * 2)),
        "mirror": lambda: ImageOps.mirror(picture),
        "darker": lambda: picture.point(lambda level: int(0.8 * level)),
        "crop": lambda: picture.crop((round(0.08 * w), 0, w, round(0.92 * h))),
        "mirrored crop": lambda: ImageOps.mirror(picture).crop((0, round(0.05 * h), round(0.9 * w), round(0.95 * h))),
        "border": lambda: ImageOps.expand(picture, h // 20, "white"),
    }
    return np.asarray(made[how]())


CHANGES = ("jpeg", "smaller", "larger", "mirror", "darker", "crop", "mirrored crop", "border")


@pytest.mark.parametrize("how", CHANGES)
def test_a_changed_picture_is_a_near_copy_and_no_other_is(photo, encode, how):
    pictures = [photo(seed, 160, 120) for seed in range(20)]
    found = near_duplicates(catalog([*pictures, changed(pictures[7], how, encode)]))
    assert found.pairs.tolist() == [[7, 20]]
    assert found.scores[0] > finding.ALIKE
    assert found.groups[7] == found.groups[20]
    assert len(set(found.groups.tolist())) == 20
    assert [rows.tolist() for rows in found.members()] == [[7, 20]]


@pytest.mark.parametrize("how", ["jpeg", "smaller", "mirror", "darker"])
def test_among_many_pictures_hashes_propose_the_pair(photo, encode, how):
    pictures = [photo(seed, 160, 120) for seed in range(MANY)]
    assert near_duplicates(catalog([*pictures, changed(pictures[7], how, encode)])).pairs.tolist() == [[7, MANY]]


def test_a_pair_that_hashes_do_not_propose_can_be_proposed_by_others(photo, encode):
    pictures = [photo(seed, 160, 120) for seed in range(MANY)]
    given_one = catalog([*pictures, changed(pictures[7], "crop", encode)])
    assert len(near_duplicates(given_one).pairs) == 0
    assert near_duplicates(given_one, np.array([[MANY, 7], [3, 4]])).pairs.tolist() == [[7, MANY]]


def test_pictures_of_one_color_are_copies_of_nothing():
    flat = [np.full((40, 40, 3), level, np.uint8) for level in (0, 100, 101, 255)]
    assert len(near_duplicates(catalog(flat)).pairs) == 0


def test_exact_copies_are_grouped_and_compared_once(photo):
    given_one = catalog([photo(1), photo(1), photo(2)]).with_columns(sha256=pl.Series(["x", "x", "y"]))
    found = near_duplicates(given_one)
    assert len(found.pairs) == 0
    assert found.groups[0] == found.groups[1] != found.groups[2]


def test_a_catalog_without_miniatures_has_exact_copies_only():
    ids = [str(i) for i in range(5)]
    found = near_duplicates(Catalog.of(Path(), {"id": ids, "path": ids, "sha256": ["a", "a", None, None, "b"]}))
    assert found.groups[0] == found.groups[1]
    assert len(set(found.groups.tolist())) == 4
    assert near_duplicates(Catalog.of(Path(), {"id": []})).groups.tolist() == []


# --- hashes --------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=30), st.integers(0, 7), st.data())
def test_every_pair_within_the_bits_is_found_and_no_other(hashes, bits, data):
    """As they are and mirrored, against every pair compared; neighbours are planted."""
    for near in data.draw(st.lists(st.sets(st.integers(0, 63), max_size=8), max_size=6)):
        hashes.append(hashes[0] ^ sum(1 << bit for bit in near))
    array = np.array(hashes, np.uint64)
    wanted = {
        (i, j)
        for j in range(len(array))
        for i in range(j)
        if min(int(array[i] ^ other[j]).bit_count() for other in (array, mirror(array))) <= bits
    }
    assert {tuple(pair) for pair in similar_hashes(array, bits).tolist()} == wanted


def test_mirrored_hashes_are_those_of_mirrored_pictures(photo):
    pictures = [photo(seed, 180, 160) for seed in range(20)]
    one = np.array([scan.difference_hash(pixels) for pixels in pictures], np.uint64)
    other = np.array([scan.difference_hash(pixels[:, ::-1]) for pixels in pictures], np.uint64)
    assert np.bitwise_count(mirror(one) ^ other).max() <= 2
    assert np.array_equal(mirror(mirror(one)), one)


def test_a_hash_that_crowds_share_says_nothing_and_costs_nothing():
    assert len(similar_hashes(np.full(20_000, 7, np.uint64))) == 0


# --- scores --------------------------------------------------------------------------------------------------------


def test_agreement_is_the_same_both_ways_and_one_for_the_same_picture(photo):
    small = np.stack([np.frombuffer(scan.thumbnail(photo(seed)), np.uint8).reshape(32, 32) for seed in range(6)])
    pairs = np.array([[0, 0], [0, 1], [1, 0], [2, 3], [3, 2]])
    scores = gradient_correlation(small.astype(np.float32), pairs)
    assert scores[0] == pytest.approx(1, abs=1e-3)
    assert scores[1] == pytest.approx(scores[2], abs=1e-5)
    assert scores[3] == pytest.approx(scores[4], abs=1e-5)
    assert scores[1:].max() < 0.8


def test_where_distinct_pictures_are_alike_more_agreement_is_asked_for():
    apart = np.linspace(0.1, 0.6, 1000, dtype=np.float32)
    assert enough(apart, 1000) == finding.ALIKE
    few, many = (np.concatenate([apart, np.full(n, 0.8, np.float32)]) for n in (100, 3000))
    assert finding.ALIKE <= enough(few, 1000) < enough(many, 1000) < 1


def test_handwritten_digits_are_hardly_tied(tmp_path):
    """They are alike by nature: at the usual threshold hundreds would be tied."""
    pytest.importorskip("sklearn")
    from ursa.core.prepare import Preparation
    from ursa.data.samples import digits
    from ursa.data.sources.folder_source import from_folder

    given_one = from_folder(digits(tmp_path))
    given_one = given_one.where(given_one.rows["label"].is_in(["0", "1", "7"]))
    given_one = scan.with_facts(given_one, [scan.read_file(file, Preparation(32))[0] for file in given_one.files()])
    found = near_duplicates(given_one)
    assert len(found.pairs) < 0.05 * len(given_one)


# --- groups --------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=25))
def test_ties_join_groups_in_chains(rows):
    """Against a search for what can be reached."""
    ids = [str(i) for i in range(len(rows))]
    columns = {"id": ids, "path": ids, "sha256": [str(a) if a < 4 else f"only {i}" for i, (a, _, _) in enumerate(rows)]}
    given_one = Catalog.of(Path(), columns | {"group": [str(b) if b < 3 else None for _, b, _ in rows]})
    groups = np.array([c if c < 4 else 100 + i for i, (_, _, c) in enumerate(rows)])
    keys = given_one.rows.select("sha256", "group").rows()
    found = with_groups(given_one, groups)
    for start in range(len(rows)):
        reached, waiting = {start}, [start]
        while waiting:
            here = waiting.pop()
            for there in set(range(len(rows))) - reached:
                shares = any(a is not None and a == b for a, b in zip(keys[here], keys[there], strict=True))
                if shares or groups[here] == groups[there]:
                    reached.add(there)
                    waiting.append(there)
        assert set(np.flatnonzero(found == found[start]).tolist()) == reached
