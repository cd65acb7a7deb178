"""Pictures that show little, judged by levels and blur: absolutely, and against the others."""

import numpy as np
import pytest

from ursa.clean.poor_pictures import poor_pictures
from ursa.clean.set_or_pictures import FEW, SHARE, SINGLY, set_or_pictures
from ursa.core.finding import KINDS
from ursa.data.catalog import Catalog

DRAW = np.random.default_rng(0)


def ordinary(mean=120, contrast=45):
    """32 x 32 levels as a photo has them: patches, and noise."""
    patches = np.kron(DRAW.normal(mean, contrast, (8, 8)), np.ones((4, 4)))
    return patches + DRAW.normal(0, 12, (32, 32))


def catalog(*some, blurs=None, others=100, make=ordinary):
    """Some pictures by their levels, among others."""
    levels = [*some, *[make() for _ in range(others)]]
    ids = [f"{number:04}.jpg" for number in range(len(levels))]
    small = [np.clip(np.round(each), 0, 255).astype(np.uint8).tobytes() for each in levels]
    columns = {
        "id": ids,
        "path": ids,
        "thumbnail": small,
        "blur": (blurs or []) + [2.0] * (len(ids) - len(blurs or [])),
    }
    return Catalog.of(".", columns)


def kinds(*some, **options):
    return [(finding.kind, finding.where) for finding in poor_pictures(catalog(*some, **options))]


RAMP = np.linspace(90, 200, 32)[:, None] * np.ones((32, 32))
SPOILED = {
    "blank": np.full((32, 32), 130.0),
    "dark": np.clip(ordinary(), 0, 255) * 0.35,
    "overexposed": np.clip(ordinary(240, 60) + 20, 0, 255),
    "low-information": RAMP,
}


@pytest.mark.parametrize("kind", SPOILED)
def test_each_kind_is_named_once(kind):
    assert kinds(SPOILED[kind]) == [(kind, ("0000.jpg",))]


def test_a_blurred_picture_is_named_by_what_the_scan_measured():
    assert kinds(ordinary(), ordinary(), blurs=[3.6, 2.9]) == [("blurred", ("0000.jpg",))]


def test_ordinary_pictures_and_no_pictures_have_no_findings():
    assert kinds() == []
    assert poor_pictures(Catalog.of(".", {"id": [], "path": []})) == []
    assert poor_pictures(Catalog.of(".", {"id": ["a"], "path": ["a"]})) == []  # never scanned


def test_a_white_background_is_meant_to_be_so_and_a_white_middle_is_not():
    rim = np.full((32, 32), 255.0)
    rim[12:20, 12:20] = np.clip(ordinary()[12:20, 12:20], 0, 240)
    middle = np.clip(ordinary(), 0, 240)
    middle[10:22, 10:22] = 255
    assert kinds(rim, middle) == [("overexposed", ("0001.jpg",))]


def test_of_each_kind_the_worst_comes_first_and_a_picture_is_named_once():
    darker = SPOILED["dark"] * 0.6
    assert kinds(SPOILED["dark"], darker, np.zeros((32, 32))) == [
        ("blank", ("0002.jpg",)),
        ("dark", ("0001.jpg",)),
        ("dark", ("0000.jpg",)),
    ]


def night():
    return np.clip(ordinary() * DRAW.uniform(0.2, 0.5), 0, 255)


def test_what_most_pictures_are_is_no_finding():
    """Night skies are dark, scanned forms white, microscopy soft: that is what these data are."""
    assert kinds(others=60, make=night) == []
    assert kinds(others=60, make=lambda: SPOILED["overexposed"] + DRAW.normal(0, 1, (32, 32))) == []
    assert kinds(blurs=[3.2, 3.5, 3.4] * 20, others=60) == []
    assert kinds(*[SPOILED["blank"]] * 51, others=49) == []


def test_among_soft_pictures_a_little_softer_is_usual():
    usual = DRAW.normal(2.9, 0.15, 60).tolist()
    assert kinds(blurs=usual, others=60) == []
    assert kinds(ordinary(), blurs=[3.9, *usual], others=60) == [("blurred", ("0000.jpg",))]


def test_many_of_a_kind_are_one_sentence_about_the_set():
    (finding,) = poor_pictures(catalog(*[SPOILED["dark"]] * 24, others=96))
    assert (finding.kind, len(finding.where), finding.numbers["share"]) == ("dark", 24, 0.2)
    assert finding.evidence.startswith("24 of 120 pictures (20 %): even its brightest parts are dark")


def test_all_of_a_kind_share_a_sentence_and_carry_their_own_value():
    one, other = poor_pictures(catalog(SPOILED["dark"], SPOILED["dark"] * 0.8))
    assert one.evidence == other.evidence
    assert one.numbers["value"] < other.numbers["value"] < 100


def test_files_that_cannot_be_read_are_not_judged():
    broken = catalog(SPOILED["blank"], others=30).rows.to_dict(as_series=False)
    assert poor_pictures(Catalog.of(".", {**broken, "problem": ["truncated: ...", *[None] * 30]})) == []


def test_advice_names_the_commands_that_decide():
    for finding in poor_pictures(catalog(*SPOILED.values(), ordinary(), blurs=[2.0] * 4 + [3.9])):
        assert "ursa review" in finding.advice and "ursa decide" in finding.advice
        assert KINDS[finding.kind].about == "pictures" and 0 <= finding.score <= 1


@pytest.mark.parametrize(
    ("count", "total", "found"),
    [(FEW, FEW, FEW), (FEW + 1, 2 * FEW, 1), (30, 30 / SHARE, 30), (31, 30 / SHARE, 1), (SINGLY + 1, 10**6, 1)],
)
def test_few_are_told_one_by_one_and_many_together(count, total, found):
    ids, numbers = [str(n) for n in range(count)], [{"value": n} for n in range(count)]
    findings = set_or_pictures("dark", ids, ["It is dark."] * count, [0.5] * count, "Look.", numbers, total=int(total))
    assert len(findings) == found and [id for finding in findings for id in finding.where] == ids
