"""What every command begins with: keywords judged, data told apart, pictures listed, scanned and embedded once."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ursa import seals
from ursa.data.sources.constructors import Catalog
from ursa.errors import DataError, TrainingError
from ursa.prepared import setup as module
from ursa.prepared.setup import TABLE, Clock, Setup, catalog_of, embedded, listed, prepared

PIXELS = Setup(backbone="pixels", precision="fp32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    """Class folders, and beside them a table of the same pictures."""
    place = picture_folder(tmp_path_factory.mktemp("setup") / "pictures", {"red": 3, "green": 3})
    Catalog.from_folder(place).rows.select(image="path", kind="label").write_csv(place / "labels.csv")
    return place


# --- keywords --------------------------------------------------------------------------------------------------------


def test_text_is_welcome_for_paths_and_missing_ones_stay_missing():
    found = Setup.of(weights="w.safetensors", workspace="space", table=None, backbone="pixels")
    assert (found.weights, found.workspace, found.table) == (Path("w.safetensors"), Path("space"), {})
    assert Setup() == Setup.of() and Setup().weights is None and Setup().workspace is None


@pytest.mark.parametrize("precision", ["fp16", "float32", "", None])
def test_a_precision_that_there_is_not_is_refused(precision):
    with pytest.raises(DataError, match="no such precision") as told:
        Setup(precision=precision)
    assert told.value.fix == "one of auto, fp32, bf16"


def test_a_device_is_looked_for_at_once_and_the_fastest_is_named():
    assert Setup(device="auto").device.partition(":")[0] in ("cpu", "cuda", "mps")
    with pytest.raises(TrainingError, match="there is no device cuda:99"):
        Setup(device="cuda:99")
    with pytest.raises(DataError, match="no such device"):
        Setup(device="gpu")


def test_a_table_is_read_by_the_words_that_it_has():
    assert set(Setup(table=dict.fromkeys(TABLE, "x")).table) == set(TABLE)
    with pytest.raises(DataError, match="not read by 'lable'") as told:
        Setup(table={"lable": "kind"})
    assert "did you mean 'label'" in told.value.fix


def test_seconds_add_up_by_phase_also_where_one_ends_in_an_error(monkeypatch):
    now = iter([0.0, 2.0, 10.0, 13.0, 20.0, 24.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(now))
    clock = Clock()
    with clock.phase("embed"):
        pass
    with pytest.raises(KeyError), clock.phase("embed"):
        raise KeyError
    with clock.phase("list"):
        pass
    assert clock.seconds == {"embed": 5.0, "list": 4.0}


# --- data ------------------------------------------------------------------------------------------------------------


def test_a_folder_a_table_and_a_catalog_of_the_same_pictures_are_the_same(folder):
    by_folder = catalog_of(folder, PIXELS)
    by_table = catalog_of(folder / "labels.csv", replace(PIXELS, table={"file": "image", "label": "kind"}))
    assert catalog_of(str(folder), PIXELS).rows.equals(by_folder.rows)
    assert by_table.ids == by_folder.ids and by_table.rows["label"].equals(by_folder.rows["label"])
    assert catalog_of(by_folder, PIXELS) is by_folder


def test_a_pattern_reads_labels_from_names(tmp_path, picture_folder):
    made = picture_folder(tmp_path / "made", {"red": 2, "green": 1})
    (tmp_path / "flat").mkdir()
    for file in made.rglob("*_*"):
        file.rename(tmp_path / "flat" / file.name)
    found = catalog_of(tmp_path / "flat", replace(PIXELS, pattern="{label}_*"))
    assert sorted(found.rows["label"]) == ["green", "red", "red"]


@pytest.mark.parametrize("address", ["http://example.org/x.zip", "https://example.org/pictures", "https:/example.org"])
def test_an_address_is_told_how_to_fetch(address):
    with pytest.raises(DataError, match="not from an address") as told:
        catalog_of(address, PIXELS)
    assert "ursa download" in told.value.fix
    with pytest.raises(DataError, match="not from an address"):
        catalog_of(Path(address), PIXELS)  # which has lost a slash


@pytest.mark.parametrize(
    ("kind", "options", "says", "found"),
    [
        ("folder", {"table": {"label": "x"}}, "only a table is read by label", "is a folder"),
        ("catalog", {"table": {"label": "x", "file": "y"}}, "read by label, file", "a catalog"),
        ("table", {"pattern": "{label}_*"}, "names in a folder", "is a file"),
        ("catalog", {"pattern": "{label}_*"}, "names in a folder", "a catalog"),
    ],
)
def test_options_of_another_kind_of_data_are_refused(folder, kind, options, says, found):
    data = {"folder": folder, "table": folder / "labels.csv", "catalog": catalog_of(folder, PIXELS)}[kind]
    with pytest.raises(DataError, match=says) as told:
        catalog_of(data, replace(PIXELS, **options))
    assert found in told.value.found


def test_archives_bundles_and_single_pictures_are_no_data_and_say_what_to_do(folder, tmp_path):
    for name in ("my pictures.zip", "model.ursa"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("x", "y")
    with pytest.raises(DataError, match="is a zip archive") as told:
        catalog_of(tmp_path / "my pictures.zip", PIXELS)
    assert f"'{tmp_path}/my pictures.zip' 'my pictures'" in told.value.fix  # to be typed as it is
    with pytest.raises(DataError, match="is a bundle") as told:
        catalog_of(tmp_path / "model.ursa", PIXELS)
    assert "ursa evaluate" in told.value.fix
    picture = next((folder / "red").iterdir())
    renamed = tmp_path / "really.csv"
    renamed.write_bytes(picture.read_bytes())
    for file in (picture, renamed):  # by its bytes, not its name
        with pytest.raises(DataError, match="is a single picture"):
            catalog_of(file, PIXELS)


def test_a_spreadsheet_is_a_zip_and_a_table_all_the_same(folder, tmp_path):
    """Told by its ending: read as a table, whatever becomes of that."""
    with zipfile.ZipFile(tmp_path / "labels.XLSX", "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(DataError) as told:
        catalog_of(tmp_path / "labels.XLSX", PIXELS)
    assert "zip archive" not in told.value.what


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError):
        catalog_of(tmp_path / "none", PIXELS)


# --- listed, scanned, embedded ---------------------------------------------------------------------------------------


def test_pictures_are_scanned_and_embedded_once_and_known_from_then_on(folder, tmp_path, monkeypatch):
    setup, clock = replace(PIXELS, workspace=tmp_path / "space"), Clock()
    ready = prepared(folder, setup, clock)
    assert ready.embeddings.ids == tuple(ready.catalog.ids) and ready.embeddings.vectors.shape == (6, 960)
    assert ready.catalog.rows["sha256"].null_count() == 0 and ready.catalog.rows["problem"].null_count() == 6
    assert (ready.space.root, ready.engine.space) == (tmp_path / "space", ready.space)
    assert set(clock.seconds) == {"list", "embed"}
    catalog, _ = listed(folder, setup)
    assert catalog.rows.select("id", "sha256").equals(ready.catalog.rows.select("id", "sha256"))
    monkeypatch.setattr(module.Engine, "__call__", lambda *_: pytest.fail("ran the backbone again"))
    again = prepared(str(folder), setup, Clock())
    assert np.array_equal(again.embeddings.vectors, ready.embeddings.vectors)


def test_fresh_forgets_what_can_be_computed_and_nothing_else(folder, tmp_path):
    setup = replace(PIXELS, workspace=tmp_path / "space")
    prepared(folder, setup, Clock())
    (tmp_path / "space" / "runs").mkdir()
    _, space = listed(folder, replace(setup, fresh=True))
    assert not space.catalog.exists() and not (space.root / "embeddings").exists() and space.runs.exists()


def test_classes_are_asked_for_before_anything_is_computed(folder, tmp_path):
    pile = Catalog(folder, catalog_of(folder, PIXELS).rows.with_columns(label=pl.lit(None, pl.String)))
    setup = replace(PIXELS, workspace=tmp_path / "space")
    with pytest.raises(DataError, match="no classes"):
        listed(pile, setup, classes=True)
    assert not (tmp_path / "space").exists()
    catalog, _ = listed(pile, setup)
    assert len(catalog) == 6


def test_where_no_file_is_a_picture_the_commonest_reasons_are_listed(tmp_path):
    for number in range(3):
        (tmp_path / "junk" / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "junk" / "a" / f"{number}.jpg").write_bytes(b"<html>" if number else b"")
    catalog, space = listed(tmp_path / "junk", replace(PIXELS, workspace=tmp_path / "space"))
    with pytest.raises(DataError, match="none of the 3 files") as told:
        embedded(catalog, space, PIXELS, Clock())
    first, second = told.value.found.split("; ")
    assert first.startswith("2 x ") and second.startswith("1 x ")


def test_a_workspace_of_somebody_else_is_told_once_and_one_of_ours_never(folder, tmp_path, capsys, monkeypatch):
    setup = replace(PIXELS, workspace=tmp_path / "space")
    listed(folder, setup)
    listed(folder, setup)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another user"))
    listed(folder, setup)
    assert "was made elsewhere" in capsys.readouterr().err
    listed(folder, setup)
    assert capsys.readouterr() == ("", "")


def test_where_no_key_can_be_kept_that_is_what_is_said(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(seals, "lasting", lambda: False)
    text = module._made_elsewhere(listed(folder, replace(PIXELS, workspace=tmp_path / "space"))[1])
    assert "XDG_STATE_HOME" in text and "made elsewhere" not in text


def test_a_note_for_people_goes_to_the_error_stream_whole(capsys):
    module.note("ü 🐻")
    assert capsys.readouterr() == ("", "ü 🐻\n")
