"""Table -> Catalog: which columns, which task, which files; and what is refused."""

import codecs
import contextlib
import csv as stdlib_csv
import datetime
import gzip
import io
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ursa.core.prepare import Preparation
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.data.sources import frames, parquet
from ursa.data.sources.folder_source import from_folder
from ursa.data.sources.tables import ADDRESS, MISSING, from_table
from ursa.errors import DataError

FILES = ("a.jpg", "b.jpg", "c.jpg", "sub/d.jpg", "ä ö.jpg")


@pytest.fixture
def root(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


@pytest.fixture
def csv(root):
    """csv("file,label\\na.jpg,cat\\n", separator="|") -> the catalog of this table."""

    def of(text: str | bytes, **options) -> Catalog:
        (root / "table.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return from_table(root / "table.csv", **options)

    return of


def labels(catalog: Catalog) -> list:
    return catalog.rows["label"].to_list()


def test_a_table_of_files_and_labels(csv, root):
    catalog = csv("file,label\na.jpg,cat\nsub/d.jpg,dog\n")
    assert catalog.root == root and catalog.ids == ["a.jpg", "sub/d.jpg"] and labels(catalog) == ["cat", "dog"]
    assert catalog.task == "single-label" and catalog.files() == [root / "a.jpg", root / "sub/d.jpg"]
    stat = (root / "a.jpg").stat()
    assert catalog.rows.select("bytes", "modified").row(0) == (stat.st_size, stat.st_mtime_ns)


def test_the_table_of_a_folder_is_the_folder(root):
    folder = from_folder(root, labeled=True)
    table = from_table(folder.rows.select("path", "label"), root=root)
    assert table.rows.equals(folder.rows)


# --- columns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head", ["File,Label", "image path,Class", "filename,species", "id,breed", "IMAGE-ID,target", "path,category"]
)
def test_columns_are_found_by_their_common_names(csv, head):
    assert labels(csv(f"{head}\na.jpg,cat\n")) == ["cat"]


def test_the_plainer_name_goes_first_and_others_may_stay(csv):
    assert labels(csv("id,file,label,tags\n7,a.jpg,cat,x\n")) == ["cat"]


@pytest.mark.parametrize(
    ("text", "options", "what", "fix"),
    [
        ("file,kind\na.jpg,cat\n", {}, "known to be the label", 'label="kind"'),
        ("pix,label\na.jpg,cat\n", {}, "known to be the file", 'file="pix"'),
        ("file,kind\na.jpg,cat\n", {"label": "kinds"}, "no column 'kinds'", "did you mean 'kind'?"),
        ("file,labels,class\na.jpg,cat,x\n", {}, "several columns could be the label", 'label="labels"'),
        ("path,filename,label\na.jpg,b,cat\n", {}, "several columns could be the file", 'file="path"'),
        ("a.jpg,cat\nb.jpg,dog\n", {}, "known to be the", "names the columns"),
        ("file,label,split\na.jpg,x,holdout\n", {}, "'split' names a split", "train-dev"),
        ("file,label\n,x\n", {}, "row 1 names no file", "fill it in"),
        ("file,label\nhttps://x.org/a.jpg,x\n", {}, "names addresses", "ursa download"),
        ("file,label,date\na.jpg,x,01/02/2020\n", {}, "'date' holds no dates", 'time=""'),
        ("file,label\na.jpg,x\n", {"task": "classes"}, "no such task", "regression"),
        ("file,label\na.jpg,x\nb.jpg,2\n", {"task": "regression"}, "no numbers", "single-label"),
        ("file,label\na.jpg,inf\n", {"task": "regression"}, "no numbers", "single-label"),
        ("file,label\na.jpg,x\n", {"task": "regression", "separator": "|"}, "several labels", "leave one"),
        ("file,a,b\na.jpg,1,\n", {"label": ["a", "b"]}, "some of its labels only", "fill"),
        ("file,a,b\na.jpg,1,x\n", {"label": ["a", "b"]}, "no numbers", "mend"),
        ("file,a,b\na.jpg,1,-1\n", {"label": ["a", "b"], "task": "multi-label"}, "'b' does not say", "1 or 0"),
        ("file,a,b\na.jpg,1,1\n", {"label": ["a", "b"], "task": "single-label"}, "has one column", "one of them"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(csv, text, options, what, fix):
    with pytest.raises(DataError) as error:
        csv(text, **options)
    assert what in error.value.what and fix in error.value.fix


def test_a_column_of_files_alone_is_a_pile_of_unlabeled_pictures(csv):
    assert labels(csv("file\na.jpg\nb.jpg\n")) == [None, None]
    assert labels(csv("file,kind\na.jpg,cat\n", label="")) == [None]


def test_splits_groups_and_times(csv):
    text = "file;label;Set;patient;date\na.jpg;x;TRAIN;7;2020-01-02\nb.jpg;x;dev;;\nc.jpg;x;train_dev;8;2021-12-31\n"
    rows = csv(text).rows
    assert rows["split"].to_list() == ["train", "valid", "train-dev"]
    assert rows["group"].to_list() == ["7", None, "8"]
    assert rows["time"].to_list() == [datetime.datetime(2020, 1, 2), None, datetime.datetime(2021, 12, 31)]
    assert csv(text, split="", group="", time="").rows["split"].to_list() == [None] * 3


@pytest.mark.parametrize(("column", "yes", "no"), [("is_valid", "valid", "train"), ("is_test", "test", "train")])
@pytest.mark.parametrize("values", [("True", "False"), ("1", "0")])
def test_yes_and_no_for_a_split(csv, column, yes, no, values):
    assert csv(f"file,label,{column}\na.jpg,x,{values[0]}\nb.jpg,x,{values[1]}\n").rows["split"].to_list() == [yes, no]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2020-01-02 03:04:05", (2020, 1, 2, 3, 4, 5)),
        ("2020-01-02T03:04:05.5", (2020, 1, 2, 3, 4, 5, 500_000)),
        ("2020-01-02T03:04:05Z", (2020, 1, 2, 3, 4, 5)),
        ("2020-01-02T03:04:05+02:00", (2020, 1, 2, 1, 4, 5)),
        ("2020:01:02 03:04:05", (2020, 1, 2, 3, 4, 5)),
        ("31.12.2020", (2020, 12, 31)),
        ("2020-01-02 03:04", (2020, 1, 2, 3, 4)),
    ],
)
def test_forms_of_dates(csv, text, time):
    assert csv(f"file,label,time\na.jpg,x,{text}\nb.jpg,x,\n").rows["time"][0] == datetime.datetime(*time)


# --- labels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values", "options", "task", "expected"),
    [
        ("label", ["cat", "Cat ", ""], {}, "single-label", ["cat", "Cat ", None]),
        ("label", ["0", "1", "1"], {}, "single-label", ["0", "1", "1"]),
        ("label", ["007", "12", "3"], {}, "single-label", ["007", "12", "3"]),
        ("label", ["1.5", "2", ""], {}, "regression", [1.5, 2.0, None]),
        ("label", ["1.0", "nan", "-2e3"], {}, "regression", [1.0, None, -2000.0]),
        ("label", ["NA", "1.5", "2"], {}, "single-label", ["NA", "1.5", "2"]),
        ("label", ["1", "2", "3"], {"task": "regression"}, "regression", [1.0, 2.0, 3.0]),
        ("label", ["1.50", "2", ""], {"task": "single-label"}, "single-label", ["1.50", "2", None]),
        ("label", ["a|b", "", "b||a|b"], {"separator": "|"}, "multi-label", [["a", "b"], None, ["b", "a"]]),
        ("label", ['"a, b"', "c", "a"], {"separator": ","}, "multi-label", [["a", "b"], ["c"], ["a"]]),
        ("label", ["a", "", "b"], {"task": "multi-label"}, "multi-label", [["a"], None, ["b"]]),
    ],
)
def test_what_one_column_means(csv, column, values, options, task, expected):
    catalog = csv(
        f"file,{column}\n" + "".join(f"{file},{v}\n" for file, v in zip(FILES, values, strict=False)), **options
    )
    assert (catalog.task, labels(catalog)) == (task, expected)


@pytest.mark.parametrize(("name", "task"), [("age", "regression"), ("class_id", "single-label")])
def test_many_whole_numbers_are_numbers_unless_the_column_says_classes(root, name, task):
    frame = pl.DataFrame({"file": ["a.jpg"] * 21, name: range(21)})
    assert from_table(frame, root=root, label=name).task == task
    assert from_table(frame[:20], root=root, label=name).task == "single-label"


def test_numbers_with_leading_zeros_are_names(csv):
    text = "file,plot\n" + "".join(f"a.jpg,{number:03}\n" for number in range(30))
    assert csv(text, label="plot").task == "single-label"
    assert csv(text.replace(",0", ",").replace(",0", ",").replace(",\n", ",0\n"), label="plot").task == "regression"


@pytest.mark.parametrize(
    ("text", "task", "expected"),
    [
        ("1,1\n0,0\n,\n", "multi-label", [["x", "y"], [], None]),
        ("True,False\nfalse,TRUE\n1.0,0\n", "multi-label", [["x"], ["y"], ["x"]]),
        ("1,0.5\n0,0\n,\n", "regression", [[1.0, 0.5], [0.0, 0.0], None]),
    ],
)
def test_what_several_columns_mean(csv, text, task, expected):
    lines = [f"{file},{line}" for file, line in zip(FILES, text.splitlines(), strict=False)]
    catalog = csv("file,x,y\n" + "\n".join(lines), label=["x", "y"])
    assert (catalog.task, labels(catalog)) == (task, expected)
    assert catalog.labels.names == (("x", "y") if task == "multi-label" else ())


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        ([["b", "a"], [], None], "multi-label", [["b", "a"], [], None]),
        ([["a", None, ""], ["a", "a"], None], "multi-label", [["a"], ["a"], None]),
        ([[1, 2], [3], None], "multi-label", [["1", "2"], ["3"], None]),
        ([[0.5, 1.0], [2.0, 3.0], None], "regression", [[0.5, 1.0], [2.0, 3.0], None]),
        ([0.5, float("nan"), None], "regression", [0.5, None, None]),
        ([1.0, 2.0, 3.0], "regression", [1.0, 2.0, 3.0]),
        ([True, False, None], "single-label", ["true", "false", None]),
    ],
)
def test_what_columns_of_data_frames_mean(root, values, task, expected):
    catalog = from_table(pl.DataFrame({"file": FILES[:3], "label": values}), root=root)
    assert (catalog.task, labels(catalog)) == (task, expected)


