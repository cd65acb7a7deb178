"""Splitting: what holds for every catalog, whatever its classes, copies and groups."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ursa.data.catalog import Catalog
from ursa.data.split import with_valid
from ursa.errors import DataError


def catalog(rows: list[tuple[str, str | None, str | None, str | None]]) -> Catalog:
    """(label, sha256, group, split) a picture."""
    ids = [f"{i:04}.jpg" for i in range(len(rows))]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(("label", "sha256", "group", "split"))}
    return Catalog.of(Path("pictures"), {"id": ids, "path": ids, **columns})


def plain(**counts: int) -> Catalog:
    """A catalog of so many different pictures of each class."""
    return catalog([(label, f"{label}-{i}", None, None) for label, count in counts.items() for i in range(count)])


few = st.one_of(st.none(), st.integers(0, 7).map(str))
picture = st.tuples(st.sampled_from("abc"), few, few, st.sampled_from([None, "train", "test"]))
catalogs = st.lists(picture, min_size=2, max_size=30).map(catalog)


def split(given_one: Catalog, **options) -> Catalog:
    try:
        return with_valid(given_one, **options)
    except DataError:
        assume(False)
        raise


@given(catalogs, st.integers(0, 5), st.floats(0.05, 0.95))
def test_every_picture_gets_a_split_and_only_training_pictures_move(given_one, seed, share):
    found = split(given_one, seed=seed, share=share)
    assert found.ids == given_one.ids
    assert set(found.rows["split"]) <= {"train", "valid", "test"}
    before, after = given_one.rows["split"].fill_null("train").to_list(), found.rows["split"].to_list()
    assert {(a, b) for a, b in zip(before, after, strict=True) if a != b} == {("train", "valid")}
    assert found.rows.drop("split").equals(given_one.rows.drop("split"))


@given(catalogs, st.integers(0, 5), st.floats(0.05, 0.95))
def test_copies_and_groups_never_straddle(given_one, seed, share):
    """No bytes and no group on both sides of the validation part, nor in it and in the test part."""
    rows = split(given_one, seed=seed, share=share).rows
    for key in ("sha256", "group"):
        here, others = (
            set(rows.filter(side)[key].drop_nulls())
            for side in (pl.col("split") == "valid", pl.col("split") != "valid")
        )
        assert not here & others


@given(catalogs, st.integers(0, 5), st.floats(0.05, 0.95))
def test_every_class_that_could_be_trained_still_can_be(given_one, seed, share):
    found = split(given_one, seed=seed, share=share)
    before = set(given_one.where(pl.col("split").fill_null("train") == "train").rows["label"])
    assert set(found.of_split("train").rows["label"]) == before


@given(catalogs, st.integers(0, 5))
def test_the_same_seed_gives_the_same_split(given_one, seed):
    assert split(given_one, seed=seed).rows.equals(with_valid(given_one, seed=seed).rows)


def test_another_seed_gives_another_split():
    given_one = plain(cat=50, dog=50)
    drawn = {tuple(with_valid(given_one, seed=seed).of_split("valid").ids) for seed in range(10)}
    assert len(drawn) == 10


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), min_size=4, max_size=30), st.integers(0, 5))
def test_the_order_of_the_rows_plays_no_part(rows, seed):
    given_one = catalog([(label, f"{label}-{number}", None, None) for label, number in rows])
    turned = Catalog(given_one.root, given_one.rows.reverse())
    assert split(turned, seed=seed).rows.sort("id").equals(split(given_one, seed=seed).rows.sort("id"))


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(2, 60), min_size=1), st.floats(0.05, 0.9), st.integers(0, 3)
)
def test_each_class_gives_the_share_that_was_asked_for(counts, share, seed):
    found = with_valid(plain(**counts), share=share, seed=seed)
    for label, count in counts.items():
        taken = len(found.of_split("valid").where(pl.col("label") == label))
        assert taken == min(count - 1, max(1, round(share * count)))


@given(st.lists(st.integers(1, 6), min_size=4, max_size=20), st.integers(0, 3))
def test_with_groups_the_share_is_missed_by_less_than_a_group(sizes, seed):
    rows = [("a", f"{g}-{i}", f"g{g}", None) for g, size in enumerate(sizes) for i in range(size)]
    taken = len(with_valid(catalog(rows), share=0.25, seed=seed).of_split("valid"))
    wanted = max(1, round(0.25 * len(rows)))
    assert wanted <= taken < wanted + max(sizes)


def test_a_validation_part_that_is_given_is_kept_as_it_is():
    rows = [("a", "x", None, "valid"), ("a", "x", None, None), ("b", "y", None, "train"), ("b", "z", None, "test")]
    found = with_valid(catalog(rows), share=0.5)
    assert found.rows["split"].to_list() == ["valid", "train", "train", "test"]


def test_a_training_picture_that_is_also_in_the_test_part_stays_where_it_is():
    rows = [("a", "x", None, None), ("a", "x", None, "test"), ("a", "y", None, None), ("a", "z", None, None)]
    for seed in range(10):
        assert with_valid(catalog(rows), seed=seed, share=0.9).rows["split"].to_list()[:2] == ["train", "test"]


def test_a_class_whose_only_picture_is_a_copy_from_another_class_keeps_it_for_training():
    rows = [("a", "same", None, None), ("a", "x", None, None), ("b", "same", None, None), ("b", "same", None, None)]
    for seed in range(10):
        found = with_valid(catalog(rows), seed=seed)
        assert set(found.of_split("train").rows["label"]) == {"a", "b"}


@pytest.mark.parametrize(
    "given_one",
    [
        plain(a=1, b=1),
        catalog([("a", "same", None, None)] * 5),
        catalog([("a", None, "g", None)] * 5),
        catalog([("a", "x", None, "test"), ("b", "y", None, "test")]),
    ],
    ids=["one picture a class", "copies of one picture", "one group", "a test part only"],
)
def test_too_few_pictures_are_refused_with_what_to_add(given_one):
    with pytest.raises(DataError, match="too few pictures") as error:
        with_valid(given_one)
    assert "add pictures" in error.value.fix


def test_a_single_picture_of_one_class_does_not_hinder_the_others():
    found = with_valid(plain(a=10, b=1))
    assert found.rows.filter(pl.col("label") == "b")["split"].to_list() == ["train"]
    assert len(found.of_split("valid")) == 2


def test_fifty_thousand_pictures_are_split_in_a_moment():
    import time

    given_one = plain(**{f"class{i}": 500 for i in range(100)})
    start = time.perf_counter()
    found = with_valid(given_one)
    assert time.perf_counter() - start < 10
    assert len(found.of_split("valid")) == 10_000
    assert np.unique(found.of_split("valid").targets(given_one.labels), return_counts=True)[1].tolist() == [100] * 100
