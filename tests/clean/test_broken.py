"""Files that cannot be used: the reason decides the kind, and each says what to do."""

import pytest

from ursa.clean.broken import OTHER, REASONS, broken
from ursa.core.finding import KINDS
from ursa.core.prepare import Preparation
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import from_folder


def found(**problems: str):
    columns = {"id": list(problems), "path": list(problems), "label": ["a"] * len(problems)}
    return broken(Catalog.of(".", {**columns, "problem": list(problems.values())}))


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        ("missing: there is no such file", "missing-file"),
        ("cannot be opened: Permission denied", "missing-file"),
        ("unreadable folder: Permission denied", "unreadable-folder"),
        ("empty class: a folder without pictures", "empty-class"),
        ("not a picture: an HTML page", "not-a-picture"),
        ("needs a decoder: HEIC (python -m pip install 'ursa-learn[heic]')", "needs-decoder"),
        ("too large: 65536 x 65536 pixels, the limit is 80 million", "too-large"),
        ("truncated: the PNG file ends too early", "truncated"),
        ("unreadable: a damaged GIF file of 44 bytes", "unreadable"),
        ("eaten by the dog", "broken-file"),
    ],
)
def test_the_first_words_of_a_reason_are_its_kind(problem, kind):
    (finding,) = found(a=problem)
    assert (finding.kind, finding.where) == (kind, ("a",))
    assert finding.evidence.lower() == problem.lower() + "."
    assert finding.advice.startswith("It is left out. ")


def test_of_a_broken_file_the_name_is_shown_as_there_is_no_picture():
    assert {KINDS[kind].about for kind, _ in (*REASONS.values(), OTHER)} == {"files"}


def test_what_the_reading_of_files_says_is_understood(tmp_path, encode, photo):
    """The words of `core/image.py` and those here belong together."""
    png = encode(photo(1, 40, 30))
    files = {
        "text": b"hello, there is text",
        "cut": png[: len(png) // 2],
        "damaged": png[:40] + bytes(20) + png[60:],
        "xl": b"\xff\x0a\x00\x00",
        "bomb": b"P6 60000 60000 255\n" + bytes(100),
        "whole": png,
    }
    (tmp_path / "a").mkdir()
    for name, data in files.items():
        (tmp_path / "a" / name).write_bytes(data)
    catalog = from_folder(tmp_path)
    facts = [scan.read_file(file, Preparation(size=32))[0] for file in catalog.files()]
    kinds = {finding.where[0]: finding.kind for finding in broken(scan.with_facts(catalog, facts))}
    assert kinds == {
        "a/text": "not-a-picture",
        "a/cut": "truncated",
        "a/damaged": "unreadable",
        "a/xl": "needs-decoder",
        "a/bomb": "too-large",
    }