def test_lists_of_numbers_need_one_length(root):
    with pytest.raises(DataError, match="as many numbers"):
        from_table(pl.DataFrame({"file": FILES[:2], "label": [[0.5, 1.0], [2.0]]}), root=root)


def test_pandas_frames_with_gaps_categories_lists_and_a_named_index(root):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "file": [Path(name) for name in FILES[:3]],
            "whole": [1, None, 3],
            "share": [1.5, None, 2.0],
            "kind": pandas.Categorical(["x", None, "y"]),
            "tags": [["x"], (), None],
            "date": pandas.to_datetime(["2020-01-01", None, "2021-01-01"]),
            "is_valid": [True, False, False],
        }
    )
    read = {name: from_table(frame, root=root, label=name) for name in ("whole", "share", "kind", "tags")}
    assert labels(read["whole"]) == ["1", None, "3"] and labels(read["share"]) == [1.5, None, 2.0]
    assert labels(read["kind"]) == ["x", None, "y"] and labels(read["tags"]) == [["x"], [], None]
    assert read["kind"].rows["split"].to_list() == ["valid", "train", "train"]
    assert read["kind"].rows["time"][2] == datetime.datetime(2021, 1, 1)
    assert from_table(frame.set_index("file"), root=root, label="kind").rows.equals(read["kind"].rows)
    with pytest.raises(DataError, match="same name"):
        from_table(pandas.concat([frame, frame], axis=1), root=root, label="kind")


