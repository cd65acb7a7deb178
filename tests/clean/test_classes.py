"""What is said of classes: too few, too uneven, written twice, missing in a split."""

from pathlib import Path

import pytest

from ursa.clean.audit import CHECKS
from ursa.clean.classes import FEW, imbalance, missing_classes, similar_classes, small_classes
from ursa.data.catalog import Catalog


def catalog(labels, split=None, **columns) -> Catalog:
    ids = [f"{number}.jpg" for number in range(len(labels))]
    given = {"id": ids, "path": ids, "label": labels, **columns}
    return Catalog.of(Path(), given if split is None else {**given, "split": split})


ALL = (similar_classes, missing_classes, small_classes, imbalance)


def test_the_checks_are_run():
    assert set(ALL) <= set(CHECKS)


@pytest.mark.parametrize("labels", [[1.0, 2.0] * 20, [[1.0, 2.0]] * 40, [], [None] * 40, ["a", "b"] * 20])
def test_nothing_is_said_of_numbers_unlabeled_pictures_and_sound_classes(labels):
    assert [finding for check in ALL for finding in check(catalog(labels))] == []


# --- the same class twice ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cat", "Cat"),
        ("cat", "cat "),
        ("polar bear", "polar_bear"),
        ("polar bear", "Polar-Bear"),
        ("polar bear", "polarbear"),
        ("polar  bear", "polar bear"),
        ("b\u00e4r", "ba\u0308r"),
        ("straße", "STRASSE"),
        ("ﬁsh", "fish"),
    ],
)
def test_names_that_look_like_the_same_class(one, other):
    (found,) = similar_classes(catalog([one] * 3 + [other] + ["dog"]))
    assert found.where == ("3.jpg",) and found.numbers == {one: 3, other: 1}
    assert "(3)" in found.evidence and "(1)" in found.evidence and "2 ways" in found.evidence


@pytest.mark.parametrize(("one", "other"), [("cat", "cats"), ("1-2", "12"), ("a1", "a11"), ("_", "-"), ("c", "c++")])
def test_names_that_are_different(one, other):
    assert similar_classes(catalog([one, other])) == []


def test_what_cannot_be_seen_is_made_visible():
    (spaced,) = similar_classes(catalog(["cat", "cat", "cat "]))
    assert spaced.evidence.startswith("cat (2) and 'cat ' (1) ")
    (parts,) = similar_classes(catalog(["b\u00e4r", "b\u00e4r", "ba\u0308r"]))
    assert parts.evidence.startswith("b\u00e4r (2) and 'ba\\u0308r' (1) ")


def test_several_labels_are_compared_too():
    (found,) = similar_classes(catalog([["cat", "x"], ["cat"], ["Cat"], []]))
    assert found.where == ("2.jpg",)


# --- in some splits only -------------------------------------------------------------------------------------------


def test_a_class_that_a_split_lacks_is_named_those_that_cannot_be_learned_first():
    labels = ["a", "b", "a", "b", "a", "c", "d"]
    split = ["train", "train", "valid", "valid", "test", "test", "train"]
    b, c, d = sorted(missing_classes(catalog(labels, split)), key=lambda finding: finding.evidence)
    assert b.evidence == "b is in train and valid, test has no picture of it."
    assert c.evidence == "c is in test only, train and valid have no picture of it." and "into train" in c.advice
    assert d.evidence == "d is in train only, valid and test have no picture of it." and d.where == ("6.jpg",)
    assert missing_classes(catalog(labels, split))[0] == c and c.score > d.score


def test_where_no_splits_are_given_nothing_is_missing():
    assert missing_classes(catalog(["a", "b"])) == [] == missing_classes(catalog(["a", "b"], ["train", "train"]))


def test_pictures_without_a_split_are_training_pictures():
    (found,) = missing_classes(catalog(["a", "b", "a"], [None, None, "test"]))
    assert found.evidence == "b is in train only, test has no picture of it."


def test_a_class_whose_pictures_are_broken_in_a_split_is_missing_there():
    problems = [None, None, None, "truncated"]
    (found,) = missing_classes(catalog(["a", "b", "a", "b"], ["train", "train", "test", "test"], problem=problems))
    assert found.evidence.startswith("b is in train only")


def test_of_several_labels_each_is_looked_for():
    (found,) = missing_classes(catalog([["a", "b"], ["a"], []], ["train", "valid", "valid"]))
    assert found.evidence == "b is in train only, valid has no picture of it."


# --- few and uneven ------------------------------------------------------------------------------------------------


def test_small_classes_of_several_labels():
    (found,) = small_classes(catalog([["a"]] * FEW + [["a", "b"]]))
    assert (found.where, found.evidence) == ((f"{FEW}.jpg",), "b has 1 usable picture.")


def test_uneven_classes_are_one_finding():
    (found,) = imbalance(catalog(["a"] * 101 + ["b"] * 10 + ["c"] * 50))
    assert found.evidence == "a has 101 usable pictures, 10 times as many as b." and len(found.where) == 10
    assert found.numbers == {"a": 101, "b": 10} and 0 < found.score < 1
    assert imbalance(catalog(["a"] * 100 + ["b"] * 10)) == []


def test_classes_that_are_too_small_anyhow_are_not_uneven_too():
    assert imbalance(catalog(["a"] * 1000 + ["b"] * (FEW - 1))) == []
