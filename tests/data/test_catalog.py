"""Catalog: a table that does not change, and what can be asked of it."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ursa
from ursa.data.catalog import SCHEMA, Catalog
from ursa.errors import DataError

ROOT = Path("pictures")


def catalog(**columns) -> Catalog:
    size = len(next(iter(columns.values())))
    ids = columns.pop("id", [f"{i}.jpg" for i in range(size)])
    return Catalog.of(ROOT, {"id": ids, "path": ids, **columns})


def test_columns_that_are_not_given_are_null_and_all_have_their_type():
    rows = catalog(label=["a", None]).rows
    assert rows.schema == SCHEMA
    assert rows["split"].to_list() == rows["phash"].to_list() == [None, None]


def test_an_empty_catalog_is_a_catalog():
    empty = Catalog.of(ROOT, {})
    assert len(empty) == 0 and empty.ids == [] and empty.labels.names == () and empty.counts() == {}
    assert empty.duplicate_groups().tolist() == []


def test_an_id_that_occurs_twice_is_refused_by_name():
    with pytest.raises(DataError, match="must occur once") as error:
        catalog(id=["a", "b", "a"])
    assert "'a'" in error.value.found


def test_whatever_changes_a_catalog_returns_a_new_one():
    given_one = catalog(label=["a", "b", "c"], split=["train", "valid", None])
    before = given_one.rows.clone()
    given_one.without(["0.jpg"])
    given_one.where(pl.col("label") == "a")
    given_one.with_columns(label=pl.lit("z"))
    given_one.usable()
    given_one.of_split("train")
    assert given_one.rows.equals(before)
    with pytest.raises(dataclasses.FrozenInstanceError):
        given_one.rows = before


def test_rows_can_be_chosen():
    given_one = catalog(label=["a", "b", "c", None], split=["train", "valid", "test", "train"])
    assert given_one.without(["1.jpg", "not there"]).ids == ["0.jpg", "2.jpg", "3.jpg"]
    assert given_one.of_split("train").ids == ["0.jpg", "3.jpg"]
    assert given_one.of_split("valid", "test").ids == ["1.jpg", "2.jpg"]
    assert given_one.with_columns(label=pl.lit("z")).labels.names == ("z",)


def test_usable_pictures_have_a_label_and_no_problem():
    assert catalog(label=["a", None, "b"], problem=[None, None, "truncated"]).usable().ids == ["0.jpg"]


def test_counts_are_of_usable_pictures_and_name_every_class():
    given_one = catalog(label=["b", "a", "b", "c", None], problem=[None, None, None, "truncated", None])
    assert given_one.counts() == {"a": 1, "b": 2, "c": 0}
    assert list(given_one.counts()) == ["a", "b", "c"]


def test_targets_are_indices_into_the_given_classes():
    given_one = catalog(label=["b", "a", "b"])
    assert given_one.targets().tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="does not know"):
        given_one.targets(catalog(label=["a"]).labels)


def same(numbers: np.ndarray) -> set[frozenset[int]]:
    """Group numbers -> the sets of rows that go together."""
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in numbers}


def test_the_same_bytes_and_the_same_group_go_together_across_each_other():
    given_one = catalog(sha256=["x", "x", "y", "y", None, "z"], group=[None, "g", "g", None, None, None])
    assert same(given_one.duplicate_groups()) == {frozenset({0, 1, 2, 3}), frozenset({4}), frozenset({5})}


def test_a_group_that_is_called_like_an_id_is_still_another():
    assert same(catalog(id=["a", "b"], group=["b", None]).duplicate_groups()) == {frozenset({0}), frozenset({1})}


few = st.one_of(st.none(), st.integers(0, 5).map(str))


@given(st.lists(st.tuples(few, few), min_size=1, max_size=14))
def test_copies_are_the_finest_division_that_keeps_bytes_and_groups_together(rows):
    numbers = catalog(sha256=[sha for sha, _ in rows], group=[group for _, group in rows]).duplicate_groups()
    near = np.eye(len(rows), dtype=bool)
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            near[i, j] |= any(a is not None and a == b for a, b in zip(one, other, strict=True))
    for _ in rows:
        near = near @ near
    assert (near == (numbers[:, None] == numbers)).all()


def test_what_was_written_is_read(tmp_path):
    written = catalog(
        label=["bär", None],
        split=["train", None],
        bytes=[5, 2**40],
        modified=[1_700_000_000_123_456_789, None],
        phash=[2**64 - 1, 0],
        problem=[None, "truncated"],
    )
    written.write(tmp_path / "deep" / "catalog.parquet")
    read = Catalog.read(tmp_path / "deep" / "catalog.parquet", ROOT)
    assert read.rows.equals(written.rows) and read.rows.schema == SCHEMA and read.root == ROOT


def test_reading_anything_else_is_refused(tmp_path):
    path = tmp_path / "catalog.parquet"
    with pytest.raises(DataError, match="cannot read the catalog"):
        Catalog.read(path, ROOT)
    catalog(label=["a"]).write(path)
    whole = path.read_bytes()
    for data in (b"", b"PAR1", b"not a table", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(data)
        with pytest.raises(DataError, match="cannot read the catalog"):
            Catalog.read(path, ROOT)
    pl.DataFrame({"id": ["a"]}).write_parquet(path)
    with pytest.raises(DataError, match="not a catalog of this Ursa"):
        Catalog.read(path, ROOT)


def test_the_file_of_an_id_is_its_own_and_no_other_picture_stands_in_for_an_unknown_one():
    one = catalog(label=["x", "y"])
    assert one.file("1.jpg") == ROOT / one.rows["path"][1]
    for unknown in ("2.jpg", ""):
        with pytest.raises(DataError, match="has this id"):
            one.file(unknown)


def test_the_catalog_of_the_front_door_is_the_one_class_with_its_constructors(picture_folder, tmp_path):
    assert ursa.Catalog is Catalog
    folder = picture_folder(tmp_path / "bears", {"red": 2, "green": 2})
    assert ursa.Catalog.from_folder(folder).counts() == {"green": 2, "red": 2}
    assert list(ursa.Catalog.__dataclass_fields__) == ["root", "rows"]