# --- files ---------------------------------------------------------------------------------------------------------


def test_paths_of_any_form_lead_to_the_same_file(csv, root):
    paths = ("sub/d.jpg", "./sub/d.jpg", "sub\\d.jpg", ".\\sub\\..\\sub\\d.jpg", f"{root}/sub/d.jpg")
    for path in paths:
        catalog = csv(f"file,label\n{path},x\n")
        assert catalog.ids == ["sub/d.jpg"] and catalog.files() == [root / "sub/d.jpg"]


def test_a_file_elsewhere_keeps_its_absolute_path(csv, root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "x.jpg"
    other.touch()
    catalog = csv(f"file,label\n{other},x\n")
    assert catalog.ids == [other.as_posix()] and catalog.files() == [other]


@pytest.mark.skipif(os.sep == "\\", reason="no such names there")
def test_a_backslash_in_a_real_name_stays(csv, root):
    (root / "a\\b.jpg").touch()
    assert csv("file,label\na\\b.jpg,x\n").ids == ["a\\b.jpg"]


def test_a_file_that_is_not_there_keeps_its_row_and_its_problem_through_a_scan(csv):
    catalog = csv("file,label\na.jpg,x\ngone.jpg,y\na.jpg/b.jpg,y\n")
    assert catalog.rows["problem"].to_list() == [None, MISSING, MISSING] and catalog.labels.names == ("x", "y")
    assert scan.unscanned(catalog).to_list() == [True, False, False]
    assert scan.with_known_facts(catalog, catalog).rows["problem"].to_list() == [None, MISSING, MISSING]


def test_a_file_that_comes_back_is_looked_at(csv, root):
    text = "file,label\na.jpg,x\ngone.jpg,y\n"
    before = csv(text)
    (root / "gone.jpg").touch()
    assert scan.unscanned(scan.with_known_facts(csv(text), before)).all()


def test_a_file_listed_twice_is_two_rows(csv):
    catalog = csv("file,label\na.jpg,x\nb.jpg,y\n./a.jpg,y\na.jpg,x\n")
    assert catalog.ids == ["a.jpg", "b.jpg", "a.jpg#2", "a.jpg#3"]
    assert catalog.rows["path"].to_list() == ["a.jpg", "b.jpg", "a.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("d.jpg", '/sub"'),
        ("a", "there is a file a.jpg"),
        ("x/c.jpg", "there is a file c.jpg"),
        ("nowhere.jpg", "root=..."),
    ],
)
def test_when_no_file_is_there_the_first_is_shown_and_where_it_may_be(csv, root, name, fix):
    with pytest.raises(DataError, match="none of the 2 files") as error:
        csv(f"file,label\n{name},x\n{name}2,y\n")
    assert name in error.value.found and str(root.resolve()) in error.value.found and fix in error.value.fix


