"""The map: principal components as numpy's SVD has them, every suspect on it, each point where its picture is."""

import re

import numpy as np
import polars as pl
import pytest

from ursa.diagnose.report import picture_map as maps
from ursa.diagnose.report.picture_map import map_data, map_section, picture_map, principal_plane
from ursa.embed.store import Embeddings


def vectors(count, features, seed=0):
    draw = np.random.default_rng(seed)
    return (draw.normal(size=(count, features)) * np.linspace(3, 0.5, features) + 5).astype(np.float32)


@pytest.mark.parametrize(("count", "features"), [(3, 40), (60, 5), (200, 64), (12, 1)])
def test_the_plane_is_that_of_the_svd(count, features):
    points, share = principal_plane(vectors(count, features))
    centered = vectors(count, features).astype(float) - vectors(count, features).mean(0, dtype=float)
    u, s, _ = np.linalg.svd(centered, full_matrices=False)
    wanted = (u * s)[:, :2]
    assert np.abs(points[:, : wanted.shape[1]]) == pytest.approx(np.abs(wanted), abs=0.02 * s[0])
    assert share == pytest.approx((s[:2] ** 2).sum() / (s**2).sum(), abs=0.01)


def test_it_does_not_turn_over_and_equal_vectors_lie_in_the_middle():
    points = principal_plane(vectors(100, 16))[0]
    more = principal_plane(np.concatenate([vectors(100, 16), vectors(2, 16, 1)]))[0][:100]
    assert (np.corrcoef(points[:, 0], more[:, 0])[0, 1], np.corrcoef(points[:, 1], more[:, 1])[0, 1]) > (0.9, 0.9)
    assert np.corrcoef(points[:, 0], vectors(100, 16)[:, 0])[0, 1] > 0.3  # which the first direction leans on most
    assert principal_plane(np.ones((4, 3), np.float32))[0].tolist() == [[0, 0]] * 4


def test_every_suspect_is_on_a_map_of_a_part_and_the_part_is_the_same_next_time(catalog, embeddings, monkeypatch):
    monkeypatch.setattr(maps, "MOST", 6)
    marks = {catalog.ids[3]: "predicted as dog, 95 %", catalog.ids[12]: "exact duplicate"}
    drawn, again = picture_map(catalog, embeddings, marks), picture_map(catalog, embeddings, marks)
    assert len(drawn.ids) == 6 and set(marks) <= set(drawn.ids) and dict(drawn.marks) == marks
    assert drawn.ids == again.ids and (drawn.places == again.places).all()
    fewer = Embeddings(embeddings.ids[:-1], embeddings.vectors[:-1], "print")
    assert len(set(drawn.ids) - set(picture_map(catalog, fewer, marks).ids)) <= 1


def test_it_is_drawn_with_a_point_for_each_picture_and_a_ring_for_each_mark(catalog, embeddings):
    drawn = picture_map(catalog, embeddings, {catalog.ids[0]: "exact duplicate"})
    html = map_section(drawn).html
    assert sum(path.count("M") for path in re.findall(r' d="([^"]*)"', html)) == len(catalog)
    assert html.count('class="suspect"') == 1 and ">cat<" in html and ">dog<" in html
    assert (drawn.places >= 0).all() and (drawn.places <= [maps.WIDTH, maps.HEIGHT]).all()
    data = map_data(drawn, 4, 48)
    assert len(data["ids"]) == len(data["label"]) == len(data["places"]) / 2 == len(catalog)
    assert [data["labels"][number] for number in data["label"]] == list(drawn.labels)
    assert data["marks"] == {0: "exact duplicate"} and data["rows"] == 4


def test_of_many_classes_mistakes_alone_have_a_color(catalog, embeddings):
    many = catalog.with_columns(label=pl.col("id"))
    html = map_section(picture_map(many, embeddings, {catalog.ids[0]: "predicted as x, 90 %"})).html
    assert "predicted rightly" in html and html.count("<path") == 2


@pytest.mark.parametrize("labels", [pl.lit(None, pl.String), pl.lit(1.5), pl.lit(["a", "b"])])
def test_pictures_without_a_class_are_drawn_too(catalog, embeddings, labels):
    bare = type(catalog)(catalog.root, catalog.rows.with_columns(label=labels))
    assert map_section(picture_map(bare, embeddings, {})).html.count("<path") == 1


def test_two_pictures_are_no_map(catalog, embeddings):
    two = Embeddings(embeddings.ids[:2], embeddings.vectors[:2], "print")
    assert picture_map(catalog, two, {}) is None and map_section(None).html == "" and map_data(None, 1, 48) is None
