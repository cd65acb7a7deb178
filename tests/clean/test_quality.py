"""Pictures that can be read, but of which less is seen than one may think."""

import pytest

from ursa.clean.quality import HUGE, ODD, TINY, quality
from ursa.clean.set_or_pictures import SINGLY
from ursa.core.finding import KINDS
from ursa.data.catalog import Catalog


def catalog(*pictures: tuple[int, int, int], format: str = "PNG", ordinary: int = 20) -> Catalog:
    """(width, height, frames) of some pictures, among ordinary ones."""
    rows = [*pictures, *[(640, 480, 1)] * ordinary]
    ids = [f"{number:04}" for number in range(len(rows))]
    width, height, frames = (list(column) for column in zip(*rows, strict=True))
    sizes = {"width": width, "height": height, "frames": frames, "format": [format] * len(rows)}
    return Catalog.of(".", {"id": ids, "path": ids, "label": ["a"] * len(rows), **sizes})


def kinds(*pictures: tuple[int, int, int], **options) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.kind, finding.where) for finding in quality(catalog(*pictures, **options))]


def test_ordinary_pictures_have_no_findings():
    assert kinds() == []
    assert quality(Catalog.of(".", {"id": [], "path": []})) == []


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        ((TINY - 1, TINY + 20, 1), "tiny"),
        ((100, TINY - 1, 1), "tiny"),
        ((1000, int(1000 / ODD) - 1, 1), "odd-shape"),
        ((100, int(100 * ODD) + 1, 1), "odd-shape"),
        ((HUGE * 1000 + 1, 1000, 1), "odd-shape"),
        ((8000, HUGE * 125 + 1, 1), "huge"),
        ((640, 480, 2), "animated"),
    ],
)
def test_each_kind_is_found_in_either_direction(size, kind):
    assert (kind, ("0000",)) in kinds(size)


@pytest.mark.parametrize("size", [(TINY, TINY, 1), (300, 100, 1), (100, 300, 1), (8000, HUGE * 125, 1)])
def test_at_the_limits_nothing_is_said(size):
    assert kinds(size) == []


def test_evidence_is_what_was_measured():
    pictures = catalog((20, 24, 1), (1200, 150, 1), (9000, 6000, 1), (640, 480, 31))
    said = {finding.kind: finding.evidence for finding in quality(pictures)}
    assert said == {
        "tiny": "It has 20 x 24 pixels.",
        "odd-shape": "It is 8.0 times as wide as high (1200 x 150 pixels); a square view shows it as a strip.",
        "huge": "It has 54 megapixels (9000 x 6000).",
        "animated": "An animation of 31 frames; only the first is used.",
    }
    (pages,) = quality(catalog((640, 480, 3), format="TIFF"))
    assert pages.evidence == "A file of 3 pages; only the first is used."


def test_the_most_pressing_comes_first():
    assert [where for _, where in kinds((30, 30, 1), (8, 8, 1), (20, 90, 1))][:3] == [("0001",), ("0002",), ("0000",)]


def test_many_of_a_kind_are_one_finding_with_all_their_ids():
    some = [(10 + n % 20, 30, 1) for n in range(SINGLY + 1)]
    (finding,) = [f for f in quality(catalog(*some, ordinary=949)) if f.kind == "tiny"]
    assert len(set(finding.where)) == SINGLY + 1
    assert finding.evidence == "51 of 1,000 pictures (5 %), the first of them: it has 10 x 30 pixels."
    assert finding.numbers == {"pictures": SINGLY + 1, "share": 0.051}
    assert len(kinds(*some[:-1], ordinary=950)) == SINGLY


def test_what_most_pictures_are_is_no_finding_but_that_animations_lose_their_frames_is():
    """Digits of 8 x 8 are not too small for digits; strips of sound are meant to be long."""
    assert kinds(*[(8, 8, 1)] * 11, ordinary=10) == []
    assert kinds(*[(1000, 100, 1)] * 11, ordinary=10) == []
    assert len(kinds(*[(8, 8, 1)] * 10, ordinary=10)) == 10
    assert [len(where) for _, where in kinds(*[(64, 64, 9)] * 11, ordinary=10)] == [11]


def test_files_that_cannot_be_used_are_not_judged():
    broken = catalog((8, 8, 1))
    rows = {name: broken.rows[name].to_list() for name in ("id", "path", "label", "width", "height", "frames")}
    problems = ["truncated: ..."] + [None] * 20
    assert quality(Catalog.of(".", {**rows, "problem": problems})) == []


def test_of_each_kind_the_pictures_are_shown():
    found = {kind for kind, _ in kinds((8, 8, 1), (1000, 100, 1), (9000, 9000, 1), (64, 64, 2))}
    assert found == {"animated", "tiny", "odd-shape", "huge"}
    assert {KINDS[kind].about for kind in found} == {"pictures"}
