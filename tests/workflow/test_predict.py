"""`ursa.predict`: folders into tables and folders by class; what was cut short goes on, with every picture once."""

import csv
import json
import os
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fuzz import tiny
from ursa.core.text import text_of_cell
from ursa.errors import BundleError, DataError
from ursa.serve.prediction import MultiLabelPrediction, Prediction, RegressionPrediction
from ursa.workflow.predicting import predict as room
from ursa.workflow.predicting.listing import Listed
from ursa.workflow.predicting.predict import predict
from ursa.workflow.predicting.prediction_files import Columns, writer_for
from ursa.workflow.predicting.prediction_journal import answer_document

COLORS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}


def bundle_of(path, **changes):
    document = {**tiny.document(), "format": 2, **changes}
    files = tiny.parts()
    path.write_bytes(tiny.packed({"bundle.json": tiny.signed(json.dumps(document), files), **files}))
    return path


@pytest.fixture(autouse=True)
def ours(monkeypatch):
    """Bundles that this user exported are not tried in another process, which takes half a second."""
    monkeypatch.setattr("ursa.serve.predictor._is_ours", lambda _: True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return bundle_of(tmp_path_factory.mktemp("b") / "colors.ursa")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 pictures in two folders, a text, an HTML page called jpg, and a file cut short."""
    root = tmp_path_factory.mktemp("p") / "new"
    for number in range(40):
        place = root / ("a" if number % 3 else "b/deep")
        place.mkdir(parents=True, exist_ok=True)
        color = list(COLORS.values())[number % 3]
        Image.new("RGB", (24 + number, 30), color).save(place / f"{number:02}.png")
    (root / "notes.txt").write_text("no picture")
    (root / "page.jpg?w=800").write_text("<!doctype html><html></html>")
    (root / "a/cut.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    return root


def rows_of(out):
    with out.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_table_with_every_picture_once(bundle, folder, tmp_path):
    result = predict(bundle, folder, out=tmp_path / "t.csv")
    rows = rows_of(tmp_path / "t.csv")
    assert [row["picture"] for row in rows] == sorted(
        {row["picture"] for row in rows}, key=lambda name: name.split("/")
    )
    assert len(rows) == result.pictures == 42  # the text is left out; what is called jpg is not
    assert result.left_out == 1
    assert {row["label"] for row in rows if not row["problem"]} == set(COLORS)
    for row in rows:
        if not row["problem"]:
            assert float(row["probability"]) == max(float(row[f"probability_{name}"]) for name in COLORS)
    problems = {Path(row["picture"]).name: row["problem"] for row in rows if row["problem"]}
    assert problems["page.jpg?w=800"] == "not a picture: an HTML page"
    assert set(problems) == {"page.jpg?w=800", "cut.jpg"}
    assert result.unreadable == 2
    assert sum(result.classes.values()) == 40
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]  # nothing half finished is left


def test_all_kinds_of_tables_say_the_same(bundle, folder, tmp_path):
    for ending in ("csv", "jsonl", "parquet"):
        predict(bundle, folder, out=tmp_path / f"t.{ending}")
    table = pl.read_parquet(tmp_path / "t.parquet")
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    for row, line, cells in zip(rows_of(tmp_path / "t.csv"), lines, table.to_dicts(), strict=True):
        assert row["picture"] == line["picture"] == cells["picture"]
        assert (row["problem"] or None) == line.get("problem") == cells["problem"]
        if "label" in line:
            assert row["label"] == line["label"] == cells["label"]
            assert float(row["probability_red"]) == line["probabilities"]["red"]
            assert cells["probability_red"] == pytest.approx(line["probabilities"]["red"], rel=1e-6)


def test_only_the_most_probable_classes_are_written_where_asked_for(bundle, folder, tmp_path):
    predict(bundle, folder, out=tmp_path / "t.csv", top=2)
    row = next(row for row in rows_of(tmp_path / "t.csv") if row["label"])
    assert list(row) == [
        *("picture", "label", "probability", "top1", "top1_probability", "top2", "top2_probability", "problem")
    ]
    assert row["top1"] == row["label"]
    assert float(row["top1_probability"]) >= float(row["top2_probability"])


class Killed(BaseException):
    """Ends a run where a kill would."""


@contextmanager
def killed_after(monkeypatch, answers):
    """The model answers so many pictures, and then the process is gone."""
    real = room.predictions

    def few(*arguments):
        for number, pair in enumerate(real(*arguments)):
            if number == answers:
                raise Killed
            yield pair

    with monkeypatch.context() as patch:
        patch.setattr(room, "predictions", few)
        patch.setattr(room, "CHUNK", 5)
        yield


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(answers=st.integers(1, 41), cut=st.integers(0, 400))
def test_what_was_killed_goes_on_and_ends_as_if_it_had_not_been(
    bundle, folder, tmp_path_factory, monkeypatch, answers, cut
):
    place = tmp_path_factory.mktemp("k")
    predict(bundle, folder, out=place / "whole.csv")
    out = place / "killed.csv"
    with killed_after(monkeypatch, answers), pytest.raises(Killed):
        predict(bundle, folder, out=out)
    partial = out.with_name("killed.csv.partial")
    assert not out.exists()
    with partial.open("r+b") as file:  # the end of the last write did not come to the disk
        file.truncate(max(0, file.seek(0, os.SEEK_END) - cut))
    resumed = predict(bundle, folder, out=out)
    assert out.read_bytes() == (place / "whole.csv").read_bytes()
    assert not partial.exists()
    assert resumed.resumed <= answers


def test_a_picture_that_changed_meanwhile_is_predicted_anew_and_one_that_is_gone_is_not_in_the_table(
    bundle, tmp_path, monkeypatch
):
    root = tmp_path / "new"
    root.mkdir()
    for number in range(12):
        Image.new("RGB", (20, 20), COLORS["red"]).save(root / f"{number:02}.png")
    with killed_after(monkeypatch, 11), pytest.raises(Killed):
        predict(bundle, root, out=tmp_path / "t.csv")
    Image.new("RGB", (21, 21), COLORS["blue"]).save(root / "00.png")
    (root / "01.png").unlink()
    Image.new("RGB", (20, 20), COLORS["green"]).save(root / "new.png")
    assert predict(bundle, root, out=tmp_path / "t.csv").resumed == 8  # of ten: one has changed, one is gone
    found = {Path(row["picture"]).name: row["label"] for row in rows_of(tmp_path / "t.csv")}
    assert len(found) == 12
    assert (found["00.png"], found["02.png"], found["new.png"]) == ("blue", "red", "green")


def test_answers_of_another_model_or_to_other_options_are_not_gone_on_with(bundle, folder, tmp_path, monkeypatch):
    with killed_after(monkeypatch, 20), pytest.raises(Killed):
        predict(bundle, folder, out=tmp_path / "t.csv")
    other = bundle_of(tmp_path / "other.ursa", temperature=2.0)
    for arguments in ((other, folder), (bundle, folder)):
        with pytest.raises(DataError, match="another model") as refused:
            predict(*arguments, out=tmp_path / "t.csv", top=1)
        assert "t.csv.partial" in refused.value.fix


@pytest.mark.parametrize(
    "line", [b"[1]\n", b'{"picture": 3}\n', b'{"picture": "x", "label": 1}\n', b"\xff\n", b"[" * 9999]
)
def test_a_journal_with_a_line_that_is_none_goes_on_from_there(bundle, folder, tmp_path, monkeypatch, line):
    predict(bundle, folder, out=tmp_path / "whole.csv")
    with killed_after(monkeypatch, 20), pytest.raises(Killed):
        predict(bundle, folder, out=tmp_path / "t.csv")
    with (tmp_path / "t.csv.partial").open("ab") as file:
        file.write(line)
    assert predict(bundle, folder, out=tmp_path / "t.csv").resumed == 20
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_second_process_is_refused_while_the_first_one_writes(bundle, folder, tmp_path):
    header = {"predictions_of": "x", "top": None}
    with room.opened_journal(tmp_path / "t.csv", header, "--out FILE"):
        if os.name == "posix":
            with pytest.raises(DataError, match="another process is writing"):
                predict(bundle, folder, out=tmp_path / "t.csv")


def test_pictures_are_sorted_by_class_and_the_originals_stay(bundle, folder, tmp_path):
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    for _ in range(2):  # the second one finds all of it done
        predict(bundle, folder, sort_to=tmp_path / "s")
        rows = rows_of(tmp_path / "s/predictions.csv")
        for row in rows:
            source = Path(row["picture"])
            copy = tmp_path / "s" / (row["label"] or "_unreadable") / source.relative_to(folder)
            assert copy.read_bytes() == source.read_bytes()
        files = [file for file in (tmp_path / "s").rglob("*") if file.is_file() and not file.name.startswith(".")]
        assert len(files) == len(rows) + 1
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_unsure_pictures_come_into_a_folder_of_their_own(folder, tmp_path):
    careful = bundle_of(tmp_path / "careful.ursa", thresholds={"abstain": {"value": 1.0}})
    result = predict(careful, folder, sort_to=tmp_path / "s")
    assert result.unsure == 40
    assert len(list((tmp_path / "s/_unsure").rglob("*.png"))) == 40
    assert {row["unsure"] for row in rows_of(tmp_path / "s/predictions.csv") if row["label"]} == {"true"}


def test_pictures_of_two_folders_with_the_same_names_are_kept_apart(bundle, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 20), COLORS["red"]).save(tmp_path / name / "1.png")
    alone = [tmp_path / "x/1.png", tmp_path / "y/1.png"]
    for file in alone:
        file.parent.mkdir()
        Image.new("RGB", (20, 20), COLORS["blue"]).save(file)
    predict(bundle, [tmp_path / "one", tmp_path / "two", *alone], sort_to=tmp_path / "s")
    found = {str(file.relative_to(tmp_path / "s")) for file in (tmp_path / "s").rglob("*.png")}
    assert found == {"red/one/1.png", "red/two/1.png", "blue/1.png", "blue/1-2.png"}


@pytest.mark.skipif(os.name != "posix", reason="Windows allows links only to some users")
def test_links_lead_to_the_pictures(bundle, folder, tmp_path):
    for _ in range(2):
        predict(bundle, folder, sort_to=tmp_path / "s", link=True)
    links = list((tmp_path / "s").rglob("*.png"))
    assert len(links) == 40
    assert all(file.is_symlink() and file.resolve().is_relative_to(folder.resolve()) for file in links)


def test_a_folder_with_other_files_or_of_another_model_is_not_sorted_into(bundle, folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("x")
    with pytest.raises(DataError, match="holds other files"):
        predict(bundle, folder, sort_to=tmp_path / "mine")
    predict(bundle, folder, sort_to=tmp_path / "s")
    other = bundle_of(tmp_path / "other.ursa", temperature=2.0)
    with pytest.raises(DataError, match="sorted by another model"):
        predict(other, folder, sort_to=tmp_path / "s")
    with pytest.raises(DataError, match="among those to sort"):
        predict(bundle, folder, sort_to=folder / "sorted")


@pytest.mark.parametrize("names", [("a/b", "c", "d"), ("..", "c", "d"), ("_unsure", "c", "d"), ("A", "a", "b")])
def test_classes_that_cannot_be_folders_are_not_sorted(folder, tmp_path, names):
    odd = bundle_of(tmp_path / "odd.ursa", classes=list(names))
    with pytest.raises(BundleError, match="names of folders"):
        predict(odd, folder, sort_to=tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"out": "t.json"}, "CSV, JSON lines or Parquet"),
        ({"link": True}, "links are made"),
        ({"top": 0, "out": "t.csv"}, "at least one"),
        ({"top": 2}, "for a table"),
    ],
)
def test_no_option_is_ignored(bundle, folder, tmp_path, options, what):
    if "out" in options:
        options = {**options, "out": tmp_path / options["out"]}
    with pytest.raises(DataError, match=what):
        predict(bundle, folder, **options)


def test_nothing_to_predict_says_so(bundle, tmp_path):
    with pytest.raises(DataError, match="no files"):
        predict(bundle, tmp_path)
    with pytest.raises(DataError, match="nothing to predict"):
        predict(bundle, [])


def test_its_own_table_in_the_folder_is_none_of_the_pictures(bundle, tmp_path):
    root = tmp_path / "new"
    root.mkdir()
    Image.new("RGB", (20, 20), COLORS["red"]).save(root / "1.png")
    for _ in range(2):
        result = predict(bundle, root, out=root / "t.csv")
        assert (result.pictures, result.left_out) == (1, 0)


def test_a_full_disk_is_said_and_what_was_finished_is_kept(bundle, folder, tmp_path, disk):
    place = disk("64k")
    (place / "fill").write_bytes(b"x" * (place.stat().st_blksize * 14))
    with pytest.raises(DataError, match="no space left") as full:
        predict(bundle, folder, out=place / "t.parquet")
    assert "--out FILE" in full.value.fix
    (place / "fill").unlink()
    assert predict(bundle, folder, out=place / "t.csv").pictures == 42


def test_an_address_is_fetched_only_where_that_is_allowed(bundle):
    result = predict(bundle, "http://127.0.0.1:9/x.jpg")
    assert result.to_json() == [
        {
            "picture": "http://127.0.0.1:9/x.jpg",
            "problem": "cannot be opened: it is an address, not a file; --allow-urls fetches it",
        }
    ]
    refused = predict(bundle, "http://127.0.0.1:9/x.jpg", allow_urls=True)
    assert "not of the open internet" in refused.to_json()[0]["problem"] or "public" in refused.to_json()[0]["problem"]


names = st.lists(
    st.text(min_size=1, max_size=6).filter(lambda t: "\0" not in t and t.isprintable()),
    min_size=2,
    max_size=4,
    unique=True,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=names, data=st.data())
def test_whatever_classes_and_pictures_are_called_a_table_holds_it(tmp_path, names, data):
    """Formulas, quotes, line ends: the cell that a spreadsheet shows is the name, and never a command."""
    picture = data.draw(st.text(min_size=1, max_size=8).filter(lambda t: t.isprintable() and "/" not in t))
    task = data.draw(st.sampled_from(["single-label", "multi-label", "regression"]))
    numbers = {name: data.draw(st.floats(0, 1, width=32)) for name in names}
    answer = {
        "single-label": Prediction(names[0], numbers[names[0]], numbers, None),
        "multi-label": MultiLabelPrediction((names[1],), numbers),
        "regression": RegressionPrediction(numbers),
    }[task]
    one, columns = Listed(Path(picture), None), Columns(task, tuple(names), None, False)
    for ending in ("csv", "jsonl", "parquet"):
        out = tmp_path / f"t.{ending}"
        writer_for(out)(out, [(one, answer)], columns)
    row = rows_of(tmp_path / "t.csv")[0]
    assert not any(cell.startswith(("=", "+", "@")) for cell in row.values())
    assert text_of_cell(row["picture"]) == one.name
    line = json.loads((tmp_path / "t.jsonl").read_text())
    assert line == {"picture": one.name, **json.loads(json.dumps(answer_document(answer, None)))}
    table = pl.read_parquet(tmp_path / "t.parquet")
    prefix = "value_" if task == "regression" else "probability_"
    for name in names:
        assert table[f"{prefix}{name}"][0] == pytest.approx(numbers[name], rel=1e-6)
        assert float(text_of_cell(row[f"{prefix}{name}"])) == pytest.approx(numbers[name], rel=1e-6, abs=1e-30)