# --- CSV of all kinds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "file,label\nä ö.jpg,b\n".encode(),
        codecs.BOM_UTF8 + "file,label\nä ö.jpg,b\n".encode(),
        "file;label\r\nä ö.jpg;b\r\n".encode("latin-1"),
        "file\tlabel\nä ö.jpg\tb\n".encode("utf-16"),
        "file|label\rä ö.jpg|b\r".encode(),
        '\n\n"file", "label"\n\n"ä ö.jpg", "b"'.encode(),
        ",file,label\n0,ä ö.jpg,b\n".encode(),
        'file,label,"a ""long"" note, with\nlines"\nä ö.jpg,b,"x,\n""y"""\n'.encode(),
    ],
)
def test_text_of_all_kinds_reads_the_same(csv, data):
    catalog = csv(data)
    assert (catalog.ids, labels(catalog), catalog.rows["problem"].to_list()) == (["ä ö.jpg"], ["b"], [None])


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty"),
        (codecs.BOM_UTF8 + b"\n \n", "is empty"),
        (b"file,label\n", "has no rows"),
        (b"file,label\na.jpg\n", "line 2 of"),
        (b"file,label\na.jpg,x\nb.jpg,x,y\n", "line 3 of"),
        (b'file,label\na.jpg,"x\nb.jpg,y\n', "cannot be read"),
        (b'file,label\na.jpg,"x"y\n', "cannot be read"),
        (b"file,label,file\na,b,c\n", "same name"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x81", "is no table"),
        (b"PK\x03\x04rest", "is neither a table nor a folder"),
        (b"PAR1rest", "damaged Parquet"),
    ],
)
def test_what_cannot_be_read_whole_is_refused(csv, data, what):
    with pytest.raises(DataError, match=what):
        csv(data)


