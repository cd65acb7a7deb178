"""What tells a class beside its content is named; what tells nothing is not, whatever the sizes of classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.core.finding import KINDS
from ursa.data.catalog import Catalog
from ursa.diagnose.shortcuts import FEW, FOLDS, balanced_accuracy, never_reached, shortcuts


def unchanged(_label, _row):
    pass


def catalog(sizes: dict[str, int], seed: int = 0, change=unchanged) -> Catalog:
    """Pictures whose facts have nothing to do with their class, until `change` changes a row of a class."""
    draw = np.random.default_rng(seed)
    rows = []
    for label, count in sizes.items():
        for i in range(count):
            low, high = sorted(draw.integers(0, 256, 2).tolist())
            picture = draw.integers(low, high + 1, 1024).astype(np.uint8)
            picture[: draw.integers(1, 64)] = 255 if draw.random() < 0.6 else high
            row = {
                "id": f"{label}/{i}.jpg",
                "label": label,
                "width": int(draw.integers(100, 900)),
                "height": int(draw.integers(100, 900)),
                "bytes": int(draw.integers(10_000, 200_000)),
                "format": str(draw.choice(["JPEG", "PNG"])),
                "levels": picture,
            }
            change(label, row)
            rows.append(row)
    table = {name: [row[name] for row in rows] for name in rows[0] if name != "levels"}
    thumbnails = [row["levels"].tobytes() for row in rows]
    return Catalog.of(".", table | {"path": table["id"], "thumbnail": thumbnails})


TWO = {"cat": 120, "dog": 120}


@pytest.mark.parametrize("sizes", [TWO, {"a": 25, "b": 400}, dict.fromkeys("abcdefgh", 60)])
@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_tells_nothing_is_named(sizes, seed):
    assert shortcuts(catalog(sizes, seed)) == []


def narrower(label, row):
    if label == "cat":
        row["width"], row["height"] = 224, 224


def encoded(label, row):
    if label == "cat":
        row["bytes"] = int(row["width"] * row["height"] * 0.05)


def png(label, row):
    row["format"] = "PNG" if label == "cat" else "JPEG"


def darker(label, row):
    if label == "cat":
        row["levels"] = (0.9 * row["levels"]).astype(np.uint8)


def washed_out(label, row):
    if label == "cat":
        row["levels"] = (40 + 0.8 * row["levels"]).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "fact"),
    [(narrower, "width"), (narrower, "area"), (encoded, "compression"), (png, "format"), (darker, "brightest")],
)
def test_what_was_planted_is_named_for_its_class(change, fact):
    found = {finding.numbers["label"]: finding for finding in shortcuts(catalog(TWO, change=change))}
    assert fact in found["cat"].numbers["facts"]
    assert found["cat"].kind in KINDS
    assert set(found["cat"].where) == {f"cat/{i}.jpg" for i in range(120)}


def test_levels_that_a_class_never_reaches_are_named_in_words():
    (finding,) = [f for f in shortcuts(catalog(TWO, change=darker)) if f.numbers["label"] == "cat"]
    assert finding.evidence.startswith("No picture of 'cat' lies above 229 in the brightest level")
    assert finding.numbers["facts"]["brightest"]["never"] == "above 229"


def test_of_several_facts_the_strongest_is_told_and_the_others_counted():
    def both(label, row):
        narrower(label, row)
        darker(label, row)

    (finding, *_) = shortcuts(catalog(TWO, change=both))
    values = {fact: told["value"] for fact, told in finding.numbers["facts"].items()}
    assert values[finding.numbers["fact"]] == max(values.values())
    assert {"width", "height", "area", "brightest"} <= set(values)


def test_small_classes_are_left_out():
    sizes = {"cat": FEW - 1, "dog": 200, "eel": 200}
    assert all(f.numbers["label"] != "cat" for f in shortcuts(catalog(sizes, change=narrower)))
    assert any(f.numbers["label"] == "cat" for f in shortcuts(catalog(sizes | {"cat": FEW}, change=narrower)))


def test_nothing_of_nothing():
    assert shortcuts(Catalog.of(".", {"id": [], "path": [], "label": []})) == []


def test_order_of_pictures_and_names_of_classes_mean_nothing():
    pictures = catalog(TWO, change=narrower)
    order = np.random.default_rng(3).permutation(len(pictures))
    mixed = Catalog(pictures.root, pictures.rows[order])
    before, after = ({f.numbers["label"] for f in shortcuts(some)} for some in (pictures, mixed))
    assert before == after == {"cat", "dog"}


def test_pictures_of_one_group_are_held_out_together():
    """Copies in other folds would let any fact tell a class of which all pictures are copies of few."""
    draw = np.random.default_rng(0)
    values = draw.permutation(40).astype(float).repeat(10)  # each of 40 pictures ten times
    member = np.arange(400) < 200
    groups = np.arange(400) // 10
    apart = balanced_accuracy(values, member, groups % FOLDS)
    mixed = balanced_accuracy(values, member, np.arange(400) % FOLDS)
    assert apart.value < 0.6 < mixed.value


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(FEW, 60), st.integers(FEW, 60))
def test_balanced_accuracy_is_a_mean_of_recalls_whatever_the_sizes(seed, inside, outside):
    draw = np.random.default_rng(seed)
    member = np.arange(inside + outside) < inside
    folds = draw.permutation(len(member)) % FOLDS
    told = balanced_accuracy(member.astype(float), member, folds)
    assert (told.value, told.low, told.high) == (1, 1, 1)
    constant = balanced_accuracy(np.ones(len(member)), member, folds)
    assert constant.value == pytest.approx(0.5)
    noise = balanced_accuracy(draw.random(len(member)), member, folds)
    assert 0 <= noise.low <= noise.value <= noise.high <= 1


def test_names_are_bins_of_their_own():
    names = np.array(["b", "a", "c", "a"] * 50)
    member = np.array([False, True, False, True] * 50)
    assert balanced_accuracy(names, member, np.arange(200) % FOLDS, named=True).value == 1


@pytest.mark.parametrize(
    ("inside", "others", "words"),
    [
        ([10, 20, 30], [10, 20, 31, 32], "above 30"),
        ([10, 20, 30], [5, 6, 20, 30], "below 10"),
        ([10, 20, 30], [30, 30, 30, 30], ""),
        ([10, 20, 30], [31] + [20] * 4, ""),
        ([10, 20, 30], [31] + [20] * 3, "above 30"),
    ],
)
def test_never_reached(inside, others, words):
    values = np.array([*inside, *others], float)
    assert never_reached(values, np.arange(len(values)) < len(inside)) == words
