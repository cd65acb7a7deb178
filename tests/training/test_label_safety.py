"""Labels that an augmentation makes wrong, from pictures to finding: arrows are swapped by a flip, tints are not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ursa.data.sources.constructors import Catalog
from ursa.embed.backbone import Backbone
from ursa.embed.engine import Engine
from ursa.embed.one_pass import embed
from ursa.recipe import AugmentSettings
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
