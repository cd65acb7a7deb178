"""Labels that an augmentation makes wrong, from pictures to finding: arrows are swapped by a flip, tints are not."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ursa.data.sources.constructors import Catalog
from ursa.embed.backbone import Backbone
from ursa.embed.engine import Engine
from ursa.embed.one_pass import embed
from ursa.recipe import AugmentSettings
from ursa.training.augment import label_safety
from ursa.training.augment.label_safety import changed, tried, unsafe_augmentations
from ursa.workspace import Workspace


def arrows(root: Path, count: int = 40) -> Path:
    """Bright triangles that point left or right, somewhere on a dark ground."""
    for number in range(count):
        draw, way = np.random.default_rng(number), ("left", "right")[number % 2]
        pixels = draw.integers(0, 60, (48, 48, 3)).astype(np.uint8)
        top, left = draw.integers(2, 14, 2)
        for row in range(32):
            length = 32 - 2 * abs(row - 16)
            pixels[top + row, left : left + max(length, 1)] = draw.integers(180, 255, 3)
        (root / way).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels if way == "right" else pixels[:, ::-1]).save(root / way / f"{number}.png")
    return root


def found(folder, augment):
    engine = Engine(Backbone("pixels"), Workspace.open(folder, None), "fp32")
    catalog, embeddings = embed(Catalog.from_folder(folder), engine)
    usable = catalog.usable()
    return unsafe_augmentations(usable, usable.labels, embeddings.vectors, engine, engine.about.preparation, augment, 0)


def test_a_flip_that_swaps_left_and_right_is_named(tmp_path):
    (finding,) = found(arrows(tmp_path / "arrows"), AugmentSettings(vflip=0.5))
    assert finding.evidence.startswith("Mirrored left and right, left is predicted as right for 100 %")
    assert "--set hflip=0" in finding.advice
    assert set(finding.where) <= {f"{way}/{n}.png" for n in range(40) for way in ("left", "right")}


def test_what_keeps_labels_is_not_named_and_what_is_off_is_not_tried(tmp_path, picture_folder):
    folder = picture_folder(tmp_path / "tints", {"red": 16, "green": 16})
    assert found(folder, AugmentSettings(vflip=0.5, rotate90=0.5, rotate=10)) == []
    assert found(arrows(tmp_path / "arrows"), AugmentSettings(hflip=0)) == []


def test_changes_are_tried_with_what_undoes_them(photo):
    changes = tried(AugmentSettings(vflip=0.1, rotate90=0.1, rotate=10))
    assert len(changes) == 7
    for matrix, inverse, _ in changes.values():
        assert matrix @ changes[inverse][0] == pytest.approx(np.eye(3), abs=1e-9)
    assert tried(AugmentSettings(hflip=0, rotate=3)) == {}
    views = np.stack([photo(0, 32, 32)])
    matrix = changes["turned by 90 degrees counter-clockwise"][0]
    assert np.array_equal(changed(views, matrix)[0], np.rot90(views[0]))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=200), st.integers(0, 3))
def test_what_is_changed_is_at_most_half_of_each_class_in_two_even_halves(targets, seed):
    targets = np.array(targets)
    half = label_safety._sample(targets, seed)
    assert half.shape == targets.shape and set(half) <= {0, 1, 2}
    for label in set(targets):
        mine = half[targets == label]
        some = (mine > 0).sum()
        assert some == min(len(mine) // 2, label_safety.A_CLASS)
        assert 0 <= (mine == 1).sum() - (mine == 2).sum() <= 1
    assert np.array_equal(half, label_safety._sample(targets, seed))


def test_many_classes_share_the_sample_and_large_ones_give_no_more_than_is_needed():
    assert (label_safety._sample(np.zeros(1000, int), 0) > 0).sum() == label_safety.A_CLASS
    targets = np.repeat(np.arange(100), 30)
    half = label_safety._sample(targets, 0)
    assert (half > 0).sum() == label_safety.SAMPLE
    assert set(np.bincount(targets[half > 0])) == {4}
    assert not np.array_equal(half, label_safety._sample(targets, 1))


def test_a_probe_that_judges_a_half_has_seen_none_of_it_nor_a_copy(monkeypatch):
    draw = np.random.default_rng(0)
    targets, groups = np.arange(60) % 2, np.arange(60) // 3  # threes are copies of one picture
    vectors = np.arange(60, dtype=np.float32)[:, None] + draw.normal(0, 0.01, (60, 4)).astype(np.float32)
    half, learned, fit = label_safety._sample(targets, 0), [], label_safety.probe.fit
    monkeypatch.setattr(
        label_safety.probe, "fit", lambda v, *a, **k: (learned.append(v[:, 0].round()), fit(v, *a, **k))[1]
    )
    label_safety._heads(vectors, targets, 2, half, groups, 0)
    for number, rows in enumerate(learned, 1):
        assert not {*groups[rows.astype(int)]} & {*groups[half == number]}
    assert len(learned) == 2 and all(len(rows) for rows in learned)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"hflip": 0.5}, {"mirrored left and right"}),
        ({"vflip": 0.5}, {"mirrored up and down"}),
        (
            {"rotate90": 0.1},
            {"turned by 90 degrees counter-clockwise", "turned by 90 degrees clockwise", "turned by 180 degrees"},
        ),
        ({"rotate": 5.0}, {"turned by 5 degrees counter-clockwise", "turned by 5 degrees clockwise"}),
        ({"rotate": 4.9}, set()),
    ],
)
def test_what_is_tried_is_what_is_switched_on_at_its_largest(settings, names):
    changes = tried(AugmentSettings(**{"hflip": 0.0, **settings}))
    assert {*changes} == names
    (setting,) = settings
    assert all(advice == f"{setting}=0" for *_, advice in changes.values())


def test_beyond_a_turned_view_lies_its_mirror_image_not_grey(photo):
    views = np.stack([np.clip(photo(n, 32, 32).astype(int), 180, 255).astype(np.uint8) for n in range(40)])
    matrix = tried(AugmentSettings(rotate=30))["turned by 30 degrees clockwise"][0]
    seen = changed(views, matrix)
    assert seen.min() >= 178 and seen.shape == views.shape and seen.dtype == np.uint8
    assert np.array_equal(seen[35:36], changed(views[35:36], matrix))  # whatever it comes with
