"""Scanning without a backbone: the same facts as `look` gives, whatever was known before."""

import polars as pl
import pytest

from ursa.core.prepare import Preparation
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.data.scanning import scanned
from ursa.data.sources.folder_source import from_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    root = picture_folder(tmp_path_factory.mktemp("pictures"), {"red": 70, "green": 70})
    (root / "red" / "page.jpg").write_text("<html>")
    return root


def test_the_facts_are_those_of_looking_at_each_file(folder):
    catalog = from_folder(folder)
    facts = [scan.read_file(file, Preparation())[0] for file in catalog.files()]
    assert scanned(catalog).rows.equals(scan.with_facts(catalog, facts).rows)


def test_only_what_is_not_known_is_looked_at_and_the_order_stays(folder, monkeypatch):
    whole = scanned(from_folder(folder))
    looked = []
    read = scan.picture_file.read
    monkeypatch.setattr(scan.picture_file, "read", lambda file: looked.append(file.name) or read(file))
    assert scanned(whole) is whole and looked == []
    rows = whole.rows.with_row_index()
    forgotten = {name: rows[name].set(rows["index"] % 3 == 0, None) for name in scan.FACTS}
    part = whole.with_columns(**forgotten)
    assert scanned(part).rows.equals(whole.rows)
    assert len(looked) == scan.unscanned(part).sum() == 47


def test_progress_says_how_far_it_is(folder):
    seen = []
    scanned(from_folder(folder), lambda *what: seen.append(what))
    assert seen[-1] == ("scan", 141, 141)
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})


def test_nothing_to_scan_is_fine(tmp_path):
    assert len(scanned(Catalog.of(tmp_path, {"id": [], "path": []}))) == 0


def test_a_file_that_has_gone_is_a_row_with_its_reason(tmp_path, picture_folder):
    catalog = from_folder(picture_folder(tmp_path, {"red": 3}))
    (tmp_path / "red" / "red_001.png").unlink()
    assert scanned(catalog).rows["problem"].drop_nulls().len() == 1


def test_what_needed_a_decoder_is_looked_at_again_the_next_time(tmp_path, picture_folder):
    catalog = from_folder(picture_folder(tmp_path, {"red": 3}))
    before = scanned(catalog)
    reasons = ["needs a decoder: HEIC (...)", "truncated: the JPEG file ends too early", None]
    remembered = scan.remembered(catalog, before.with_columns(problem=pl.Series("problem", reasons)))
    assert scan.unscanned(remembered).to_list() == [True, False, False]