def test_what_is_no_table_is_refused(root):
    for table, what in ((root, "is a folder"), (root / "tabel.csv", "there is no file"), ([1, 2], "is no table")):
        (root / "table.csv").touch()
        with pytest.raises(DataError, match=what) as error:
            from_table(table)
    assert error.value.fix


# --- what a table does not do to a run -----------------------------------------------------------------------------


def problems(catalog: Catalog) -> list:
    return catalog.rows["problem"].to_list()


def test_rows_that_name_something_else_than_a_file_are_problems_and_the_rest_goes_on(csv, root):
    os.mkfifo(root / "pipe")
    names = ["a.jpg", "pipe", "/dev/zero", "sub", "https://x.org/a.jpg", "s3://x/y//b.jpg", "x" * 300]
    catalog = csv("file,label\n" + "".join(f"{name},x\n" for name in names))
    assert catalog.ids == names
    assert problems(catalog) == [
        None,
        "cannot be opened: a named pipe",
        "cannot be opened: a device",
        "cannot be opened: a folder",
        ADDRESS,
        ADDRESS,
        None,  # the system says that its name is too long, when it is opened
    ]
    view = Preparation(size=32)
    assert "too long" in scan.read_file(catalog.files()[6], view)[0].problem


def test_a_name_with_nul_is_of_no_file(root):
    catalog = from_table(pl.DataFrame({"file": ["a.jpg", "a\0.jpg"], "label": ["x", "y"]}), root=root)
    assert problems(catalog) == [None, MISSING]


def test_absolute_paths_and_those_that_go_up_are_read_as_they_are_written(csv, root):
    (root.parent / "up.jpg").write_bytes(b"x")
    catalog = csv(f"file,label\n{root}/a.jpg,x\n../up.jpg,y\nsub/../b.jpg,z\n{root.parent}/up.jpg,z\n")
    assert catalog.ids == ["a.jpg", "../up.jpg", "b.jpg", f"{root.parent}/up.jpg"]
    assert problems(catalog) == [None] * 4


def test_a_pipe_in_place_of_a_table_is_refused_and_not_waited_for(root):
    os.mkfifo(root / "table.csv")
    with pytest.raises(DataError, match="is not a file") as error:
        from_table(root / "table.csv")
    assert error.value.found == "a named pipe"


def test_a_cell_that_is_too_long_is_refused_with_its_line(csv, monkeypatch):
    monkeypatch.setattr(frames, "CELL", 200_000)
    for text, line in (
        (f"file,label\na.jpg,x\nb.jpg,{'y' * 250_000}\n", 3),
        (f'file,label\na.jpg,"x\n{"y" * 250_000}\n', 3),
        (f"file,label{'l' * 250_000}\na.jpg,x\n", 1),
    ):
        with pytest.raises(DataError, match=f"line {line} of") as error:
            csv(text)
        assert stdlib_csv.field_size_limit() == 131_072  # a setting of the whole process is left as it was
        assert "200,000 characters" in error.value.fix


def test_a_cell_may_be_longer_than_the_csv_module_takes_by_itself(csv):
    assert labels(csv(f"file,label\na.jpg,{'y' * 150_000}\n")) == ["y" * 150_000]


def test_too_many_columns_are_refused_and_many_are_read(csv):
    wide = ",".join(f"c{n}" for n in range(9_998))
    assert labels(csv(f"file,label,{wide}\na.jpg,x{',1' * 9_998}\n")) == ["x"]
    with pytest.raises(DataError, match="too many columns") as error:
        csv(f"file,label,{wide},more\na.jpg,x{',1' * 9_999}\n")
    assert error.value.found == "10,001, the limit is 10,000"


def test_a_table_that_is_too_large_is_refused_before_it_is_read(root):
    with (root / "table.csv").open("wb") as file:
        file.truncate(4_000_000_000)
    with pytest.raises(DataError, match="too large"):
        from_table(root / "table.csv")


