"""Slices of lower accuracy: those that were planted, no more than one false report in twenty, none told twice."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import fisher_exact

from ursa.core import statistics
from ursa.core.finding import KINDS
from ursa.data.catalog import Catalog
from ursa.diagnose.picture_facts import picture_facts
from ursa.diagnose.weak_slices import FEW, weak_slices


def catalog(count: int = 300, seed: int = 0) -> Catalog:
    draw = np.random.default_rng(seed)
    ids = [f"{'web' if i % 3 else 'phone'}/{'ab'[i % 2]}/{i}.jpg" for i in range(count)]
    thumbnails = [draw.integers(0, 2 + int(draw.integers(250)), 1024).astype(np.uint8).tobytes() for _ in range(count)]
    sizes = {name: draw.integers(100, 900, count).tolist() for name in ("width", "height")}
    labels = ["ab"[i % 2] for i in range(count)]
    table = {"id": ids, "path": ids, "label": labels, "bytes": draw.integers(9_000, 90_000, count).tolist()}
    return Catalog.of(".", table | sizes | {"format": ["JPEG"] * count, "thumbnail": thumbnails})


def right(count: int, share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(count) < share


def test_dark_pictures_that_are_predicted_worse_are_found():
    pictures = catalog()
    dark = picture_facts(pictures)["brightness"]
    dark = dark <= np.quantile(dark, 0.2)
    hits = np.where(dark, right(300, 0.5), right(300, 0.95, 1))
    found = weak_slices(pictures, hits)
    assert found[0].numbers["fact"] in ("brightness", "brightest", "contrast", "border")
    assert found[0].kind in KINDS
    assert set(found[0].where) <= {id for id, hit in zip(pictures.ids, hits, strict=True) if not hit}
    assert found[0].numbers["inside"]["value"] < found[0].numbers["others"]["value"]


def test_a_source_folder_is_found_by_its_name():
    pictures = catalog()
    phone = np.array([id.startswith("phone") for id in pictures.ids])
    found = weak_slices(pictures, np.where(phone, right(300, 0.6), right(300, 0.97, 1)))
    assert found[0].numbers["slice"] == "pictures of the folder 'phone'"
    assert found[0].evidence.startswith("Of 100 pictures of the folder 'phone' ")


def test_pictures_are_told_once():
    """Small pictures are narrow and low, too: that is one finding, not three."""
    pictures = catalog()
    sizes = pl.Series(np.linspace(100, 900, 300).astype(int))
    pictures = pictures.with_columns(width=sizes, height=sizes)
    hits = np.where(np.arange(300) < 60, right(300, 0.4), right(300, 0.97, 1))
    found = weak_slices(pictures, hits)
    assert [finding.numbers["fact"] in ("width", "height", "area") for finding in found].count(True) == 1


def test_better_slices_are_no_finding():
    pictures = catalog()
    dark = picture_facts(pictures)["brightness"]
    some = dark <= np.quantile(dark, 0.85)
    hits = np.where(~some, True, right(300, 0.9))
    assert all(
        finding.numbers["inside"]["value"] < finding.numbers["others"]["value"]
        for finding in weak_slices(pictures, hits)
    )


def test_at_most_one_false_report_in_twenty():
    pictures = catalog()
    reports = [bool(weak_slices(pictures, right(300, 0.9, seed))) for seed in range(200)]
    assert sum(reports) <= 18  # 10 expected at most; 18 or more of 200 at 5 %: 1 in 100


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_right_or_all_wrong_is_no_slice(share):
    assert weak_slices(catalog(), np.full(300, bool(share))) == []


def test_few_pictures_say_nothing():
    pictures = catalog(5 * FEW - 1)
    assert weak_slices(pictures, right(5 * FEW - 1, 0.5)) == []


@pytest.mark.parametrize(
    "table", [((3, 17), (40, 40)), ((0, 5), (5, 0)), ((20, 0), (3, 9)), ((90, 10), (950, 50)), ((0, 0), (3, 4))]
)
def test_fisher_s_test_is_scipy_s(table):
    counts = [number for hits, misses in table for number in (hits, hits + misses)]
    ours = statistics.fisher_exact(*counts, "less")
    assert ours == pytest.approx(fisher_exact(table, alternative="less")[1], rel=1e-9)
