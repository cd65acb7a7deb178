"""Splitting: what holds for every catalog, whatever its classes, copies and groups."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, settings
from hypothesis import given as given_examples
from hypothesis import strategies as st

from ursa.data.catalog import Catalog
from ursa.data.saved_splits import load_splits, save_splits
from ursa.data.split import folds, poor_split, split, with_fold
from ursa.errors import DataError


def given(*strategies):
    """Fewer examples than usual, which find as much here, and no deadline: other work may slow the machine down."""
    return lambda test: settings(deadline=None, max_examples=50)(given_examples(*strategies)(test))


def catalog(rows: list[tuple[str, str | None, str | None, str | None]]) -> Catalog:
    """(label, sha256, group, split) a picture."""
    ids = [f"{i:04}.jpg" for i in range(len(rows))]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(("label", "sha256", "group", "split"))}
    return Catalog.of(Path("pictures"), {"id": ids, "path": ids, **columns})


def plain(**counts: int) -> Catalog:
    """A catalog of so many different pictures of each class."""
    return catalog([(label, f"{label}-{i}", None, None) for label, count in counts.items() for i in range(count)])


def with_valid(given_one: Catalog, *, share: float = 0.2, seed: int = 0) -> Catalog:
    return split(given_one, valid=share, seed=seed)


few = st.one_of(st.none(), st.integers(0, 7).map(str))
picture = st.tuples(st.sampled_from("abc"), few, few, st.sampled_from([None, "train", "test"]))
catalogs = st.lists(picture, min_size=2, max_size=30).map(catalog)


def valid_of(given_one: Catalog, **options) -> Catalog:
    try:
        return with_valid(given_one, **options)
    except DataError:
        assume(False)
        raise


@given(catalogs, st.integers(0, 5), st.floats(0.05, 0.95))
def test_every_picture_gets_a_split_and_only_training_pictures_move(given_one, seed, share):
    found = valid_of(given_one, seed=seed, share=share)
    assert found.ids == given_one.ids
    assert set(found.rows["split"]) <= {"train", "valid", "test"}
    before, after = given_one.rows["split"].fill_null("train").to_list(), found.rows["split"].to_list()
    moved = {(a, b) for a, b in zip(before, after, strict=True) if a != b}
    assert ("train", "valid") in moved and moved <= {("train", "valid"), ("train", "test")}
    assert found.rows.drop("split").equals(given_one.rows.drop("split"))


@given(catalogs, st.integers(0, 5), st.floats(0.05, 0.95))
def test_copies_and_groups_never_straddle(given_one, seed, share):
    """No bytes and no group on both sides of the validation part, nor in it and in the test part."""
    rows = valid_of(given_one, seed=seed, share=share).rows
    for key in ("sha256", "group"):
        here, others = (
            set(rows.filter(side)[key].drop_nulls())
            for side in (pl.col("split") == "valid", pl.col("split") != "valid")
        )
        assert not here & others


@given(catalogs, st.integers(0, 5), st.floats(0.05, 0.95))
def test_every_class_that_could_be_trained_still_can_be(given_one, seed, share):
    found = valid_of(given_one, seed=seed, share=share)
    tested = set(given_one.duplicate_groups()[(given_one.rows["split"] == "test").fill_null(False).to_numpy()])
    # A picture that nobody placed joins its copy.
    bound = pl.Series([group in tested for group in given_one.duplicate_groups()])
    before = set(given_one.rows.filter((pl.col("split") == "train") | (pl.col("split").is_null() & ~bound))["label"])
    assert set(found.of_split("train").rows["label"]) == before


@given(catalogs, st.integers(0, 5))
def test_the_same_seed_gives_the_same_split(given_one, seed):
    assert valid_of(given_one, seed=seed).rows.equals(with_valid(given_one, seed=seed).rows)


def test_another_seed_gives_another_split():
    given_one = plain(cat=50, dog=50)
    drawn = {tuple(with_valid(given_one, seed=seed).of_split("valid").ids) for seed in range(10)}
    assert len(drawn) == 10


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6)), min_size=4, max_size=30), st.integers(0, 5))
def test_the_order_of_the_rows_plays_no_part(rows, seed):
    given_one = catalog([(label, f"{label}-{number}", None, None) for label, number in rows])
    turned = Catalog(given_one.root, given_one.rows.reverse())
    assert valid_of(turned, seed=seed).rows.sort("id").equals(valid_of(given_one, seed=seed).rows.sort("id"))


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
    assert found.rows["split"].to_list() == ["valid", "valid", "train", "test"]


@pytest.mark.parametrize(("given_one", "found"), [("train", "train"), (None, "test")])
def test_a_copy_of_a_test_picture_joins_it_unless_someone_put_it_elsewhere(given_one, found):
    rows = [("a", "x", None, given_one), ("a", "x", None, "test"), ("a", "y", None, None), ("a", "z", None, None)]
    for seed in range(10):
        assert with_valid(catalog(rows), seed=seed, share=0.9).rows["split"].to_list()[:2] == [found, "test"]


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


# --- three parts, remembered ---------------------------------------------------------------------------------------

SHARES = {"valid": 0.2, "test": 0.2, "train_dev": 0.1}


def tried(given_one: Catalog, **options) -> Catalog:
    try:
        return split(given_one, **options)
    except DataError:
        assume(False)
        raise


def parts(found: Catalog) -> dict[str, str]:
    """id -> part."""
    return dict(zip(found.ids, found.rows["split"], strict=True))


def by_bytes(found: Catalog) -> dict[str, str]:
    """sha256 -> part, of a catalog in which no bytes lie in two parts."""
    return dict(zip(found.rows["sha256"], found.rows["split"], strict=True))


unplaced = st.tuples(st.sampled_from("abc"), st.integers(0, 40).map(str), few, st.none())
unplaced_catalogs = st.lists(unplaced, min_size=12, max_size=60).map(catalog)


@given(unplaced_catalogs, st.integers(0, 3), st.sets(st.integers(0, 59)))
def test_every_usable_picture_is_in_one_part_and_the_others_are_left_alone(given_one, seed, broken):
    problems = ["broken" if row in broken else None for row in range(len(given_one))]
    found = tried(given_one.with_columns(problem=pl.Series(problems, dtype=pl.String)), seed=seed, **SHARES)
    for part, problem in zip(found.rows["split"], problems, strict=True):
        assert (part is None) == (problem is not None)
        assert part in (None, "train", "train-dev", "valid", "test")
    assert {"train", "train-dev", "valid", "test"} <= set(found.rows["split"])


@given(unplaced_catalogs, st.lists(st.integers(0, 12), min_size=60, max_size=60), st.integers(0, 3))
def test_no_tie_straddles_in_chains_either(given_one, numbers, seed):
    """Ties of copies, of groups and of the numbers that are passed, all together."""
    groups = np.array([n if n < 6 else 100 + row for row, n in enumerate(numbers)])[: len(given_one)]
    found = parts(tried(given_one, seed=seed, valid=0.2, test=0.2, groups=groups))
    rows = given_one.rows.with_columns(tie=pl.Series(groups), part=pl.Series(list(found.values())))
    for key in ("sha256", "group", "tie"):
        assert (rows.drop_nulls(key).group_by(key).agg(pl.col("part").n_unique())["part"] == 1).all()  # or all null


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(10, 60), min_size=1), st.integers(0, 3))
def test_each_class_has_its_share_in_each_part(counts, seed):
    rows = split(plain(**counts), seed=seed, **SHARES).rows
    for label, count in counts.items():
        for part, share in (("valid", 0.2), ("test", 0.2), ("train-dev", 0.1)):
            assert len(rows.filter(label=label, split=part)) == max(1, round(share * count))


@given(unplaced_catalogs, unplaced_catalogs, st.integers(0, 2), st.data())
def test_what_was_drawn_stays_when_pictures_come_go_are_renamed_and_shuffled(old, more, seed, data):
    first = tried(old, seed=seed, valid=0.2, test=0.2)
    before = by_bytes(first)
    kept = data.draw(st.permutations(range(len(old))))[: max(1, len(old) // 2)]
    columns = ("label", "sha256", "group")
    rows = old.rows.select(columns).rows()
    grown = catalog([(*rows[i], None) for i in kept] + [(*row, None) for row in more.rows.select(columns).rows()])
    found = tried(grown, seed=seed, valid=0.2, test=0.2, before=before)
    assert all(part == before.get(key, part) for key, part in by_bytes(found).items())


@given(unplaced_catalogs, st.integers(0, 2))
def test_another_folder_with_the_same_pictures_is_split_alike(given_one, seed):
    renamed = given_one.with_columns(id="elsewhere/" + pl.col("id").str.reverse(), path=pl.lit("x"))
    turned = Catalog(Path("other"), renamed.rows.sample(fraction=1, shuffle=True, seed=1))
    assert by_bytes(tried(turned, seed=seed)) == by_bytes(split(given_one, seed=seed))


def test_new_pictures_fill_the_shares_up():
    first = split(plain(a=50, b=50), valid=0.2, test=0.2)
    found = split(plain(a=80, b=100), valid=0.2, test=0.2, before=by_bytes(first))
    counts = found.rows.group_by("label", "split").len().sort("label", "split")["len"].to_list()
    assert counts == [16, 48, 16, 20, 60, 20]  # a: test, train, valid; b


def test_a_near_copy_of_an_old_picture_joins_its_part():
    first = split(plain(a=20), valid=0.2, test=0.2)
    before = by_bytes(first)
    for old, part in before.items():
        grown = catalog([("a", old, None, None) for old in before] + [("a", "new", None, None)])
        groups = np.array([7 if key in (old, "new") else 100 + i for i, key in enumerate(grown.rows["sha256"])])
        assert by_bytes(split(grown, valid=0.2, test=0.2, before=before, groups=groups))["new"] == part


def test_a_test_part_asked_for_later_is_drawn_from_training_and_stays_when_no_longer_asked_for():
    first = by_bytes(split(plain(a=50), valid=0.2))
    second = by_bytes(split(plain(a=50), valid=0.2, test=0.2, before=first))
    assert {(first[key], second[key]) for key in first if first[key] != second[key]} == {("train", "test")}
    assert by_bytes(split(plain(a=50), valid=0.2, before=second)) == second


def test_parts_that_are_given_are_kept_whatever_is_remembered():
    rows = [("a", str(i), None, "test" if i < 5 else None) for i in range(30)]
    found = split(catalog(rows), valid=0.2, test=0.5, before={"20": "test", "21": "valid"})
    assert (found.rows["split"] == "test").to_list() == [i < 5 for i in range(30)]
    assert found.rows["split"][21] == "valid"


def test_remembering_survives_and_keeps_seeds_and_vanished_pictures_apart(tmp_path):
    path = tmp_path / "splits.parquet"
    assert load_splits(path, 0) == {}
    first = split(plain(a=20))
    save_splits(path, first, 0)
    save_splits(path, split(plain(a=20), seed=1), 1)
    save_splits(path, split(plain(a=10), before=load_splits(path, 0)), 0)
    assert load_splits(path, 0) == by_bytes(first) != load_splits(path, 1)
    path.write_bytes(b"torn")
    with pytest.raises(DataError, match="cannot read which pictures were put aside"):
        load_splits(path, 0)


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"valid": 0.5, "test": 0.5}, "leave nothing to train on"),
        ({"valid": -0.1}, "leave nothing to train on"),
        ({"by": "times"}, "did you mean 'time'"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares, said):
    with pytest.raises(DataError) as error:
        split(plain(a=10), **shares)
    assert said in str(error.value)


def test_a_part_that_would_be_empty_is_refused_with_the_counts():
    groups = catalog([("a", str(i), "one" if i else "other", None) for i in range(10)])
    with pytest.raises(DataError) as error:
        split(groups, valid=0.2, test=0.2)
    assert error.value.what == "too few pictures to set some aside for validation"
    assert error.value.found.startswith("10 pictures in 1 class, 2 when copies and groups count as one")


# --- several labels, numbers, time ---------------------------------------------------------------------------------


@given(st.lists(st.sets(st.sampled_from("abcd")), min_size=60, max_size=120), st.integers(0, 2))
def test_several_labels_are_stratified_each(labels, seed):
    ids = [str(i) for i in range(len(labels))]
    columns = {"id": ids, "path": ids, "sha256": ids, "label": [sorted(some) for some in labels]}
    given_one = Catalog.of(Path(), columns)
    assume(given_one.task == "multi-label")
    found = split(given_one, valid=0.25, seed=seed)
    for name in given_one.labels.names:
        every, here = (sum(name in some for some in one.rows["label"]) for one in (given_one, found.of_split("valid")))
        assert abs(here - 0.25 * every) <= max(3, 0.1 * every)


def test_numbers_are_stratified_by_their_ranges():
    numbers = np.random.default_rng(0).exponential(size=200)
    ids = [str(i) for i in range(200)]
    found = split(Catalog.of(Path(), {"id": ids, "path": ids, "sha256": ids, "label": numbers.tolist()}))
    valid = np.sort(found.of_split("valid").numbers()[:, 0])
    assert len(valid) == 40
    edges = np.quantile(numbers, np.linspace(0, 1, 11))
    assert np.histogram(valid, edges)[0].tolist() == [4] * 10


def timed(days: list[int], groups: list[str | None] | None = None) -> Catalog:
    import datetime

    ids = [f"{i:03}" for i in range(len(days))]
    times = [datetime.datetime(2026, 1, 1) + datetime.timedelta(days=day) for day in days]
    columns = {"id": ids, "path": ids, "sha256": ids, "label": ["a"] * len(days), "time": times}
    return Catalog.of(Path(), columns | ({"group": groups} if groups else {}))


@given(st.lists(st.integers(0, 30), min_size=10, max_size=40))
def test_by_time_the_newest_are_tested_and_those_before_them_validate(days):
    found = tried(timed(days), by="time", valid=0.2, test=0.2)
    of = {part: [day for day, where in zip(days, found.rows["split"], strict=True) if where == part] for part in SHARES}
    train = [day for day, where in zip(days, found.rows["split"], strict=True) if where == "train"]
    assert max(train) < min(of["valid"]) <= max(of["valid"]) < min(of["test"])


def test_by_time_a_group_lies_where_its_newest_picture_lies():
    groups = ["g" if day in (0, 9) else None for day in range(10)]
    found = split(timed(list(range(10)), groups), by="time", valid=0.2, test=0.2)
    assert found.rows["split"].to_list() == ["test", *["train"] * 6, "valid", "valid", "test"]


def test_by_time_what_comes_later_is_newer_and_joins_the_test_part():
    before = by_bytes(split(timed(list(range(10))), by="time", valid=0.2, test=0.2))
    found = by_bytes(split(timed([*range(10), 12, 3]), by="time", valid=0.2, test=0.2, before=before))
    assert all(found[key] == part for key, part in before.items())
    assert (found["010"], found["011"]) == ("test", "train")


def test_by_time_needs_times():
    with pytest.raises(DataError, match="needs the time of every picture") as error:
        split(plain(a=10), by="time")
    assert error.value.found.startswith("10 of 10")


# --- folds ---------------------------------------------------------------------------------------------------------


@given(unplaced_catalogs, st.integers(2, 5), st.integers(0, 2))
def test_folds_partition_the_pictures_and_divide_no_group(given_one, k, seed):
    try:
        fold = folds(given_one, k, seed=seed)
    except DataError:
        assume(False)
    assert set(fold.tolist()) == set(range(k))
    rows = given_one.rows.with_columns(fold=pl.Series(fold))
    for key in ("sha256", "group"):
        assert rows.drop_nulls(key).group_by(key).agg(pl.col("fold").n_unique())["fold"].max() in (1, None)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(5, 40), min_size=1), st.integers(2, 5))
def test_folds_have_each_class_in_equal_numbers(counts, k):
    given_one = plain(**counts)
    fold = folds(given_one, k)
    for label in counts:
        each = np.bincount(fold[(given_one.rows["label"] == label).to_numpy()], minlength=k)
        assert each.max() - each.min() <= 1


def test_a_fold_becomes_the_validation_part():
    given_one = plain(a=10)
    fold = folds(given_one, 5)
    found = with_fold(given_one, fold, 2)
    assert [(part == "valid") for part in found.rows["split"]] == (fold == 2).tolist()
    with pytest.raises(DataError, match="cannot make 11 folds"):
        folds(given_one, 11)


# --- poor splits ---------------------------------------------------------------------------------------------------


def test_a_good_split_is_no_finding():
    assert poor_split(split(plain(a=50, b=20)), valid=0.2) == []


def test_a_group_too_large_for_the_share_is_a_finding_with_the_numbers():
    rows = [("a", str(i), f"g{i // 30}", None) for i in range(60)]
    (finding,) = poor_split(split(catalog(rows), valid=0.2), valid=0.2)
    assert finding.kind == "poor-split"
    assert finding.numbers == {"part": "valid", "pictures": 30, "wanted": 12, "largest_group": 30}


def test_a_class_that_cannot_be_judged_is_a_finding():
    rows = [("a", str(i), None, None) for i in range(20)] + [("b", f"b{i}", "all of b", None) for i in range(9)]
    (finding,) = poor_split(split(catalog(rows), valid=0.2), valid=0.2)
    assert finding.evidence == "The valid part has no picture of b (9 in all)."