def test_a_long_table_is_read_in_pieces(csv, monkeypatch):
    monkeypatch.setattr(frames, "CELLS", 10)
    monkeypatch.setattr(frames, "PIECE", 7)
    catalog = csv("file,label\n" + "".join(f"ä ö.jpg,bär {n}\n" for n in range(57)))
    assert labels(catalog) == [f"bär {n}" for n in range(57)]


def of_zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), "x")  # of no date: these bytes name the test
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "what", "found", "fix"),
    [
        (of_zip("cat/1.jpg"), "neither a table nor a folder", "a zip archive", "unpack it"),
        (gzip.compress(b"file,label", mtime=0), "neither a table nor a folder", "gzip-compressed", "unpack it"),
        (of_zip("[Content_Types].xml", "xl/workbook.xml"), "is no text", "a spreadsheet", "as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is no text", "a spreadsheet", "as CSV"),
        (b"<!doctype html><html>", "is no table", "an HTML page", "as CSV"),
        (b"SQLite format 3\0", "is no table", "a database", "as CSV"),
        (b"file,label\na.jpg,\0\n", "is no table", "bytes that no text has", "in UTF-8"),
        (b"\xff\xfe\x00\xd8a\x00", "is no table", "bytes that no text has", "in UTF-8"),
        ("file,label\na.jpg,x".encode("utf-32"), "is no table", "bytes that no text has", "in UTF-8"),
    ],
)
def test_what_is_no_table_is_named_with_what_to_do(csv, data, what, found, fix):
    with pytest.raises(DataError, match=what) as error:
        csv(data)
    assert error.value.found == found and fix in error.value.fix


@pytest.mark.parametrize(
    ("file", "label", "what"),
    [
        ([{"bytes": b"x", "path": "a.jpg"}], ["x"], "cannot be the file"),
        ([b"a.jpg"], ["x"], "cannot be the file"),
        ([["a.jpg"]], ["x"], "cannot be the file"),
        (pl.Series([object()], dtype=pl.Object), ["x"], "cannot be the file"),
        (["a.jpg"], [{"name": "x"}], "cannot be the label"),
        (["a.jpg"], [[["x"]]], "cannot be the label"),
        (["a.jpg"], [b"x"], "cannot be the label"),
        (["a.jpg"], pl.Series([object()], dtype=pl.Object), "cannot be the label"),
    ],
)
def test_columns_of_other_things_than_text_and_numbers_are_refused(root, file, label, what):
    with pytest.raises(DataError, match=what) as error:
        from_table(pl.DataFrame({"file": file, "label": label}), root=root)
    assert error.value.found.startswith("it holds ")


def test_a_data_frame_of_text_that_no_file_can_hold_is_refused(root):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match="data frame cannot be read"):
        from_table(pandas.DataFrame({"file": ["a\udcff.jpg"], "label": ["x"]}, dtype=object), root=root)


def test_a_panic_of_polars_is_a_refusal(root, monkeypatch):
    """It is no Exception: it would go through every `except` up to the top."""

    def panic(*_, **__):
        raise pl.exceptions.PanicException("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr("ursa.data.sources.tables.targets", panic)
    with pytest.raises(DataError, match="cannot be used") as error:
        from_table(pl.DataFrame({"file": ["a.jpg"], "label": ["x"]}), root=root)
    assert "Option::unwrap" in error.value.found


# --- Parquet, in a process that may die ----------------------------------------------------------------------------


def of_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def test_mutants_of_a_parquet_table_are_refused_or_read(root):
    data = of_parquet(pl.DataFrame({"file": ["a.jpg", "b.jpg"] * 20, "label": ["x", "y"] * 20, "n": [[1, 2], []] * 20}))
    random = np.random.default_rng(2)
    for _ in range(2):
        mutant = bytearray(data)
        for place in random.integers(4, len(data), 4):
            mutant[place] = random.integers(256)
        (root / "t.parquet").write_bytes(mutant)
        with contextlib.suppress(DataError):
            from_table(root / "t.parquet")


@pytest.mark.parametrize(
    ("child", "found"),
    [
        ("import os; os.abort()", "it ends the process that reads it"),
        ("import time; time.sleep(60)", "cannot be read within 1 s"),
        ("print('no frame')", "it ends the process that reads it"),
    ],
)
def test_a_table_that_ends_its_reader_ends_nothing_else(root, monkeypatch, child, found):
    monkeypatch.setattr(parquet, "_CHILD", child)
    monkeypatch.setattr(parquet, "SECONDS", 1)
    (root / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="damaged Parquet") as error:
        from_table(root / "t.parquet")
    assert found in error.value.found


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's here")
def test_the_reader_has_so_much_memory_and_no_more(root, monkeypatch):
    monkeypatch.setattr(parquet, "MEMORY", 200 << 20)
    (root / "t.parquet").write_bytes(of_parquet(pl.DataFrame({"file": ["a.jpg"], "label": ["x"]})))
    with pytest.raises(DataError, match="damaged Parquet"):
        from_table(root / "t.parquet")


def test_a_small_file_of_many_rows_is_refused_by_what_it_says(root, monkeypatch):
    monkeypatch.setattr(parquet, "ROWS", 1_000_000)
    frame = pl.select(file=pl.repeat("a.jpg", 1_000_001), label=pl.repeat("x", 1_000_001))
    (root / "t.parquet").write_bytes(of_parquet(frame))
    assert (root / "t.parquet").stat().st_size < 100_000
    with pytest.raises(DataError, match="damaged Parquet") as error:
        from_table(root / "t.parquet")
    assert error.value.found.startswith("1,000,001 rows")


def test_the_reader_imports_nothing_from_the_current_folder(root, monkeypatch):
    (root / "polars.py").write_text("raise SystemExit('not this one')")
    (root / "t.parquet").write_bytes(of_parquet(pl.DataFrame({"file": ["a.jpg"], "label": ["x"]})))
    monkeypatch.chdir(root)
    assert labels(from_table(root / "t.parquet")) == ["x"]


# --- laws ----------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
ROWS = st.lists(st.tuples(st.sampled_from(FILES), st.none() | TEXT), min_size=1, max_size=12)
LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LAWS
@given(ROWS, st.sampled_from([",", ";", "\t", "|"]))
def test_a_table_written_and_read_back_is_the_same_catalog(root, rows, separator):
    frame = pl.DataFrame(rows, schema={"file": pl.String, "label": pl.String}, orient="row")
    frame.write_csv(root / "t.csv", separator=separator)
    wanted = from_table(frame, root=root, task="single-label").rows
    assert from_table(root / "t.csv", task="single-label").rows.equals(wanted)


@settings(LAWS, max_examples=2)  # each starts a process
@given(st.lists(st.tuples(st.sampled_from(FILES), st.none() | TEXT), min_size=40, max_size=60))
def test_parquet_read_back_is_the_same_catalog(root, rows):
    frame = pl.DataFrame(rows, schema={"file": pl.String, "label": pl.String}, orient="row")
    frame.write_parquet(root / "t.parquet")
    wanted = from_table(frame, root=root, task="single-label").rows
    assert from_table(root / "t.parquet", task="single-label").rows.equals(wanted)


@LAWS
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_neither_classes_nor_counts(root, rows, random):
    mixed = random.sample(rows, len(rows))
    one, other = (
        from_table(pl.DataFrame(each, schema={"file": pl.String, "label": pl.String}, orient="row"), root=root)
        for each in (rows, mixed)
    )
    assert one.labels == other.labels and one.counts() == other.counts() and set(one.ids) == set(other.ids)


@LAWS
@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=5))
def test_columns_of_0_and_1_come_back_as_the_matrix(root, matrix):
    one_hot = np.array(matrix, np.float32)
    frame = pl.DataFrame({"file": FILES[: len(one_hot)], **{name: one_hot[:, i] for i, name in enumerate("xyz")}})
    catalog = from_table(frame, root=root, label=["x", "y", "z"])
    present = [name for name, any_ in zip("xyz", one_hot.any(0), strict=True) if any_]
    assert catalog.labels.names == tuple(present)
    assert np.array_equal(catalog.one_hot(), one_hot[:, one_hot.any(0)])
